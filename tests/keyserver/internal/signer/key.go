package signer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

// A Type is a signature algorithm, by the name that users give it.
type Type string

// The algorithms there are.
const (
	HMACSHA256 Type = "hmac-sha256"
	Ed25519    Type = "ed25519"
)

// MaxKeySize is the longest HMAC key that Import takes, in bytes. RFC 2104 sees
// no use in more than 64.
const MaxKeySize = 1024

// SignatureSize returns the size of the type's signatures in bytes.
func (t Type) SignatureSize() int {
	if t == Ed25519 {
		return ed25519.SignatureSize
	}
	return macSize
}

// Errors of keys that can't be imported.
var (
	ErrUnknownType = errors.New("unknown key type")
	ErrKeyLength   = errors.New("wrong key length")
	ErrKeyMismatch = errors.New("the public half of the key does not belong to the seed")
)

// ErrDestroyed says that the key was destroyed.
var ErrDestroyed = locked.ErrDestroyed

// ParseType returns the type of that name.
func ParseType(name string) (Type, error) {
	switch t := Type(name); t {
	case HMACSHA256, Ed25519:
		return t, nil
	}
	// A name that is no type could be anything, a misplaced key too: it is
	// not repeated.
	return "", fmt.Errorf("%w: want %s or %s", ErrUnknownType, HMACSHA256, Ed25519)
}

// A Key is a signing key whose secret is in an enclave. It may be used by any
// number of goroutines, and prints no secret.
type Key struct {
	typ    Type
	public [ed25519.PublicKeySize]byte // zero for HMAC
	sealed *enclave.Enclave            // what a signature needs: sealedSize bytes
}

// sealedSize is the size of every key's secret: scalar and prefix, or the inner
// and the outer chaining value.
const sealedSize = 64

// Type returns the key's algorithm.
func (k *Key) Type() Type { return k.typ }

// Public returns a copy of the public key, nil for HMAC.
func (k *Key) Public() ed25519.PublicKey {
	if k.typ != Ed25519 {
		return nil
	}
	return append(ed25519.PublicKey(nil), k.public[:]...)
}

// Size returns the size of the sealed secret in bytes, 0 once it is destroyed.
func (k *Key) Size() int { return k.sealed.Size() }

// Destroy gives the secret up. Signatures that are under way finish.
func (k *Key) Destroy() { k.sealed.Destroy() }

// Generate makes a key of random bytes that never leave locked memory.
func (p *Pool) Generate(ctx context.Context, t Type) (*Key, error) {
	return p.newKey(ctx, t, (*worker).draw)
}

// Import makes a key of raw: an Ed25519 seed or private key, or any HMAC key of
// up to MaxKeySize bytes. It wipes raw, whatever comes of it; raw should be
// locked memory.
func (p *Pool) Import(ctx context.Context, t Type, raw []byte) (*Key, error) {
	defer clear(raw)
	if err := checkLength(t, len(raw)); err != nil {
		return nil, err
	}
	return p.newKey(ctx, t, func(*worker) []byte { return raw })
}

func checkLength(t Type, size int) error {
	switch {
	case size == 0:
		return fmt.Errorf("%w: an empty key", ErrKeyLength)
	case t == HMACSHA256 && size > MaxKeySize:
		return fmt.Errorf("%w: %d bytes, %s takes at most %d", ErrKeyLength, size, t, MaxKeySize)
	case t == Ed25519 && size != ed25519.SeedSize && size != ed25519.PrivateKeySize:
		return fmt.Errorf("%w: %d bytes, %s takes a seed of %d or a private key of %d",
			ErrKeyLength, size, t, ed25519.SeedSize, ed25519.PrivateKeySize)
	}
	return nil
}

// newKey expands the key that raw returns, and seals the outcome.
func (p *Pool) newKey(ctx context.Context, t Type, raw func(*worker) []byte) (*Key, error) {
	k := &Key{typ: t}
	err := p.do(ctx, func(w *worker) error {
		var err error
		switch key := raw(w); t {
		case HMACSHA256:
			w.expandHMAC(key)
		case Ed25519:
			err = w.expandEd25519(key, &k.public)
		default:
			err = fmt.Errorf("%w: want %s or %s", ErrUnknownType, HMACSHA256, Ed25519)
		}
		if err == nil {
			k.sealed, err = p.session.New(w.ws.sealed)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Sign returns the message's signature. It waits for a worker and for locked
// memory until ctx ends, and then returns its cause.
func (p *Pool) Sign(ctx context.Context, k *Key, message []byte) ([]byte, error) {
	signature := make([]byte, k.typ.SignatureSize())
	err := p.use(ctx, k, func(w *worker, secret []byte) error {
		if k.typ == Ed25519 {
			return w.signEd25519(signature, secret, k.public[:], message)
		}
		copy(signature, w.mac(secret, message))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return signature, nil
}

// Verify reports whether signature is the message's. A signature of the wrong
// size is just not valid.
func (p *Pool) Verify(ctx context.Context, k *Key, message, signature []byte) (bool, error) {
	if k.typ == Ed25519 {
		// Nothing here is secret. A destroyed key verifies no more than it signs.
		if k.sealed.Size() == 0 {
			return false, ErrDestroyed
		}
		return ed25519.Verify(k.public[:], message, signature), nil
	}
	valid := false
	err := p.use(ctx, k, func(w *worker, secret []byte) error {
		// The right MAC stays in locked memory: who asks for a verification
		// has no right to it.
		valid = equal(w.mac(secret, message), signature)
		return nil
	})
	return valid && err == nil, err
}

// use runs fn on a worker with the key's secret open.
func (p *Pool) use(ctx context.Context, k *Key, fn func(*worker, []byte) error) error {
	return p.do(ctx, func(w *worker) error {
		return k.sealed.UseContext(ctx, func(secret []byte) error { return fn(w, secret) })
	})
}
