package locked

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/random"
	"github.com/memkeep/memkeep/internal/redact"
	"github.com/memkeep/memkeep/internal/secretdo"
	"github.com/memkeep/memkeep/internal/wipe"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// A Buffer is an open secret in locked memory between guard pages. Access past its end
// faults, and so do writing to it while it is frozen and touching it after Destroy.
//
// The caller destroys a Buffer. It has no finalizer, because a slice of its bytes may
// outlive it. A Buffer is safe for concurrent use, but callers synchronise access to
// the bytes themselves. It prints as its size alone.
type Buffer struct {
	pool *Pool
	at   layout

	mu       sync.Mutex // protects what follows, for moments only
	slot     *slot      // nil once destroyed
	size     int
	mutable  bool
	users    int  // calls that read the bytes without the lock
	doomed   bool // to be destroyed by the last of the users
	consumed bool // about to be doomed, if its consumer succeeds
}

// New returns a writable buffer of size zero bytes. It returns [ErrExhausted] if the
// budget is in use, and a *[LimitError] if the system refuses to lock memory or the
// budget can't hold size bytes.
func (p *Pool) New(size int) (*Buffer, error) {
	return p.newBuffer(context.Background(), false, size, nil)
}

// NewContext is like [Pool.New], but waits while the budget is in use, in order of
// arrival. If ctx ends first, it returns the context's cause. Callers that hold a
// buffer while they wait for another should give ctx a deadline, since others may do
// the same.
func (p *Pool) NewContext(ctx context.Context, size int) (*Buffer, error) {
	return p.newBuffer(ctx, true, size, nil)
}

// NewFrozen returns a read-only buffer of size bytes that fill has written. The slice
// that Bytes returns was never writable. If fill returns an error, NewFrozen returns it
// and wipes the memory. If the pool is purged before fill returns, NewFrozen returns
// [ErrDestroyed], and if it is closed [ErrClosed]. Otherwise it is like [Pool.New].
func (p *Pool) NewFrozen(size int, fill func(b []byte) error) (*Buffer, error) {
	return p.newBuffer(context.Background(), false, size, fill)
}

// NewFrozenContext is like [Pool.NewFrozen], but waits like [Pool.NewContext].
func (p *Pool) NewFrozenContext(ctx context.Context, size int, fill func(b []byte) error) (*Buffer, error) {
	return p.newBuffer(ctx, true, size, fill)
}

// newBuffer returns a frozen buffer if there is a fill, else a mutable one.
func (p *Pool) newBuffer(ctx context.Context, wait bool, size int, fill func([]byte) error) (*Buffer, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if p.store.backend == nil {
		return nil, errZero
	}
	at := layoutOf(size, p.store.pageSize)
	// The buffer counts as in use until it is complete, so that a concurrent purge
	// leaves its end to release.
	b := &Buffer{pool: p, at: at, size: size, mutable: fill == nil, users: 1}
	if err := p.takeFor(ctx, b, wait); err != nil {
		return nil, forSecret(size, err)
	}
	filled := false
	defer func() {
		if !filled { // fill panicked
			_, _ = b.release(true)
		}
	}()
	err := b.start(fill)
	filled = true
	alive, endErr := b.release(err != nil)
	switch {
	case err != nil || alive:
	case p.store.closed.Load():
		err = ErrClosed
	default:
		err = ErrDestroyed
	}
	if err != nil || endErr != nil {
		return nil, join(err, endErr)
	}
	return b, nil
}

// takeFor gives b its slot and enters it among the open buffers.
func (p *Pool) takeFor(ctx context.Context, b *Buffer, wait bool) error {
	s, err := p.store.acquire(ctx, forBuffer, b.at.pages, wait)
	if err != nil {
		return err
	}
	b.slot = s
	p.mu.Lock()
	closed := p.store.closed.Load()
	if !closed {
		p.open[b] = struct{}{}
	}
	p.mu.Unlock()
	if closed {
		return join(ErrClosed, p.store.discard(s)) // still untouched
	}
	return nil
}

