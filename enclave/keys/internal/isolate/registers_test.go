//go:build amd64 || arm64

package isolate

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys/internal/registers"
)

// However f ends, nothing is left of what it had in vector registers, which the runtime
// saves when the goroutine is preempted after Do.
func TestRegistersAreCleared(t *testing.T) {
	t.Parallel()
	// On another thread's registers the goroutine would find what it left there before.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	secret := bytes.Repeat([]byte{0xa5}, 64)
	load := func() { _ = bytes.IndexByte(secret, 0) } // which loads 32 bytes at once
	var control [registers.Size]byte
	load()
	registers.Record(&control)
	if !bytes.Contains(control[:], secret[:16]) {
		t.Fatal("the control is not found: nothing is tested")
	}
	for kindName, kind := range map[string]Kind{"Brief": Brief, "Small": Small, "Large": Large} {
		for name, end := range map[string]func() error{
			"returns": func() error { return nil },
			"fails":   func() error { return errors.New("f's") },
			"panics":  func() error { panic("f's") },
		} {
			var left [registers.Size]byte
			func() {
				defer func() {
					registers.Record(&left)
					_ = recover()
				}()
				registers.Clear() // of what this test had in them; f may run on another thread
				_ = Do(kind, func() error {
					load()
					return end()
				})
			}()
			if bytes.Contains(left[:], secret[:8]) {
				t.Errorf("%s, f %s: something is left in registers", kindName, name)
			}
		}
	}
}
