package load_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

func TestEnvIsGoneFromProcEnviron(t *testing.T) {
	const name, other = "MEMKEEP_LOAD_TAKEN", "MEMKEEP_LOAD_TAKEN_NOT"
	if os.Getenv(name) == "" {
		// For the child, whose kernel lays them on its stack.
		os.Setenv(name, content)
		os.Setenv(other, content)
		defer os.Unsetenv(name)
		defer os.Unsetenv(other)
	}
	if !ownProcess(t) {
		return
	}
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED: an emulator has an environment of its own")
	}
	environ := func() []byte {
		t.Helper()
		b, err := os.ReadFile("/proc/self/environ")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if n := bytes.Count(environ(), []byte(content)); n != 2 {
		t.Fatalf("%d values at the start, want 2", n)
	}
	e, err := load.Env(name)
	holds(t, e, err, []byte(content))
	after := environ()
	if bytes.Contains(after, []byte(name+"="+content)) {
		t.Error("/proc/self/environ still shows the value")
	}
	if !bytes.Contains(after, []byte(other+"="+content)) {
		t.Error("another variable was overwritten")
	}
	if os.Getenv(other) != content || os.Getenv("PATH") == "" {
		t.Error("the rest of the environment is gone")
	}
}
