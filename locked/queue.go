package locked

import (
	"container/list"
	"context"
	"errors"
	"time"
)

const (
	// stallLimit is how long a Use without an end to its context waits while
	// no slot at all comes back. Functions that hold every slot that long are
	// stuck, most likely on each other; a server is better off with an error.
	stallLimit = 30 * time.Second

	// refusalLimit is the same where the system refuses to lock memory.
	refusalLimit = time.Second

	// retryInterval is how often a wait looks again at what no slot that
	// comes back will tell it: the system's limit, and the age of idle slots.
	retryInterval = 20 * time.Millisecond
)

// A waiter is a call that waits for a slot. The pool's mu protects it until
// ready is closed.
type waiter struct {
	req     request
	since   time.Time
	ready   chan struct{}
	slot    *slot
	err     error
	refused error         // why the system gave no slot when last asked
	queued  *list.Element // nil once granted or gone
}

// queue holds waiters in order of arrival. There are two, so that a buffer that
// waits for budget does not hold up a Use whose slot is free.
type queue struct{ list.List }

func (p *Pool) queueOf(r request) *queue {
	if r.small() {
		return &p.queues[0]
	}
	return &p.queues[1]
}

// acquire returns a slot for r. If none is free it waits for one in order of
// arrival until ctx ends, or returns ErrExhausted at once if wait is false.
func (p *Pool) acquire(ctx context.Context, r request, wait bool) (*slot, error) {
	p.mu.Lock()
	s, err := p.take(r)
	p.mu.Unlock()
	if err == nil {
		return s, nil
	}
	return p.acquireLater(ctx, r, wait, err)
}

// acquireLater is acquire after take failed with err.
func (p *Pool) acquireLater(ctx context.Context, r request, wait bool, err error) (*slot, error) {
	var refused *LimitError
	switch {
	case errors.Is(err, ErrClosed):
		return nil, err
	case !errors.Is(err, errFull) && !wait:
		return nil, err
	case !wait:
		return nil, ErrExhausted
	case errors.As(err, &refused) && refused.Err == nil:
		// The whole budget could not meet it.
		return nil, err
	}
	r.depth = p.useDepth()
	w := &waiter{req: r, since: time.Now(), ready: make(chan struct{})}
	p.mu.Lock()
	err = p.enqueue(w)
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return p.await(ctx, w)
}

// take returns a slot for r, or errFull if others came first or there is none.
// The caller holds mu.
func (p *Pool) take(r request) (*slot, error) {
	if p.closed.Load() {
		return nil, ErrClosed
	}
	if !p.fits(r) {
		return nil, p.limitError(p.charge(r.slotKind), nil)
	}
	if p.queueOf(r).Len() > 0 {
		return nil, errFull
	}
	return p.takeNow(r)
}

// enqueue puts w in its queue, or grants it at once. The caller holds mu.
func (p *Pool) enqueue(w *waiter) error {
	if p.closed.Load() {
		return ErrClosed
	}
	// From here on a slot that comes back is not put among the stripes without
	// a look at the queue, so none can slip past the search below.
	p.waiting.Add(1)
	p.heldByWaiters += w.req.depth
	w.queued = p.queueOf(w.req).PushBack(w)
	p.dispatch()
	return nil
}

// dispatch hands free slots to the waiters, first come, first served in each
// queue. The caller holds mu.
func (p *Pool) dispatch() {
	if p.waiting.Load() == 0 {
		return
	}
	// Use, whose slots come back all the time, after the others.
	for _, i := range []int{1, 0} {
		for e := p.queues[i].Front(); e != nil; e = p.queues[i].Front() {
			if !p.serve(e.Value.(*waiter), p.takeNow) {
				break
			}
		}
	}
	p.dispatchNested()
	p.breakDeadlock()
	p.armRetry()
}

// serve grants w what take returns for it, and reports whether w's wait is
// over. Whatever the system refuses, w waits on as long as somebody holds a
// slot that will come back. The caller holds mu.
func (p *Pool) serve(w *waiter, take func(request) (*slot, error)) bool {
	s, err := take(w.req)
	switch {
	case errors.Is(err, errFull):
		return false
	case err != nil && p.inHand() > 0:
		w.refused = err
		p.again = true
		return false
	}
	p.grant(w, s, err)
	return true
}

