package locked

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A budget hands out bytes, first come, first served: what callers have in hand.
// Idle slots are no part of it.
type budget struct {
	size     int           // never changes
	freed    func()        // called when bytes may be free that were not
	waiting  atomic.Int32  // callers that wait; written under mu
	progress atomic.Uint64 // how often bytes came back

	mu     sync.Mutex // protects what follows
	taken  int
	queue  list.List // of *waiter
	closed bool
}

// tryTake takes n bytes if nobody waits and at most so many are taken then.
// Otherwise it returns ErrExhausted or ErrClosed.
func (b *budget) tryTake(n, most int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return ErrClosed
	case b.queue.Len() > 0 || b.taken+n > min(most, b.size):
		return ErrExhausted
	}
	b.taken += n
	return nil
}

// take takes n bytes, and waits for its turn as [waiter.await] does.
func (b *budget) take(ctx context.Context, n int, patience time.Duration) error {
	w := newWaiter()
	w.bytes = n
	b.mu.Lock()
	if b.closed {
		w.serve(ErrClosed)
	} else {
		w.join(&b.queue, &b.waiting)
		b.serve()
	}
	b.mu.Unlock()
	return w.await(ctx, patience, &b.progress, b.leave)
}

// leave takes w out of the queue, and reports whether it was still there.
func (b *budget) leave(w *waiter) bool {
	b.mu.Lock()
	left := w.quit()
	b.serve() // the next in line may want less
	b.mu.Unlock()
	b.freed()
	return left
}

// give returns n bytes.
func (b *budget) give(n int) {
	b.mu.Lock()
	b.taken -= n
	b.serve()
	b.mu.Unlock()
	b.progress.Add(1)
	b.freed()
}

// charge takes n bytes whether or not they are free: for pages that the system
// does not take back.
func (b *budget) charge(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken += n
}

// inUse is how many bytes are taken.
func (b *budget) inUse() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken
}

// close ends the waits and all that is taken later with ErrClosed.
func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	failAll(&b.queue, ErrClosed)
}

// serve serves the front of the queue as long as that has what it wants. The
// caller holds mu.
func (b *budget) serve() {
	for w := front(&b.queue); w != nil && b.taken+w.bytes <= b.size; w = front(&b.queue) {
		b.taken += w.bytes
		w.serve(nil)
	}
}

// A waiter is a call that waits in a queue. The mutex of the queue's owner
// protects it until it is served.
type waiter struct {
	served chan struct{} // closed when it is served
	err    error

	bytes int   // that it wants of a budget
	slot  *slot // that a lender gave it
	from  share // or let it map

	at    *list.Element // nil if it is in no queue
	queue *list.List
	count *atomic.Int32 // of those who wait
}

func newWaiter() *waiter { return &waiter{served: make(chan struct{})} }

// join puts w at the end of a queue, whose waiters count counts.
func (w *waiter) join(queue *list.List, count *atomic.Int32) {
	w.queue, w.count, w.at = queue, count, queue.PushBack(w)
	count.Add(1)
}

// quit takes w out of its queue, and reports whether it was in one.
func (w *waiter) quit() bool {
	if w.at == nil {
		return false
	}
	w.queue.Remove(w.at)
	w.at = nil
	w.count.Add(-1)
	return true
}

// serve ends w's wait, successfully if err is nil.
func (w *waiter) serve(err error) {
	w.quit()
	w.err = err
	close(w.served)
}

func front(queue *list.List) *waiter {
	if e := queue.Front(); e != nil {
		return e.Value.(*waiter)
	}
	return nil
}

// failAll ends all waits in a queue with err.
func failAll(queue *list.List, err error) {
	for w := front(queue); w != nil; w = front(queue) {
		w.serve(err)
	}
}

const (
	// stallLimit is how long a Use without an end to its context waits while no
	// slot at all comes back. Functions that hold every slot that long are most
	// likely stuck on each other; a server is better off with an error.
	stallLimit = 30 * time.Second

	// nestedLimit is the same for a call that holds a slot while it waits for bytes
	// of the budget, which others that hold one may have.
	nestedLimit = time.Second
)

// await waits until w is served or ctx ends. If patience is not zero it gives up
// once it has seen progress stand still for that long, with ErrExhausted. It
// calls leave to give up.
func (w *waiter) await(ctx context.Context, patience time.Duration, progress *atomic.Uint64, leave func(*waiter) bool) error {
	var tick <-chan time.Time
	if patience > 0 {
		t := time.NewTicker(patience)
		defer t.Stop()
		tick = t.C
	}
	seen := progress.Load()
	for {
		select {
		case <-w.served:
			return w.err
		case <-ctx.Done():
			if leave(w) {
				return context.Cause(ctx)
			}
		case <-tick:
			if now := progress.Load(); now != seen {
				seen = now
			} else if leave(w) {
				return ErrExhausted
			}
		}
	}
}
