package locked

import "github.com/memkeep/memkeep/internal/page"

// NewPoolOn is NewPool over a backend that is already open.
func NewPoolOn(b page.Backend, cfg Config) (*Pool, error) { return newPool(b, cfg, limitsFor(b)) }

// Pages returns the whole pages that the buffer lies in.
func (b *Buffer) Pages() []byte { return b.pages() }

// NewPoolUnder is NewPoolOn in a process with the given limits, which may raise
// its soft limit up to the hard one.
func NewPoolUnder(b page.Backend, cfg Config, l page.Limits) (*Pool, error) {
	return newPool(b, cfg, limitsOf(&l))
}

func limitsOf(l *page.Limits) rlimits {
	return rlimits{
		read:  func() (page.Limits, error) { return *l, nil },
		raise: func(want uint64) error { l.Soft = max(l.Soft, min(want, l.Hard)); return nil },
	}
}

// HardenWith is Harden with other measures.
func HardenWith(h Hardening, noCoreDumps, notDumpable, lockAll func() error) (Hardening, error) {
	return hardenWith(h, measures{noCoreDumps, notDumpable, lockAll})
}

// LiftUnder is what LockAll does before it locks, in a process with the given
// limits, and returns the soft limit after it.
func LiftUnder(l page.Limits) (soft uint64, err error) {
	err = limitsOf(&l).lift()
	return l.Soft, err
}

// A Region is what bridge.NewRegion returns.
type Region = region

// NewRegion is bridge.NewRegion.
func (p *Pool) NewRegion(size int) (*Region, error) { return p.newRegion(size) }