// dispatchNested serves the first waiter that holds another slot ahead of the
// others: with the spare, or with pages for which those rather wait. The caller
// holds mu.
func (p *Pool) dispatchNested() {
	for e := p.queues[0].Front(); e != nil; e = e.Next() {
		if w := e.Value.(*waiter); w.req.depth > 0 {
			if !p.serve(w, func(request) (*slot, error) { return p.takeSpare() }) {
				p.serve(w, p.takeNow)
			}
			return
		}
	}
}

// breakDeadlock ends the wait of the youngest caller that may go without, if
// the waiters hold every slot that Use gave out: none of those could ever come
// back. The caller holds mu.
func (p *Pool) breakDeadlock() {
	if p.heldByWaiters == 0 {
		return
	}
	// A slot that was put among the stripes since dispatch looked is about to
	// be dispatched.
	if p.queues[0].Len() > 0 && p.stripes.count() > 0 {
		return
	}
	if p.heldByWaiters < p.inHand()-p.openCount {
		return
	}
	for i := range p.queues {
		for e := p.queues[i].Back(); e != nil; e = e.Prev() {
			w := e.Value.(*waiter)
			// What needs more than a small slot may still get what an open
			// buffer gives back.
			if w.req.depth > 0 && (w.req.small() || p.openCount == 0) {
				p.grant(w, nil, ErrExhausted)
				return
			}
		}
	}
}

// armRetry winds up the timer that dispatches again, if there is reason to. It
// holds no goroutine while it waits. The caller holds mu.
func (p *Pool) armRetry() {
	if !p.again || p.retrying || p.waiting.Load() == 0 || p.closed.Load() {
		return
	}
	p.retrying = true
	if p.retry == nil {
		p.retry = time.AfterFunc(retryInterval, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.again, p.retrying = false, false
			p.dispatch()
		})
		return
	}
	p.retry.Reset(retryInterval)
}

// await waits until w is granted, ctx ends, or the pool stalls.
func (p *Pool) await(ctx context.Context, w *waiter) (*slot, error) {
	var tick <-chan time.Time
	if w.req.use && ctx.Done() == nil {
		t := time.NewTicker(refusalLimit)
		defer t.Stop()
		tick = t.C
	}
	var stall stall
	for {
		select {
		case <-w.ready:
			return w.slot, w.err
		case <-ctx.Done():
			if p.giveUp(w, nil) {
				return nil, w.because(context.Cause(ctx))
			}
		case <-tick:
			if p.giveUp(w, &stall) {
				return nil, w.because(ErrExhausted)
			}
		}
	}
}

// because adds to err what the system refused while w waited, if it did.
func (w *waiter) because(err error) error {
	if w.refused == nil {
		return err
	}
	return errors.Join(err, w.refused)
}

// stall is how long a waiter has seen no slot come back.
type stall struct {
	progress uint64 // of the pool, when last seen
	seen     bool   // progress is set
	idle     time.Duration
}

// giveUp takes w out of its queue unless it was granted meanwhile or, given a
// stall, unless that is not long enough yet. It is called once a tick.
func (p *Pool) giveUp(w *waiter, s *stall) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.queued == nil {
		return false
	}
	if s != nil && !p.stalled(w, s) {
		return false
	}
	p.leave(w)
	// The next in line may want less than w did.
	p.dispatch()
	return true
}

// stalled counts one more tick and reports whether w has waited too long. The
// caller holds mu.
func (p *Pool) stalled(w *waiter, s *stall) bool {
	if !s.seen || s.progress != p.progress {
		s.progress, s.seen, s.idle = p.progress, true, 0
		return false
	}
	s.idle += refusalLimit
	return w.refused != nil || s.idle >= stallLimit
}

// leave takes w out of its queue. The caller holds mu.
func (p *Pool) leave(w *waiter) {
	p.queueOf(w.req).Remove(w.queued)
	w.queued = nil
	p.heldByWaiters -= w.req.depth
	p.waiting.Add(-1)
}

// grant ends w's wait. The caller holds mu.
func (p *Pool) grant(w *waiter, s *slot, err error) {
	p.leave(w)
	w.slot, w.err = s, err
	close(w.ready)
}

// failWaiters ends every wait with err. The caller holds mu.
func (p *Pool) failWaiters(err error) {
	for i := range p.queues {
		for e := p.queues[i].Front(); e != nil; e = p.queues[i].Front() {
			p.grant(e.Value.(*waiter), nil, err)
		}
	}
}
