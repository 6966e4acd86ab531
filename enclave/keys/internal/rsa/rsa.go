// Package rsa computes RSA signatures and decryptions of 2048, 3072 and 4096 bits
// with every secret value in memory that the caller can wipe.
//
// A key is one flat string of bytes, which the caller seals. The numbers in it
// are big-endian and L bytes long, the size of a prime; n has 2L bytes:
//
//	[ p | q | dP | dQ | qInv | n | e 4 ]
//
// The arithmetic is filippo.io/bigmod's, modulo p and modulo q only. It runs in
// constant time, so the input is not blinded, as in the standard library. Modulo
// 2048 bits and less it allocates nothing for secrets:
//
//   - What has to outlive a call into bigmod lies in a Scratch: byte strings in
//     its memory, which should be locked, numbers in Go values. Wipe overwrites
//     both, and also the moduli, which bigmod keeps to itself.
//   - Temporaries lie on the stack of the calling goroutine, at most StackDepth
//     below the caller's frame. The caller grows the stack beforehand, so that the
//     runtime does not move it, and overwrites it afterwards.
//
// Modulo n, with more than 2048 bits, bigmod would allocate. So the halves of a
// result are put together without it, and the result is checked modulo p and q.
//
// # What bigmod does with secrets
//
// As read in its version 0.1.0, modulo 2048 bits and less; the tests count the
// allocations.
//
//	SetBytes, Bits, Equal, IsOne          nothing but the numbers themselves
//	Add, Sub, Mul, Exp, ExpShortVarTime   on the stack: Exp has a table of 16 numbers
//	Mod                                   on the stack, one number
//	NewModulus                            on the heap: the modulus, and R² if it is odd; close wipes both
//
// These leave numbers on the heap, out of reach, and are not used:
//
//	Nat.Bytes, Modulus.Nat                what they return
//	Mul with an even modulus              the product before it is reduced
//	InverseVarTime, GCDVarTime            what they return; they are not constant time either
//	any with more than 2048 bits          their temporaries
//
// # Faults
//
// A result that is right modulo one prime and wrong modulo the other gives the
// key away (Boneh, DeMillo, Lipton: On the Importance of Checking Cryptographic
// Protocols for Faults). So each result is raised to the public exponent and
// compared with the input before it is given out.
package rsa

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// StackDepth bounds the stack below the caller's frame that holds secrets after
// a call, in bytes. A test measures it.
const StackDepth = 16 << 10

// Errors of keys and operations.
var (
	ErrKey        = errors.New("rsa: invalid private key")
	ErrSize       = errors.New("rsa: key size is not 2048, 3072 or 4096 bits")
	ErrMessage    = errors.New("rsa: message too long for the key size")
	ErrDecryption = errors.New("rsa: decryption error")

	// ErrFault means that a result was wrong, and was discarded.
	ErrFault = errors.New("rsa: computing fault")
)

const (
	maxBits     = 4096
	maxSize     = maxBits / 8 // of n, in bytes
	maxPrime    = maxSize / 2
	eSize       = 4
	MinExponent = 65537
	MaxExponent = 1<<31 - 1
	generateE   = MinExponent
)

// KeySize returns the size in bytes of the flat encoding of a key of that many
// bits, or ErrSize.
func KeySize(bits int) (int, error) {
	switch bits {
	case 2048, 3072, 4096:
		return 7*bits/16 + eSize, nil
	}
	return 0, fmt.Errorf("%w: %d", ErrSize, bits)
}

// parts are the numbers of a key, in the key's memory.
type parts struct {
	p, q, dP, dQ, qInv, n, e []byte
}

func split(key []byte) (parts, error) {
	size := (len(key) - eSize) / 7
	if want, err := KeySize(size * 16); err != nil || len(key) != want {
		return parts{}, fmt.Errorf("%w: an encoding of %d bytes", ErrSize, len(key))
	}
	var k parts
	for _, at := range []*[]byte{&k.p, &k.q, &k.dP, &k.dQ, &k.qInv} {
		*at, key = key[:size:size], key[size:]
	}
	k.n, k.e = key[:2*size:2*size], key[2*size:]
	return k, nil
}

// prime returns the size of a prime in bytes, and size that of n.
func (k *parts) prime() int { return len(k.p) }
func (k *parts) size() int  { return len(k.n) }

func (k *parts) exponent() uint { return uint(binary.BigEndian.Uint32(k.e)) }

// Public returns a copy of the public key within a key: n, big-endian, and e.
func Public(key []byte) (n []byte, e int, err error) {
	k, err := split(key)
	if err != nil {
		return nil, 0, err
	}
	return append([]byte(nil), k.n...), int(k.exponent()), nil
}

// Parts are a key's numbers as key files have them: big-endian, with or without
// leading zeros.
type Parts struct {
	N       []byte
	E       int
	D, P, Q []byte

	// If not nil, they must be what P, Q and D lead to.
	DP, DQ, QInv []byte
}

