package locked

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/memkeep/memkeep/internal/page"
)

// A store maps slots, and keeps those that are idle so that the next caller needs
// no system call. The idle ones are a cache: whoever may have bytes in hand may
// have the pages of any of them.
type store struct {
	backend  page.Backend
	pageSize int
	size     int // the most bytes that are ever mapped; never changes
	born     time.Time
	cut      bool    // the process may lock less than was asked for
	budget   *budget // pays for slots that are stuck

	mapping sync.Mutex // held while the system maps or unmaps; taken before mu

	mu        sync.Mutex  // protects what follows, for moments only
	bytes     [states]int // charged by the slots in each state
	slots     [states]int // how many there are
	peak      int
	dumpable  int // bytes mapped that a core dump may hold
	idle      map[kind]*freeList
	stuck     []*slot
	lastLimit *LimitError
}

// rotation is how many idle buffers of a kind there are before one is used
// again, if there is room for another. With the oldest used first, a slice kept
// past Destroy faults for at least that many buffers more.
const rotation = 8

// charge is what a slot of kind k counts towards the process's limit.
func (m *store) charge(k kind) int { return m.backend.Charge(k.pages*m.pageSize, k.dual) }

// move changes the state of s and the figures. Nothing else does. The caller
// holds mu.
func (m *store) move(s *slot, to state) {
	from := s.state
	if from != inHand && to != inHand && !(from == stuck && to == unmapped) {
		panic(fmt.Sprintf("locked: internal error: a slot goes from state %d to %d", from, to))
	}
	charge := m.charge(s.kind)
	m.bytes[from] -= charge
	m.slots[from]--
	m.bytes[to] += charge
	m.slots[to]++
	s.state = to
	// Slots that are not mapped are not counted.
	m.bytes[unmapped], m.slots[unmapped] = 0, 0
	m.peak = max(m.peak, m.mapped())
}

// mapped is how many bytes count towards the process's limit. The caller holds
// mu.
func (m *store) mapped() int { return m.bytes[inHand] + m.bytes[idle] + m.bytes[stuck] }

// get returns a slot of kind k, an idle one or a new one. Whoever calls it may
// have the bytes in hand, so that room can always be made, but for slots that are
// stuck.
func (m *store) get(k kind) (*slot, error) {
	if s := m.takeIdle(k, true); s != nil {
		return s, nil
	}
	s, err := m.mapNew(k)
	if err != nil {
		if s := m.takeIdle(k, false); s != nil {
			return s, nil
		}
	}
	return s, err
}

// takeIdle returns an idle slot of kind k, or nil. A choosy caller would rather
// have a new buffer while there is room, and few idle ones.
func (m *store) takeIdle(k kind, choosy bool) *slot {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.idle[k]
	if l == nil || l.n == 0 || choosy && !k.use && l.n < rotation && m.mapped()+m.charge(k) <= m.size {
		return nil
	}
	s := l.pop()
	m.move(s, inHand)
	return s
}

// mapNew maps a new slot of kind k, which it makes room for.
func (m *store) mapNew(k kind) (*slot, error) {
	m.mapping.Lock()
	defer m.mapping.Unlock()
	s := &slot{kind: k}
	if err := m.reserve(s); err != nil {
		return nil, err
	}
	for {
		run, err := m.backend.Map(k.pages*m.pageSize, k.dual)
		if err == nil {
			s.run = run
			if !run.Dual {
				s.shown = page.ReadWrite
			}
			m.mu.Lock()
			m.dumpable += dumpable(run)
			m.mu.Unlock()
			return s, nil
		}
		// Something else in this process may have locked memory.
		var refused *page.LockError
		if errors.As(err, &refused) && m.evict() == nil {
			continue
		}
		m.mu.Lock()
		m.move(s, unmapped)
		m.mu.Unlock()
		if refused != nil {
			return nil, m.limitError(m.charge(k), refused)
		}
		return nil, fmt.Errorf("locked: mapping %d bytes: %w", k.pages*m.pageSize, err)
	}
}

// reserve takes s in hand, not mapped yet, once there is room for it. The caller
// holds mapping.
func (m *store) reserve(s *slot) error {
	for {
		m.mu.Lock()
		fits := m.mapped()+m.charge(s.kind) <= m.size
		if fits {
			m.move(s, inHand)
		}
		m.mu.Unlock()
		if fits {
			return nil
		}
		if err := m.evict(); err != nil {
			return err
		}
	}
}