// start puts canary and content in place and opens the view.
func (b *Buffer) start(fill func([]byte) error) error {
	if err := b.pool.prepare(b.slot, b.at); err != nil {
		return err
	}
	if fill == nil {
		return b.pool.show(b.slot, page.ReadWrite)
	}
	if err := fill(b.slot.run.Window[b.at.data:]); err != nil {
		return err
	}
	return b.pool.show(b.slot, page.Read)
}

// Bytes returns the secret, or nil if the buffer is destroyed. The slice is the locked
// memory itself, with no capacity beyond it. Writing to it faults while the buffer is
// frozen, and any use of it faults after Destroy. The caller wipes copies of it.
func (b *Buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.alive() {
		return nil
	}
	return b.view()
}

// alive reports whether b is neither destroyed nor about to be. The caller holds b.mu.
func (b *Buffer) alive() bool { return b.slot != nil && !b.doomed && !b.consumed }

// view returns the caller's slice. The caller holds b.mu or is one of b's users.
func (b *Buffer) view() []byte { return b.slot.run.View[b.at.data:] }

// Use calls fn with the bytes, which stay valid until fn returns. A Destroy or a purge
// that comes meanwhile, also from fn itself, takes effect afterwards, and Use returns
// its error. On a destroyed buffer Use returns [ErrDestroyed]. In a program built with
// GOEXPERIMENT=runtimesecret, fn runs inside [runtime/secret.Do], unless the pool has
// [Config.NoRuntimeSecret].
func (b *Buffer) Use(fn func(b []byte) error) error {
	if b.pool != nil && b.pool.outside {
		return b.use(fn)
	}
	return b.use(secretdo.Func(fn))
}

// use is Use without runtime/secret, for functions that leave nothing behind.
func (b *Buffer) use(fn func(b []byte) error) (err error) {
	b.mu.Lock()
	if !b.alive() {
		b.mu.Unlock()
		return ErrDestroyed
	}
	b.users++
	b.mu.Unlock()
	defer func() {
		_, endErr := b.release(false)
		err = join(err, endErr)
	}()
	return fn(b.view())
}

// release ends one use of b, and reports whether b is still alive. The last use
// destroys b if doom is set, or was by an earlier call or Destroy.
func (b *Buffer) release(doom bool) (alive bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.releaseLocked(doom)
}

// releaseLocked is release for a caller that holds b.mu.
func (b *Buffer) releaseLocked(doom bool) (alive bool, err error) {
	b.users--
	b.doomed = b.doomed || doom
	if b.users == 0 && b.doomed {
		err = b.destroy()
	}
	return b.alive(), err
}

// join is errors.Join that leaves a single error as it is.
func join(first, second error) error {
	if second == nil {
		return first
	}
	return errors.Join(first, second)
}

// Consume calls fn with the bytes and then destroys the buffer. While fn runs, the
// buffer is destroyed for other callers. If fn fails, Consume returns its error and the
// buffer is unchanged. On a destroyed buffer Consume returns [ErrDestroyed].
func (b *Buffer) Consume(fn func(b []byte) error) (err error) {
	b.mu.Lock()
	if !b.alive() {
		b.mu.Unlock()
		return ErrDestroyed
	}
	b.users++
	b.consumed = true
	b.mu.Unlock()
	failed := true
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.consumed = false
		_, endErr := b.releaseLocked(!failed)
		err = join(err, endErr)
	}()
	err = fn(b.view())
	failed = err != nil
	return err
}

// Size returns the number of bytes, 0 once the buffer is destroyed.
func (b *Buffer) Size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.alive() {
		return 0
	}
	return b.size
}

// Alive reports whether the buffer is not destroyed.
func (b *Buffer) Alive() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alive()
}

// Mutable reports whether the bytes may be written through Bytes.
func (b *Buffer) Mutable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alive() && b.mutable
}

