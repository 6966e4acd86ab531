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
//
// Where a program can read its processor's number cheaply, each processor has an entry in
// a table, which is written only when its hint changes. Elsewhere a [sync.Pool] keeps a
// hint for each processor, and may drop it: any other will do.
type Hints struct {
	table [tableSize]atomic.Uint32
	pool  sync.Pool
	next  atomic.Uint32
}

// tableSize is a power of two. If there are more processors, some share an entry.
const tableSize = 256

// A Hint is a place to try first. Between Get and Put it belongs to the caller, who
// changes Index to the place that the next caller should try.
type Hint struct {
	Index  uint32
	listed *atomic.Uint32 // its entry in the table, or
	pooled *pooled        // what keeps it in the pool
}

// pooled fills cache lines of its own: small allocations of different processors share
// them.
type pooled struct {
	index uint32
	_     [CacheLine - 4]byte
}

// Get returns this processor's hint.
func (h *Hints) Get() Hint {
	if numbered {
		at := &h.table[processor()%tableSize]
		return Hint{Index: at.Load(), listed: at}
	}
	return h.fromPool()
}

func (h *Hints) fromPool() Hint {
	p, ok := h.pool.Get().(*pooled)
	if !ok {
		p = &pooled{index: h.next.Add(1)}
	}
	return Hint{Index: p.index, pooled: p}
}

// Put gives the hint back.
func (h *Hints) Put(hint Hint) {
	if hint.pooled != nil {
		hint.pooled.index = hint.Index
		h.pool.Put(hint.pooled)
	} else if hint.listed.Load() != hint.Index {
		hint.listed.Store(hint.Index)
	}
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