// put makes a slot idle.
func (m *store) put(s *slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.back = time.Since(m.born)
	m.move(s, idle)
	l := m.idle[s.kind]
	if l == nil {
		l = new(freeList)
		m.idle[s.kind] = l
	}
	l.push(s)
}

// evict unmaps one slot that is idle or stuck, or says why there is no room. The
// caller holds mapping.
func (m *store) evict() error {
	var refused error
	for s := m.oldest(always); s != nil; s = m.oldest(always) {
		if refused = m.unmap(s); refused == nil {
			return nil
		}
	}
	for _, s := range m.stuckOnes() {
		if refused = m.unmap(s); refused == nil {
			return nil
		}
	}
	return join(ErrExhausted, refused)
}

// always is an idle time that every slot has.
const always time.Duration = 0

// oldest takes the slot in hand that is idle for the longest time, if it is for so
// long. Otherwise it returns nil. The caller holds mapping, so that whoever looks
// for room finds none of it half gone.
func (m *store) oldest(unused time.Duration) *slot {
	m.mu.Lock()
	defer m.mu.Unlock()
	var first *freeList
	for k, l := range m.idle {
		if l.n == 0 {
			delete(m.idle, k)
		} else if first == nil || l.first.back < first.first.back {
			first = l
		}
	}
	if first == nil || time.Since(m.born)-first.first.back < unused {
		return nil
	}
	s := first.pop()
	m.move(s, inHand)
	return s
}

func (m *store) stuckOnes() []*slot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.stuck)
}

// unmap gives a slot in hand, or a stuck one, back to the system, and its bytes
// to the budget if they are paid for. If the system does not take it, it is stuck.
// The caller holds mapping.
func (m *store) unmap(s *slot) error {
	charge := m.charge(s.kind)
	size, exposed := len(s.run.View), dumpable(s.run)
	if err := m.backend.Unmap(s.run); err != nil {
		m.mu.Lock()
		if s.state != stuck {
			m.move(s, stuck)
			m.stuck = append(m.stuck, s)
		}
		m.mu.Unlock()
		if !s.paid {
			s.paid = true
			m.budget.charge(charge)
		}
		return fmt.Errorf("locked: unmapping %d bytes: %w", size, err)
	}
	m.mu.Lock()
	if i := slices.Index(m.stuck, s); i >= 0 {
		m.stuck = slices.Delete(m.stuck, i, i+1)
	}
	m.move(s, unmapped)
	m.dumpable -= exposed
	m.mu.Unlock()
	if s.paid {
		s.paid = false
		m.budget.give(charge)
	}
	return nil
}

// discard unmaps a slot in hand.
func (m *store) discard(s *slot) error {
	m.mapping.Lock()
	defer m.mapping.Unlock()
	return m.unmap(s)
}

// retryStuck tries again to unmap what is stuck.
func (m *store) retryStuck() error {
	m.mapping.Lock()
	defer m.mapping.Unlock()
	var errs []error
	for _, s := range m.stuckOnes() {
		errs = append(errs, m.unmap(s))
	}
	return errors.Join(errs...)
}

// discardIdle unmaps what is idle for so long, one at a time, and what is stuck.
func (m *store) discardIdle(unused time.Duration) error {
	errs := []error{m.retryStuck()}
	for more := true; more; {
		m.mapping.Lock()
		s := m.oldest(unused)
		if more = s != nil; more {
			errs = append(errs, m.unmap(s))
		}
		m.mapping.Unlock()
	}
	return errors.Join(errs...)
}

// holds reports whether any slot is idle or stuck.
func (m *store) holds() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.slots[idle]+m.slots[stuck] > 0
}

// limitError describes a refusal with the figures of now: the system's, which it
// keeps for the figures, or for a nil cause the budget's own.
func (m *store) limitError(requested int, cause error) *LimitError {
	e := &LimitError{Resource: LockedMemory, Requested: requested, Budget: m.size, Err: cause, chosen: !m.cut}
	var refused *page.LockError
	if errors.As(cause, &refused) {
		e.Resource = Resource(refused.Resource)
	}
	// Without the limits the error still says what was refused and why.
	if l, err := page.ReadLimits(); err == nil {
		e.Soft, e.Hard = l.Soft, l.Hard
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Locked = m.mapped()
	if cause != nil {
		m.lastLimit = e
	}
	return e
}

// dumpable is how many bytes of the run a core dump may hold.
func dumpable(run *page.Run) int {
	if run.Dumpable {
		return len(run.View)
	}
	return 0
}
