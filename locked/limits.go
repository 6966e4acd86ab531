package locked

import (
	"fmt"

	"github.com/memkeep/memkeep/internal/page"
)

// Limits describes what the system lets this process lock.
type Limits struct {
	// Soft is the limit in force, in bytes; [Unlimited] for none. It is
	// RLIMIT_MEMLOCK on Unix, and on Windows the minimum working set, of which
	// the system keeps a small part for itself.
	Soft uint64
	// Hard is the limit up to which the process may raise Soft by itself. On
	// Windows a pool raises it as it locks, and the system may still refuse.
	Hard uint64
	// Exempt reports that no limit applies to this process: on Linux, it has
	// CAP_IPC_LOCK in the initial user namespace.
	Exempt bool
	// PageSize is the unit of locking, in bytes.
	PageSize int
	// Budget is the budget that a pool with the default configuration gets, in
	// bytes: zero if not one page can be locked.
	Budget int
	// Backend is the best mechanism of this system, or empty if it has none.
	Backend Backend
	// BackendReason is why no better mechanism is available; empty for the best
	// one.
	BackendReason string
	// DumpExclusion, ForkExclusion and ExitWipe name the calls that exclude pages
	// from core dumps and from child processes, and that make the system zero
	// them when the process ends. They are empty where the system has none.
	DumpExclusion, ForkExclusion, ExitWipe string
}

// CurrentLimits returns the limits of this process. It changes nothing. If the platform
// can't lock memory, the error is [ErrUnsupported].
func CurrentLimits() (Limits, error) {
	l, err := page.ReadLimits()
	if err != nil {
		return Limits{}, err
	}
	limits := Limits{Soft: l.Soft, Hard: l.Hard, Exempt: l.Exempt, PageSize: page.Size()}
	b, err := page.Open("", nil)
	if err != nil {
		return limits, fmt.Errorf("locked: %w", err)
	}
	limits.Backend, limits.BackendReason = Backend(b.Name()), reasonOf(b)
	limits.Budget = budgetWithin(DefaultLockedBytes, l.Lockable(), page.Size())
	advised := page.Advised()
	limits.DumpExclusion, limits.ForkExclusion, limits.ExitWipe = advised.Dump, advised.Fork, advised.Exit
	return limits, nil
}

// rlimits is how a pool reads and raises the process's limit: the seam where
// tests put a process of their own.
type rlimits struct {
	read  func() (page.Limits, error)
	raise func(want uint64) error
}

// ofProcess is the limits of this very process.
func ofProcess() rlimits { return rlimits{page.ReadLimits, page.RaiseSoftLimit} }

// allowance cuts a wanted budget to what the process may lock, in whole pages.
// It raises the soft limit where that alone is in the way.
func (r rlimits) allowance(want int) (budget int, limits page.Limits, err error) {
	limits, err = r.read()
	if err != nil {
		return 0, limits, err
	}
	if uint64(want) > limits.InReach() && !limits.RaisedAsLocked && limits.Hard > limits.Soft {
		// Where that is forbidden, the limit in force has to do.
		_ = r.raise(uint64(want))
		if limits, err = r.read(); err != nil {
			return 0, limits, err
		}
	}
	return budgetWithin(want, limits.InReach(), page.Size()), limits, nil
}

// budgetWithin is the largest multiple of the page size that is at most want
// and at most what can be locked.
func budgetWithin(want int, lockable uint64, pageSize int) int {
	return int(min(uint64(want), lockable)) / pageSize * pageSize
}
