package locked

import (
	"context"
	"time"
)

// A budget hands out bytes: what callers have in hand. Idle slots are no part of
// it.
type budget struct {
	queue
	size  int    // never changes
	freed func() // called when bytes may be free that were not
	taken int    // mu protects it
}

// tryTake takes n bytes if nobody waits and at most so many are taken then.
// Otherwise it returns ErrExhausted or ErrClosed.
func (b *budget) tryTake(n, most int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed.Load():
		return ErrClosed
	case b.waiting.Load() > 0 || b.taken+n > min(most, b.size):
		return ErrExhausted
	}
	b.taken += n
	return nil
}

// take takes n bytes, and waits for its turn.
func (b *budget) take(ctx context.Context, n int, patience time.Duration) error {
	err := b.wait(ctx, &waiter{bytes: n}, patience)
	if err != nil {
		b.freed() // nobody may wait any more
	}
	return err
}

// give returns n bytes.
func (b *budget) give(n int) {
	b.mu.Lock()
	b.taken -= n
	b.serveFront()
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

// serveFront serves the front of the queue as long as that has what it wants. The
// caller holds mu.
func (b *budget) serveFront() {
	for w := b.first(); w != nil && b.taken+w.bytes <= b.size; w = b.first() {
		b.taken += w.bytes
		b.leave(w, nil)
	}
}
