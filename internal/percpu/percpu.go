// Package percpu spreads callers over a small number of places so that calls
// on the same processor tend to meet in the same place, and calls on different
// ones do not.
package percpu

import (
	"sync"
	"sync/atomic"
)

// CacheLine is how far apart data of different processors lies: 128 bytes,
// because some processors fetch 64-byte lines in pairs.
const CacheLine = 128

// Hints hands out hints. The zero value is ready to use. It must not be copied.
type Hints struct {
	pool sync.Pool // keeps one per processor, and may drop it: any is as good
	next atomic.Uint32
}

// A Hint is a place to try first. Between Get and Put it belongs to one caller.
// It fills cache lines of its own: small allocations of different processors
// share them.
type Hint struct {
	Index uint32
	_     [CacheLine - 4]byte
}

// Get returns this processor's hint.
func (h *Hints) Get() *Hint {
	if hint, ok := h.pool.Get().(*Hint); ok {
		return hint
	}
	return &Hint{Index: h.next.Add(1)}
}

// Put gives the hint back, with the index that the next caller should try.
func (h *Hints) Put(hint *Hint) { h.pool.Put(hint) }

// Places returns how many places serve the wanted number: the next power of
// two, at most limit (a power of two itself).
func Places(want, limit int) int {
	n := 1
	for n < want && n < limit {
		n *= 2
	}
	return n
}
