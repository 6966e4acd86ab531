// Package dropin holds the drop-in for memguard to what its callers can see. It
// does not import memguard, whose import changes the process; the package
// differential does.
package dropin

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/internal/testenv"
)

// soak is how long the reproductions of deadlocks run.
var soak = flag.Duration("soak", 2*time.Second, "how long to try to deadlock")

// share is what a test takes of the process's lockable memory: the least limit
// that there is, since the session serves all tests.
var share = testenv.SmallLimit()

// purging is held by a test that purges the process's only session, and for
// reading by those that mind.
var purging sync.RWMutex

// together marks a test that runs beside others.
func together(t testing.TB) {
	t.Helper()
	if t, ok := t.(*testing.T); ok {
		t.Parallel()
	}
	testenv.Lockable(t, share)
	purging.RLock()
	t.Cleanup(purging.RUnlock)
}

// alone marks a test that purges.
func alone(t *testing.T) {
	t.Helper()
	t.Parallel()
	testenv.Lockable(t, share)
	purging.Lock()
	t.Cleanup(purging.Unlock)
}

// childEnv names the one of children that this process is.
const childEnv = "MEMKEEP_DROPIN_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		children[name]()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs one of children in a process of its own and returns how it ended
// and what it printed.
func child(t *testing.T, name string) (*os.ProcessState, string) {
	t.Helper()
	if children[name] == nil {
		t.Fatalf("there is no child %q", name)
	}
	cmd := testenv.Reexec()
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState, string(out)
}

// children are the processes that end in the middle.
var children = map[string]func(){
	"writes frozen": func() {
		defer func() { fmt.Println("recovered", recover() != nil) }()
		memguard.NewBufferFromBytes([]byte("secret")).Bytes()[0] = 1
	},
	"writes past the end": func() {
		defer func() { fmt.Println("recovered", recover() != nil) }()
		*beside(memguard.NewBuffer(6).Bytes(), 6) = 1
	},
	"reads after destroy": func() {
		defer func() { fmt.Println("recovered", recover() != nil) }()
		b := memguard.NewBuffer(6)
		stale := b.Bytes()
		b.Destroy()
		testenv.Touch(stale)
	},
	"exits 7": func() { memguard.SafeExit(7) },
	"exits 7 overrun": func() {
		*beside(memguard.NewBuffer(6).Bytes(), -1) ^= 1 // the canary is random: 1 may be there already
		memguard.SafeExit(7)
	},
}

// panics returns what f panics with, nil if it does not.
func panics(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }

// secret returns n bytes that are not zero.
func secret(n int) []byte { return bytes.Repeat([]byte{0x5e}, n) }

func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// wantNull fails unless b is a destroyed buffer.
func wantNull(t *testing.T, b *memguard.LockedBuffer) {
	t.Helper()
	if b == nil || b.Size() != 0 || b.Bytes() != nil || b.IsAlive() || b.IsMutable() || b.Seal() != nil {
		t.Errorf("not a destroyed buffer")
	}
}

func mustOpen(t testing.TB, e *memguard.Enclave) *memguard.LockedBuffer {
	t.Helper()
	b, err := e.Open()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
