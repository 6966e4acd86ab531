package percpu

import (
	"testing"
	"unsafe"
)

// Two processors' hints must not lie on one cache line if each call writes to its own:
// it would take the line from the other.
func TestHintsOfThePoolShareNoCacheLine(t *testing.T) {
	t.Parallel()
	var hints Hints
	lines := map[uintptr]bool{}
	for range 100 {
		line := uintptr(unsafe.Pointer(hints.fromPool())) / CacheLine // none goes back, so each is new
		if lines[line] {
			t.Fatal("two hints on one line")
		}
		lines[line] = true
	}
}

// The goroutine may be moved to another processor in between, and a pool may drop what it
// has: but not every time.
func TestHintComesBackToTheProcessorThatChangedIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(h *Hints, from, to uint32)
		get    func(*Hints) uint32
	}{
		"chosen":        {(*Hints).Change, (*Hints).Get},
		"from the pool": {func(h *Hints, _, to uint32) { h.setPooled(to) }, (*Hints).getPooled},
	} {
		var hints Hints
		back := 0
		for i := range uint32(1000) {
			c.change(&hints, c.get(&hints), 1000+i)
			if c.get(&hints) == 1000+i {
				back++
			}
		}
		if back == 0 {
			t.Errorf("%s: no hint ever came back", name)
		}
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
