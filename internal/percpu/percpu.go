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

// Hints are the places that callers try first. The zero value is ready to use. It must
// not be copied.
//
// Where a program can read its processor's number cheaply, each processor has an entry in
// a table, which is written only when its hint changes. Elsewhere a [sync.Pool] keeps a
// hint for each processor, and may drop it: any other will do.
type Hints struct {
	table [tableSize]atomic.Uint32
	pool  sync.Pool // of *pooled
	next  atomic.Uint32
}

// tableSize is a power of two. If there are more processors, some share an entry.
const tableSize = 256

// pooled fills cache lines of its own: small allocations of different processors share
// them.
type pooled struct {
	index uint32
	_     [CacheLine - 4]byte
}

// Get returns this processor's hint.
func (h *Hints) Get() uint32 {
	if numbered {
		return h.table[processor()%tableSize].Load()
	}
	return h.getPooled()
}

// Change sets this processor's hint to the place that the caller found, unless that is
// the one it got. If the goroutine has moved since Get, another processor's hint changes,
// which does no harm.
func (h *Hints) Change(from, to uint32) {
	if from != to {
		h.set(to)
	}
}

func (h *Hints) set(index uint32) {
	if numbered {
		h.table[processor()%tableSize].Store(index)
		return
	}
	h.setPooled(index)
}

func (h *Hints) getPooled() uint32 {
	p := h.fromPool()
	index := p.index
	h.pool.Put(p)
	return index
}

func (h *Hints) setPooled(index uint32) {
	p := h.fromPool()
	p.index = index
	h.pool.Put(p)
}

func (h *Hints) fromPool() *pooled {
	p, ok := h.pool.Get().(*pooled)
	if !ok {
		p = &pooled{index: h.next.Add(1)}
	}
	return p
}

// Places returns how many places serve the wanted number: the next power of
// two, at most limit (a power of two itself).
func Places(want, limit int) int {
	n := 1
	for n < want && n < limit {
		n *= 2
	}
	return n
}