// Precompute writes the flat encoding of a key to key, of KeySize bytes, and
// checks it: n is the product of two primes of half its size that are not close
// to each other, e is odd and at least 65537, and d is its inverse, which can't be
// short since e is. It returns ErrKey or ErrSize otherwise, and leaves key wiped. random fills its
// argument with random bytes, for the test that the primes are.
func Precompute(key []byte, from *Parts, random func([]byte) error, s *Scratch) error {
	err := s.precompute(key, from, random)
	s.Wipe()
	if err != nil {
		clear(key)
	}
	return err
}

func (s *Scratch) precompute(key []byte, from *Parts, random func([]byte) error) error {
	k, err := split(key)
	if err != nil {
		return err
	}
	if !setNumber(k.n, from.N) || k.n[0]&0x80 == 0 {
		return fmt.Errorf("%w: n does not have %d bits", ErrKey, 8*k.size())
	}
	if from.E < MinExponent || from.E > MaxExponent || from.E%2 == 0 {
		return fmt.Errorf("%w: e is %d, want an odd number from %d to %d", ErrKey, from.E, MinExponent, MaxExponent)
	}
	binary.BigEndian.PutUint32(k.e, uint32(from.E))
	if !setNumber(k.p, from.P) || !setNumber(k.q, from.Q) || !candidate(k.p) || !candidate(k.q) {
		return fmt.Errorf("%w: p and q are not odd numbers of %d bits", ErrKey, 8*k.prime())
	}
	d := s.em[:k.size()]
	if !setNumber(d, from.D) || subtract(s.wide[:k.size()], d, k.n) == 0 {
		return fmt.Errorf("%w: d is not below n", ErrKey)
	}
	s.reduceExponent(k.dP, d, k.p)
	s.reduceExponent(k.dQ, d, k.q)
	if err := s.complete(&k, random); err != nil {
		return err
	}
	for _, given := range []struct {
		name      string
		got, want []byte
	}{{"dP", from.DP, k.dP}, {"dQ", from.DQ, k.dQ}, {"qInv", from.QInv, k.qInv}} {
		if given.got == nil {
			continue
		}
		got := s.tmp[:k.prime()]
		if !setNumber(got, given.got) || subtle.ConstantTimeCompare(got, given.want) != 1 {
			return fmt.Errorf("%w: %s does not match", ErrKey, given.name)
		}
	}
	return nil
}

// reduceExponent sets dst to d modulo prime - 1.
func (s *Scratch) reduceExponent(dst, d, prime []byte) {
	m := s.open(lessOne(s.tmp, prime))
	defer s.close(m)
	s.set(s.big, d)
	putNat(dst, s.x.Mod(s.big, m))
}

// complete computes qInv, and checks p, q, dP, dQ and n.
func (s *Scratch) complete(k *parts, random func([]byte) error) error {
	if !s.isProduct(k) {
		return fmt.Errorf("%w: n is not p times q", ErrKey)
	}
	if tooClose(s.tmp[:k.prime()], k.p, k.q) {
		return fmt.Errorf("%w: p and q are too close to each other", ErrKey)
	}
	for _, half := range []struct{ prime, exponent []byte }{{k.p, k.dP}, {k.q, k.dQ}} {
		if !s.isInverse(half.prime, half.exponent, k.exponent()) {
			return fmt.Errorf("%w: d is not the inverse of e", ErrKey)
		}
		prime, err := s.isPrime(half.prime, random)
		if err != nil {
			return err
		}
		if !prime {
			return fmt.Errorf("%w: p or q is not prime", ErrKey)
		}
	}

	// By Fermat's little theorem, the inverse of q modulo p is q^(p-2).
	p := s.open(k.p)
	defer s.close(p)
	s.setReduced(s.x, k.q, p)
	s.y.Exp(s.x, lessTwo(s.tmp, k.p), p)
	putNat(k.qInv, s.y)
	if s.y.Mul(s.x, p).IsOne() != 1 {
		return fmt.Errorf("%w: q has no inverse modulo p", ErrKey)
	}
	return nil
}

// isProduct reports whether p times q is n.
func (s *Scratch) isProduct(k *parts) bool {
	product := s.product[:k.size()/limbSize]
	multiplyAdd(product, s.set(s.x, k.p), s.set(s.y, k.q), nil)
	putLimbs(s.em[:k.size()], product)
	return subtle.ConstantTimeCompare(s.em[:k.size()], k.n) == 1
}

// isInverse reports whether d is below prime - 1 and its product with e one
// modulo prime - 1. The product is not bigmod's, whose Mul with an even modulus
// leaves it on the heap.
func (s *Scratch) isInverse(prime, d []byte, e uint) bool {
	m := s.open(lessOne(s.tmp, prime))
	defer s.close(m)
	if _, err := s.x.SetBytes(d, m); err != nil {
		return false
	}
	factor := [1]uint{e}
	product := s.product[:len(prime)/limbSize+1]
	multiplyAdd(product, s.x.Bits(), factor[:], nil)
	putLimbs(s.wide[:2*len(prime)], product)
	s.set(s.big, s.wide[:2*len(prime)])
	return s.y.Mod(s.big, m).IsOne() == 1
}
