package locked

import "runtime"

// part is one of the parts that the budget has, each with a line of calls that wait
// for it. A slot's bytes go back to the part that they are from.
type part uint8

// In the order in which the lines are served.
const (
	shared part = iota // for all but the next two, and for what Use wants beyond its parts while nobody waits here
	spare              // for one Use of a page that is nested in another and holds a slot
	kept               // for any other Use of a page
	parts              // how many there are
)

// charge is what a slot of kind k counts towards the process's limit.
func (m *store) charge(k kind) int { return m.backend.Charge(k.pages*m.pageSize, k.dual) }

// plan decides what is kept for Use, of so many slots that were asked for, and what
// is mapped twice: that saves system calls, but may count twice. A budget of few
// slots is better spent on more of them.
func (m *store) plan(slots int) {
	const few, many = 6, 128
	once, twice := m.charge(kind{pages: 1}), m.charge(kind{pages: 1, dual: true})
	m.dualUse = m.total/twice >= few || twice == once
	charge := m.charge(kind{pages: 1, dual: m.dualUse})
	if slots > 0 {
		m.size[kept] = charge * max(1, min(slots-1, m.total/charge/8, maxStripes))
	}
	if slots > 1 && m.total/charge >= few {
		m.size[spare] = charge
	}
	m.size[shared] = m.total - m.size[kept] - m.size[spare]
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
	if slots > 0 {
		m.stripes[spare].init(1)
		// As many as there may ever be processors at work: their number can be raised
		// while the program runs.
		m.stripes[kept].init(max(m.size[kept]/charge, 2*max(runtime.GOMAXPROCS(0), runtime.NumCPU())))
	}
}

// minimum is the least budget that serves: what is kept for Use, and one buffer.
func (m *store) minimum() int { return m.size[kept] + m.size[spare] + m.charge(kind{pages: 1}) }

// largest is the most that a slot of the shared part may ever charge, beside the
// regions.
func (m *store) largest() int { return m.size[shared] - int(m.regions.Load()) }

// fits returns a *LimitError if the budget could never hold so many pages beside
// the regions.
func (m *store) fits(pages int) error {
	if charge := m.charge(kind{pages: pages}); charge > m.largest() {
		return m.limitError(charge, nil)
	}
	return nil
}

// grant takes what a call wants, and returns a slot for it, which may have to be
// mapped. It returns nil if there is nothing for it now. The caller holds mu.
func (m *store) grant(k kind) *slot {
	use := k.part != shared
	may := [parts]bool{kept: use, shared: !use || m.lines[shared].Len() == 0, spare: k.part == spare}
	for _, from := range [...]part{kept, shared, spare} {
		if !may[from] {
			continue
		}
		if from != shared {
			if s := m.stripes[from].get(); s != nil {
				return s
			}
		}
		if s := m.draw(k, from); s != nil {
			return s
		}
	}
	return nil
}

// draw takes a slot in hand whose bytes are from a part of the budget, an idle one if
// there is one. It returns nil if there are not as many. The caller holds mu.
func (m *store) draw(k kind, from part) *slot {
	free, use := m.size[from]-m.taken(from), k.part != shared
	k.part, k.dual = from, true
	switch {
	case use:
		k.dual = m.dualUse
	case k.role == forBuffer:
		k.dual = m.charge(k) <= free-max(0, m.largest()-m.dualBuffers)
	default:
		k.dual = k.role == forUse && m.charge(k) <= free
	}
	if m.charge(k) > free {
		return nil
	}
	var s *slot
	if l := m.idle[k]; len(l) >= rotation || len(l) > 0 && (k.role != forBuffer || m.mapped()+m.charge(k) > m.total) {
		s, m.idle[k] = first(l)
	} else {
		s = &slot{kind: k}
	}
	m.move(s, inHand)
	return s
}

// taken is how many bytes of a part are taken. The caller holds mu.
func (m *store) taken(p part) int { return m.bytes[p][inHand] + m.bytes[p][stuck] }
