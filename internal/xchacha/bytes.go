package xchacha

import (
	"unsafe"

	"github.com/memkeep/memkeep/internal/sigframe"
)

// Go's copy goes through vector registers that nothing clears, so that any
// later signal or preemption saves what it moved; and Go code that compares may
// be preempted with bytes of the secret in its registers. These leave no more
// behind than the cipher does.

// Copy copies as many bytes from src to dst as the shorter one has, and returns
// how many. They may overlap.
func Copy(dst, src []byte) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	if n == 0 {
		return 0
	}
	defer sigframe.Mark()
	if d, s := address(dst), address(src); d > s && d-s < uintptr(n) {
		// From the end on, or it would overwrite what it has yet to copy.
		for rest := n; rest > 0; {
			part := min(rest, partSize)
			rest -= part
			copyBackwards(dst[rest:rest+part], src[rest:rest+part])
		}
		return n
	}
	for len(src) > partSize {
		copyBytes(dst, src[:partSize])
		dst, src = dst[partSize:], src[partSize:]
	}
	copyBytes(dst, src)
	return n
}

// Overlap reports whether a and b have a byte in common.
func Overlap(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	x, y := address(a), address(b)
	return x < y+uintptr(len(b)) && y < x+uintptr(len(a))
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// Equal reports whether a and b are the same bytes, in time that depends on
// their lengths alone.
func Equal(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	defer sigframe.Mark()
	differ := uint64(0)
	for len(a) > partSize {
		differ |= difference(a[:partSize], b)
		a, b = a[partSize:], b[partSize:]
	}
	return differ|difference(a, b) == 0
}
