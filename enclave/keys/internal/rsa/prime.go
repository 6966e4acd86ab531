package rsa

import (
	"encoding/binary"
	"errors"
	"slices"
)

// errRandom means that the random source does not give random bytes.
var errRandom = errors.New("rsa: no random base found, the random source is broken")

// Generate writes the flat encoding of a new key to key, of KeySize bytes. random
// fills its argument with random bytes; it is called with the Scratch's memory
// for what becomes a prime. It is not constant time, but the times tell of the
// candidates that were no primes only.
func Generate(key []byte, random func([]byte) error, s *Scratch) error {
	err := s.generate(key, random)
	s.Wipe()
	if err != nil {
		clear(key)
	}
	return err
}

func (s *Scratch) generate(key []byte, random func([]byte) error) error {
	k, err := split(key)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(k.e, generateE)
	primes := oddPrimes(trialLimit)
	for _, half := range []struct{ prime, exponent []byte }{{k.p, k.dP}, {k.q, k.dQ}} {
		if err := s.generatePrime(half.prime, half.exponent, primes, random); err != nil {
			return err
		}
	}
	product := s.product[:k.size()/limbSize]
	multiplyAdd(product, s.set(s.x, k.p), s.set(s.y, k.q), nil)
	putLimbs(k.n, product)
	// Among other things it checks that p and q are not close to each other, which
	// happens once in 2^97 keys.
	return s.complete(&k, random)
}

// generatePrime sets prime to a random prime (FIPS 186-5, A.1.3), and exponent to
// the inverse of generateE modulo prime - 1.
func (s *Scratch) generatePrime(prime, exponent []byte, primes []uint64, random func([]byte) error) error {
	for range 100 * 8 * len(prime) { // a hundred times the number expected
		if err := random(prime); err != nil {
			return err
		}
		// With the upper two bits set, the product of two has no leading zero bit.
		prime[0] |= 0xc0
		prime[len(prime)-1] |= 1
		if hasFactor(prime, primes) || !invertExponent(exponent, lessOne(s.tmp, prime), s.wide) {
			continue
		}
		found, err := s.isPrime(prime, random)
		if found || err != nil {
			return err
		}
	}
	return errRandom
}

// isPrime reports whether a number is prime, by the Miller-Rabin test with random
// bases (FIPS 186-5, B.3.1). Of random numbers, as of a key that was damaged, it
// lets one in 2^112 or fewer pass that is not prime; of numbers that were chosen
// to pass, by whoever made the key, one in a thousand.
func (s *Scratch) isPrime(number []byte, random func([]byte) error) (bool, error) {
	w := s.open(number)
	defer s.close(w)
	size := len(number)
	// number - 1 = 2^a × m
	m := lessOne(s.tmp, number)
	minusOne := s.set(s.t, m)
	a := trailingZeros(m)
	shiftRight(m, a)

	// By table B.1, for the sizes there are.
	rounds := 4
	if size < 192 {
		rounds = 5
	}
	base := s.wide[:size]
	for range 64 {
		if err := random(base); err != nil {
			return false, err
		}
		if _, err := s.x.SetBytes(base, w); err != nil || s.x.IsZero() == 1 || isUnit(s.x.Bits(), minusOne) {
			continue
		}
		s.y.Exp(s.x, m, w)
		for i := uint(1); i < a && !isUnit(s.y.Bits(), minusOne); i++ {
			s.y.Mul(s.y, w)
			if s.y.IsOne() == 1 {
				return false, nil // a root of one that is neither one nor minus one
			}
		}
		if !isUnit(s.y.Bits(), minusOne) {
			return false, nil
		}
		if rounds--; rounds == 0 {
			return true, nil
		}
	}
	return false, errRandom
}

// isUnit reports whether a number is one or minus one.
func isUnit(x, minusOne []uint) bool {
	notOne, notMinusOne := x[0]^1, x[0]^minusOne[0]
	for i := 1; i < len(x); i++ {
		notOne |= x[i]
		notMinusOne |= x[i] ^ minusOne[i]
	}
	return notOne == 0 || notMinusOne == 0
}

// oddPrimes returns the odd primes below a limit.
func oddPrimes(limit uint64) []uint64 {
	var primes []uint64
next:
	for n := uint64(3); n < limit; n += 2 {
		for _, p := range primes {
			if n%p == 0 {
				continue next
			}
		}
		primes = append(primes, n)
	}
	return primes
}

// trialLimit is below the cube root of 2^32, so that the product of three primes
// fits into 32 bits. The primes below it rule out five of six candidates.
const trialLimit = 1625

// hasFactor reports whether a number is a multiple of one of the primes.
func hasFactor(number []byte, primes []uint64) bool {
	for three := range slices.Chunk(primes, 3) {
		product := uint64(1)
		for _, p := range three {
			product *= p
		}
		var rest uint64
		for i := 0; i < len(number); i += 4 {
			rest = (rest<<32 | uint64(binary.BigEndian.Uint32(number[i:]))) % product
		}
		for _, p := range three {
			if rest%p == 0 {
				return true
			}
		}
	}
	return false
}

// invertExponent sets dst to the inverse of generateE modulo m, a number without
// a leading zero bit. It reports false if there is none. It works in tmp.
//
// With k the inverse of -m modulo generateE, which is small, it is
// (k m + 1) / generateE. The compiler divides by a constant in constant time.
func invertExponent(dst, m, tmp []byte) bool {
	var rest uint64
	for _, b := range m {
		rest = (rest<<8 | uint64(b)) % generateE
	}
	if rest == 0 {
		return false
	}
	// generateE is prime: by Fermat's little theorem, the inverse of the rest is
	// its power of generateE - 2, which is sixteen ones in binary.
	inverse := rest
	for range 15 {
		inverse = inverse * inverse % generateE * rest % generateE
	}
	k := generateE - inverse

	tmp = tmp[:len(m)+3]
	carry := uint64(1)
	for i := range tmp {
		if i < len(m) {
			carry += k * uint64(m[len(m)-1-i])
		}
		tmp[len(tmp)-1-i] = byte(carry)
		carry >>= 8
	}
	rest = 0
	for i, b := range tmp {
		rest = rest<<8 | uint64(b)
		if at := i - 3; at >= 0 {
			dst[at] = byte(rest / generateE)
		}
		rest %= generateE
	}
	return true
}
