package memguard

import (
	"io"

	"github.com/memkeep/memkeep/enclave/memguard/core"
)

// NewBufferFromReader reads size bytes from r straight into a read-only buffer.
// If there are fewer they come with the error, [io.ErrUnexpectedEOF] or r's own;
// if there are none, a destroyed buffer does. No locked memory is an error too,
// which carries a *[locked.LimitError].
func NewBufferFromReader(r io.Reader, size int) (*LockedBuffer, error) {
	if size < 1 {
		return null(), nil
	}
	b, err := core.ReadFull(r, size)
	return &LockedBuffer{b}, err
}

// NewBufferFromReaderUntil reads from r, byte by byte, straight into a read-only
// buffer, up to delim, which is read but not kept. If r ends or fails before, or
// no more memory can be locked, what was read comes with the error. If delim
// comes first the buffer is a destroyed one, and the error nil.
func NewBufferFromReaderUntil(r io.Reader, delim byte) (*LockedBuffer, error) {
	b, err := core.ReadUntil(r, delim)
	return &LockedBuffer{b}, err
}

// NewBufferFromEntireReader reads from r to its end, which is no error, straight
// into a read-only buffer. What was read before an error comes with it. If there
// is nothing, the buffer is a destroyed one.
func NewBufferFromEntireReader(r io.Reader) (*LockedBuffer, error) {
	b, err := core.ReadAll(r)
	return &LockedBuffer{b}, err
}
