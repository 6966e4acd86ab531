// Package ec computes ECDSA and ECDH on the NIST curves P-256 and P-384, and
// X25519, with every secret value in memory that the caller can wipe.
//
// The curve arithmetic is filippo.io/nistec's, the arithmetic modulo the order
// filippo.io/bigmod's, and the field of X25519 filippo.io/edwards25519's. All run
// in constant time and allocate nothing for secrets:
//
//   - What has to outlive a call into them lies in a Scratch: byte strings in its
//     memory, which should be locked, numbers and points in Go values. Wipe
//     overwrites both.
//   - Their temporaries lie on the stack of the calling goroutine, at most
//     StackDepth below the caller's frame. The caller grows the stack beforehand,
//     so that the runtime does not move it, and overwrites it afterwards.
//
// As read in nistec's version 0.0.4, its scalar multiplications keep their tables
// and coordinates on the stack, and Bytes and BytesX return an array of the
// caller's frame where they inline. It exports no inverse modulo the order, which
// Sign therefore blinds and leaves to math/big.
//
// # Nonces
//
// ECDSA nonces are hedged: an HMAC-DRBG of the private key, the digest and fresh
// entropy, as draft-irtf-cfrg-det-sigs-with-noise has it and crypto/ecdsa does. A
// nonce is secret as long as either the key or the entropy is, so a broken random
// source gives nothing away; and since no two signatures of a digest share a
// nonce, a computing fault does not either, which with the deterministic nonces of
// RFC 6979 takes just one wrong signature beside the right one. Without entropy,
// the nonce is RFC 6979's.
package ec

import (
	"errors"
	"fmt"
)

// StackDepth bounds the stack below the caller's frame that holds secrets after
// a call, in bytes. A test measures it.
const StackDepth = 8 << 10

// Errors of scalars and points.
var (
	ErrScalar = errors.New("ec: invalid private key")
	ErrPoint  = errors.New("ec: invalid public key")
)

// A Curve is a NIST curve.
type Curve uint8

// The curves there are.
const (
	P256 Curve = iota + 1
	P384
)

// String returns the curve's name.
func (c Curve) String() string {
	switch c {
	case P256:
		return "P-256"
	case P384:
		return "P-384"
	}
	return fmt.Sprintf("Curve(%d)", uint8(c))
}

// ScalarSize returns the size of a private key, and of a shared secret, in bytes.
func (c Curve) ScalarSize() int {
	if c == P384 {
		return 48
	}
	return 32
}

// PublicSize returns the size of a public key, an uncompressed point, in bytes.
func (c Curve) PublicSize() int { return 1 + 2*c.ScalarSize() }

// CheckScalar returns ErrScalar unless scalar is a private key: ScalarSize bytes
// that are neither zero nor the curve's order or more.
func (c Curve) CheckScalar(scalar []byte, s *Scratch) error {
	if len(scalar) != c.ScalarSize() || !s.setScalar(s.d, scalar, c) {
		return ErrScalar
	}
	return nil
}

// PublicFromScalar writes the scalar's public key to dst, which must have room
// for PublicSize bytes. It returns ErrScalar if CheckScalar does.
func (c Curve) PublicFromScalar(dst, scalar []byte, s *Scratch) error {
	if err := c.CheckScalar(scalar, s); err != nil {
		return err
	}
	if err := s.baseMult(c, scalar); err != nil {
		return err
	}
	// Written out for each curve, since only methods that inline here keep what
	// they return on the stack.
	if c == P384 {
		copy(dst[:c.PublicSize()], s.p384.Bytes())
	} else {
		copy(dst[:c.PublicSize()], s.p256.Bytes())
	}
	return nil
}

// baseMult sets the curve's point to the generator times scalar.
func (s *Scratch) baseMult(c Curve, scalar []byte) error {
	var err error
	if c == P384 {
		_, err = s.p384.ScalarBaseMult(scalar)
	} else {
		_, err = s.p256.ScalarBaseMult(scalar)
	}
	return err
}

// x writes the x-coordinate of the curve's point to dst.
func (s *Scratch) x(c Curve, dst []byte) error {
	var x []byte
	var err error
	if c == P384 {
		x, err = s.p384.BytesX()
	} else {
		x, err = s.p256.BytesX()
	}
	if err != nil {
		return fmt.Errorf("ec: %w", err) // the point at infinity
	}
	copy(dst, x)
	return nil
}

// ECDH writes the shared secret of the scalar and the remote public key, an
// uncompressed point, to dst, which must have room for ScalarSize bytes. It
// returns ErrScalar if CheckScalar does, and ErrPoint if remote is not on the
// curve.
func (c Curve) ECDH(dst, scalar, remote []byte, s *Scratch) error {
	if err := c.CheckScalar(scalar, s); err != nil {
		return err
	}
	// Not the point at infinity, which has one byte, nor a compressed point.
	if len(remote) != c.PublicSize() {
		return ErrPoint
	}
	var err error
	if c == P384 {
		if _, err = s.p384.SetBytes(remote); err != nil {
			return ErrPoint
		}
		_, err = s.p384.ScalarMult(s.p384, scalar)
	} else {
		if _, err = s.p256.SetBytes(remote); err != nil {
			return ErrPoint
		}
		_, err = s.p256.ScalarMult(s.p256, scalar)
	}
	if err != nil {
		return err
	}
	return s.x(c, dst[:c.ScalarSize()])
}