// Freeze makes the bytes read-only, by the kernel's page protection. On a
// destroyed buffer it returns [ErrDestroyed].
func (b *Buffer) Freeze() error { return b.setMutable(false) }

// Melt makes the bytes writable. On a destroyed buffer it returns
// [ErrDestroyed].
func (b *Buffer) Melt() error { return b.setMutable(true) }

func (b *Buffer) setMutable(mutable bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.alive() {
		return ErrDestroyed
	}
	if err := b.pool.show(b.slot, accessFor(mutable)); err != nil {
		return err
	}
	b.mutable = mutable
	return nil
}

func accessFor(mutable bool) page.Access {
	if mutable {
		return page.ReadWrite
	}
	return page.Read
}

// Wipe sets every byte to zero, also of a frozen buffer. On a destroyed buffer it
// returns [ErrDestroyed].
func (b *Buffer) Wipe() error {
	return b.overwrite(func(data []byte) error {
		wipe.Bytes(data)
		return nil
	})
}

// Scramble fills the buffer, which may be frozen, with random bytes from the system. On
// a destroyed buffer it returns [ErrDestroyed].
func (b *Buffer) Scramble() error {
	return b.overwrite(func(data []byte) error {
		random.Bytes(data)
		return nil
	})
}

// overwrite runs f on the buffer's window.
func (b *Buffer) overwrite(f func([]byte) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.alive() {
		return ErrDestroyed
	}
	if !b.slot.run.Dual {
		if err := b.pool.show(b.slot, page.ReadWrite); err != nil {
			return err
		}
	}
	err := f(b.slot.run.Window[b.at.data:])
	return errors.Join(err, b.pool.show(b.slot, accessFor(b.mutable)))
}

// Equal reports whether the bytes equal other, in time that depends on the lengths
// alone. It returns false for a destroyed buffer.
func (b *Buffer) Equal(other []byte) bool {
	equal := false
	err := b.use(func(data []byte) error {
		equal = xchacha.Equal(data, other)
		return nil
	})
	return equal && err == nil
}

// Destroy wipes the bytes and returns the memory to the pool. A slice of the bytes
// faults from then on, until the pool reuses the memory for another buffer, the oldest
// first. [Unguarded] memory is never reused for another buffer: there a stale slice reads zeros.
// While a [Buffer.Use] runs, Destroy takes effect when it returns. Destroying again does
// nothing. If something wrote before the bytes, whatever call ends the buffer returns
// [ErrCorrupted], but for Equal, which then returns false; the buffer is wiped and destroyed
// all the same.
func (b *Buffer) Destroy() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users > 0 {
		b.doomed = true
		return nil
	}
	return b.destroy()
}

// destroy is Destroy for a caller that holds b.mu.
func (b *Buffer) destroy() error {
	if b.slot == nil {
		return nil
	}
	s, p := b.slot, b.pool
	b.slot, b.mutable = nil, false

	corrupted, err := p.closeSlot(s, b.at)
	s.exposed = false
	p.mu.Lock()
	delete(p.open, b)
	p.mu.Unlock()
	// A stale slice of memory that is not guarded must not end up over another buffer.
	if err != nil || !page.Guards(p.store.backend) {
		return join(join(corrupted, err), p.store.discard(s))
	}
	p.store.giveBack(s)
	return corrupted
}

// Format prints the size alone, whatever the verb.
func (b *Buffer) Format(f fmt.State, verb rune) { redact.Secret(b.Size()).Format(f, verb) }

// String returns the size alone: "[REDACTED 32 bytes]".
func (b *Buffer) String() string { return redact.Secret(b.Size()).String() }

// GoString returns the size alone.
func (b *Buffer) GoString() string { return b.String() }

// LogValue logs the size alone.
func (b *Buffer) LogValue() slog.Value { return redact.Secret(b.Size()).LogValue() }

// MarshalText encodes the size alone, in JSON too.
func (b *Buffer) MarshalText() ([]byte, error) { return redact.Secret(b.Size()).MarshalText() }
