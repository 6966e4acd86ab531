//go:build !purego

package xchacha

import (
	"runtime"
	"testing"
	"unsafe"
)

const functionAbsorb = functionCopyBack + 1

// Additional data goes to the accumulator, which is in the State: the registers
// that multiplied are clear, and the stack is untouched.
func TestAdditionalDataNoTrace(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 15, 16, 17, 100, 5001} {
		b := newSource(23).bytes(n + 1)
		for _, pattern := range patterns {
			s := newState()
			copy(unsafe.Slice((*byte)(unsafe.Pointer(s)), StateSize), newSource(24).bytes(StateSize))
			var pin runtime.Pinner
			pin.Pin(s)
			pin.Pin(&b[0])
			r, _ := callAssembly(best, functionAbsorb, pattern, [8]uintptr{
				uintptr(unsafe.Pointer(s)), uintptr(unsafe.Pointer(&b[0])), uintptr(n),
			})
			pin.Unpin()
			r.check(t, pattern)
			if t.Failed() {
				t.Fatalf("after %d bytes", n)
			}
		}
	}
}
