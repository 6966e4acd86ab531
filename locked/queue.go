package locked

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A queue is where calls wait: first come, first served, but nested calls of Use
// before all others, since they hold a slot meanwhile.
type queue struct {
	serve    func()        // serves whoever can be served; called with mu held
	closed   *atomic.Bool  // the pool is
	waiting  atomic.Int32  // how many there are; written under mu
	progress atomic.Uint64 // how often something came back that they wait for

	mu             sync.Mutex // protects what follows, and what its owner says
	nested, others list.List  // of *waiter
}

// A waiter is a call in a queue.
type waiter struct {
	nested bool
	bytes  int   // that it wants of a budget
	slot   *slot // that a lender gave it
	from   share // or let it map

	served chan struct{} // closed when it is served
	err    error
	at     *list.Element // nil once it is out of the queue
}

const (
	// stallLimit is how long a Use without an end to its context waits while no
	// slot at all comes back. Functions that hold every slot that long are most
	// likely stuck on each other; a server is better off with an error.
	stallLimit = 30 * time.Second

	// nestedLimit is the same for a call that holds a slot while it waits for bytes
	// of the budget, which others that hold one may have.
	nestedLimit = time.Second

	// forever is the patience of a call that only its context ends, and atOnce of one
	// that does not wait.
	forever time.Duration = 0
	atOnce  time.Duration = -1
)

// wait puts w in the queue until it is served. It gives up when ctx ends, and with
// ErrExhausted once it has seen progress stand still for as long as it has patience.
func (q *queue) wait(ctx context.Context, w *waiter, patience time.Duration) error {
	w.served = make(chan struct{})
	if !q.join(w) {
		return ErrClosed
	}
	if patience == atOnce {
		q.end(w, ErrExhausted)
	}
	var tick <-chan time.Time
	if patience > 0 {
		t := time.NewTicker(patience)
		defer t.Stop()
		tick = t.C
	}
	for seen := q.progress.Load(); ; {
		select {
		case <-w.served:
			return w.err
		case <-ctx.Done():
			q.end(w, context.Cause(ctx))
		case <-tick:
			now := q.progress.Load()
			if now == seen {
				q.end(w, ErrExhausted)
			}
			seen = now
		}
	}
}

// join puts w at the end, and serves whoever can be. It reports false if the pool
// is closed.
func (q *queue) join(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed.Load() {
		return false
	}
	w.at = q.line(w).PushBack(w)
	// What comes back after this sees the waiter, what came before is seen below.
	q.waiting.Add(1)
	q.serve()
	return true
}

func (q *queue) line(w *waiter) *list.List {
	if w.nested {
		return &q.nested
	}
	return &q.others
}

// first returns who is next, or nil. The caller holds mu.
func (q *queue) first() *waiter {
	e := q.nested.Front()
	if e == nil {
		e = q.others.Front()
	}
	if e == nil {
		return nil
	}
	return e.Value.(*waiter)
}

// leave ends the wait of w, who is in the queue. The caller holds mu.
func (q *queue) leave(w *waiter, err error) {
	q.line(w).Remove(w.at)
	w.at = nil
	q.waiting.Add(-1)
	w.err = err
	close(w.served)
}

// end ends the wait of w with err, unless it is served.
func (q *queue) end(w *waiter, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.at != nil {
		q.leave(w, err)
		q.serve() // the next may want less
	}
}

// close ends all waits with ErrClosed, once the pool is closed.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.first(); w != nil; w = q.first() {
		q.leave(w, ErrClosed)
	}
}
