package locked

import "github.com/memkeep/memkeep/internal/wipe"

// A Region is locked, guarded memory that stays readable and writable: the
// working memory of code that handles secrets itself, such as a coffer's key
// shares. It is counted by the pool's budget. Whoever made it frees it, and
// serialises the use of its bytes.
type Region struct {
	pool *Pool
	slot *slot // nil once freed
}

// NewRegion returns a zeroed region of size bytes, rounded up to whole pages
// that it shares with nothing else. It never waits: [ErrExhausted] says that
// the budget is in use.
func (p *Pool) NewRegion(size int) (*Region, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	if p.backend == nil {
		return nil, errZero
	}
	if p.closed.Load() {
		return nil, ErrClosed
	}
	k := kind{pages: (size + p.pageSize - 1) / p.pageSize}
	charge := p.store.charge(k)
	if !p.fits(k) {
		return nil, p.store.limitError(charge, nil)
	}
	if err := p.budget.tryTake(charge, p.budget.size); err != nil {
		return nil, err
	}
	// A new one: a stale slice of a buffer must not end up over a region.
	s, err := p.store.mapNew(k)
	if err != nil {
		p.budget.give(charge)
		return nil, err
	}
	s.paid = true
	p.regions.Add(int64(charge))
	return &Region{pool: p, slot: s}, nil
}

// Bytes returns the region's memory, nil once it is freed.
func (r *Region) Bytes() []byte {
	if r.slot == nil {
		return nil
	}
	return r.slot.run.Window
}

// Free wipes the region and gives it back to the system. A slice of it faults
// from then on. Freeing it again does nothing. After an error the region is
// wiped but still mapped, and [Pool.Close] tries again to unmap it.
func (r *Region) Free() error {
	s, p := r.slot, r.pool
	if s == nil {
		return nil
	}
	wipe.Bytes(s.run.Window)
	r.slot = nil
	p.regions.Add(-int64(p.store.charge(s.kind)))
	return p.discard(s)
}
