package locked

import (
	"container/list"
	"context"
	"errors"
	"time"
)

// stallLimit is how long a Use without an end to its context waits while no
// slot at all comes back. Functions that hold every slot that long are stuck,
// most likely on each other; a server is better off with an error.
const stallLimit = 30 * time.Second

// A waiter is a call that waits for a slot. The pool's mu protects it until
// ready is closed.
type waiter struct {
	req    request
	ready  chan struct{}
	slot   *slot
	err    error
	queued *list.Element // nil once granted or gone
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
	s, err := p.take(r, wait)
	p.mu.Unlock()
	if !errors.Is(err, errFull) {
		return s, err
	}
	if !wait {
		return nil, ErrExhausted
	}
	r.depth = p.useDepth()
	w := &waiter{req: r, ready: make(chan struct{})}
	p.mu.Lock()
	err = p.enqueue(w)
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return p.await(ctx, w)
}

// take returns a slot for r, or errFull if others came first or there is none:
// with wait, also if the system refuses one while another will come back.
// The caller holds mu.
func (p *Pool) take(r request, wait bool) (*slot, error) {
	if p.closed.Load() {
		return nil, ErrClosed
	}
	// A request that the whole budget could not meet must not wait.
	if charge := p.charge(r.slotKind); p.regions+charge+p.keptAtMost(r) > p.budget {
		return nil, p.limitError(charge, nil)
	}
	if p.queueOf(r).Len() > 0 {
		return nil, errFull
	}
	if wait {
		return p.takeOrWait(r)
	}
	return p.takeNow(r)
}

// takeOrWait is takeNow where a refusal by the system counts as full as long as
// somebody holds a slot that will come back. The caller holds mu.
func (p *Pool) takeOrWait(r request) (*slot, error) {
	s, err := p.takeNow(r)
	var refused *LimitError
	if errors.As(err, &refused) && p.inHand() > 0 {
		return nil, errFull
	}
	return s, err
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

// breakDeadlock ends the wait of the youngest caller that may go without, if
// the waiters hold every slot that Use gave out: none of those could ever come
// back. The caller holds mu.
func (p *Pool) breakDeadlock() {
	if p.heldByWaiters == 0 || p.heldByWaiters < p.inHand()-p.openCount {
		return
	}
	for i := range p.queues {
		for e := p.queues[i].Back(); e != nil; e = e.Prev() {
			w := e.Value.(*waiter)
			// A large Use, like a buffer, may still get what an open buffer
			// gives back.
			if w.req.depth > 0 && w.req.use && (w.req.small() || p.openCount == 0) {
				p.grant(w, nil, ErrExhausted)
				return
			}
		}
	}
}

// await waits until w is granted, ctx ends, or the pool stalls.
func (p *Pool) await(ctx context.Context, w *waiter) (*slot, error) {
	var stalled <-chan time.Time
	if w.req.use && ctx.Done() == nil {
		t := time.NewTicker(stallLimit)
		defer t.Stop()
		stalled = t.C
	}
	p.mu.Lock()
	seen := p.progress
	p.mu.Unlock()
	for {
		select {
		case <-w.ready:
			return w.slot, w.err
		case <-ctx.Done():
			if p.giveUp(w, nil) {
				return nil, context.Cause(ctx)
			}
		case <-stalled:
			if p.giveUp(w, &seen) {
				return nil, ErrExhausted
			}
		}
	}
}

// giveUp takes w out of its queue unless it was granted meanwhile, or, given
// the progress seen last, unless there was some since, which it then notes.
func (p *Pool) giveUp(w *waiter, seen *uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.queued == nil {
		return false
	}
	if seen != nil && *seen != p.progress {
		*seen = p.progress
		return false
	}
	p.leave(w)
	// The next in line may want less than w did.
	p.dispatch()
	return true
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

// dispatch hands free slots to the waiters, first come, first served in each
// queue. The caller holds mu.
func (p *Pool) dispatch() {
	for i := range p.queues {
		for e := p.queues[i].Front(); e != nil; e = p.queues[i].Front() {
			w := e.Value.(*waiter)
			s, err := p.takeOrWait(w.req)
			if errors.Is(err, errFull) {
				break
			}
			p.grant(w, s, err)
		}
	}
	p.dispatchSpare()
	p.breakDeadlock()
}

// dispatchSpare hands the spare slot to the first waiter that holds another.
// The caller holds mu.
func (p *Pool) dispatchSpare() {
	for e := p.queues[0].Front(); e != nil; e = e.Next() {
		w := e.Value.(*waiter)
		if w.req.depth == 0 {
			continue
		}
		// A refusal by the system is no reason to give up: w waits on.
		if s, err := p.takeSpare(); err == nil {
			p.grant(w, s, nil)
		}
		return
	}
}

// failWaiters ends every wait with err. The caller holds mu.
func (p *Pool) failWaiters(err error) {
	for i := range p.queues {
		for e := p.queues[i].Front(); e != nil; e = p.queues[i].Front() {
			p.grant(e.Value.(*waiter), nil, err)
		}
	}
}
