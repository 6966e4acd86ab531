package locked

import (
	"container/list"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memkeep/memkeep/internal/page"
)

// A store has the slots of a pool. It counts their bytes against the budget, lets
// calls wait while there are none, maps slots, and keeps the idle ones so that the
// next call needs no system call. The idle ones are a cache: whoever took bytes from
// the shared part may have the pages of any that are from there.
type store struct {
	backend     page.Backend
	pageSize    int
	total       int        // the most bytes that are ever mapped
	size        [parts]int // bytes of each part of the budget
	dualUse     bool
	dualBuffers int // bytes of the shared part within which buffers are mapped twice
	quiet       time.Duration
	cut         bool // the process may lock less than was asked for

	stripes  [parts]stripes
	closed   atomic.Bool          // written under mu
	regions  atomic.Int64         // bytes of the shared part that regions have in hand; written under mu
	waiting  [parts]atomic.Int32  // calls that wait; of those in the lines written under mu
	progress [parts]atomic.Uint64 // how often something came back for those in each line

	mapping sync.Mutex // held while the system maps or unmaps; taken before mu

	mu        sync.Mutex         // protects what follows, for moments only
	lines     [parts]list.List   // of *waiter
	bytes     [parts][states]int // charged by the slots in each state
	locked    int                // bytes mapped now, as the process's limit counts them
	peak      int                // the most there were
	dumpable  int                // bytes mapped that a core dump may hold
	idle      map[kind][]*slot   // what came back first is first
	stuck     []*slot
	expiry    *time.Timer // nil unless it will run
	lastLimit *LimitError
}

// rotation is how many idle buffers of a kind there are before one is used
// again, if there is room for another. With the oldest used first, a slice kept
// past Destroy faults for at least that many buffers more.
const rotation = 8

// move changes the state of s and the figures, and serves who waits for what came
// back. Nothing else does. The caller holds mu, and has put s where it is found.
func (m *store) move(s *slot, to state) {
	from, bytes := s.state, &m.bytes[s.kind.part]
	if from == unmapped && to != inHand || from == stuck && to < stuck && to != unmapped {
		panic(fmt.Sprintf("locked: internal error: a slot goes from state %d to %d", from, to))
	}
	bytes[from] -= m.charge(s.kind)
	bytes[to] += m.charge(s.kind)
	s.state = to
	switch {
	case s.kind.role != forRegion:
	case to == inHand:
		m.regions.Add(int64(m.charge(s.kind)))
	case from == inHand:
		m.regions.Add(-int64(m.charge(s.kind)))
	}
	if from != idle && (to == idle || to == unmapped) {
		m.cameBack(s.kind.part)
	}
}

// cameBack serves who waits for bytes of p: those for Use are for Use alone. The caller
// holds mu.
func (m *store) cameBack(p part) {
	for line := range m.progress {
		if p == shared || part(line) != shared {
			m.progress[line].Add(1)
		}
	}
	m.serve()
}

// mapped is how many bytes are mapped, or may be at any moment: what is in hand may
// have yet to be. The caller holds mu.
func (m *store) mapped() (n int) {
	for _, b := range m.bytes {
		n += b[inHand] + b[idle] + b[stuck]
	}
	return n
}

// mapFor maps s, which is in hand, and makes room for it. After an error it is not in
// hand any more.
func (m *store) mapFor(s *slot) error {
	m.mapping.Lock()
	defer m.mapping.Unlock()
	for {
		err := m.mapNew(s)
		if err == nil {
			return nil
		}
		refused, _ := errors.AsType[*page.LockError](err) // something else may have locked memory
		if s.run == nil && (err == ErrExhausted || refused != nil) {
			freed, unmapErr := m.shrink(0, true)
			if freed || err == ErrExhausted && unmapErr == nil {
				continue // in the latter case somebody else has what was idle
			}
			err = join(err, unmapErr)
		}
		if s.run != nil {
			err = join(err, m.unmap(s))
		} else {
			m.mu.Lock()
			m.move(s, unmapped)
			m.mu.Unlock()
		}
		if refused != nil {
			return m.limitError(m.charge(s.kind), refused)
		}
		return err
	}
}

// mapNew maps s if there is room for it. The caller holds mapping.
func (m *store) mapNew(s *slot) error {
	m.mu.Lock()
	full := m.mapped() > m.total
	m.mu.Unlock()
	if full {
		return ErrExhausted
	}
	run, err := m.backend.Map(s.kind.pages*m.pageSize, s.kind.dual)
	if err != nil {
		err = fmt.Errorf("locked: mapping %d bytes: %w", s.kind.pages*m.pageSize, err)
	}
	if run == nil { // there may be one beside an error
		return err
	}
	s.run = run
	if !run.Dual {
		s.shown = page.ReadWrite
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.locked += m.charge(s.kind)
	m.peak = max(m.peak, m.locked)
	m.dumpable += run.DumpableBytes()
	return err
}

// giveBack takes a wiped slot back. Those of the parts for Use rest among stripes and
// keep their bytes, so that the next Use finds them without a lock.
func (m *store) giveBack(s *slot) {
	if s.kind.part == shared {
		m.put(s)
	} else {
		m.stripes[s.kind.part].put(s)
	}
	// Whoever came to wait, or to close, before the slot was back did not see it:
	// these looks see them.
	if m.closed.Load() {
		_ = m.clear() // what fails is stuck, and Close reports it when called again
	} else if s.kind.part != shared && m.useWaits() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.cameBack(s.kind.part)
	}
}

