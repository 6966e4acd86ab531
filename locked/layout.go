package locked

import (
	"math"
	"unsafe"
)

// CanarySize is the number of random bytes before a buffer's data.
const CanarySize = 16

// maxSize bounds a buffer's size so that sums with it can't overflow. It is far
// beyond what any system locks.
const maxSize = math.MaxInt / 4

// A layout is where size bytes of data lie in a run of whole pages: at its
// end, so that the first byte past them is in the guard page, with the canary
// right before them.
//
//	[ padding, all zero | canary | data ][guard]
//	0                   canary   data    pages × page size
type layout struct {
	pages  int
	canary int // offset of the canary
	data   int // offset of the data, and the end of the canary
}

func layoutOf(size, pageSize int) layout {
	pages := (size + CanarySize + pageSize - 1) / pageSize
	data := pages*pageSize - size
	return layout{pages: pages, canary: data - CanarySize, data: data}
}

// put writes the canary before the data of l.
func (l layout) put(window []byte, canary *[CanarySize]byte) {
	copy(window[l.canary:l.data], canary[:])
}

// whole reports whether the canary and the padding are as they were put. An
// overwritten canary is the attacker's or the bug's doing: nothing secret
// decides here.
func (l layout) whole(window []byte, canary *[CanarySize]byte) bool {
	return [CanarySize]byte(window[l.canary:l.data]) == *canary && allZero(window[:l.canary])
}

// allZero reports whether b, which starts at the start of a page, is all zero.
func allZero(b []byte) bool {
	const word = 8
	words := len(b) / word
	if words > 0 {
		// A page's start is aligned for any type.
		for _, w := range unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), words) {
			if w != 0 {
				return false
			}
		}
	}
	for _, c := range b[words*word:] {
		if c != 0 {
			return false
		}
	}
	return true
}
