package testenv

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"
)

// faultEnv tells a re-executed test which of its MustFault calls to die in.
const faultEnv = "MEMKEEP_FAULT"

// calls counts each test's MustFault calls, so that a child finds the one that
// its parent means. The count starts again when a test ends, for -count.
var calls = struct {
	sync.Mutex
	of map[string]int
}{of: make(map[string]int)}

// MustFault fails the test unless f faults: what says what f does. Where the
// runtime can turn a fault into a panic that is how it is seen; elsewhere the
// test runs again in a child process, which must die of it.
func MustFault(t *testing.T, what string, f func()) {
	t.Helper()
	if panicsOnFault() {
		if !Faults(f) {
			t.Errorf("%s: no fault", what)
		}
		return
	}
	id := callID(t)
	switch os.Getenv(faultEnv) {
	case id:
		f()
		fmt.Println("survived " + what)
		os.Exit(0)
	case "":
		cmd := again(t)
		cmd.Env = append(os.Environ(), faultEnv+"="+id)
		out, err := cmd.CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("SIGSEGV")) && !bytes.Contains(out, []byte("SIGBUS")) &&
			!bytes.Contains(out, []byte("0xc0000005")) {
			t.Errorf("%s: the child did not die of a fault: %v\n%s", what, err, out)
		}
	}
}

// panicsOnFault lists the processors for which the runtime knows the address of
// a fault. Windows has a way of its own, which works on all of them.
func panicsOnFault() bool {
	switch runtime.GOARCH {
	case "amd64", "arm64", "386", "riscv64":
		return true
	}
	return false
}

// Faults runs f and reports whether it faulted. It works where panicsOnFault
// says so.
func Faults(f func()) (faulted bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if _, ok := r.(interface{ Addr() uintptr }); !ok {
			panic(r)
		}
		faulted = true
	}()
	f()
	return false
}

func callID(t *testing.T) string {
	calls.Lock()
	defer calls.Unlock()
	if calls.of[t.Name()] == 0 {
		t.Cleanup(func() {
			calls.Lock()
			defer calls.Unlock()
			delete(calls.of, t.Name())
		})
	}
	calls.of[t.Name()]++
	return t.Name() + "#" + strconv.Itoa(calls.of[t.Name()])
}

// Touch reads b's first byte so that the compiler keeps the read.
//
//go:noinline
func Touch(b []byte) byte { return b[0] }
