package locked

import (
	"errors"
	"fmt"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/wipe"
)

// A Region is locked, guarded memory that stays readable and writable: the
// working memory of code that handles secrets itself, such as a coffer's key
// shares. It is counted by the pool's budget. Whoever made it frees it, and
// serialises the use of its bytes.
type Region struct {
	pool   *Pool
	run    *page.Run // nil once freed
	charge int
}

// NewRegion returns a zeroed region of size bytes, rounded up to whole pages
// that it shares with nothing else. It never waits: [ErrExhausted] says that
// the budget is in use.
func (p *Pool) NewRegion(size int) (*Region, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	r := request{slotKind: slotKind{pages: (size + p.pageSize - 1) / p.pageSize}}
	bytes := r.pages * p.pageSize
	charge := p.backend.Charge(bytes, false)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return nil, ErrClosed
	}
	if p.regions+charge+p.keptAtMost(r) > p.budget {
		return nil, p.limitError(charge, nil)
	}
	if err := p.makeRoom(charge, r); errors.Is(err, errFull) {
		return nil, ErrExhausted
	} else if err != nil {
		return nil, err
	}
	run, err := p.mapRun(bytes, false, charge)
	if err != nil {
		return nil, err
	}
	p.regions += charge
	p.updateLargest()
	return &Region{pool: p, run: run, charge: charge}, nil
}

// Bytes returns the region's memory, nil once it is freed.
func (r *Region) Bytes() []byte {
	if r.run == nil {
		return nil
	}
	return r.run.Window
}

// Free wipes the region and gives it back to the system. A slice of it faults
// from then on. Freeing it again does nothing. After an error the region is
// wiped but still mapped, and Free may be called again.
func (r *Region) Free() error {
	if r.run == nil {
		return nil
	}
	wipe.Bytes(r.run.Window)
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.backend.Unmap(r.run); err != nil {
		return fmt.Errorf("locked: unmapping %d bytes: %w", len(r.run.Window), err)
	}
	p.dumpable -= dumpable(r.run)
	r.run = nil
	p.total -= r.charge
	p.regions -= r.charge
	p.updateLargest()
	p.dispatch()
	return nil
}
