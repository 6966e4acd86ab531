package keys

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash/maphash"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"

	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
)

// A signing25519 makes one signature. The names in the comments are those of
// RFC 8032, 5.1.6.
//
// Signing a message again gives the same r. So two signatures of a message that
// differ in R, or in what was hashed for k, give the key away:
//
//	S - S' = (k - k') * s
//
// Therefore what can be checked without a second multiplication is, before a
// signature is given out.
type signing25519 struct {
	nonce, challenge, scalar edwards25519.Scalar // r, k, s
	point                    edwards25519.Point  // R
	affine                   affine25519

	nonceDigest, challengeDigest []byte
	part                         []byte // 32 bytes to work in

	atStep func(step string) // where tests inject faults
}

// sign writes the signature of the message. What is hashed is first the domain.
func (s *signing25519) sign(signature, secret []byte, public ed25519.PublicKey, domain, message []byte, memory arena) error {
	h, err := hashing.New(crypto.SHA512, memory.cut(hashing.MemorySize))
	if err != nil {
		return err
	}
	defer h.Forget()
	s.nonceDigest, s.challengeDigest = memory.cut(sha512.Size), memory.cut(sha512.Size)
	s.part = memory.cut(edScalarSize)

	// The message is read twice, and is the caller's, who may be writing to it.
	seed := maphash.MakeSeed()
	before := [...]uint64{maphash.Bytes(seed, domain), maphash.Bytes(seed, message)}

	// r = SHA-512(dom2 || prefix || M)
	h.Write(domain)
	h.Write(secret[edScalarSize:edPublicAt])
	h.Write(message)
	h.Sum(s.nonceDigest)
	if err := setWide(&s.nonce, s.nonceDigest, s.part); err != nil {
		return err
	}
	s.step("r")
	// R = [r]B
	s.point.ScalarBaseMult(&s.nonce)
	s.step("R")
	right := s.affine.set(&s.point)
	s.affine.append(signature[:0])
	s.step("encoded")

	// k = SHA-512(dom2 || R || A || M), all of it public
	h.Reset()
	h.Write(domain)
	h.Write(signature[:32])
	h.Write(secret[edPublicAt:edSealedSize])
	h.Write(message)
	h.Sum(s.challengeDigest)
	s.step("k")
	if err := s.finish(signature[32:], secret); err != nil {
		return err
	}

	after := [...]uint64{maphash.Bytes(seed, domain), maphash.Bytes(seed, message)}
	if !right || before != after || !s.check(signature, secret, public) {
		clear(signature)
		return errFault
	}
	return nil
}

// finish writes S = r + k * s.
func (s *signing25519) finish(dst, secret []byte) error {
	if err := setWide(&s.challenge, s.challengeDigest, s.part); err != nil {
		return err
	}
	if _, err := s.scalar.SetCanonicalBytes(secret[:edScalarSize]); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	s.step("S")
	copy(dst, s.scalar.MultiplyAdd(&s.challenge, &s.scalar, &s.nonce).Bytes())
	return nil
}

// check reports whether R is as it was computed, A is the public key, and S comes
// out the same again from the digests.
func (s *signing25519) check(signature, secret []byte, public ed25519.PublicKey) bool {
	var encoded, again [edScalarSize]byte
	if !bytes.Equal(s.affine.append(encoded[:0]), signature[:32]) || !bytes.Equal(public, secret[edPublicAt:edSealedSize]) {
		return false
	}
	if setWide(&s.nonce, s.nonceDigest, s.part) != nil || s.finish(again[:], secret) != nil {
		return false
	}
	return subtle.ConstantTimeCompare(again[:], signature[32:]) == 1
}

func (s *signing25519) step(name string) {
	if s.atStep != nil {
		s.atStep(name)
	}
}

// An affine25519 is a point in the coordinates that it is encoded from.
type affine25519 struct{ x, y field.Element }

// set sets a to p and reports whether it is a point of the curve, which after a
// fault in the arithmetic it is not.
func (a *affine25519) set(p *edwards25519.Point) bool {
	x, y, z, _ := p.ExtendedCoordinates()
	z.Invert(z)
	a.x.Multiply(x, z)
	a.y.Multiply(y, z)
	_, err := p.SetExtendedCoordinates(&a.x, &a.y, z.One(), x.Multiply(&a.x, &a.y))
	return err == nil
}

// append appends the encoding (RFC 8032, 5.1.2).
func (a *affine25519) append(dst []byte) []byte {
	dst = append(dst, a.y.Bytes()...)
	dst[len(dst)-1] |= byte(a.x.IsNegative() << 7)
	return dst
}
