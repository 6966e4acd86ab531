package locked

import (
	"bytes"
	"fmt"
	"math"
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
	pages := 1
	if size > pageSize-CanarySize {
		pages = (size + CanarySize + pageSize - 1) / pageSize
	}
	data := pages*pageSize - size
	return layout{pages: pages, canary: data - CanarySize, data: data}
}

// put writes the canary before the data of l.
func (l layout) put(window []byte, canary *[CanarySize]byte) {
	copy(window[l.canary:l.data], canary[:])
}

// intact reports whether the canary is as it was put. An overwritten canary is a
// bug's or an attacker's doing: nothing secret decides here.
func (l layout) intact(window []byte, canary *[CanarySize]byte) bool {
	return [CanarySize]byte(window[l.canary:l.data]) == *canary
}

// zeros is what padding is compared with, a piece at a time.
var zeros [4096]byte

// allZero reports whether b is all zero.
func allZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

// split cuts b into secrets of the sizes, and what lies between them.
func split(b []byte, sizes []int) (secrets, between [][]byte) {
	for i, n := range sizes {
		if i > 0 {
			between = append(between, b[:CanarySize])
			b = b[CanarySize:]
		}
		secrets = append(secrets, b[:n:n])
		b = b[n:]
	}
	return secrets, between
}

func checkSize(size int) error {
	switch {
	case size <= 0:
		return fmt.Errorf("locked: invalid size %d", size)
	case size > maxSize:
		return &LimitError{Resource: AddressSpace, Size: size, Requested: size}
	}
	return nil
}
