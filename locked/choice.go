package locked

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/memkeep/memkeep/internal/page"
)

// openPool returns a pool over the backend that cfg names, or over the best one.
func openPool(cfg Config) (*Pool, error) {
	b, err := page.Open(string(cfg.Backend), nil)
	if err != nil {
		return nil, openError(err)
	}
	if page.Locks(b) && cfg.AllowUnlocked {
		err = tryLock(b)
	} else if !page.Locks(b) && !cfg.AllowUnlocked {
		err = fmt.Errorf("locked: the backend %q does not lock: set AllowUnlocked as well", cfg.Backend)
	}
	if err != nil {
		return nil, err
	}
	return newPool(b, cfg, limitsFor(b))
}

// tryLock locks a page and gives it back. A container or an emulated kernel may refuse
// what the limit allows.
func tryLock(b page.Backend) error {
	r, err := b.Map(page.Size(), false)
	if r != nil { // beside an error, what the system did not take back
		err = errors.Join(err, b.Unmap(r))
	}
	if err != nil {
		return openError(err)
	}
	return nil
}

// cannotLock reports whether err says that the process or the platform can't lock memory.
func cannotLock(err error) bool {
	limit, ok := errors.AsType[*LimitError](err)
	return ok && limit.Resource == LockedMemory && !limit.chosen || errors.Is(err, ErrUnsupported)
}

func newPool(b page.Backend, cfg Config, r rlimits) (*Pool, error) {
	if cfg.LockedBytes < 0 || cfg.UseSlots < 0 || cfg.IdleTimeout < 0 {
		return nil, fmt.Errorf("locked: invalid Config: LockedBytes %d, UseSlots %d, IdleTimeout %v: none may be negative", cfg.LockedBytes, cfg.UseSlots, cfg.IdleTimeout)
	}
	want := cmp.Or(cfg.LockedBytes, DefaultLockedBytes)
	total, limits, err := r.allowance(want)
	if err != nil {
		return nil, fmt.Errorf("locked: %w", err)
	}
	p := makePool(b, page.Size(), total, cfg)
	p.store.cut = uint64(want) > limits.InReach()
	if need := p.store.minimum(); need > total {
		return nil, &LimitError{Resource: LockedMemory, Requested: need, Budget: total, Soft: limits.Soft, Hard: limits.Hard, chosen: !p.store.cut}
	}
	return p, nil
}

// limitsFor is the limits of this process on what b maps: none on what is not locked.
func limitsFor(b page.Backend) rlimits {
	if page.Locks(b) {
		return ofProcess()
	}
	return rlimits{read: func() (page.Limits, error) { return page.Limits{Soft: Unlimited, Hard: Unlimited}, nil }}
}

// openError is what NewPool returns when no mechanism could be opened, or what was
// opened locks nothing.
func openError(err error) error {
	var refused *page.LockError
	if errors.As(err, &refused) {
		e := &LimitError{Resource: Resource(refused.Resource), Requested: page.Size(), Err: err}
		// Without the limits the error still says what was refused and why.
		if l, err := page.ReadLimits(); err == nil {
			e.Soft, e.Hard = l.Soft, l.Hard
		}
		return e
	}
	return fmt.Errorf("locked: %w", err)
}
