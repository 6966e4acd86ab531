package locked

import (
	"context"

	"github.com/memkeep/memkeep/internal/wipe"
)

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
	if p.store.backend == nil {
		return nil, errZero
	}
	s, err := p.store.take(context.Background(), forRegion, (size+p.store.pageSize-1)/p.store.pageSize, false)
	if err != nil {
		return nil, err
	}
	p.store.regions.Add(int64(p.store.charge(s.kind)))
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
	p.store.regions.Add(-int64(p.store.charge(s.kind)))
	return p.store.discard(s)
}
