//go:build (amd64 || arm64) && !purego

package xchacha

import (
	"runtime"
	"testing"
	"unsafe"
)

// Copy and Equal use the same code whatever the kernel.
func TestCopyAndEqualNoTrace(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 7, 8, 16, 29, 100, 5001} {
		mem := newSource(22).bytes(2*n + 1)
		var pin runtime.Pinner
		pin.Pin(&mem[0])
		at := uintptr(unsafe.Pointer(&mem[0]))
		for _, function := range []uint64{functionDiffer, functionCopy, functionCopyBack} {
			for _, pattern := range patterns {
				r, _ := callAssembly(best, function, pattern, [8]uintptr{at, at + uintptr(n), uintptr(n)})
				r.check(t, pattern)
			}
		}
		pin.Unpin()
	}
}
