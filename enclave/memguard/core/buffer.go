package core

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/locked"
)

// ErrNullBuffer says that a buffer of less than one byte was asked for.
var ErrNullBuffer = errors.New("<memguard::core::ErrNullBuffer> buffer size must be greater than zero")

// ErrBufferExpired says that the buffer is destroyed.
var ErrBufferExpired = errors.New("<memguard::core::ErrBufferExpired> buffer has been purged from memory and can no longer be used")

// A Buffer is a secret open in locked memory between guard pages. Whoever made
// it destroys it. Its zero value is a destroyed one.
//
// The lock is for callers that share the data: Freeze, Melt, Scramble, Destroy
// and a purge take it, Alive and Mutable take it for reading, and Data and Inner
// don't. It prints as its size alone.
type Buffer struct {
	sync.RWMutex

	buf *locked.Buffer // nil in the zero value; never changes

	listed     bool    // among the living, whose mutex protects all three
	prev, next *Buffer // in their list
}

// NewBuffer returns a writable buffer of size zero bytes. A size below one is
// [ErrNullBuffer]. If no more memory can be locked the error is a
// *[locked.LimitError].
func NewBuffer(size int) (*Buffer, error) {
	if size < 1 {
		return nil, ErrNullBuffer
	}
	s, err := Session()
	if err != nil {
		return nil, err
	}
	living.gate.RLock()
	defer living.gate.RUnlock()
	b, err := s.NewBuffer(size)
	for errors.Is(err, locked.ErrDestroyed) {
		// The session itself was purged meanwhile.
		b, err = s.NewBuffer(size)
	}
	if err != nil {
		return nil, translate(err, size)
	}
	return enter(b), nil
}

// Wrap makes a Buffer of the library's own kind, which it takes over: [Purge]
// takes the new Buffer's lock to destroy it. Of nil it makes a destroyed one.
//
// It is not in memguard.
func Wrap(b *locked.Buffer) *Buffer {
	if b == nil {
		return new(Buffer)
	}
	living.gate.RLock()
	defer living.gate.RUnlock()
	return enter(b)
}

// none stands for the buffer of a zero Buffer: it was never alive.
var none = new(locked.Buffer)

// inside returns the library's buffer. Like all methods but Destroy and those
// that print, it panics on a nil Buffer.
func (b *Buffer) inside() *locked.Buffer {
	if b.buf == nil {
		return none
	}
	return b.buf
}

// Data returns the data itself, nil once the buffer is destroyed. Its capacity is
// its length, and it ends at a guard page. Writing to it faults while the buffer
// is frozen, and any use of it once the buffer is destroyed.
func (b *Buffer) Data() []byte { return b.inside().Bytes() }

// Inner returns the whole pages that the data lies in, which are this buffer's
// alone. Whatever access a caller gives or takes from them, Destroy works.
func (b *Buffer) Inner() []byte { return bridge.Pages(b.inside()) }

// Freeze makes the data read-only. On a destroyed buffer it does nothing.
func (b *Buffer) Freeze() { must(b.locked((*locked.Buffer).Freeze)) }

// Melt makes the data writable. On a destroyed buffer it does nothing.
func (b *Buffer) Melt() { must(b.locked((*locked.Buffer).Melt)) }

// Scramble writes random bytes over the data, which must be writable. On a
// destroyed buffer it does nothing.
func (b *Buffer) Scramble() {
	must(b.locked(func(l *locked.Buffer) error { return Scramble(l.Bytes()) }))
}

// Destroy wipes the data and gives the memory back. On a nil or destroyed buffer
// it does nothing. If something wrote before the data it purges the session and
// panics.
func (b *Buffer) Destroy() {
	if b != nil {
		must(b.destroy())
	}
}

// destroy is Destroy that returns what went wrong.
func (b *Buffer) destroy() error {
	defer leave(b)
	return b.locked((*locked.Buffer).Destroy)
}

// locked runs f under the buffer's lock.
func (b *Buffer) locked(f func(*locked.Buffer) error) error {
	b.Lock()
	defer b.Unlock()
	return f(b.inside())
}

// Alive reports whether the buffer is not destroyed.
func (b *Buffer) Alive() bool {
	b.RLock()
	defer b.RUnlock()
	return b.inside().Alive()
}

// Mutable reports whether the data may be written. A destroyed buffer's may not.
func (b *Buffer) Mutable() bool {
	b.RLock()
	defer b.RUnlock()
	return b.inside().Mutable()
}

// redacted is what the buffer prints as.
func (b *Buffer) redacted() *locked.Buffer {
	if b == nil {
		return none
	}
	return b.inside()
}

// Format prints the size alone, whatever the verb.
func (b *Buffer) Format(f fmt.State, verb rune) { b.redacted().Format(f, verb) }

// LogValue logs the size alone.
func (b *Buffer) LogValue() slog.Value { return b.redacted().LogValue() }

// MarshalText encodes the size alone, in JSON too.
func (b *Buffer) MarshalText() ([]byte, error) { return b.redacted().MarshalText() }
