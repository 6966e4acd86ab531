package ec

import (
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var errZero = errors.New("ec: internal error: a number that must not be zero is")

// Sign appends the ECDSA signature of digest to dst, in ASN.1 DER. A digest that
// is longer than the scalar counts with its first ScalarSize bytes. The nonce is
// hedged with entropy, of which 32 bytes are enough; if it is empty, the nonce is
// that of RFC 6979, with the hash function that the digest's length is of, or
// SHA-256. Sign returns ErrScalar if CheckScalar does.
func (c Curve) Sign(dst, scalar, digest, entropy []byte, s *Scratch) ([]byte, error) {
	if err := c.CheckScalar(scalar, s); err != nil {
		return nil, err
	}
	n := c.order()
	size := c.ScalarSize()
	// e is the digest modulo n.
	if _, err := s.e.SetOverflowingBytes(digest[:min(len(digest), size)], n.mod); err != nil {
		return nil, err
	}
	putNat(s.digest[:size], s.e)
	if err := s.seedNonces(scalar, s.digest[:size], entropy, len(digest)); err != nil {
		return nil, err
	}

	// r is the x-coordinate of [k]G modulo n.
	if !s.draw(s.k, s.nonce[:size], c) {
		return nil, errZero
	}
	if err := s.baseMult(c, s.nonce[:size]); err != nil {
		return nil, err
	}
	s.step("point")
	var r, sum [maxScalar]byte
	if err := s.x(c, r[:size]); err != nil {
		return nil, err
	}
	if _, err := s.r.SetOverflowingBytes(r[:size], n.mod); err != nil {
		return nil, err
	}
	putNat(r[:size], s.r)
	s.step("r")

	// s = k⁻¹(e + rd) = (kb)⁻¹ · b(e + rd)
	inverse, err := s.blindInverse(c)
	if err != nil {
		return nil, err
	}
	s.d.Mul(s.r, n.mod).Add(s.e, n.mod).Mul(s.b, n.mod)
	if _, err := s.t.SetBytes(inverse, n.mod); err != nil {
		return nil, err
	}
	s.t.Mul(s.d, n.mod)
	putNat(sum[:size], s.t)

	if s.r.IsZero() == 1 || s.t.IsZero() == 1 {
		return nil, errZero
	}
	return encode(dst, r[:size], sum[:size])
}

// blindInverse returns (kb)⁻¹ modulo the curve's order, for the nonce k and a
// random b, which it sets.
//
// The product is as random as b is, and says nothing of k. So math/big can invert
// it, which is not constant time and leaves its numbers on the heap, but takes a
// fifteenth of the time that bigmod takes to invert k.
func (s *Scratch) blindInverse(c Curve) ([]byte, error) {
	n := c.order()
	size := c.ScalarSize()
	if !s.draw(s.b, s.blind[:size], c) {
		return nil, errZero
	}
	s.k.Mul(s.b, n.mod)
	product := make([]byte, size)
	putNat(product, s.k)
	x := new(big.Int).SetBytes(product)
	if x.ModInverse(x, n.big) == nil {
		return nil, errZero
	}
	return x.FillBytes(product), nil
}

// encode appends a signature in ASN.1 DER:
//
//	Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }
func encode(dst, r, s []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(dst)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(r))
		b.AddASN1BigInt(new(big.Int).SetBytes(s))
	})
	return b.Bytes()
}
