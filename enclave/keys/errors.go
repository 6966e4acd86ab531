package keys

import (
	"errors"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys/internal/keyfile"
)

// Errors that callers branch on with errors.Is, besides those of package enclave: for
// a destroyed, purged or closed key, operations return the errors of
// [enclave.Enclave.Use], and for a nil or zero one [enclave.ErrDestroyed].
var (
	// ErrFormat reports a malformed key: truncated, with trailing bytes, not in
	// canonical encoding, or with parts that contradict each other.
	ErrFormat = keyfile.ErrFormat

	// ErrMismatch reports a public half that does not belong to the private half.
	ErrMismatch = errors.New("keys: the public key does not belong to the private key")

	// ErrEncrypted reports a key that is encrypted with a passphrase. Decrypt it
	// first, with openssl pkcs8 or ssh-keygen -p.
	ErrEncrypted = keyfile.ErrEncrypted

	// ErrUnsupported reports an algorithm, curve, key size, hash or padding that
	// this package lacks, or an operation that the key's algorithm lacks. It is neither
	// [enclave.ErrUnsupported] nor [errors.ErrUnsupported].
	ErrUnsupported = keyfile.ErrUnsupported

	// ErrAuthentication reports a tag or a ciphertext that is not authentic.
	ErrAuthentication = errors.New("keys: message authentication failed")
)

// errZero reports a key that no function of this package made. As of a nil or zero
// enclave, it is [enclave.ErrDestroyed].
var errZero error = zeroError{}

type zeroError struct{}

func (zeroError) Error() string        { return "keys: the zero value is not a key" }
func (zeroError) Is(target error) bool { return target == enclave.ErrDestroyed }

// errFault is returned instead of a signature that may give the key away.
var errFault = errors.New("keys: the signature is wrong: the processor or memory has a fault, or the message was changed while it was signed")
