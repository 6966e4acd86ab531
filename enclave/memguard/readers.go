package memguard

import (
	"io"

	"github.com/memkeep/memkeep/enclave/memguard/core"
)

// NewBufferFromReader reads size bytes from r straight into a read-only buffer. If r
// gives fewer, it returns them with the error, [io.ErrUnexpectedEOF] or r's own; if r
// gives none, it returns a destroyed buffer. If no more memory can be locked, the error
// wraps a *[locked.LimitError].
func NewBufferFromReader(r io.Reader, size int) (*LockedBuffer, error) {
	if size < 1 {
		return null(), nil
	}
	b, err := core.ReadFull(r, size)
	return &LockedBuffer{b}, err
}

// NewBufferFromReaderUntil reads from r, byte by byte, straight into a read-only
// buffer, up to delim, which it drops. If r ends or fails first, or no more memory can
// be locked, it returns what was read with the error. If delim comes first, it returns
// a destroyed buffer and no error.
func NewBufferFromReaderUntil(r io.Reader, delim byte) (*LockedBuffer, error) {
	b, err := core.ReadUntil(r, delim)
	return &LockedBuffer{b}, err
}

// NewBufferFromEntireReader reads r to its end straight into a read-only buffer. After
// an error it also returns what was read. If r gives nothing, it returns a destroyed
// buffer.
func NewBufferFromEntireReader(r io.Reader) (*LockedBuffer, error) {
	b, err := core.ReadAll(r)
	return &LockedBuffer{b}, err
}
