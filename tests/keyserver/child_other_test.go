//go:build !linux

package main

import (
	"os"
	"os/exec"
	"testing"
)

// command is the test binary as a server.
func command(t testing.TB, unprivileged bool) *exec.Cmd {
	t.Helper()
	if unprivileged {
		t.Skip("SKIPPED, NOTHING TESTED: only on Linux is the limit lowered for a child")
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path)
}

func applyMemlock(string) error { return nil }

const settingsEnv = "KEYSERVER_TEST_SETTINGS"

func applySettings(string) error { return nil }
