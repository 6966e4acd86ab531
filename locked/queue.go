package locked

import (
	"container/list"
	"context"
	"errors"
	"time"
)

// A want is what a call asks for, and the line in which it would wait for that.
type want struct {
	role  role
	pages int
	line  line
}

// A line is where calls wait, first come, first served. The lines are served in
// their order.
type line uint8

const (
	nested line = iota // a Use of one page, nested in another: it holds a slot meanwhile
	usual              // any other Use of one page
	others             // all else, and every Use of a pool that keeps no slots for it
	lines              // how many there are
)

// A waiter is a call in a line.
type waiter struct {
	want
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

	// nestedLimit is the same for a call that holds a slot while it waits for bytes
	// that others who hold one may have.
	nestedLimit = time.Second

	// forever is the patience of a call that only its context ends, and atOnce of one
	// that does not wait.
	forever time.Duration = 0
	atOnce  time.Duration = -1

	// retryInterval is how often a call that may wait tries again where the system
	// refuses to map a slot, and mostTries how many times.
	retryInterval = 20 * time.Millisecond
	mostTries     = 50
)

// take returns a slot. While the budget is in use a call that waits does so until
// ctx ends, any other gets ErrExhausted. Where the system refuses to map one, a call
// that waits tries again as long as others have slots in hand.
func (m *store) take(ctx context.Context, r role, pages int, wait bool) (*slot, error) {
	w := want{r, pages, others}
	if r == forUse && pages == 1 && m.size[kept] > 0 {
		w.line = usual
	} else if err := m.fits(pages); err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ {
		s, err := m.enter(ctx, w, wait)
		if err == nil && s.run == nil {
			s, err = m.mapOr(s)
		}
		if err == nil || !wait || !isRefusal(err) || !m.lends() {
			return s, err
		}
		if tries == mostTries {
			return nil, join(ErrExhausted, err)
		}
		m.refused.Add(1)
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
		}
		m.refused.Add(-1)
		if ctx.Err() != nil {
			return nil, join(context.Cause(ctx), err)
		}
	}
}

func isRefusal(err error) bool {
	var refused *LimitError
	return errors.As(err, &refused) && refused.Err != nil
}

// enter returns a slot, which may have to be mapped, now or when w's turn comes.
func (m *store) enter(ctx context.Context, w want, wait bool) (*slot, error) {
	s, q, err := m.join(w, atOnce)
	if err != ErrExhausted || !wait {
		return s, err
	}
	depth, patience, small := m.frames.nesting(), forever, w.role == forUse && w.pages == 1
	if depth > 0 && w.line == usual {
		w.line = nested
	}
	switch {
	case depth > 1 && small, depth == 1 && small && m.size[spare] == 0:
		patience = atOnce
	case depth > 0 && !small:
		patience = nestedLimit
	case w.role == forUse && ctx.Done() == nil:
		patience = stallLimit
	}
	if s, q, err = m.join(w, patience); q == nil {
		return s, err
	}
	return m.wait(ctx, q, patience)
}

// join serves w at once if it can, and otherwise puts it at the end of its line.
func (m *store) join(w want, patience time.Duration) (*slot, *waiter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed.Load() {
		return nil, nil, ErrClosed
	}
	if m.lines[w.line].Len() == 0 {
		if s := m.grant(w); s != nil {
			return s, nil, nil
		}
	}
	if patience == atOnce {
		return nil, nil, ErrExhausted
	}
	q := &waiter{want: w, served: make(chan struct{})}
	q.at = m.lines[w.line].PushBack(q)
	m.count()
	// What came back to the stripes before this is seen now, what comes later sees q.
	m.serve()
	return nil, q, nil
}

// wait waits until q is served. It gives up when ctx ends, and with ErrExhausted
// once nothing has come back for as long as q has patience.
func (m *store) wait(ctx context.Context, q *waiter, patience time.Duration) (*slot, error) {
	var tick <-chan time.Time
	if patience > 0 {
		t := time.NewTicker(patience)
		defer t.Stop()
		tick = t.C
	}
	for seen := m.progress.Load(); ; {
		select {
		case <-q.served:
			return q.slot, q.err
		case <-ctx.Done():
			m.quit(q, context.Cause(ctx))
		case <-tick:
			now := m.progress.Load()
			if now == seen {
				m.quit(q, ErrExhausted)
			}
			seen = now
		}
	}
}

// serve serves those whose turn it is as long as there is something for them. The
// caller holds mu.
func (m *store) serve() {
	for i := range m.lines {
		for e := m.lines[i].Front(); e != nil; e = m.lines[i].Front() {
			q := e.Value.(*waiter)
			if q.slot = m.grant(q.want); q.slot == nil {
				break
			}
			m.leave(q, nil)
		}
	}
}

// leave ends the wait of q, who is in a line. The caller holds mu.
func (m *store) leave(q *waiter, err error) {
	m.lines[q.line].Remove(q.at)
	m.count()
	q.at, q.err = nil, err
	close(q.served)
}

// count tells those who give a slot back whether a Use waits. The caller holds mu.
func (m *store) count() { m.waiting.Store(int32(m.lines[nested].Len() + m.lines[usual].Len())) }

// quit ends the wait of q with err, unless it is served.
func (m *store) quit(q *waiter, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q.at != nil {
		m.leave(q, err)
		m.serve() // the next may want less
	}
}
