package keys

import (
	"errors"

	"github.com/memkeep/memkeep/enclave/keys/internal/keyfile"
)

// Errors that callers branch on with errors.Is, besides those of the package
// enclave: a destroyed, purged or closed key is an error of [enclave.Enclave.Use].
var (
	// ErrFormat says that a key is malformed: truncated, with trailing bytes,
	// not encoded in the one canonical way, or with parts that contradict each
	// other.
	ErrFormat = keyfile.ErrFormat

	// ErrMismatch says that the public half of a key does not belong to its
	// private half.
	ErrMismatch = errors.New("keys: the public key does not belong to the private key")

	// ErrEncrypted says that a key is encrypted with a passphrase. Decrypt it
	// first: with openssl pkcs8, or ssh-keygen -p.
	ErrEncrypted = keyfile.ErrEncrypted

	// ErrUnsupported says that there is no such algorithm, curve, key size,
	// hash or padding here, or that the key's algorithm does not do this.
	ErrUnsupported = keyfile.ErrUnsupported

	// ErrAuthentication says that a tag or a ciphertext is not authentic.
	ErrAuthentication = errors.New("keys: message authentication failed")
)

// errZero is what a key says that no function of this package made.
var errZero = errors.New("keys: the zero value is no key")

// errFault is what a signature that may give the key away is replaced by.
var errFault = errors.New("keys: the signature is wrong: the processor or memory has a fault, or the message was changed while it was signed")
