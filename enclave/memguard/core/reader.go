package core

import (
	"errors"
	"io"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/locked"
)

// ReadFull reads size bytes, one at least, straight into a read-only buffer. What
// was read before an error comes with it, as memguard has it; if that is nothing the
// buffer is a destroyed one. The error is [io.ErrUnexpectedEOF] if r ends before,
// [io.EOF] if it gave nothing, a *[locked.LimitError], or r's own.
//
// It is not in memguard.
func ReadFull(r io.Reader, size int) (*Buffer, error) { return read(r, size, noDelim) }

// ReadUntil is ReadFull up to a delimiter, which is read but not kept, and the last
// byte read. Without one what was read comes with [io.EOF]. If nothing comes before
// the delimiter it returns a destroyed buffer and no error.
//
// It is not in memguard.
func ReadUntil(r io.Reader, delim byte) (*Buffer, error) { return read(r, 0, int(delim)) }

// ReadAll is ReadFull to the end, which is no error. If there is nothing it returns
// a destroyed buffer and no error.
//
// It is not in memguard.
func ReadAll(r io.Reader) (*Buffer, error) { return read(r, 0, noDelim) }

// noDelim is no delimiter.
const noDelim = -1

// read reads size bytes, or for 0 up to delim.
func read(r io.Reader, size, delim int) (*Buffer, error) {
	s, err := Session()
	if err != nil {
		return new(Buffer), err
	}
	part, err := bridge.ReadPart(s, r, size, delim)
	// r's own errors go through as they are: callers compare them with ==.
	switch {
	case errors.Is(err, locked.ErrNothingRead):
		err = nil
	case errors.Is(err, enclave.ErrPurged):
		err = ErrBufferExpired
	case errors.Is(err, locked.ErrExhausted), errors.Is(err, locked.ErrCorrupted), errors.Is(err, locked.ErrDestroyed):
		err = translate(err, max(1, size))
	}
	b, _ := part.(*locked.Buffer)
	return Wrap(b), err
}
