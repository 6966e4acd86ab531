package core

import (
	"errors"
	"io"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/locked"
)

// ReadFull reads size bytes, at least one, straight into a read-only buffer. After an
// error it also returns what was read, or a destroyed buffer if that is nothing. The
// error is [io.ErrUnexpectedEOF] if r ends early, [io.EOF] if it gives nothing, a
// *[locked.LimitError], or r's own.
//
// It is not in memguard.
func ReadFull(r io.Reader, size int) (*Buffer, error) { return read(r, size, noDelim) }

// ReadUntil reads up to delim, which it drops, and not beyond. If r ends first, it
// returns what was read and [io.EOF]. If delim comes first, it returns a destroyed
// buffer and no error. Otherwise it is like [ReadFull].
//
// It is not in memguard.
func ReadUntil(r io.Reader, delim byte) (*Buffer, error) { return read(r, 0, int(delim)) }

// ReadAll reads r to its end. If r gives nothing, it returns a destroyed buffer and no
// error. Otherwise it is like [ReadFull].
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
