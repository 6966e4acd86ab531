package isolate

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What f wrote to the stack is overwritten when Do returns, as deep as the kind
// allows.
func TestStackIsOverwritten(t *testing.T) {
	t.Parallel()
	if _, high := bounds(); high == 0 {
		t.Skip("SKIPPED: where the stack lies is not known here")
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	defer memory.Close()
	for name, kind := range map[string]Kind{"Brief": Brief, "Small": Small, "Large": Large} {
		// On a large stack f does not run, and a collection may move the stack before
		// Do returns and after it: then nothing is known of what lies there.
		tested := overwritten(t, name, kind, memory)
		for i := 0; !tested && i < 100; i++ {
			runtime.GC() // halves a large stack
			tested = overwritten(t, name, kind, memory)
		}
		if !tested {
			t.Errorf("%s: the stack never stayed where it was", name)
		}
	}
}

// overwritten reads what Do leaves of the caller's stack, which f has filled, and
// reports false if f had another stack or this one has moved.
func overwritten(t *testing.T, name string, kind Kind, memory *os.File) bool {
	t.Helper()
	pattern := bytes.Repeat([]byte{0xa5}, 16)
	var deepest, highest, inside uintptr
	err := Do(kind, func() error {
		var here byte
		highest = uintptr(unsafe.Pointer(&here))
		deepest = fill(kind.Depth() - 2048)
		_, inside = bounds()
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return true
	}
	stack := make([]byte, highest-deepest)
	_, readErr := memory.ReadAt(stack, int64(deepest))
	// The same without Do is found.
	at := fill(kind.Depth() - 2048)
	control := make([]byte, highest-deepest)
	_, controlErr := memory.ReadAt(control, int64(at))
	if _, after := bounds(); inside != after {
		return false
	}
	if readErr != nil || controlErr != nil {
		t.Errorf("%s: %v, %v", name, readErr, controlErr)
	}
	if n := bytes.Count(stack, pattern); n > 0 {
		t.Errorf("%s: %d pieces are left", name, n)
	}
	if !bytes.Contains(control, pattern) {
		t.Errorf("%s: the control is not found", name)
	}
	return true
}

// blocked reports whether the thread has SIGURG blocked.
func blocked(t *testing.T) bool {
	var mask unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &mask); err != nil {
		t.Fatal(err)
	}
	bits := 8 * int(unsafe.Sizeof(mask.Val[0]))
	at := int(syscall.SIGURG) - 1
	return mask.Val[at/bits]>>(at%bits)&1 == 1
}

func TestSignalsOfPreemptionAreBlockedAndUnblocked(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for name, f := range map[string]func() error{
		"returns": func() error { return nil },
		"fails":   func() error { return errors.New("f's") },
		"panics":  func() error { panic("f's") },
	} {
		inside := false
		func() {
			defer func() { _ = recover() }()
			_ = Do(Small, func() error {
				inside = blocked(t)
				return f()
			})
		}()
		if !inside {
			t.Errorf("%s: the signal is not blocked", name)
		}
		if blocked(t) {
			t.Errorf("%s: the signal is still blocked", name)
		}
	}
}
