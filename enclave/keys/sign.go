package keys

import (
	"crypto"
	"fmt"
	"io"
)

// Sign signs a digest, as the standard library's key of the same algorithm does
// with the same opts: it is [crypto.Signer]'s method.
//
// Ed25519 signs the message itself, with a hash of 0, or an SHA-512 digest
// (Ed25519ph), and takes *[ed25519.Options]. The other algorithms sign the digest
// of the hash that opts names.
//
// rand is not read: random bytes come from the system. It waits for locked memory
// as [enclave.Enclave.Use] does. Sign returns [ErrUnsupported] for a hash or a padding
// that the key does not sign with, an error for a digest of the wrong length, an error
// if a fault would make the signature unsafe (see Faults in the package's documentation),
// and the errors of that Use.
func (k *PrivateKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k == nil {
		return nil, errZero
	}
	if opts != nil && opts.HashFunc() != 0 {
		hash := opts.HashFunc()
		if hash > crypto.BLAKE2b_512 { // Size panics
			return nil, fmt.Errorf("%w: %v", ErrUnsupported, hash)
		}
		if len(digest) != hash.Size() {
			return nil, fmt.Errorf("keys: a digest of %d bytes, %v has %d", len(digest), hash, hash.Size())
		}
	}
	switch k.alg {
	case Ed25519:
		return k.signEd25519(digest, opts)
	case ECDSAP256, ECDSAP384:
		return k.signECDSA(digest)
	case RSA2048, RSA3072, RSA4096:
		return k.signRSA(digest, opts)
	}
	return nil, k.unsupported("sign")
}

// SignMessage signs a message: it hashes it with the hash that opts names, unless
// that is 0, and signs the digest as [PrivateKey.Sign] does. It is
// [crypto.MessageSigner]'s method.
func (k *PrivateKey) SignMessage(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts != nil && opts.HashFunc() != 0 {
		hash := opts.HashFunc()
		if !hash.Available() {
			return nil, fmt.Errorf("%w: the hash function %v is not linked in", ErrUnsupported, hash)
		}
		h := hash.New()
		h.Write(msg)
		msg = h.Sum(nil)
	}
	return k.Sign(rand, msg, opts)
}

// unsupported is the error of a key that does not do what it was asked to.
func (k *PrivateKey) unsupported(what string) error {
	if k.public == nil {
		return errZero
	}
	return fmt.Errorf("%w: an %v key does not %s", ErrUnsupported, k.alg, what)
}

var (
	_ crypto.Signer        = (*PrivateKey)(nil)
	_ crypto.MessageSigner = (*PrivateKey)(nil)
)
