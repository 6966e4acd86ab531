package locked

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A lender has the slots of one page that Use borrows. A few are kept for Use
// whatever the buffers take, and one more, the spare, for calls nested in another
// Use. Where the budget has room, Use takes slots from that as well.
//
// Who finds no slot waits in a queue. Nested calls have a queue of their own, which
// is served first: they hold a slot while they wait. A call nested any deeper never
// waits: so whoever has the spare gives it back, and nobody waits in a circle.
type lender struct {
	pool     *Pool
	kind     kind
	kept     int // how many slots there are, without the spare
	hasSpare bool

	idle    stripes       // taken without mu
	waiting atomic.Int32  // written under mu
	returns atomic.Uint64 // slots that came back while callers waited
	soon    atomic.Bool   // a timer will serve those who wait

	mu             sync.Mutex // protects what follows
	mapped         int        // of the kept ones
	spare          *slot      // nil if it is lent, or not mapped
	spareMapped    bool
	nested, others list.List // of *waiter
	closed         bool
}

// crowd is how many callers may wait before those that run overtake them: to wake
// a caller for each call costs several times what the call does. Every turn'th
// slot that comes back goes to the first who waits all the same.
const (
	crowd = 1 << 10
	turn  = 16
)

// take returns a slot, or waits for one until ctx ends.
func (l *lender) take(ctx context.Context) (*slot, error) {
	// Whoever waits came first, but for a crowd.
	if n := l.waiting.Load(); n == 0 || n > crowd {
		if s := l.idle.take(); s != nil {
			if !l.pool.closed.Load() {
				return s, nil
			}
			l.give(s)
		}
	}
	return l.pool.insist(ctx, func() (*slot, error) { return l.takeLater(ctx) })
}

// takeLater is take for a caller that found no slot, or others who wait.
func (l *lender) takeLater(ctx context.Context) (*slot, error) {
	s, err := l.more()
	if s != nil || errors.Is(err, ErrClosed) {
		return s, err
	}
	depth := nesting()
	if depth > 0 || err != nil {
		// It must not wait for its turn, or there may be no turn.
		if s := l.idle.take(); s != nil {
			return s, nil
		}
	}
	if depth > 0 {
		if s, err = l.takeSpare(); s != nil {
			return s, nil
		}
		if depth > 1 || !l.hasSpare {
			return nil, join(ErrExhausted, err)
		}
	}
	if err != nil {
		return nil, err
	}
	w := l.lineUp(depth)
	patience := time.Duration(0)
	if ctx.Done() == nil {
		patience = stallLimit
	}
	if err := w.await(ctx, patience, &l.returns, l.leave); err != nil {
		return nil, err
	}
	if w.slot == nil {
		return l.mapOne(w.bytes > 0)
	}
	return w.slot, nil
}

// more maps one more slot. It returns nil if there is no room for one.
func (l *lender) more() (*slot, error) {
	l.mu.Lock()
	closed := l.closed
	paid, ok := l.mayMap()
	l.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case !ok:
		return nil, nil
	}
	return l.mapOne(paid)
}

// mayMap reports whether one more slot may be mapped, and whether its bytes are
// taken from the budget. The caller holds mu.
func (l *lender) mayMap() (paid, ok bool) {
	if l.closed {
		return false, false
	}
	if l.mapped < l.kept {
		l.mapped++
		return false, true
	}
	ok = l.pool.budget.tryTake(l.pool.store.charge(l.kind))
	return ok, ok
}

// mapOne maps a slot that mayMap allowed.
func (l *lender) mapOne(paid bool) (*slot, error) {
	if paid {
		return l.pool.getPaid(l.kind)
	}
	s, err := l.pool.store.get(l.kind)
	if err != nil {
		l.lost()
		return nil, err
	}
	s.place = l.idle.place()
	return s, nil
}

// lost says that one of the kept slots is gone, or could not be mapped.
func (l *lender) lost() {
	l.mu.Lock()
	l.mapped--
	l.mu.Unlock()
	l.room()
}

// lent reports whether callers have slots in hand.
func (l *lender) lent() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mapped > l.idle.count() || l.spareMapped && l.spare == nil
}

