package percpu

import (
	"testing"
	"unsafe"
)

// Two processors' hints must not lie on one cache line, or each call on the one
// takes the line from the other.
func TestHintsShareNoCacheLine(t *testing.T) {
	t.Parallel()
	var hints Hints
	lines := map[uintptr]bool{}
	var all []*Hint
	for range 100 {
		h := hints.Get() // none is given back, so each is new
		all = append(all, h)
		line := uintptr(unsafe.Pointer(h)) / CacheLine
		if lines[line] {
			t.Fatal("two hints on one line")
		}
		lines[line] = true
	}
	for _, h := range all {
		hints.Put(h)
	}
}

func TestPlacesIsThePowerOfTwoThatServes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ want, limit, places int }{{0, 8, 1}, {1, 8, 1}, {3, 8, 4}, {8, 8, 8}, {9, 8, 8}, {9, 64, 16}} {
		if got := Places(c.want, c.limit); got != c.places {
			t.Errorf("Places(%d, %d) = %d, want %d", c.want, c.limit, got, c.places)
		}
	}
}
