package locked

import "testing"

// Kept is how many slots are kept for Use.
func (p *Pool) Kept() int { return p.KeptBytes() / p.store.charge(p.store.useKind(kept)) }

// KeptBytes is what they count.
func (p *Pool) KeptBytes() int { return p.store.size[kept] + p.store.size[spare] }

// taken is how many bytes of the shared part are taken.
func (p *Pool) taken() int {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	return p.store.size[shared] - p.store.left[shared]
}

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
	m := &p.store
	m.mu.Lock()
	defer m.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[*slot]string{}
	var bytes [states]int
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
		bytes[want] += m.charge(s.kind)
	}
	for k, l := range m.idle {
		for _, s := range l {
			note(s, "an idle list", idle)
			if s.kind != k || k.role == forRegion || k.part != shared && !m.closed.Load() {
				t.Errorf("an idle slot of kind %+v among %+v", s.kind, k)
			}
		}
	}
	for _, s := range m.stuck {
		note(s, "the stuck list", stuck)
	}
	for part := range parts {
		for i := range m.stripes[part].at {
			if s := m.stripes[part].at[i].slot.Load(); s != nil {
				note(s, "the stripes", inHand)
				if s.kind != m.useKind(part) {
					t.Errorf("a slot of kind %+v is among the stripes of part %d", s.kind, part)
				}
			}
		}
	}
	for b := range p.open {
		if b.slot == nil {
			t.Error("a destroyed buffer is among the open ones")
			continue
		}
		note(b.slot, "a buffer", inHand)
	}
	if m.bytes[idle] != bytes[idle] || m.bytes[stuck] != bytes[stuck] {
		t.Errorf("%d bytes idle and %d stuck, counted %v", bytes[idle], bytes[stuck], m.bytes)
	}
	regions, taken := m.total, 0
	for i := range m.left {
		regions -= m.size[i]
		taken += m.size[i] - m.left[i]
		if m.left[i] > m.size[i] || m.left[i] < -m.bytes[stuck] {
			t.Errorf("%d of %d bytes of part %d are left", m.left[i], m.size[i], i)
		}
	}
	// What functions given to Use have in hand is seen nowhere.
	if least := bytes[inHand] + regions; m.bytes[inHand] < least {
		t.Errorf("%d bytes in hand, %d of them seen", m.bytes[inHand], least)
	}
	// What is in hand or stuck is taken from the budget, and nothing else is.
	if m.bytes[inHand]+m.bytes[stuck] != taken+regions {
		t.Errorf("%d bytes in hand and %d stuck, but %d taken and %d of regions", m.bytes[inHand], m.bytes[stuck], taken, regions)
	}
	if m.mapped() > m.total || m.peak > m.total {
		t.Errorf("%d bytes mapped, %d at peak, of %d", m.mapped(), m.peak, m.total)
	}
	if n := m.lines[spare].Len() + m.lines[kept].Len() + m.lines[shared].Len(); int(m.waiting.Load()) < n {
		t.Errorf("%d calls wait, counted %d", n, m.waiting.Load())
	}
}