// takeSpare returns the spare, or nil if it is lent or there is none.
func (l *lender) takeSpare() (*slot, error) {
	l.mu.Lock()
	s, first := l.spare, l.hasSpare && !l.spareMapped && !l.closed
	l.spare, l.spareMapped = nil, l.spareMapped || first
	l.mu.Unlock()
	if !first {
		return s, nil
	}
	s, err := l.pool.store.get(l.kind)
	if err != nil {
		l.mu.Lock()
		l.spareMapped = false
		l.mu.Unlock()
		return nil, err
	}
	s.spare = true
	return s, nil
}

// lineUp puts a caller in its queue.
func (l *lender) lineUp(depth int) *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := newWaiter(0)
	if l.closed {
		w.serve(ErrClosed)
		return w
	}
	queue := &l.others
	if depth > 0 {
		queue = &l.nested
	}
	// From here on a slot that comes back is not left among the stripes without a
	// look at the queues, so none can slip past the look at them.
	w.join(queue, &l.waiting)
	l.serve()
	return w
}

// leave takes w out of its queue, and reports whether it was still there.
func (l *lender) leave(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return w.quit()
}

// next returns who is to be served, or nil. The caller holds mu.
func (l *lender) next() *waiter {
	if w := front(&l.nested); w != nil {
		return w
	}
	return front(&l.others)
}

// serve hands what is idle to those who wait. The caller holds mu.
func (l *lender) serve() {
	for w := l.next(); w != nil; w = l.next() {
		if l.spare != nil && l.nested.Len() > 0 {
			w.slot, l.spare = l.spare, nil
		} else if w.slot = l.idle.steal(); w.slot == nil {
			return
		}
		w.serve(nil)
	}
}

// room maps slots for those who wait, if there is room for more.
func (l *lender) room() {
	if l.waiting.Load() == 0 || !l.mayServe() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fill()
}

// fill is room for a caller that holds mu.
func (l *lender) fill() {
	for w := l.next(); w != nil; w = l.next() {
		paid, ok := l.mayMap()
		if !ok {
			return
		}
		// It maps the slot itself.
		if paid {
			w.bytes = l.pool.store.charge(l.kind)
		}
		w.serve(nil)
	}
}

// give takes a wiped slot back.
func (l *lender) give(s *slot) {
	switch {
	case s.paid:
		l.pool.putBack(s)
		return
	case s.spare:
		l.mu.Lock()
		l.spare = s
		l.mu.Unlock()
	default:
		l.idle.put(s)
	}
	// A waiter that came, or a Close, between the two looks did not see the slot;
	// this look sees them.
	if l.pool.closed.Load() {
		// What fails is stuck, and Close reports it when called again.
		_ = l.empty()
	} else if l.waiting.Load() > 0 && l.mayServe() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.serve()
	}
}

// mayServe reports whether what came back is for those who wait. If it is not,
// they get it a moment later, unless somebody else has taken it.
func (l *lender) mayServe() bool {
	if n := l.returns.Add(1); l.waiting.Load() <= crowd || n%turn == 0 {
		return true
	}
	if !l.soon.Swap(true) {
		time.AfterFunc(time.Millisecond, func() {
			l.soon.Store(false)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.serve()
			l.fill()
		})
	}
	return false
}

// drop unmaps a slot that must not be used again.
func (l *lender) drop(s *slot) error {
	paid := s.paid
	err := l.pool.discard(s)
	switch {
	case s.spare:
		l.mu.Lock()
		l.spareMapped = false
		l.mu.Unlock()
	case !paid:
		l.lost()
	}
	return err
}

// close ends the waits and all later calls with ErrClosed.
func (l *lender) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	failAll(&l.nested, ErrClosed)
	failAll(&l.others, ErrClosed)
}

// empty unmaps what is idle.
func (l *lender) empty() error {
	var errs []error
	for s := l.idle.steal(); s != nil; s = l.idle.steal() {
		errs = append(errs, l.drop(s))
	}
	l.mu.Lock()
	spare := l.spare
	l.spare = nil
	l.mu.Unlock()
	if spare != nil {
		errs = append(errs, l.drop(spare))
	}
	return errors.Join(errs...)
}
