package rsa

import (
	"bytes"
	"math/bits"

	"filippo.io/bigmod"
)

// private computes the private key operation on input, of the size of n, and
// leaves the result in the Scratch's em. It returns ErrMessage if the input is
// not below n, and ErrFault if the result is wrong. The caller wipes the Scratch.
func (s *Scratch) private(k *parts, input []byte) error {
	if len(input) != k.size() || bytes.Compare(input, k.n) >= 0 {
		return ErrMessage
	}
	p, q := s.open(k.p), s.open(k.q)
	defer s.close(p)
	defer s.close(q)
	if k.p[len(k.p)-1]&k.q[len(k.q)-1]&1 == 0 {
		return ErrFault // Exp panics for an even modulus, which no prime is
	}

	// The halves of the result, modulo p and q.
	s.reduce(s.x, input, k.p, p)
	s.m1.Exp(s.x, k.dP, p)
	s.step("m1")
	s.reduce(s.x, input, k.q, q)
	s.m2.Exp(s.x, k.dQ, q)
	s.step("m2")
	// h = (m1 - m2) qInv mod p, and m = m2 + h q is below n.
	putNat(s.tmp[:k.prime()], s.m2)
	s.setReduced(s.t, s.tmp[:k.prime()], p)
	s.set(s.x, k.qInv)
	s.m1.Sub(s.t, p).Mul(s.x, p)
	s.step("h")
	product := s.product[:k.size()/limbSize]
	multiplyAdd(product, s.m1.Bits(), s.set(s.x, k.q), s.m2.Bits())
	em := s.em[:k.size()]
	putLimbs(em, product)
	s.step("em")

	if !s.isRoot(em, input, k.p, p, k.exponent()) || !s.isRoot(em, input, k.q, q, k.exponent()) {
		return ErrFault
	}
	return nil
}

// isRoot reports whether m to the power of e is input, modulo a prime. Since
// input is reduced anew, nothing of what was computed with it before is trusted.
func (s *Scratch) isRoot(m, input, prime []byte, p *bigmod.Modulus, e uint) bool {
	s.reduce(s.x, m, prime, p)
	s.y.ExpShortVarTime(s.x, e, p)
	s.reduce(s.x, input, prime, p)
	return s.y.Equal(s.x) == 1
}

// reduce sets n to a number of the size of n modulo a prime p.
//
// With R = 256^L, it is the upper half times R plus the lower half. This takes a
// tenth of the time of bigmod's Mod, and does not tell by its time how many
// leading zero bits the number has, as SetOverflowingBytes does.
func (s *Scratch) reduce(n *bigmod.Nat, number, prime []byte, p *bigmod.Modulus) {
	half := len(prime)
	// Since p has no leading zero bits, R mod p is R - p.
	var borrow uint
	radix := s.set(s.radix, prime)
	for i, limb := range radix {
		radix[i], borrow = bits.Sub(0, limb, borrow)
	}
	s.setReduced(n, number[:half], p)
	n.Mul(s.radix, p)
	s.setReduced(s.t, number[half:], p)
	n.Add(s.t, p)
}

// setReduced sets n to a number of the size of a prime p, modulo p.
func (s *Scratch) setReduced(n *bigmod.Nat, number []byte, p *bigmod.Modulus) {
	// Since p has no leading zero bits, the number is below 2p, and Add reduces
	// its result if it is below 2p, whatever the documentation asks for.
	s.set(n, number)
	s.resize(s.zero, len(number))
	n.Add(s.zero, p)
}

func (s *Scratch) step(name string) {
	if s.atStep != nil {
		s.atStep(name)
	}
}
