package locked

import (
	"errors"
	"fmt"
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
	budget   *budget // pays for slots that are stuck
	limits   func(requested int, cause error) *LimitError

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

// errFull says that no idle slot could be unmapped to make room.
var errFull = errors.New("locked: internal: nothing idle")

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
		// The system's limit may be tighter than the budget, if something else in
		// this process has locked memory.
		var refused *page.LockError
		if errors.As(err, &refused) && m.evict() == nil {
			continue
		}
		m.mu.Lock()
		m.move(s, unmapped)
		m.mu.Unlock()
		if refused != nil {
			return nil, m.refusal(m.charge(k), refused)
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
	s.used, s.back = true, time.Since(m.born)
	m.move(s, idle)
	l := m.idle[s.kind]
	if l == nil {
		l = new(freeList)
		m.idle[s.kind] = l
	}
	l.push(s)
}

// evict unmaps one slot that is idle or stuck. It returns errFull if there is
// none, or why none could be unmapped. The caller holds mapping.
func (m *store) evict() error {
	err := errFull
	for s := m.oldest(nil); s != nil; s = m.oldest(nil) {
		if err = m.unmap(s); err == nil {
			return nil
		}
	}
	for _, s := range m.stuckOnes() {
		if err = m.unmap(s); err == nil {
			return nil
		}
	}
	return err
}

// oldest takes the idle slot in hand that is idle for the longest time, of those
// that suits accepts; nil accepts all. It returns nil if there is none. The caller
// holds mapping, so that whoever looks for room finds none of it half gone.
func (m *store) oldest(suits func(*slot) bool) *slot {
	m.mu.Lock()
	defer m.mu.Unlock()
	var first *freeList
	for k, l := range m.idle {
		if l.n == 0 {
			delete(m.idle, k)
			continue
		}
		if (suits == nil || suits(l.first)) && (first == nil || l.first.back < first.first.back) {
			first = l
		}
	}
	if first == nil {
		return nil
	}
	s := first.pop()
	m.move(s, inHand)
	return s
}

func (m *store) stuckOnes() []*slot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*slot(nil), m.stuck...)
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
			m.budget.give(-charge)
		}
		return fmt.Errorf("locked: unmapping %d bytes: %w", size, err)
	}
	m.mu.Lock()
	for i, other := range m.stuck {
		if other == s {
			m.stuck = append(m.stuck[:i], m.stuck[i+1:]...)
			break
		}
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

// discardIdle unmaps what is idle or stuck.
func (m *store) discardIdle() error {
	m.mapping.Lock()
	defer m.mapping.Unlock()
	for {
		if err := m.evict(); err == errFull {
			return nil
		} else if err != nil {
			return err
		}
	}
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

// discardUnused unmaps the idle slots that nobody used since the last call, one at
// a time, and reports whether any slot is idle still.
func (m *store) discardUnused() (more bool) {
	for {
		m.mapping.Lock()
		s := m.oldest(unused)
		if s != nil {
			// What fails is stuck, and tried again.
			_ = m.unmap(s)
		}
		m.mapping.Unlock()
		if s == nil {
			break
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.idle {
		for s := l.first; s != nil; s = s.next {
			s.used = false
		}
	}
	return m.slots[idle] > 0
}

func unused(s *slot) bool { return !s.used }

// refusal is the error for a refusal of the system, which it keeps for the
// figures.
func (m *store) refusal(requested int, cause *page.LockError) *LimitError {
	e := m.limits(requested, cause)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastLimit = e
	return e
}

// dumpable is how many bytes of the run a core dump may hold.
func dumpable(run *page.Run) int {
	if run.Dumpable {
		return len(run.View)
	}
	return 0
}
