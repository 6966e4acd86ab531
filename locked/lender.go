package locked

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A lender has the slots of one page that Use borrows. A few are its own,
// whatever the buffers take, and one more of them is for calls nested in another
// Use. Where the budget has room there are extra ones; those go back to it when a
// buffer needs the bytes.
//
// Who finds no slot waits in a queue. Nested calls have a queue of their own, which
// is served first: they hold a slot while they wait. A call nested any deeper never
// waits: so whoever has the spare gives it back, and nobody waits in a circle.
type lender struct {
	pool     *Pool
	kind     kind
	kept     int // how many slots are its own, without the spare
	hasSpare bool

	own, extra stripes       // idle ones, taken without mu
	waiting    atomic.Int32  // written under mu
	returns    atomic.Uint64 // slots that came back while callers waited

	mu             sync.Mutex // protects what follows
	mapped         int        // slots of its own, without the spare
	extras         int        // extra slots
	spare          *slot      // nil if it is lent, or not mapped
	spareMapped    bool
	nested, others list.List // of *waiter
	closed         bool
}

// take returns a slot, or waits for one until ctx ends.
func (l *lender) take(ctx context.Context) (*slot, error) {
	// Whoever waits came first.
	if l.waiting.Load() == 0 {
		if s := l.takeIdle(); s != nil {
			if !l.pool.closed.Load() {
				return s, nil
			}
			l.give(s)
		}
	}
	return l.takeLater(ctx)
}

func (l *lender) takeIdle() *slot {
	if s := l.own.take(); s != nil {
		return s
	}
	return l.extra.take()
}

// takeLater is take for a caller that found no slot, or others who wait.
func (l *lender) takeLater(ctx context.Context) (*slot, error) {
	s, err := l.more()
	if s != nil || errors.Is(err, ErrClosed) {
		return s, err
	}
	depth := nesting()
	if depth > 0 {
		s, err = l.takeNested()
		if s != nil {
			return s, nil
		}
		if depth > 1 || !l.hasSpare {
			return nil, join(ErrExhausted, err)
		}
	}
	if err != nil && l.lent() == 0 {
		// None of ours will come back.
		return l.pool.insist(ctx, func() (*slot, error) {
			if s := l.takeIdle(); s != nil {
				return s, nil
			}
			if s, err := l.more(); s != nil || err != nil {
				return s, err
			}
			return l.wait(ctx, depth, nil)
		})
	}
	return l.wait(ctx, depth, err)
}

// wait waits for a slot in the queue. refused is why none could be mapped, if that
// is why.
func (l *lender) wait(ctx context.Context, depth int, refused error) (*slot, error) {
	w := l.lineUp(depth)
	patience := time.Duration(0)
	switch {
	case refused != nil:
		patience = refusalLimit
	case ctx.Done() == nil:
		patience = stallLimit
	}
	if err := w.await(ctx, patience, &l.returns, l.leave); err != nil {
		return nil, join(err, refused)
	}
	if w.slot == nil {
		return l.mapOne(w.bytes > 0)
	}
	return w.slot, nil
}

// takeNested returns a slot for a nested call, which does not wait for its turn:
// the spare if nothing else is idle. It returns nil if that is not either.
func (l *lender) takeNested() (*slot, error) {
	if s := l.takeIdle(); s != nil {
		return s, nil
	}
	return l.takeSpare()
}

// more maps one more slot. It returns nil if there is no room for one.
func (l *lender) more() (*slot, error) {
	l.mu.Lock()
	closed := l.closed
	extra, ok := l.mayMap()
	l.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case !ok:
		return nil, nil
	}
	return l.mapOne(extra)
}

// mayMap reports whether one more slot may be mapped, and takes the bytes of an
// extra one from the budget. The caller holds mu.
func (l *lender) mayMap() (extra, ok bool) {
	if l.closed {
		return false, false
	}
	if l.mapped < l.kept {
		l.mapped++
		return false, true
	}
	if l.pool.budget.tryTake(l.pool.store.charge(l.kind)) {
		l.extras++
		return true, true
	}
	return false, false
}

// mapOne maps a slot that mayMap allowed.
func (l *lender) mapOne(extra bool) (*slot, error) {
	var s *slot
	var err error
	if extra {
		s, err = l.pool.getPaid(l.kind)
	} else {
		s, err = l.pool.store.get(l.kind)
	}
	if err != nil {
		l.forget(extra)
		return nil, err
	}
	s.place = l.own.place()
	return s, nil
}

