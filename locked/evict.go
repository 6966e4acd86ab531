package locked

import (
	"errors"
	"fmt"
	"time"
)

// settled is how long a buffer's slot has been idle before a Use that could as
// well wait for one of its own kind takes its pages, and part of how much longer
// than the other queue one has to wait before it takes the other's. Without it
// Use and buffers would take the same pages from each other at every call, and
// each exchange costs a dozen system calls.
const settled = 10 * time.Millisecond

// claims reports whether queue i has waited so much longer than the other one
// that it gets the other's pages. The caller holds mu.
func (p *Pool) claims(i int) bool {
	mine, other := p.queues[i].Front(), p.queues[1-i].Front()
	if mine == nil || other == nil {
		return mine != nil
	}
	p.again = true
	return time.Since(mine.Value.(*waiter).since) > 2*time.Since(other.Value.(*waiter).since)+settled
}

// evict unmaps one idle slot to make room for r. It returns errFull if there is
// none, or why none could be unmapped. The slots kept for Use stay. The caller
// holds mu.
func (p *Pool) evict(r request) error {
	var failed error
	for s := p.evictable(r); s != nil; s = p.evictable(r) {
		if failed = p.unmapSlot(s); failed == nil {
			return nil
		}
	}
	for i, s := range p.stuck {
		p.stuck = append(p.stuck[:i:i], p.stuck[i+1:]...)
		if failed = p.unmapSlot(s); failed == nil {
			return nil
		}
	}
	if failed != nil {
		return failed
	}
	return errFull
}

// evictable takes one idle slot that may make room for r, or returns nil. The
// caller holds mu.
func (p *Pool) evictable(r request) *slot {
	for idle := range p.idle.others {
		if idle.n == 0 {
			continue
		}
		// A nested call would wait for its own goroutine, and without any
		// small slot nothing would come back.
		if r.small() && r.depth == 0 && p.small > 0 && time.Since(p.born)-idle.first.back < settled &&
			!(p.queues[1].Len() > 0 && p.claims(0)) {
			p.again = true
			continue
		}
		return idle.pop()
	}
	if r.small() || p.small <= p.reserve || p.queues[0].Len() > 0 && !p.claims(1) {
		return nil
	}
	if s := p.stripes.steal(); s != nil {
		return s
	}
	return p.idle.small.pop()
}

// unmapSlot gives the slot's pages back to the system. If that fails the slot
// stays charged and is tried again when room is needed, and by Close. The
// caller holds mu.
func (p *Pool) unmapSlot(s *slot) error {
	// Stuck or gone, it serves nobody any more.
	if !s.stuck {
		switch {
		case s.spare:
			p.spareMade = false
		case s.kind.small():
			p.small--
		}
	}
	if err := p.backend.Unmap(s.run); err != nil {
		s.stuck = true
		p.stuck = append(p.stuck, s)
		return fmt.Errorf("locked: unmapping %d bytes: %w", len(s.run.View), err)
	}
	p.mapped--
	p.total -= p.backend.Charge(len(s.run.View), s.run.Dual)
	p.dumpable -= dumpable(s.run)
	return nil
}

// unmapIdle gives back everything that nobody has in hand. The caller holds mu.
func (p *Pool) unmapIdle() error {
	all := p.stuck
	p.stuck = nil
	for s := p.stripes.steal(); s != nil; s = p.stripes.steal() {
		all = append(all, s)
	}
	if p.spare != nil {
		all = append(all, p.spare)
		p.spare = nil
	}
	all = append(all, p.idle.drop(func(*slot) bool { return true })...)
	var errs []error
	for _, s := range all {
		errs = append(errs, p.unmapSlot(s))
	}
	return errors.Join(errs...)
}

// armSweeper starts the timer that gives unused slots back. It runs only while
// slots are mapped, and holds no goroutine while it waits. The caller holds mu.
func (p *Pool) armSweeper() {
	if p.sweeping {
		return
	}
	p.sweeping = true
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(p.quiet, p.sweep)
		return
	}
	p.sweeper.Reset(p.quiet)
}

// sweep unmaps the idle slots that nobody used since the last sweep.
func (p *Pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeping = false
	if p.closed.Load() {
		return
	}
	for s := p.stripes.steal(); s != nil; s = p.stripes.steal() {
		p.idle.small.push(s)
	}
	unused := p.idle.drop(func(s *slot) bool {
		used := s.used
		s.used = false
		return !used
	})
	if s := p.spare; s != nil {
		if !s.used {
			unused = append(unused, s)
			p.spare = nil
		}
		s.used = false
	}
	for _, s := range unused {
		// What fails is kept as stuck, and tried again.
		_ = p.unmapSlot(s)
	}
	p.dispatch()
	if p.mapped > len(p.stuck) {
		p.armSweeper()
	}
}
