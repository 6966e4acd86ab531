package memguard

import (
	"github.com/memkeep/memkeep/enclave/memguard/core"
)

// An Enclave is a secret at rest, encrypted in ordinary memory. It locks nothing,
// is safe for concurrent use, and prints as its size alone.
type Enclave struct {
	*core.Enclave
}

// NewEnclave seals the bytes and wipes them. Of no bytes it makes nil. If not
// even the session's key can be locked it panics with an error that carries a
// *[locked.LimitError], and for bytes in read-only memory with enclave.ErrReadOnly;
// then the bytes are as they were.
func NewEnclave(src []byte) *Enclave {
	e, err := core.NewEnclave(src)
	if err == core.ErrNullEnclave {
		return nil
	}
	must(err)
	return &Enclave{e}
}

// NewEnclaveRandom seals size random bytes. If size is not positive it returns
// nil. It panics as [NewBuffer] does.
func NewEnclaveRandom(size int) *Enclave { return NewBufferRandom(size).Seal() }

// Open decrypts the enclave into a read-only buffer, any number of times. After a
// purge it returns nil and [core.ErrDecryptionFailed]. If no more memory can be
// locked the error carries a *[locked.LimitError]: destroy a buffer and try again.
func (e *Enclave) Open() (*LockedBuffer, error) {
	b, err := core.OpenFrozen(e.Enclave)
	if err != nil {
		return nil, err
	}
	return &LockedBuffer{b}, nil
}

// Size returns how many bytes are sealed in the enclave.
func (e *Enclave) Size() int { return core.EnclaveSize(e.Enclave) }
