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
		var deepest, highest uintptr
		work := func() error {
			var here byte
			highest = uintptr(unsafe.Pointer(&here))
			deepest = fill(kind.Depth() - 2048)
			return nil
		}
		_ = Do(kind, work) // the stack has grown
		_, before := bounds()
		err := Do(kind, work)
		stack := make([]byte, highest-deepest)
		_, readErr := memory.ReadAt(stack, int64(deepest))
		if _, after := bounds(); err != nil || readErr != nil || before != after {
			t.Fatalf("%s: nothing tested: %v, %v, or the stack has moved", name, err, readErr)
		}
		if n := bytes.Count(stack, bytes.Repeat([]byte{0xa5}, 16)); n > 0 {
			t.Errorf("%s: %d pieces are left", name, n)
		}
		// The same without Do is found.
		deepest = fill(kind.Depth() - 2048)
		if _, err := memory.ReadAt(stack, int64(deepest)); err != nil || !bytes.Contains(stack, bytes.Repeat([]byte{0xa5}, 16)) {
			t.Errorf("%s: the control is not found: %v", name, err)
		}
		growLarge()
		burnLarge() // for the next kind
	}
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
