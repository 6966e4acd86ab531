package rsa

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"testing"
)

func TestNumbersAreMathBigs(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		k, err := split(encoding)
		if err != nil {
			t.Fatal(err)
		}
		number := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
		size := k.size()
		ones := bytes.Repeat([]byte{0xff}, size)
		inputs := [][]byte{
			make([]byte, size), ones, k.n,
			slices.Concat(make([]byte, size/2), ones[:size/2]),
			slices.Concat(ones[:size/2], make([]byte, size/2)),
			slices.Concat(k.p, k.p), slices.Concat(k.q, k.q),
		}
		for range 100 {
			b := make([]byte, size)
			rand.Read(b)
			inputs = append(inputs, b)
		}
		p := s.open(k.p)
		defer s.close(p)
		for _, input := range inputs {
			got := make([]byte, k.prime())
			s.reduce(s.x, input, k.p, p)
			putNat(got, s.x)
			if want := new(big.Int).Mod(number(input), key.Primes[0]); number(got).Cmp(want) != 0 {
				t.Fatalf("%x mod p is %x, want %x", input, got, want)
			}

			x, y, z := input[:size/2], input[size/2:], k.q
			product := s.product[:size/limbSize]
			multiplyAdd(product, s.set(s.x, x), s.set(s.y, y), s.set(s.t, z))
			putLimbs(s.em[:size], product)
			want := new(big.Int).Mul(number(x), number(y))
			if want.Add(want, number(z)); want.BitLen() <= 8*size && number(s.em[:size]).Cmp(want) != 0 {
				t.Fatalf("%x × %x + q is %x, want %x", x, y, s.em[:size], want)
			}

			m := bytes.Clone(x)
			m[0] |= 0x80
			want = new(big.Int).ModInverse(big.NewInt(generateE), number(m))
			if found := invertExponent(got, m, s.tmp); found != (want != nil) {
				t.Fatalf("e has an inverse modulo %x: %v", m, found)
			} else if found && number(got).Cmp(want) != 0 {
				t.Fatalf("the inverse of e modulo %x is %x, want %x", m, got, want)
			}
		}
	})
}

func TestSubtractBorrows(t *testing.T) {
	t.Parallel()
	for range 1000 {
		a, b := make([]byte, 20), make([]byte, 20)
		rand.Read(a)
		rand.Read(b)
		difference := make([]byte, 20)
		borrow := subtract(difference, a, b)
		want := new(big.Int).Sub(new(big.Int).SetBytes(a), new(big.Int).SetBytes(b))
		if (want.Sign() < 0) != (borrow == 1) {
			t.Fatalf("%x - %x: borrow %d", a, b, borrow)
		}
		want.Add(want, new(big.Int).Lsh(big.NewInt(int64(borrow)), 160))
		if new(big.Int).SetBytes(difference).Cmp(want) != 0 {
			t.Fatalf("%x - %x = %x, want %x", a, b, difference, want)
		}
		two := new(big.Int).Sub(new(big.Int).SetBytes(a), big.NewInt(2))
		if got := lessTwo(make([]byte, 30), a); new(big.Int).SetBytes(got).Cmp(two) != 0 {
			t.Fatalf("%x - 2 = %x", a, got)
		}
		shift := uint(a[0]) % 100
		shifted := bytes.Clone(b)
		shiftRight(shifted, shift)
		if want := new(big.Int).Rsh(new(big.Int).SetBytes(b), shift); new(big.Int).SetBytes(shifted).Cmp(want) != 0 {
			t.Fatalf("%x >> %d = %x, want %x", b, shift, shifted, want)
		}
	}
	if got := lessTwo(make([]byte, 4), []byte{1, 0, 0, 1}); !bytes.Equal(got, []byte{0, 255, 255, 255}) {
		t.Errorf("%x", got)
	}
}

func TestPrimesAreMathBigs(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	key := testKey(t, 2048)
	p := key.Primes[0].Bytes()
	// p, and numbers near it that have one more, or many, factors of two in number
	// minus one.
	numbers := [][]byte{p}
	for i := range 40 {
		b := bytes.Clone(p)
		b[127] = byte(2*i + 1)
		numbers = append(numbers, b)
	}
	for i := range 6 {
		b := bytes.Clone(p)
		clear(b[64-8*i:])
		b[127] |= 1
		numbers = append(numbers, b)
	}
	for _, b := range numbers {
		got, err := s.isPrime(b, random)
		if err != nil {
			t.Fatal(err)
		}
		if want := new(big.Int).SetBytes(b).ProbablyPrime(20); got != want {
			t.Errorf("%x is prime: %v, want %v", b, got, want)
		}
	}

	// A product of two primes m + 1 and 2m + 1 passes the test with a quarter of
	// all bases, more than any other number: five rounds let about one in a
	// thousand through, one round would let many. The bases are fixed.
	m := new(big.Int).Lsh(big.NewInt(5), 509)
	m.Add(m, big.NewInt(11336))
	a := new(big.Int).Add(m, big.NewInt(1))
	b := new(big.Int).Add(a, m)
	if !a.ProbablyPrime(20) || !b.ProbablyPrime(20) {
		t.Fatal("m + 1 or 2m + 1 is not prime")
	}
	composite := new(big.Int).Mul(a, b).Bytes()
	for seed := range 100 {
		var key [32]byte
		key[0] = byte(seed)
		bases := mathrand.NewChaCha8(key)
		if got, err := s.isPrime(composite, func(b []byte) error { _, err := bases.Read(b); return err }); got || err != nil {
			t.Errorf("seed %d, (m+1)(2m+1) is prime: %v, %v", seed, got, err)
		}
	}

	if primes := oddPrimes(trialLimit); len(primes) != 256 || primes[0] != 3 || primes[255] != 1621 {
		t.Errorf("%d primes, up to %d", len(primes), primes[len(primes)-1])
	}
}
