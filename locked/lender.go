package locked

import (
	"context"
	"sync/atomic"
	"time"
)

// A lender has the slots of one page that Use borrows. A few are kept for Use
// whatever the buffers take, and one more, the spare, for calls nested in another
// Use. Where the budget has room, Use takes slots from that as well.
//
// Who finds no slot waits, and nested calls are served first: they hold a slot
// meanwhile. A call that is nested any deeper never waits: so whoever has the spare
// gives it back, and nobody waits in a circle.
type lender struct {
	queue
	pool     *Pool
	kind     kind
	kept     int // how many slots there are, without the spare
	hasSpare bool

	idle stripes     // taken without mu
	soon atomic.Bool // a timer will serve those who wait

	// mu protects what follows.
	mapped      int   // of the kept ones
	spare       *slot // nil if it is lent, or not mapped
	spareMapped bool
}

// share is where the right to have a slot of Use comes from.
type share uint8

const (
	nowhere    share = iota
	fromKept         // it is one of those that are kept
	fromSpare        // it is the one for nested calls
	fromBudget       // its bytes are taken from the budget
)

// crowd is how many callers may wait before those that run overtake them: to wake
// a caller for each call costs several times what the call does. Every turn'th
// slot that comes back goes to the first who waits all the same.
const (
	crowd = 1 << 10
	turn  = 16
)

// overtakes reports whether a call need not queue behind those who wait.
func (l *lender) overtakes() bool {
	n := l.waiting.Load()
	return n == 0 || n > crowd
}

// take returns a slot, or waits for one until ctx ends.
func (l *lender) take(ctx context.Context) (*slot, error) {
	if l.overtakes() {
		if s := l.idle.take(); s != nil {
			if !l.closed.Load() {
				return s, nil
			}
			l.give(s)
		}
	}
	return l.pool.insist(ctx, func() (*slot, error) { return l.takeLater(ctx) })
}

// takeLater is take for a caller that found no slot, or others who wait.
func (l *lender) takeLater(ctx context.Context) (*slot, error) {
	var refused error
	if l.overtakes() {
		var s *slot
		if s, refused = l.more(); s != nil {
			return s, nil
		}
	}
	depth, patience := nesting(), forever
	switch {
	case refused != nil || depth > 1 || depth == 1 && !l.hasSpare:
		patience = atOnce
	case ctx.Done() == nil:
		patience = stallLimit
	}
	w := &waiter{nested: depth > 0}
	switch err := l.wait(ctx, w, patience); {
	case err != nil && refused != nil:
		return nil, refused
	case err != nil:
		return nil, err
	case w.slot == nil:
		return l.mapOne(w.from)
	}
	return w.slot, nil
}

// more maps one more slot. It returns nil if there is no room for one.
func (l *lender) more() (*slot, error) {
	l.mu.Lock()
	from := l.allow(false)
	l.mu.Unlock()
	if from == nowhere {
		return nil, nil
	}
	return l.mapOne(from)
}

// allow says where one more slot may come from, and counts it. The caller holds
// mu, and maps the slot later.
func (l *lender) allow(nested bool) share {
	b := &l.pool.budget
	switch {
	case l.closed.Load():
		return nowhere
	case l.mapped < l.kept:
		l.mapped++
		return fromKept
	case b.tryTake(l.pool.store.charge(l.kind), b.size) == nil:
		return fromBudget
	case nested && l.hasSpare && !l.spareMapped:
		l.spareMapped = true
		return fromSpare
	}
	return nowhere
}

// mapOne maps a slot that allow allowed.
func (l *lender) mapOne(from share) (*slot, error) {
	if from == fromBudget {
		return l.pool.getPaid(l.kind)
	}
	s, err := l.pool.store.get(l.kind)
	if err != nil {
		l.lost(from)
		return nil, err
	}
	s.from, s.place = from, l.idle.place()
	return s, nil
}

// lost says that a slot is gone, or could not be mapped.
func (l *lender) lost(from share) {
	l.mu.Lock()
	if from == fromSpare {
		l.spareMapped = false
	} else {
		l.mapped--
	}
	l.mu.Unlock()
	l.room()
}

// lent reports whether callers have slots in hand.
func (l *lender) lent() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mapped > l.idle.count() || l.spareMapped && l.spare == nil
}

// serveFront hands what is idle to those who wait, or lets them map what there is
// room for. The caller holds mu.
func (l *lender) serveFront() {
	for w := l.first(); w != nil; w = l.first() {
		if w.slot = l.idle.take(); w.slot == nil && w.nested {
			w.slot, l.spare = l.spare, nil
		}
		if w.slot == nil {
			if w.from = l.allow(w.nested); w.from == nowhere {
				return
			}
		}
		l.leave(w, nil)
	}
}

// room serves those who wait once a slot, or room for one, came back. A crowd gets
// it a moment later, unless somebody else has taken it.
func (l *lender) room() {
	n := l.waiting.Load()
	switch {
	case n == 0:
	case l.progress.Add(1)%turn == 0 || n <= crowd:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.serveFront()
	case !l.soon.Swap(true):
		time.AfterFunc(time.Millisecond, func() {
			l.soon.Store(false)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.serveFront()
		})
	}
}

// give takes a wiped slot back.
func (l *lender) give(s *slot) {
	if s.from == fromSpare {
		l.mu.Lock()
		l.spare = s
		l.mu.Unlock()
	} else {
		l.idle.put(s)
	}
	// Whoever came to wait, or to close, before the slot was back did not see it:
	// this look sees them.
	if l.closed.Load() {
		l.empty()
	}
	l.room()
}

// drop unmaps a slot that must not be used again.
func (l *lender) drop(s *slot) error {
	defer l.lost(s.from)
	return l.pool.discard(s)
}

// empty unmaps what is idle, once the pool is closed. What fails is stuck, and
// Close reports it.
func (l *lender) empty() {
	l.mu.Lock()
	s := l.spare
	l.spare = nil
	l.mu.Unlock()
	if s != nil {
		_ = l.drop(s)
	}
	for s := l.idle.take(); s != nil; s = l.idle.take() {
		_ = l.drop(s)
	}
}
