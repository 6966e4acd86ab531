package memguard

import (
	"bytes"
	"errors"
	"fmt"
	"unsafe"

	"github.com/memkeep/memkeep/enclave/memguard/core"
	"github.com/memkeep/memkeep/locked"
)

// A LockedBuffer is an open secret in locked memory between guard pages. The caller
// destroys it. Methods of a destroyed buffer do nothing.
//
// Copy, Move, Wipe, Scramble, Freeze, Melt, Destroy and a purge lock its RWMutex;
// EqualTo, IsAlive, IsMutable and the views lock it for reading. A caller that holds
// the lock must call none of them. A LockedBuffer prints as its size alone, except
// with String.
type LockedBuffer struct {
	*core.Buffer
}

// null returns a destroyed buffer.
func null() *LockedBuffer { return &LockedBuffer{new(core.Buffer)} }

// must panics with errors of functions that can't return them. After any of them but
// a broken canary, which purges, the program may recover and continue.
func must(err error) {
	var limit *locked.LimitError
	switch {
	case err == nil:
	case errors.Is(err, locked.ErrCorrupted):
		core.Panic(err)
	case errors.As(err, &limit):
		// The text of a panic is all that is seen of it.
		panic(fmt.Errorf("%w. %s", err, limit.Remedy()))
	default:
		panic(err)
	}
}

// NewBuffer returns a writable buffer of size zero bytes, or a destroyed one if size
// is not positive. If no more memory can be locked, it panics with an error that wraps
// a *[locked.LimitError]; other buffers are not affected.
func NewBuffer(size int) *LockedBuffer {
	b, err := core.NewBuffer(size)
	if err == core.ErrNullBuffer {
		return null()
	}
	must(err)
	return &LockedBuffer{b}
}

// NewBufferFromBytes copies src to a read-only buffer and wipes src. It panics as
// [NewBuffer] does; then src is unchanged.
func NewBufferFromBytes(src []byte) *LockedBuffer {
	b := NewBuffer(len(src))
	b.Move(src)
	b.Freeze()
	return b
}

// NewBufferRandom returns a read-only buffer of size random bytes. It panics as
// [NewBuffer] does.
func NewBufferRandom(size int) *LockedBuffer {
	b := NewBuffer(size)
	b.Scramble()
	b.Freeze()
	return b
}

// Freeze makes the data read-only.
func (b *LockedBuffer) Freeze() { b.Buffer.Freeze() }

// Melt makes the data writable.
func (b *LockedBuffer) Melt() { b.Buffer.Melt() }

// Seal moves the data into an enclave and destroys the buffer, which may be frozen.
// For a destroyed buffer it returns nil.
func (b *LockedBuffer) Seal() *Enclave {
	e, err := core.Seal(b.Buffer)
	if err == core.ErrBufferExpired {
		return nil
	}
	must(err)
	return &Enclave{e}
}

// Copy copies as much of src as fits to the start of the data, in time that
// depends on the lengths alone.
func (b *LockedBuffer) Copy(src []byte) { b.CopyAt(0, src) }

// CopyAt is like [LockedBuffer.Copy], but starts at an offset. It panics if the offset
// lies outside the data. At the end it copies nothing.
func (b *LockedBuffer) CopyAt(offset int, src []byte) { b.fillAt(offset, src, core.Copy) }

// Move is like [LockedBuffer.Copy], but then wipes all of src, unless the buffer is
// destroyed.
func (b *LockedBuffer) Move(src []byte) { b.MoveAt(0, src) }

// MoveAt is like [LockedBuffer.CopyAt], but then wipes src.
func (b *LockedBuffer) MoveAt(offset int, src []byte) { b.fillAt(offset, src, core.Move) }

func (b *LockedBuffer) fillAt(offset int, src []byte, fill func(dst, src []byte)) {
	b.overwrite(func(data []byte) { fill(data[offset:], src) })
}

// overwrite runs f on the data of a living buffer, under its lock.
func (b *LockedBuffer) overwrite(f func(data []byte)) {
	if !b.IsAlive() {
		return
	}
	b.Lock()
	defer b.Unlock()
	if data := b.Bytes(); data != nil {
		f(data)
	}
}

// Scramble writes random bytes over the data, which must be writable.
func (b *LockedBuffer) Scramble() { b.Buffer.Scramble() }

// Wipe sets the data, which must be writable, to zero.
func (b *LockedBuffer) Wipe() { b.overwrite(core.Wipe) }

// Size returns the size of the data, or 0 if the buffer is destroyed.
func (b *LockedBuffer) Size() int { return len(b.Bytes()) }

// Destroy wipes the data and frees the memory; slices of the data fault from then on.
// Destroying again does nothing. If something wrote before the data, Destroy purges
// the session and panics.
func (b *LockedBuffer) Destroy() { b.Buffer.Destroy() }

// IsAlive reports whether the buffer is not destroyed.
func (b *LockedBuffer) IsAlive() bool { return b.Alive() }

// IsMutable reports whether the data may be written.
func (b *LockedBuffer) IsMutable() bool { return b.Mutable() }

// EqualTo reports whether the data equals buf, in time that depends on the lengths
// alone. A destroyed buffer equals only an empty buf.
func (b *LockedBuffer) EqualTo(buf []byte) bool {
	b.RLock()
	defer b.RUnlock()
	return core.Equal(b.Bytes(), buf)
}

// Bytes returns the data itself, or nil if the buffer is destroyed. Its capacity is its
// length, and it ends at a guard page. Writing to it while the buffer is frozen,
// writing past its end, or using it after Destroy ends the process.
func (b *LockedBuffer) Bytes() []byte { return b.Data() }

// Reader returns a reader of the data itself, valid until the buffer is
// destroyed.
func (b *LockedBuffer) Reader() *bytes.Reader { return bytes.NewReader(b.Bytes()) }

// String returns the data itself as a string, without a copy. The string changes with
// the data, and using it after Destroy ends the process. fmt and log/slog don't call
// String.
func (b *LockedBuffer) String() string {
	data := b.Bytes()
	return unsafe.String(unsafe.SliceData(data), len(data))
}
