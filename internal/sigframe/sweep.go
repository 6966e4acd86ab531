package sigframe

import (
	"sync"
	"sync/atomic"
	"time"
)

// Interval is the least time between two sweeps that timers ask for.
const Interval = 500 * time.Millisecond

// process is the process's sweeper: the package doc says why there is but one.
var process = sweeper{all: overwriteAll, now: time.Now}

// Mark reports that code that handles secrets ran on this thread. Call it at the end of
// such code: a sweep that began earlier did not overwrite what it left.
func Mark() { process.mark() }

// Sweep sends the signal to every thread of the process, unless nothing was
// marked since it last did. It reports whether it did. It does not wait until
// all threads have handled the signal; the calling one has, if the goroutine is
// locked to it.
//
// If some threads can't be signalled, Sweep returns an error, and the next call tries
// again.
func Sweep() (swept bool, err error) { return process.sweep(0) }

// SweepDue is like [Sweep], but does nothing if the last sweep was less than [Interval]
// ago. It is for timers, of which the process may have thousands. The mark stays for
// the next call.
func SweepDue() (swept bool, err error) { return process.sweep(Interval) }

// Sweeps returns how often all threads were signalled.
func Sweeps() uint64 { return process.sweeps.Load() }

type sweeper struct {
	_      [128]byte // mark reads marked, on every processor: it has a cache line
	marked atomic.Bool
	_      [128]byte

	all    func() error     // overwriteAll, or a test's
	now    func() time.Time // time.Now, or a test's
	sweeps atomic.Uint64
	mu     sync.Mutex // held during a sweep; protects last
	last   time.Time  // when the last sweep began
}

// mark writes only if there is no mark: so the processors share the cache line,
// and it changes hands once a sweep.
func (s *sweeper) mark() {
	if !s.marked.Load() {
		s.marked.Store(true)
	}
}

func (s *sweeper) sweep(interval time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	// A clock that went back, as a test's own does, makes a sweep due.
	if ago := now.Sub(s.last); ago >= 0 && ago < interval {
		return false, nil
	}
	// Before the signals: what is marked from here on may end after them.
	if !s.marked.Load() || !s.marked.Swap(false) {
		return false, nil
	}
	s.last = now
	s.sweeps.Add(1)
	err := s.all()
	if err != nil {
		s.marked.Store(true)
	}
	return true, err
}
