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
	var all []Hint
	for range 100 {
		h := hints.fromPool() // none is given back, so each is new
		all = append(all, h)
		line := uintptr(unsafe.Pointer(h.pooled)) / CacheLine
		if lines[line] {
			t.Fatal("two hints on one line")
		}
		lines[line] = true
	}
	for _, h := range all {
		hints.Put(h)
	}
}

// The goroutine may be moved to another processor in between, and a pool may drop what it
// has: but not every time.
func TestHintComesBackToTheProcessorThatGaveIt(t *testing.T) {
	t.Parallel()
	for name, get := range map[string]func(*Hints) Hint{"chosen": (*Hints).Get, "from the pool": (*Hints).fromPool} {
		var hints Hints
		back := 0
		for i := range uint32(1000) {
			h := get(&hints)
			h.Index = 1000 + i
			hints.Put(h)
			h = get(&hints)
			if h.Index == 1000+i {
				back++
			}
			hints.Put(h)
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
