package locked

import (
	"testing"
	"unsafe"

	"github.com/memkeep/memkeep/internal/percpu"
)

// Calls of Use on different processors would take cache lines from each other.
func TestSlotsAndStripesShareNoCacheLine(t *testing.T) {
	t.Parallel()
	var s stripes
	s.init(64)
	owner := map[uintptr]int{}
	take := func(place int, p unsafe.Pointer, size uintptr) {
		for line := uintptr(p) / percpu.CacheLine; line <= (uintptr(p)+size-1)/percpu.CacheLine; line++ {
			if other, taken := owner[line]; taken {
				t.Errorf("%d and %d share a cache line", other, place)
			}
			owner[line] = place
		}
	}
	for i := range s.at {
		at := &s.at[i]
		take(i, unsafe.Pointer(at), unsafe.Sizeof(at.slot))
		found := new(slot)
		at.slot.Store(found)
		take(len(s.at)+i, unsafe.Pointer(found), unsafe.Offsetof(found.back)+unsafe.Sizeof(found.back))
	}
}
