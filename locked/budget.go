package locked

import "runtime"

// part is one of the parts that the budget has. A slot's bytes go back to the part
// that they are from.
type part uint8

const (
	shared part = iota // for everybody
	kept               // for slots of Use, which keep their bytes while they rest among the stripes
	spare              // for one slot of a Use that is nested in another
	parts              // how many there are
)

// charge is what a slot of kind k counts towards the process's limit.
func (m *store) charge(k kind) int { return m.backend.Charge(k.pages*m.pageSize, k.dual) }

// keptKind is the kind of the slots that are kept for Use.
func (m *store) keptKind() kind { return kind{forUse, 1, kept, m.dualUse} }

// plan decides what is kept for Use, of so many slots that were asked for, and what
// is mapped twice: that saves system calls, but may count twice. A budget of few
// slots is better spent on more of them.
func (m *store) plan(slots int) {
	const few, many = 6, 128
	once, twice := m.charge(kind{pages: 1}), m.charge(kind{pages: 1, dual: true})
	m.dualUse = m.total/twice >= few || twice == once
	charge := m.charge(m.keptKind())
	fit, keep := m.total/charge, 0
	if slots > 0 {
		keep = max(1, min(slots-1, fit/8, maxStripes))
	}
	if slots > 1 && fit >= few {
		m.size[spare] = charge
	}
	m.size[kept] = keep * charge
	m.size[shared] = m.total - m.size[kept] - m.size[spare]
	m.left = m.size
	switch {
	case twice == once:
		m.dualBuffers = m.total
	case m.total/m.pageSize < many:
	case slots > 0:
		m.dualBuffers = m.total / 4
	default:
		// A program without Use is one that opens many buffers.
		m.dualBuffers = twice
	}
	// As many as there may ever be processors at work: their number can be raised
	// while the program runs.
	m.stripes.init(max(keep, 2*max(runtime.GOMAXPROCS(0), runtime.NumCPU())))
}

// minimum is the least budget that serves: what is kept for Use, and one buffer.
func (m *store) minimum() int { return m.size[kept] + m.size[spare] + m.charge(kind{pages: 1}) }

// fits returns a *LimitError if the budget could never hold so many pages beside
// the regions.
func (m *store) fits(pages int) error {
	charge := m.charge(kind{pages: pages})
	m.mu.Lock()
	most := m.size[shared]
	m.mu.Unlock()
	if charge > most {
		return m.limitError(charge, nil)
	}
	return nil
}

// grant takes what w wants from the budget, and returns a slot for it, which may
// have to be mapped. It returns nil if there is nothing for w now. The caller holds
// mu.
func (m *store) grant(w want) *slot {
	if w.line == others {
		return m.draw(w, shared)
	}
	s := m.stripes.take()
	if s == nil {
		s = m.draw(w, kept)
	}
	if s == nil && m.lines[others].Len() == 0 {
		s = m.draw(w, shared)
	}
	if s == nil && w.line == nested {
		s = m.draw(w, spare)
	}
	return s
}

// draw is grant from one part of the budget.
func (m *store) draw(w want, from part) *slot {
	k := kind{w.role, w.pages, from, true}
	switch {
	case w.line != others:
		k.dual = m.dualUse
	case w.role == forBuffer:
		k.dual = m.size[from]-m.left[from]+m.charge(k) <= m.dualBuffers
	default:
		k.dual = w.role == forUse && m.charge(k) <= m.left[from]
	}
	if m.charge(k) > m.left[from] {
		return nil
	}
	m.left[from] -= m.charge(k)
	if s := m.takeIdle(k, true); s != nil {
		return s
	}
	return &slot{kind: k}
}

// refund returns what a slot of kind k took from the budget. The caller holds mu.
func (m *store) refund(k kind) {
	m.left[k.part] += m.charge(k)
	m.progress.Add(1)
	m.serve()
}

// setAside moves n taken bytes out of the budget, for as long as a region has them.
func (m *store) setAside(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.size[shared] -= n
}

// lends reports whether callers have slots in hand that will come back.
func (m *store) lends() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := -m.stripes.count() * m.charge(m.keptKind())
	for i := range m.left {
		taken += m.size[i] - m.left[i]
	}
	return taken > 0
}
