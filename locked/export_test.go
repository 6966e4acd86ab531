package locked

import "github.com/memkeep/memkeep/internal/page"

// NewPoolUnder is NewPoolOn in a process with the given limits, which may raise
// its soft limit up to the hard one.
func NewPoolUnder(b page.Backend, cfg Config, l page.Limits) (*Pool, error) {
	return newPool(b, cfg, rlimits{
		read:  func() (page.Limits, error) { return l, nil },
		raise: func(want uint64) error { l.Soft = max(l.Soft, min(want, l.Hard)); return nil },
	})
}

// Lane tells tests whether two pools can be told apart on a stack.
func (p *Pool) Lane() uint16 { return uint16(p.lane) }
