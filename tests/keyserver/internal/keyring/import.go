package keyring

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/memkeep/memkeep/enclave/keys"
)

// pemStart is how a PEM file begins.
var pemStart = []byte("-----BEGIN ")

// Import makes a key of what a file holds: a private key in PEM, which must be an
// Ed25519 key, as "openssl genpkey -algorithm ed25519" makes it; all else is the
// bytes of an HMAC-SHA-256 key. It wipes content, whatever comes of it; content
// should be locked memory.
func (r *Ring) Import(ctx context.Context, content []byte) (*Key, error) {
	in := r.in.WithContext(ctx)
	if !bytes.HasPrefix(bytes.TrimLeft(content, " \t\r\n"), pemStart) {
		return importKey(in, HMACSHA256, content)
	}
	private, err := in.Parse(content)
	if err != nil {
		return nil, err
	}
	if private.Algorithm() != keys.Ed25519 {
		private.Destroy()
		return nil, fmt.Errorf("%w: the PEM file has an %v key, want Ed25519", ErrUnknownType, private.Algorithm())
	}
	return &Key{private: private, size: ed25519.SeedSize}, nil
}
