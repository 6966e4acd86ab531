package load_test

import (
	"os"
	"testing"
)

// childEnv names the one of children that this process is.
const childEnv = "MEMKEEP_LOAD_CHILD"

// children are processes that tests start.
var children = map[string]func(){}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		children[name]()
		os.Exit(0)
	}
	os.Exit(m.Run())
}
