package core

import (
	"errors"
	"log/slog"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

// ErrNullEnclave reports that a requested enclave has less than one byte.
var ErrNullEnclave = errors.New("<memguard::core::ErrNullEnclave> enclave size must be greater than zero")

// An Enclave is a secret at rest, encrypted in ordinary memory. It is safe for
// concurrent use, and prints as its size alone.
type Enclave struct {
	sealed *enclave.Enclave // nil in the zero value; never changes
}

// NewEnclave seals buf and wipes it. If buf is empty, the error is [ErrNullEnclave]; if
// no memory can be locked, it is a *[locked.LimitError]. After an error buf is
// unchanged.
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

// Seal moves the buffer's data into an enclave and destroys the buffer, which may be
// frozen. For a destroyed buffer it returns [ErrBufferExpired].
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

// Open decrypts the enclave into a writable buffer. After a purge it returns
// [ErrDecryptionFailed]; if no more memory can be locked, a *[locked.LimitError]. It
// panics on a zero Enclave.
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

// OpenFrozen is like [Open], but returns a read-only buffer.
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

// OpenInto decrypts the enclave to the start of dst, which must be large enough and
// should be locked memory, and returns the size. It locks no memory. The errors are
// those of [Open].
//
// It is not in memguard.
func OpenInto(e *Enclave, dst []byte) (int, error) {
	n, err := e.sealed.OpenInto(dst)
	return n, translate(err, 0)
}

// Unwrap returns e as an enclave of package enclave, or nil for a zero Enclave. For a
// *memguard.Enclave e, call Unwrap(e.Enclave).
//
// It is not in memguard.
func Unwrap(e *Enclave) *enclave.Enclave { return e.sealed }

// EnclaveSize returns the size of the secret in bytes.
func EnclaveSize(e *Enclave) int {
	if e.sealed == nil {
		return -Overhead
	}
	return e.sealed.Size()
}

// String returns the size alone: "[REDACTED 32 bytes]". There is no Format, which would win
// over the String of a structure that embeds an enclave.
func (e *Enclave) String() string { return e.redacted().String() }

// GoString returns what String does.
func (e *Enclave) GoString() string { return e.String() }

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
