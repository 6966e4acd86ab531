package core

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

// ErrNullEnclave says that an enclave of less than one byte was asked for.
var ErrNullEnclave = errors.New("<memguard::core::ErrNullEnclave> enclave size must be greater than zero")

// An Enclave is a secret at rest, encrypted in ordinary memory. It is safe for
// concurrent use, and prints as its size alone.
type Enclave struct {
	sealed *enclave.Enclave // nil in the zero value; never changes
}

// NewEnclave seals the bytes and wipes them. No bytes are [ErrNullEnclave]; if no
// memory can be locked the error is a *[locked.LimitError], and the bytes are as
// they were.
func NewEnclave(buf []byte) (*Enclave, error) {
	if len(buf) < 1 {
		return nil, ErrNullEnclave
	}
	s, err := Session()
	if err != nil {
		return nil, err
	}
	e, err := s.New(buf)
	if err != nil {
		return nil, translate(err, len(buf))
	}
	return &Enclave{e}, nil
}

// Seal moves the buffer's data, frozen or not, into an enclave and destroys the
// buffer. A destroyed one is [ErrBufferExpired].
func Seal(b *Buffer) (*Enclave, error) {
	b.Lock()
	defer b.Unlock()
	if !b.inside().Alive() {
		return nil, ErrBufferExpired
	}
	s, err := Session()
	if err != nil {
		return nil, err
	}
	e, err := s.Seal(b.inside())
	if err != nil {
		return nil, translate(err, b.inside().Size())
	}
	leave(b)
	return &Enclave{e}, nil
}

// Open decrypts the enclave into a writable buffer, any number of times. After a
// purge it returns [ErrDecryptionFailed], and a *[locked.LimitError] if no more
// memory can be locked. It panics on an enclave that was never made.
func Open(e *Enclave) (*Buffer, error) {
	b, err := OpenFrozen(e)
	if err != nil {
		return nil, err
	}
	err = b.locked((*locked.Buffer).Melt)
	if err != nil && !errors.Is(err, locked.ErrDestroyed) {
		b.Destroy()
		return nil, translate(err, 0)
	}
	return b, nil
}

// OpenFrozen is Open into a read-only buffer, whose data was never writable.
//
// It is not in memguard.
func OpenFrozen(e *Enclave) (*Buffer, error) {
	if e.sealed == nil {
		panic("<memguard:core> ciphertext has invalid length")
	}
	living.gate.RLock()
	defer living.gate.RUnlock()
	b, err := e.sealed.Open()
	switch err := translate(err, e.sealed.Size()); err {
	case nil:
		return enter(b), nil
	case ErrBufferExpired:
		// A purge came between.
		return nil, ErrDecryptionFailed
	default:
		return nil, err
	}
}

// OpenInto decrypts the enclave to the start of dst, which must hold it and
// should be locked memory, and returns the size. It locks no memory of its own.
// The errors are those of [Open].
//
// It is not in memguard.
func OpenInto(e *Enclave, dst []byte) (int, error) {
	n, err := e.sealed.OpenInto(dst)
	return n, translate(err, 0)
}

// Unwrap returns the enclave as the library knows it, nil for one that was never
// made: for a program that moves over piece by piece. Of a *memguard.Enclave e it
// is Unwrap(e.Enclave).
//
// It is not in memguard.
func Unwrap(e *Enclave) *enclave.Enclave { return e.sealed }

// EnclaveSize returns how many bytes are sealed in the enclave.
func EnclaveSize(e *Enclave) int {
	if e.sealed == nil {
		return -Overhead
	}
	return e.sealed.Size()
}

// Format prints the size alone, whatever the verb.
func (e *Enclave) Format(f fmt.State, verb rune) { e.redacted().Format(f, verb) }

// String returns the size alone: "[REDACTED 32 bytes]".
func (e *Enclave) String() string { return e.redacted().String() }

// LogValue logs the size alone.
func (e *Enclave) LogValue() slog.Value { return e.redacted().LogValue() }

// MarshalText encodes the size alone, in JSON too.
func (e *Enclave) MarshalText() ([]byte, error) { return e.redacted().MarshalText() }

// redacted is what the enclave prints as.
func (e *Enclave) redacted() *enclave.Enclave {
	if e == nil {
		return nil
	}
	return e.sealed
}
