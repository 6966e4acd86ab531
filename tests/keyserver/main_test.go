package main

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

// childEnv makes the test binary a key server: its arguments are the server's
// flags. So the tests need no compiler when they run, and drive the very code
// that they were built with, race detector and all.
const childEnv = "KEYSERVER_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	if err := errors.Join(applyMemlock(os.Getenv(memlockEnv)), applySettings(os.Getenv(settingsEnv))); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(99)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
