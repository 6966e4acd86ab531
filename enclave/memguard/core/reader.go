package core

import (
	"errors"
	"io"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

// ReadFull reads size bytes, one at least, straight into a read-only buffer: see
// [locked.Pool.ReadFull]. Where that returns no buffer it returns a destroyed one.
//
// It is not in memguard.
func ReadFull(r io.Reader, size int) (*Buffer, error) {
	return read(size, func(s *enclave.Session) (*locked.Buffer, error) { return s.ReadFull(r, size) })
}

// ReadUntil reads up to a delimiter straight into a read-only buffer: see
// [locked.Pool.ReadUntil]. If nothing comes before the delimiter it returns a
// destroyed buffer and no error.
//
// It is not in memguard.
func ReadUntil(r io.Reader, delim byte) (*Buffer, error) {
	return read(1, func(s *enclave.Session) (*locked.Buffer, error) { return s.ReadUntil(r, delim) })
}

// ReadAll reads to the end straight into a read-only buffer: see
// [locked.Pool.ReadAll]. If there is nothing it returns a destroyed buffer and no
// error.
//
// It is not in memguard.
func ReadAll(r io.Reader) (*Buffer, error) {
	return read(1, func(s *enclave.Session) (*locked.Buffer, error) { return s.ReadAll(r) })
}

// read wraps what from returns, which wanted at least size bytes.
func read(size int, from func(*enclave.Session) (*locked.Buffer, error)) (*Buffer, error) {
	s, err := Session()
	if err != nil {
		return new(Buffer), err
	}
	b, err := from(s)
	// r's own errors go through as they are: callers compare them with ==.
	switch {
	case errors.Is(err, locked.ErrNothingRead):
		err = nil
	case errors.Is(err, locked.ErrExhausted), errors.Is(err, locked.ErrCorrupted), errors.Is(err, locked.ErrDestroyed):
		err = translate(err, size)
	}
	return Wrap(b), err
}
