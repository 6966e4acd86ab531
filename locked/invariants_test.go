package locked

import "testing"

// Kept is how many slots are kept for Use.
func (p *Pool) Kept() int {
	return p.KeptBytes() / p.store.charge(kind{pages: 1, dual: p.store.dualUse})
}

// KeptBytes is what they count.
func (p *Pool) KeptBytes() int { return p.store.size[kept] + p.store.size[spare] }

// taken is how many bytes of the shared part are taken, but for those of regions.
func (p *Pool) taken() int {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	return p.store.taken(shared) - int(p.store.regions.Load())
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
	if p.store.backend == nil {
		return
	}
	m := &p.store
	m.mu.Lock()
	defer m.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[*slot]string{}
	var bytes [parts][states]int
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
		bytes[s.kind.part][want] += m.charge(s.kind)
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
				if s.kind != (kind{forUse, 1, part, m.dualUse}) {
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
	counted := m.bytes
	for p := range parts {
		counted[p][unmapped] = 0
		// What functions given to Use and regions have in hand is seen nowhere.
		if counted[p][inHand] < bytes[p][inHand] {
			t.Errorf("%d bytes in hand of part %d, %d of them seen", counted[p][inHand], p, bytes[p][inHand])
		}
		counted[p][inHand] = bytes[p][inHand]
		if n := m.bytes[p][inHand]; n > m.size[p] {
			t.Errorf("%d of %d bytes of part %d in hand", n, m.size[p], p)
		}
	}
	if counted != bytes {
		t.Errorf("%v bytes by part and state, counted %v", bytes, m.bytes)
	}
	if seen := bytes[shared][inHand] + int(m.regions.Load()); m.regions.Load() < 0 || m.bytes[shared][inHand] < seen {
		t.Errorf("%d bytes in hand, %d of them seen", m.bytes[shared][inHand], seen)
	}
	if m.size[spare]+m.size[kept]+m.size[shared] != m.total {
		t.Errorf("parts of %v bytes of %d", m.size, m.total)
	}
	if m.locked != m.mapped() || m.peak > m.total || m.locked > m.peak {
		t.Errorf("%d bytes mapped, counted %d, %d at peak, of %d", m.mapped(), m.locked, m.peak, m.total)
	}
	for p := range parts {
		if n := m.lines[p].Len(); int(m.waiting[p].Load()) < n {
			t.Errorf("%d calls wait for part %d, counted %d", n, p, m.waiting[p].Load())
		}
	}
}
