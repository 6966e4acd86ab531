package core

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/locked"
)

// ErrNullBuffer reports that a requested buffer has less than one byte.
var ErrNullBuffer = errors.New("<memguard::core::ErrNullBuffer> buffer size must be greater than zero")

// ErrBufferExpired reports that the buffer is destroyed.
var ErrBufferExpired = errors.New("<memguard::core::ErrBufferExpired> buffer has been purged from memory and can no longer be used")

// A Buffer is an open secret in locked memory between guard pages. The caller destroys
// it. The zero Buffer is a destroyed one. A Buffer prints as its size alone.
//
// The RWMutex is for callers that share the data: Freeze, Melt, Scramble, Destroy and a
// purge lock it, Alive and Mutable lock it for reading, Data and Inner don't lock it.
type Buffer struct {
	sync.RWMutex

	buf *locked.Buffer // nil in the zero value; never changes

	listed     bool    // among the living, whose mutex protects all three
	prev, next *Buffer // in their list
}

// NewBuffer returns a writable buffer of size zero bytes. If size is below one, the
// error is [ErrNullBuffer]; if no more memory can be locked, it is a
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

// Wrap returns b as a Buffer, which owns it: [Purge] destroys it under the new Buffer's
// lock. For nil it returns a destroyed Buffer.
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

// Data returns the data itself, or nil if the buffer is destroyed. Its capacity is its
// length, and it ends at a guard page. Writing to it while the buffer is frozen faults,
// and so does using it after Destroy.
func (b *Buffer) Data() []byte { return b.inside().Bytes() }

// Inner returns the whole pages that hold the data, and nothing else. Callers may
// change their protection; Destroy works all the same.
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

// Destroy wipes the data and frees the memory. On a nil or destroyed buffer it does
// nothing. If something wrote before the data, it purges the session and panics.
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

// Mutable reports whether the data may be written. It is false for a destroyed buffer.
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
