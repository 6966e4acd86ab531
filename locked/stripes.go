package locked

import (
	"sync/atomic"

	"github.com/memkeep/memkeep/internal/percpu"
)

// stripes holds slots of Use at rest, where goroutines get them without a lock.
// Each processor tends to find the slot it used last, and that slot returns to
// the stripe it was found in: so processors at work stay on stripes of their own.
type stripes struct {
	at    []stripe // none, or a power of two of them
	hints percpu.Hints
}

type stripe struct {
	slot atomic.Pointer[slot]
	_    [percpu.CacheLine]byte
}

// maxStripes bounds the memory of stripes on very large machines.
const maxStripes = 1024

func (s *stripes) init(want int) { s.at = make([]stripe, percpu.Places(want, maxStripes)) }

// get returns a slot, the processor's favourite first, or nil.
func (s *stripes) get() *slot {
	first := s.hints.Get()
	for i := range uint32(len(s.at)) {
		place := (first + i) & uint32(len(s.at)-1)
		// A look first: a swap would take the cache line from its processor.
		if at := &s.at[place].slot; at.Load() != nil {
			if found := at.Swap(nil); found != nil {
				found.place = place
				s.hints.Change(first, place)
				return found
			}
		}
	}
	return nil
}

// put leaves a slot for the next who asks, where it was found if it can. There are no
// more slots than stripes, so one is free, though not always the one looked at.
func (s *stripes) put(back *slot) {
	mask := uint32(len(s.at) - 1)
	for i := back.place; !s.at[i&mask].slot.CompareAndSwap(nil, back); i++ {
	}
}
