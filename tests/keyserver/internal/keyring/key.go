package keyring

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/memkeep/memkeep/enclave/keys"
)

// A Type is a signature algorithm, by the name that users give it.
type Type string

// The algorithms of signing keys.
const (
	HMACSHA256 Type = "hmac-sha256"
	Ed25519    Type = "ed25519"
)

// MaxKeySize is the size of the longest HMAC key that is taken, in bytes. RFC 2104
// sees no use in more than 64.
const MaxKeySize = 1024

// generatedMACSize is the size of an HMAC key that is made here, in bytes.
const generatedMACSize = sha256.Size

// Errors of keys that are not taken, besides [keys.ErrMismatch].
var (
	ErrUnknownType = errors.New("unknown key type")
	ErrKeyLength   = errors.New("wrong key length")
)

// ParseType returns the type of that name.
func ParseType(name string) (Type, error) {
	switch t := Type(name); t {
	case HMACSHA256, Ed25519:
		return t, nil
	}
	// A name that is no type could be anything, a misplaced key too: it is not
	// repeated.
	return "", fmt.Errorf("%w: want %s or %s", ErrUnknownType, HMACSHA256, Ed25519)
}

// A Key signs and verifies. Its secret is in an enclave. It may be used by any
// number of goroutines, and prints no secret.
type Key struct {
	private *keys.PrivateKey // nil for HMAC
	mac     *keys.MAC        // nil for Ed25519
	size    int              // of the secret that it was made of, in bytes
	managed bool             // set before it is entered
}

// Type returns the key's algorithm.
func (k *Key) Type() Type {
	if k.mac != nil {
		return HMACSHA256
	}
	return Ed25519
}

// Public returns a copy of the public key, nil for HMAC.
func (k *Key) Public() ed25519.PublicKey {
	if k.private == nil {
		return nil
	}
	return k.private.Public().(ed25519.PublicKey)
}

// Size returns the size of the secret that the key was made of, in bytes.
func (k *Key) Size() int { return k.size }

// Destroy permanently disables the key. Signatures that are under way finish.
func (k *Key) Destroy() {
	k.private.Destroy()
	k.mac.Destroy()
}

// Sign returns the message's signature. It waits for locked memory until ctx ends,
// and then returns its cause.
func (k *Key) Sign(ctx context.Context, message []byte) ([]byte, error) {
	if k.mac != nil {
		return k.mac.WithContext(ctx).Sum(message)
	}
	return k.private.WithContext(ctx).Sign(nil, message, crypto.Hash(0))
}

// Verify reports whether signature is the message's. A signature of the wrong size
// is just not valid. It waits as Sign does.
func (k *Key) Verify(ctx context.Context, message, signature []byte) (bool, error) {
	if k.mac == nil {
		return ed25519.Verify(k.Public(), message, signature), nil
	}
	err := k.mac.WithContext(ctx).Verify(message, signature)
	if errors.Is(err, keys.ErrAuthentication) {
		return false, nil
	}
	return err == nil, err
}

// importKey makes a key of raw: an Ed25519 seed or private key, or an HMAC key of
// up to MaxKeySize bytes. It wipes raw, whatever comes of it; raw should be locked
// memory.
func importKey(in keys.Session, t Type, raw []byte) (*Key, error) {
	defer clear(raw)
	if err := checkLength(t, len(raw)); err != nil {
		return nil, err
	}
	if t == HMACSHA256 {
		mac, err := in.NewMAC(crypto.SHA256, raw)
		return &Key{mac: mac, size: len(raw)}, err
	}
	private, err := in.ParseSeed(raw[:ed25519.SeedSize])
	if err != nil {
		return nil, err
	}
	k := &Key{private: private, size: ed25519.SeedSize}
	if half := raw[ed25519.SeedSize:]; len(half) > 0 && !k.Public().Equal(ed25519.PublicKey(half)) {
		k.Destroy()
		return nil, keys.ErrMismatch
	}
	return k, nil
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

// generate makes a key of random bytes that never leave locked memory. An HMAC key
// is drawn in room.
func generate(ctx context.Context, in keys.Session, t Type, room []byte) (*Key, error) {
	if t == HMACSHA256 {
		raw := room[:generatedMACSize]
		draw(raw)
		return importKey(in, t, raw)
	}
	private, err := in.Generate(ctx, keys.Ed25519)
	return &Key{private: private, size: ed25519.SeedSize}, err
}

// draw fills b with random bytes, straight from the system.
func draw(b []byte) {
	// crypto/rand.Read fills its argument or ends the program.
	_, _ = rand.Read(b)
}