// forget is for a slot that is gone, or was not to be had.
func (l *lender) forget(extra bool) {
	l.mu.Lock()
	if extra {
		l.extras--
	} else {
		l.mapped--
	}
	l.mu.Unlock()
	l.room()
}

// lent returns how many slots callers have in hand, the spare left out.
func (l *lender) lent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mapped + l.extras - l.own.count() - l.extra.count()
}

// takeSpare returns the slot for nested calls, or nil if it is lent or there is
// none.
func (l *lender) takeSpare() (*slot, error) {
	l.mu.Lock()
	s, first := l.spare, l.hasSpare && !l.spareMapped && !l.closed
	l.spare = nil
	if first {
		l.spareMapped = true
	}
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
	for _, queue := range []*list.List{&l.nested, &l.others} {
		if e := queue.Front(); e != nil {
			return e.Value.(*waiter)
		}
	}
	return nil
}

// serve hands what is idle to those who wait. The caller holds mu.
func (l *lender) serve() {
	for w := l.next(); w != nil; w = l.next() {
		if l.spare != nil && l.nested.Len() > 0 {
			w.slot, l.spare = l.spare, nil
		} else if w.slot = l.own.steal(); w.slot == nil {
			w.slot = l.extra.steal()
		}
		if w.slot == nil {
			return
		}
		w.serve(nil)
	}
}

// give takes a wiped slot back.
func (l *lender) give(s *slot) {
	s.used = true
	l.rest(s)
}

// rest leaves s idle.
func (l *lender) rest(s *slot) {
	paid := s.paid
	switch {
	case s.spare:
		l.mu.Lock()
		l.spare = s
		l.mu.Unlock()
	case !paid:
		l.own.put(s) // which has room for all of them
	case !l.extra.put(s):
		l.giveUp(s)
	}
	// A waiter that came, or a Close, between the two looks did not see the slot;
	// this look sees them.
	if l.waiting.Load() > 0 || l.pool.closed.Load() || paid && l.pool.budget.queued.Load() > 0 {
		l.settle()
	}
}

// settle gives extra slots to those who wait for the budget, and what is idle then
// to those who wait here; or it empties a closed lender.
func (l *lender) settle() {
	if l.pool.closed.Load() {
		// What fails is stuck, and Close reports it when called again.
		_ = l.empty()
		return
	}
	for l.pool.budget.queued.Load() > 0 && l.giveUpOne() {
	}
	l.returns.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serve()
}

// giveUp makes an extra slot idle for all.
func (l *lender) giveUp(s *slot) {
	l.mu.Lock()
	l.extras--
	l.mu.Unlock()
	l.pool.putBack(s)
}

// giveUpOne gives up an idle extra slot, and reports whether there was one.
func (l *lender) giveUpOne() bool {
	s := l.extra.steal()
	if s != nil {
		l.giveUp(s)
	}
	return s != nil
}

// giveUpUnused gives up the extra slots that nobody used since the last call, and
// reports whether more are left. Its own stay: Use must find them, whatever the
// system says to mapping new ones.
func (l *lender) giveUpUnused() (more bool) {
	var used []*slot
	for s := l.extra.steal(); s != nil; s = l.extra.steal() {
		if s.used {
			used = append(used, s)
		} else {
			l.giveUp(s)
		}
	}
	for _, s := range used {
		s.used = false
		l.rest(s)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.extras > 0
}

// room maps slots for those who wait, if there is room for more.
func (l *lender) room() {
	if l.waiting.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := l.next(); w != nil; w = l.next() {
		extra, ok := l.mayMap()
		if !ok {
			return
		}
		// It maps the slot itself.
		if extra {
			w.bytes = l.pool.store.charge(l.kind)
		}
		l.returns.Add(1)
		w.serve(nil)
	}
}

// drop unmaps a slot that must not be used again.
func (l *lender) drop(s *slot) error {
	spare, extra := s.spare, s.paid
	err := l.pool.store.discard(s)
	if !spare {
		l.forget(extra)
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spareMapped = false
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
	for _, idle := range []*stripes{&l.own, &l.extra} {
		for s := idle.steal(); s != nil; s = idle.steal() {
			errs = append(errs, l.drop(s))
		}
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
