package memguard

import (
	"github.com/memkeep/memkeep/enclave/memguard/core"
)

// An Enclave is a secret at rest, encrypted in ordinary memory. It locks nothing,
// is safe for concurrent use, and prints as its size alone.
type Enclave struct {
	*core.Enclave
}

// NewEnclave seals src and wipes it. For an empty src it returns nil. If the session's
// key can't be locked, it panics with an error that wraps a *[locked.LimitError]; if
// src lies in read-only memory, it panics with enclave.ErrReadOnly. Then src is
// unchanged.
func NewEnclave(src []byte) *Enclave {
	e, err := core.NewEnclave(src)
	if err == core.ErrNullEnclave {
		return nil
	}
	must(err)
	return &Enclave{e}
}

// NewEnclaveRandom seals size random bytes. If size is not positive, it returns nil. It
// panics as [NewBuffer] does.
func NewEnclaveRandom(size int) *Enclave { return NewBufferRandom(size).Seal() }

// Open decrypts the enclave into a read-only buffer. After a purge it returns nil and
// [core.ErrDecryptionFailed]. If no more memory can be locked, the error wraps a
// *[locked.LimitError]: destroy a buffer and try again.
func (e *Enclave) Open() (*LockedBuffer, error) {
	b, err := core.OpenFrozen(e.Enclave)
	if err != nil {
		return nil, err
	}
	return &LockedBuffer{b}, nil
}

// Size returns the size of the secret in bytes.
func (e *Enclave) Size() int { return core.EnclaveSize(e.Enclave) }
