package enclave

import (
	"log/slog"
	"sync/atomic"

	"github.com/memkeep/memkeep/internal/secretdo"
	"github.com/memkeep/memkeep/locked"
)

// Stats describes what a session holds at one moment, and counts what it did.
type Stats struct {
	LockedBytes     int            `json:"locked_bytes"`             // bytes locked now, as the process's limit counts them; if Unlocked, as it would count them
	LockedBytesPeak int            `json:"locked_bytes_peak"`        // the highest value of LockedBytes
	Budget          int            `json:"budget"`                   // the most bytes that may be locked
	BudgetCut       bool           `json:"budget_cut"`               // the process's limit allows less than Config.MaxLockedBytes
	LargestSecret   int            `json:"largest_secret"`           // bytes of the largest secret that the budget can hold
	Unlocked        bool           `json:"unlocked"`                 // nothing is locked, and secrets may be swapped out: see Config.AllowUnlocked
	DumpableBytes   int            `json:"dumpable_bytes"`           // bytes that a core dump may include, because the system can't exclude them
	Backend         locked.Backend `json:"backend"`                  // the mechanism in use
	BackendReason   string         `json:"backend_reason,omitempty"` // why no better mechanism is in use, or why nothing is locked; empty for the best one, and for one that was forced
	RuntimeSecret   bool           `json:"runtime_secret"`           // functions given to Use run inside runtime/secret.Do
	OpenBuffers     int            `json:"open_buffers"`             // buffers not yet destroyed: steady growth indicates a leak
	Waiters         int            `json:"waiters"`                  // calls that are waiting for locked memory

	Seals     uint64 `json:"seals"`     // enclaves made
	Opens     uint64 `json:"opens"`     // secrets decrypted by Open, OpenInto and enclave/keys, failures included
	Uses      uint64 `json:"uses"`      // secrets decrypted by Use, UseAll and Equal, failures included
	Failures  uint64 `json:"failures"`  // opens and uses that returned ErrDecrypt
	Refreshes uint64 `json:"refreshes"` // times the key's shares were re-randomised

	LastLimitError *LimitError `json:"last_limit_error,omitempty"` // the last refusal to lock memory; nil for none
}

// LogValue logs the fields as a group, under their JSON names.
func (s Stats) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.Int("locked_bytes", s.LockedBytes),
		slog.Int("locked_bytes_peak", s.LockedBytesPeak),
		slog.Int("budget", s.Budget),
		slog.Bool("budget_cut", s.BudgetCut),
		slog.Int("largest_secret", s.LargestSecret),
		slog.Bool("unlocked", s.Unlocked),
		slog.Int("dumpable_bytes", s.DumpableBytes),
		slog.String("backend", string(s.Backend)),
		slog.Bool("runtime_secret", s.RuntimeSecret),
		slog.Int("open_buffers", s.OpenBuffers),
		slog.Int("waiters", s.Waiters),
		slog.Uint64("seals", s.Seals),
		slog.Uint64("opens", s.Opens),
		slog.Uint64("uses", s.Uses),
		slog.Uint64("failures", s.Failures),
		slog.Uint64("refreshes", s.Refreshes),
	}
	if s.BackendReason != "" {
		attrs = append(attrs, slog.String("backend_reason", s.BackendReason))
	}
	if s.LastLimitError != nil {
		attrs = append(attrs, slog.String("last_limit_error", s.LastLimitError.Error()))
	}
	return slog.GroupValue(attrs...)
}

// Stats returns the session's statistics. It takes a few locks for a moment, and
// does not create the session: before its first use all fields are zero. After
// Close they change only as calls that were under way end.
//
// To serve them under /debug/vars, publish an [expvar.Func] that returns them, as in
// the example: this package does not import expvar, which would add a handler to
// [net/http.DefaultServeMux] of every program. For Prometheus, and for OpenTelemetry
// through its Prometheus receiver, use
// github.com/memkeep/memkeep/enclave/enclaveprom.
func (s *Session) Stats() Stats {
	if c := s.core.Load(); c != nil {
		return c.stats()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut != nil {
		return s.shut.stats()
	}
	return Stats{}
}

func (c *core) stats() Stats {
	pool := c.pool.Stats()
	// An Open is counted here before the coffer counts it. So read in this order uses are
	// never too many, but too few while an Open is under way: the count stays what it was.
	coffer := c.coffer.Stats()
	opens := c.opens.Load()
	uses := c.uses.raise(coffer.Opens - min(opens, coffer.Opens))
	return Stats{
		LockedBytes:     pool.LockedBytes,
		LockedBytesPeak: pool.LockedBytesPeak,
		Budget:          pool.Budget,
		BudgetCut:       pool.BudgetCut,
		LargestSecret:   c.largest,
		Unlocked:        pool.Unlocked,
		DumpableBytes:   pool.DumpableBytes,
		Backend:         pool.Backend,
		BackendReason:   pool.BackendReason,
		RuntimeSecret:   secretdo.On && !c.session.cfg.NoRuntimeSecret,
		OpenBuffers:     pool.OpenBuffers,
		Waiters:         pool.Waiters,
		Seals:           coffer.Seals,
		Opens:           opens,
		Uses:            uses,
		Failures:        c.failures.Load(),
		Refreshes:       coffer.Refreshes,
		LastLimitError:  pool.LastLimitError,
	}
}

// A peak is the largest number seen.
type peak struct{ n atomic.Uint64 }

// raise returns the larger of n and the peak, which it is from now on.
func (p *peak) raise(n uint64) uint64 {
	for {
		old := p.n.Load()
		if n <= old {
			return old
		}
		if p.n.CompareAndSwap(old, n) {
			return n
		}
	}
}
