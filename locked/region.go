package locked

import (
	"context"

	"github.com/memkeep/memkeep/internal/wipe"
)

// A region is locked, guarded memory that is always readable and writable. It is
// working memory for code that handles secrets itself, such as a coffer's key shares,
// and counts towards the pool's budget. The caller frees it, and synchronises access to
// its bytes.
type region struct {
	pool *Pool
	slot *slot // nil once freed
}

// newRegion returns a zeroed region of size bytes, rounded up to whole pages. It never
// waits: if the budget is in use, it returns [ErrExhausted].
func (p *Pool) newRegion(size int) (*region, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	if p.store.backend == nil {
		return nil, errZero
	}
	s, err := p.store.acquire(context.Background(), forRegion, (size+p.store.pageSize-1)/p.store.pageSize, false)
	if err != nil {
		return nil, err
	}
	return &region{pool: p, slot: s}, nil
}

// Bytes returns the region's memory, or nil if it is freed.
func (r *region) Bytes() []byte {
	if r.slot == nil {
		return nil
	}
	return r.slot.run.Window
}

// Free wipes and unmaps the region. A slice of it faults from then on. Freeing it again
// does nothing. If Free returns an error, the region is wiped but still mapped, and
// [Pool.Close] retries.
func (r *region) Free() error {
	s, p := r.slot, r.pool
	if s == nil {
		return nil
	}
	wipe.Bytes(s.run.Window)
	r.slot = nil
	return p.store.discard(s)
}
