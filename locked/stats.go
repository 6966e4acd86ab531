package locked

import (
	"strings"

	"github.com/memkeep/memkeep/internal/page"
)

// Stats is what a pool holds at one moment.
type Stats struct {
	LockedBytes     int         // bytes locked now, as the process's limit counts them
	LockedBytesPeak int         // the most there were
	DumpableBytes   int         // bytes mapped that a core dump may hold, where the system can't leave them out
	Budget          int         // the most there may be
	Unlocked        bool        // the pages are not locked: see Config.AllowUnlocked
	BudgetCut       bool        // the process's limit allows less than was asked for; rounding to whole pages is no cut
	Backend         Backend     // the mechanism in use
	BackendReason   string      // what the system answered for each better mechanism; empty for the best one, and for one that was forced
	LargestSecret   int         // the size of the largest secret that the budget can hold, in bytes
	OpenBuffers     int         // buffers not yet destroyed: steady growth indicates a leak
	Waiters         int         // calls that wait for a slot
	LastLimitError  *LimitError // the last time the system refused to lock; nil for never
}

// Stats returns the pool's figures. It takes a few locks for a moment.
func (p *Pool) Stats() Stats {
	if p.store.backend == nil {
		return Stats{}
	}
	s := Stats{
		Budget:        p.store.total,
		Unlocked:      p.store.backend.Name() == page.Unlocked,
		BudgetCut:     p.store.cut,
		Backend:       Backend(p.store.backend.Name()),
		BackendReason: reasonOf(p.store.backend),
		Waiters:       int(p.store.waiting.Load()),
	}
	p.mu.Lock()
	s.OpenBuffers = len(p.open)
	p.mu.Unlock()
	m := &p.store
	m.mu.Lock()
	defer m.mu.Unlock()
	s.LargestSecret = max(0, m.largest()/p.store.pageSize*p.store.pageSize-CanarySize)
	s.LockedBytes, s.LockedBytesPeak = m.locked, m.peak
	s.DumpableBytes = m.dumpable
	s.LastLimitError = m.lastLimit
	return s
}

// reasonOf says on one line why no better backend is in use.
func reasonOf(b page.Backend) string {
	err := page.Missing(b)
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
