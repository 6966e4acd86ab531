package locked

import (
	"strings"

	"github.com/memkeep/memkeep/internal/page"
)

// Stats describes what a pool holds at one moment.
type Stats struct {
	LockedBytes     int         // bytes locked now, as the process's limit counts them; if Unlocked, as it would count them
	LockedBytesPeak int         // the highest value of LockedBytes
	DumpableBytes   int         // mapped bytes that a core dump may include, because the system can't exclude them
	Budget          int         // the most bytes that may be locked
	Unlocked        bool        // nothing is locked, and secrets may be swapped out: see Config.AllowUnlocked
	BudgetCut       bool        // the process's limit allows less than Config.LockedBytes, rounded to whole pages
	Backend         Backend     // the mechanism in use
	BackendReason   string      // why no better mechanism is in use, or why nothing is locked; empty for the best one, and for one that was forced
	LargestSecret   int         // the size of the largest secret that the budget can hold, in bytes
	OpenBuffers     int         // buffers not yet destroyed: steady growth indicates a leak
	Waiters         int         // calls that are waiting for a slot
	LastLimitError  *LimitError // the last refusal to lock memory; nil for none
}

// Stats returns the pool's statistics. It takes a few locks for a moment.
func (p *Pool) Stats() Stats {
	if p.store.backend == nil {
		return Stats{}
	}
	s := Stats{
		Budget:        p.store.total,
		Unlocked:      !page.Locks(p.store.backend),
		BudgetCut:     p.store.cut,
		Backend:       Backend(p.store.backend.Name()),
		BackendReason: reasonOf(p.store.backend),
	}
	p.mu.Lock()
	s.OpenBuffers = len(p.open)
	p.mu.Unlock()
	m := &p.store
	for i := range m.waiting {
		s.Waiters += int(m.waiting[i].Load())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.LargestSecret = max(0, m.largest()/p.store.pageSize*p.store.pageSize-CanarySize)
	s.LockedBytes, s.LockedBytesPeak = m.locked, m.peak
	s.DumpableBytes = m.dumpable
	s.LastLimitError = m.lastLimit
	return s
}

// reasonOf returns on one line why no better backend is in use.
func reasonOf(b page.Backend) string {
	err := page.Missing(b)
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
