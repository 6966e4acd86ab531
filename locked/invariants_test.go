package locked

import "testing"

// Kept is how many slots are kept for Use.
func (p *Pool) Kept() int {
	if p.lender.hasSpare {
		return p.lender.kept + 1
	}
	return p.lender.kept
}

// KeptBytes is what they count.
func (p *Pool) KeptBytes() int { return p.kept() }

// CheckInvariants is checkInvariants for tests outside of the package.
func (p *Pool) CheckInvariants(t testing.TB) {
	t.Helper()
	p.checkInvariants(t)
}

// checkInvariants checks what holds whenever no call is under way but functions
// given to Use: the charges add up, and each slot is in exactly one place.
func (p *Pool) checkInvariants(t testing.TB) {
	t.Helper()
	if p.backend == nil {
		return
	}
	m, l := &p.store, &p.lender
	seen := map[*slot]string{}
	note := func(s *slot, where string, want state) {
		if other, twice := seen[s]; twice {
			t.Errorf("a slot is in %s and in %s", other, where)
		}
		seen[s] = where
		if s.state != want {
			t.Errorf("a slot in %s is in state %d, not %d", where, s.state, want)
		}
		if s.run == nil {
			t.Errorf("a slot in %s is not mapped", where)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	idleBytes, idleSlots := 0, 0
	for k, list := range m.idle {
		n := 0
		for s := list.first; s != nil; s = s.next {
			note(s, "the idle list", idle)
			if s.kind != k || s.paid {
				t.Errorf("an idle slot of kind %+v among %+v, paid for: %v", s.kind, k, s.paid)
			}
			n++
		}
		if n != list.n {
			t.Errorf("%d idle slots of kind %+v, counted %d", n, k, list.n)
		}
		idleBytes, idleSlots = idleBytes+n*m.charge(k), idleSlots+n
	}
	stuckBytes := 0
	for _, s := range m.stuck {
		note(s, "the stuck list", stuck)
		stuckBytes += m.charge(s.kind)
		if !s.paid {
			t.Errorf("a stuck slot is not paid for")
		}
	}
	lent := 0
	for i := range l.idle.at {
		if s := l.idle.at[i].slot.Load(); s != nil {
			note(s, "the lender", inHand)
			lent += m.charge(s.kind)
			if s.paid {
				t.Error("one of the lender's idle slots is paid for by the budget")
			}
		}
	}
	if l.spare != nil {
		note(l.spare, "the spare's place", inHand)
		lent += m.charge(l.spare.kind)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	open := 0
	for b := range p.open {
		if b.slot == nil {
			t.Error("a destroyed buffer is among the open ones")
			continue
		}
		note(b.slot, "a buffer", inHand)
		open += m.charge(b.slot.kind)
		if !b.slot.paid {
			t.Error("a buffer's slot is not paid for")
		}
	}
	if m.bytes[idle] != idleBytes || m.slots[idle] != idleSlots || m.bytes[stuck] != stuckBytes || m.slots[stuck] != len(m.stuck) {
		t.Errorf("idle %d of %d bytes, stuck %d of %d bytes; counted %v, %v", idleSlots, idleBytes, len(m.stuck), stuckBytes, m.slots, m.bytes)
	}
	// What functions given to Use have in hand is seen nowhere.
	if least := lent + open + int(p.regions.Load()); m.bytes[inHand] < least {
		t.Errorf("%d bytes in hand, %d of them seen", m.bytes[inHand], least)
	}
	if m.mapped() > m.size || m.peak > m.size {
		t.Errorf("%d bytes mapped, %d at peak, of %d", m.mapped(), m.peak, m.size)
	}
	own := 0
	if l.spareMapped {
		own = m.charge(l.kind)
	}
	own += l.mapped * m.charge(l.kind)
	// What is in hand or stuck is paid for by the budget, but for the lender's own.
	if taken := p.budget.inUse(); m.bytes[inHand]+m.bytes[stuck] != taken+own {
		t.Errorf("%d bytes in hand and %d stuck, but %d taken from the budget and %d the lender's own", m.bytes[inHand], m.bytes[stuck], taken, own)
	}
	if l.mapped > l.kept {
		t.Errorf("the lender has %d slots of its own, and should have %d at most", l.mapped, l.kept)
	}
}
