package keys

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys/internal/isolate"
)

// A PrivateKey signs, decrypts or agrees on secrets with a key that stays in an
// enclave. It is a [crypto.Signer] and a [crypto.MessageSigner].
//
// A PrivateKey is safe for concurrent use. It prints its algorithm, size and the public
// key's fingerprint.
type PrivateKey struct {
	alg    Algorithm
	public crypto.PublicKey
	sealed *enclave.Enclave // what the algorithm needs of the key
	in     Session
}

// WithContext returns a copy of k with the same secret, whose operations wait for locked
// memory until ctx ends, and then return its cause. Destroying either destroys both.
func (k *PrivateKey) WithContext(ctx context.Context) *PrivateKey {
	if k == nil {
		return nil
	}
	other := *k
	other.in.ctx = ctx
	return &other
}

// Algorithm returns the key's algorithm.
func (k *PrivateKey) Algorithm() Algorithm { return k.alg }

// Public returns the public key: an [ed25519.PublicKey], *ecdsa.PublicKey,
// *rsa.PublicKey, or for X25519 an *ecdh.PublicKey. It works on a destroyed
// key too.
func (k *PrivateKey) Public() crypto.PublicKey {
	// As in the standard library, a copy where it is a slice. What a caller does to
	// it can't make a wrong signature: Sign works with what is sealed.
	if public, ok := k.public.(ed25519.PublicKey); ok {
		return slices.Clone(public)
	}
	return k.public
}

// Equal reports whether x is a private key with the same public key.
func (k *PrivateKey) Equal(x crypto.PrivateKey) bool {
	other, ok := x.(interface{ Public() crypto.PublicKey })
	if !ok || k == nil || k.public == nil {
		return false
	}
	if o, ok := x.(*PrivateKey); ok && (o == nil || o.public == nil) {
		return false
	}
	public, ok := k.public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(other.Public())
}

// Destroy permanently disables the key: its operations return an error from then
// on. Those that are under way finish. Destroying it again does nothing.
func (k *PrivateKey) Destroy() {
	if k != nil {
		k.sealed.Destroy()
	}
}

// use opens the key in locked memory, with extra bytes behind it, and runs fn on a
// stack where nothing is left of it.
func (k *PrivateKey) use(extra int, fn func(secret []byte, memory arena) error) error {
	if k == nil || k.public == nil {
		return errZero
	}
	stack := isolate.Small
	if k.alg.isRSA() {
		stack = isolate.Large
	}
	return k.in.use(k.sealed, extra, stack, fn)
}

// Fingerprint returns "SHA256:" and the base64 of the SHA-256 of the public key
// as certificates encode it (SubjectPublicKeyInfo).
func (k *PrivateKey) Fingerprint() string {
	der, err := x509.MarshalPKIXPublicKey(k.public)
	if err != nil {
		return "none"
	}
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// String returns the algorithm, size and public key's fingerprint:
// "[Ed25519 private key, 256 bits, SHA256:...]".
func (k PrivateKey) String() string {
	if k.public == nil {
		return "[no private key]"
	}
	return fmt.Sprintf("[%v private key, %d bits, %s]", k.alg, k.alg.Bits(), k.Fingerprint())
}

// GoString returns what String does.
func (k PrivateKey) GoString() string { return k.String() }

// Format prints what String returns, whatever the verb.
func (k PrivateKey) Format(f fmt.State, _ rune) {
	// A printer that can't write has nowhere to report it either.
	_, _ = io.WriteString(f, k.String())
}

// LogValue logs the algorithm, size and public key's fingerprint.
func (k PrivateKey) LogValue() slog.Value {
	if k.public == nil {
		return slog.StringValue(k.String())
	}
	return slog.GroupValue(
		slog.String("algorithm", k.alg.String()),
		slog.Int("bits", k.alg.Bits()),
		slog.String("fingerprint", k.Fingerprint()),
	)
}

// MarshalText returns what String does, in JSON too. It can't be unmarshaled.
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
