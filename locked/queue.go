package locked

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// A waiter is a call that waits in the line of wants.part, first come, first served.
type waiter struct {
	wants  kind
	at     *list.Element // nil once it is served
	served chan struct{} // closed then
	slot   *slot
	err    error
}

const (
	// stallLimit is how long a Use without an end to its context waits while no
	// slot at all comes back. Functions that hold every slot that long are most
	// likely stuck on each other; a server is better off with an error.
	stallLimit = 30 * time.Second

	// nestedLimit is the same for a call that holds a slot and waits for bytes that
	// such others may hold. Up to a quarter is added at random: not all give up at once.
	nestedLimit = time.Second

	// retryInterval is how often a call that may wait tries again where the system
	// refuses to map a slot, and mostTries how many times.
	retryInterval = 20 * time.Millisecond
	mostTries     = 50
)

// acquire returns a slot. While the budget is in use a call that waits does so until
// ctx ends, any other gets ErrExhausted. Where the system refuses to map one, a call
// that waits tries again, ahead of all that wait, as long as others have slots in hand.
func (m *store) acquire(ctx context.Context, r role, pages int, wait bool) (*slot, error) {
	k := kind{role: r, pages: pages, part: shared}
	if r == forUse && pages == 1 && m.size[kept] > 0 {
		k.part = kept
	}
	for tries := 0; ; tries++ {
		s, err := m.enter(ctx, k, wait, tries > 0)
		if err == nil && s.run == nil {
			err = m.mapFor(s)
		}
		if err == ErrExhausted && k.part == shared {
			err = cmp.Or(m.fits(pages), err)
		}
		refused, _ := errors.AsType[*LimitError](err)
		switch {
		case refused == nil || refused.Err == nil || !wait || !m.lends(k):
			return s, err
		case tries == mostTries || ctx.Err() != nil:
			return nil, join(cmp.Or(context.Cause(ctx), ErrExhausted), err)
		}
		m.waiting[k.part].Add(1)
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
		}
		m.waiting[k.part].Add(-1)
	}
}

// enter returns a slot, which may have to be mapped, now or when it is k's turn. It
// gives up when ctx ends, and with ErrExhausted once nothing has come back for as
// long as such a call has patience.
func (m *store) enter(ctx context.Context, k kind, wait, ahead bool) (*slot, error) {
	s, _, err := m.join(k, false, ahead)
	if err != ErrExhausted || !wait {
		return s, err
	}
	patience := time.Duration(0) // none but the context's
	depth, small := nesting(), k.role == forUse && k.pages == 1
	if depth > 0 && k.part == kept {
		k.part = spare
	}
	switch {
	case small && (depth > 1 || depth == 1 && m.size[spare] == 0):
		wait = false
	case depth > 0 && !small:
		patience = nestedLimit + rand.N(nestedLimit/4)
	case k.role == forUse && ctx.Done() == nil:
		patience = stallLimit
	}
	s, q, err := m.join(k, wait, ahead)
	if q == nil {
		return s, err
	}
	tick := time.Tick(patience) // never, for 0
	for seen := m.progress[k.part].Load(); ; {
		select {
		case <-q.served:
			return q.slot, q.err
		case <-ctx.Done():
			m.quit(q, context.Cause(ctx))
		case <-tick:
			last := seen
			if seen = m.progress[k.part].Load(); seen == last {
				m.quit(q, ErrExhausted)
			}
		}
	}
}

// join serves a call at once if it can, and puts one that waits at the end of its
// line otherwise, or ahead of it.
func (m *store) join(k kind, wait, ahead bool) (*slot, *waiter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed.Load() {
		return nil, nil, ErrClosed
	}
	m.serve() // who waits comes first
	if ahead || m.lines[k.part].Len() == 0 {
		if s := m.grant(k); s != nil {
			return s, nil, nil
		}
	}
	if !wait || k.part == shared && m.charge(k) > m.largest() {
		return nil, nil, ErrExhausted // while one waits no region comes, so what waits fits
	}
	q := &waiter{wants: k, served: make(chan struct{})}
	if q.at = m.lines[k.part].PushBack(q); ahead {
		m.lines[k.part].MoveToFront(q.at)
	}
	m.waiting[k.part].Add(1)
	// What came back to the stripes before this is seen now, what comes later sees q.
	m.serve()
	return nil, q, nil
}

// serve serves those whose turn it is as long as there is something for them. The
// caller holds mu.
func (m *store) serve() {
	for i := range m.lines {
		for e := m.lines[i].Front(); e != nil; e = m.lines[i].Front() {
			q := e.Value.(*waiter)
			if q.slot = m.grant(q.wants); q.slot == nil {
				break
			}
			m.leave(q, nil)
		}
	}
}

// leave ends the wait of q, who is in a line. The caller holds mu.
func (m *store) leave(q *waiter, err error) {
	m.lines[q.wants.part].Remove(q.at)
	m.waiting[q.wants.part].Add(-1)
	q.at, q.err = nil, err
	close(q.served)
}

// quit ends the wait of q with err, unless it is served.
func (m *store) quit(q *waiter, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q.at != nil {
		m.leave(q, err)
		m.serve() // the next may want less
	}
}

// lends reports whether callers have slots in hand that will come back for k. One of
// Use has found none among the stripes.
func (m *store) lends(k kind) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	lent := m.bytes[shared][inHand] - int(m.regions.Load())
	if k.part != shared {
		lent += m.bytes[kept][inHand] + m.bytes[spare][inHand]
	}
	return lent > 0
}
