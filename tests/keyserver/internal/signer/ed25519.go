package signer

import (
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
)

// scalarSize is the size of the scalar, not clamped yet, that an Ed25519 key's
// sealed secret begins with. The rest is the prefix that is hashed before the
// message to get the nonce. Both together are SHA-512 of the seed.
const scalarSize = 32

// expandEd25519 writes the secret of a seed or private key to the workspace's
// sealed area, and the public key to public.
func (w *worker) expandEd25519(key []byte, public *[ed25519.PublicKeySize]byte) error {
	seed, half := key[:ed25519.SeedSize], key[ed25519.SeedSize:]
	w.sha512.h.Reset()
	copy(w.ws.sealed, w.sha512.finish(&w.ws, 0, seed, nil))

	scalar, err := w.scalar.SetBytesWithClamping(w.ws.sealed[:scalarSize])
	if err != nil {
		return fmt.Errorf("signer: %w", err)
	}
	copy(public[:], w.point.ScalarBaseMult(scalar).Bytes())

	// Signing with a foreign public key would give the private key away to
	// whoever sees two signatures of one message.
	if len(half) > 0 && !equal(half, public[:]) {
		return ErrKeyMismatch
	}
	return nil
}

// signEd25519 signs as RFC 8032, 5.1.6 has it. The names in the comments are
// the RFC's.
func (w *worker) signEd25519(signature, secret, public, message []byte) error {
	// r = SHA-512(prefix || M)
	w.sha512.h.Reset()
	digest := w.sha512.finish(&w.ws, 0, secret[scalarSize:], message)
	if _, err := w.nonce.SetUniformBytes(digest); err != nil {
		return fmt.Errorf("signer: %w", err)
	}
	// R = [r]B
	copy(signature, w.point.ScalarBaseMult(w.nonce).Bytes())

	// k = SHA-512(R || A || M), all of it public
	h := sha512.New()
	h.Write(signature[:32])
	h.Write(public)
	h.Write(message)
	if _, err := w.challenge.SetUniformBytes(h.Sum(nil)); err != nil {
		return fmt.Errorf("signer: %w", err)
	}

	// S = r + k * s
	if _, err := w.scalar.SetBytesWithClamping(secret[:scalarSize]); err != nil {
		return fmt.Errorf("signer: %w", err)
	}
	copy(signature[32:], w.scalar.MultiplyAdd(w.challenge, w.scalar, w.nonce).Bytes())
	return nil
}