// useWaits reports whether calls wait that what rests among the stripes is for.
func (m *store) useWaits() bool { return m.waiting[spare].Load()+m.waiting[kept].Load() > 0 }

// put makes a slot idle that a caller had in hand.
func (m *store) put(s *slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.back = time.Now()
	m.idle[s.kind] = append(m.idle[s.kind], s)
	m.move(s, idle)
	m.schedule()
}

// discard unmaps a slot that a caller had in hand.
func (m *store) discard(s *slot) error {
	m.mapping.Lock()
	defer m.mapping.Unlock()
	return m.unmap(s)
}

// unmap gives a slot, which is on no list, back to the system. If the system does not
// take it, it is stuck. The caller holds mapping.
func (m *store) unmap(s *slot) error {
	size, exposed := len(s.run.View), s.run.DumpableBytes()
	err := m.backend.Unmap(s.run)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.locked -= m.charge(s.kind)
		m.dumpable -= exposed
		m.move(s, unmapped)
		return nil
	}
	m.stuck = append(m.stuck, s)
	m.move(s, stuck)
	m.schedule()
	return fmt.Errorf("locked: unmapping %d bytes: %w", size, err)
}

// discardIdle unmaps what is stuck, and what is idle for so long.
func (m *store) discardIdle(unused time.Duration) error {
	m.mapping.Lock()
	defer m.mapping.Unlock()
	_, err := m.shrink(unused, false)
	return err
}

// shrink unmaps each slot that is stuck or idle for so long, or only the first that
// the system takes back, which it reports. The caller holds mapping, which others
// get in between.
func (m *store) shrink(unused time.Duration, one bool) (freed bool, err error) {
	m.mu.Lock()
	again := len(m.stuck)
	m.mu.Unlock()
	var errs []error
	for ; ; again-- {
		s := m.next(again > 0, unused)
		if s == nil {
			return false, errors.Join(errs...)
		}
		err := m.unmap(s)
		if one && err == nil {
			return true, nil
		}
		errs = append(errs, err)
		if !one {
			m.mapping.Unlock()
			m.mapping.Lock()
		}
	}
}

// next takes a slot to unmap off its list: a stuck one, or that which is idle for
// the longest time, if it is for so long. It returns nil if there is none.
func (m *store) next(stuckToo bool, unused time.Duration) (s *slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stuckToo && len(m.stuck) > 0 {
		s, m.stuck = first(m.stuck)
		return s
	}
	for k, l := range m.idle {
		if len(l) == 0 {
			delete(m.idle, k)
		} else if s == nil || l[0].back.Before(s.back) {
			s = l[0]
		}
	}
	if s == nil || time.Since(s.back) < unused {
		return nil
	}
	_, m.idle[s.kind] = first(m.idle[s.kind])
	return s
}

// first returns the first slot of a list, and the rest.
func first(l []*slot) (*slot, []*slot) {
	s := l[0]
	if len(l) > 64 {
		return s, l[1:]
	}
	return s, slices.Delete(l, 0, 1) // in place, so that nothing is allocated
}

// schedule starts the timer that gives unused slots back. It runs only while there are
// some, and holds no goroutine while it waits. The caller holds mu.
func (m *store) schedule() {
	if m.expiry == nil && !m.closed.Load() && (m.bytes[shared][idle] > 0 || len(m.stuck) > 0) {
		m.expiry = time.AfterFunc(m.quiet, m.expire)
	}
}

// expire unmaps the slots that nobody used for the quiet period.
func (m *store) expire() {
	m.mu.Lock()
	m.expiry = nil
	m.mu.Unlock()
	_ = m.discardIdle(m.quiet) // what fails is stuck, and tried again
	m.mu.Lock()
	defer m.mu.Unlock()
	m.schedule()
}

// close ends all waits with ErrClosed, and keeps nothing for Use any more.
func (m *store) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed.Store(true)
	if m.expiry != nil {
		m.expiry.Stop()
	}
	for i := range m.lines {
		for e := m.lines[i].Front(); e != nil; e = m.lines[i].Front() {
			m.leave(e.Value.(*waiter), ErrClosed)
		}
	}
}

// clear unmaps all that a closed pool has at rest.
func (m *store) clear() error {
	for i := range m.stripes {
		for s := m.stripes[i].get(); s != nil; s = m.stripes[i].get() {
			m.put(s)
		}
	}
	return m.discardIdle(0)
}
