package rsa

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

var sizes = []int{2048, 3072, 4096}

func random(b []byte) error {
	_, err := rand.Read(b)
	return err
}

func newScratch(t testing.TB) *Scratch {
	t.Helper()
	s, err := NewScratch()
	if err != nil {
		t.Fatal(err)
	}
	// With all its hash functions, so that a new one can be compared with.
	for _, function := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if _, err := s.hash(function); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// testKey returns a key from testdata.
func testKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("testdata/rsa%d.pem", bits))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func partsOf(key *rsa.PrivateKey) *Parts {
	return &Parts{
		N: key.N.Bytes(), E: key.E, D: key.D.Bytes(), P: key.Primes[0].Bytes(), Q: key.Primes[1].Bytes(),
		DP: key.Precomputed.Dp.Bytes(), DQ: key.Precomputed.Dq.Bytes(), QInv: key.Precomputed.Qinv.Bytes(),
	}
}

// flat returns the flat encoding of a key.
func flat(t testing.TB, key *rsa.PrivateKey, s *Scratch) []byte {
	t.Helper()
	size, err := KeySize(key.N.BitLen())
	if err != nil {
		t.Fatal(err)
	}
	encoding := make([]byte, size)
	if err := Precompute(encoding, partsOf(key), random, s); err != nil {
		t.Fatal(err)
	}
	return encoding
}

// each runs the test with a key of each size.
func each(t *testing.T, test func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch)) {
	t.Parallel()
	for _, bits := range sizes {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			t.Parallel()
			if bits > 2048 && testenv.Race {
				t.Skip("SKIPPED, NOTHING TESTED: takes minutes with the race detector, which sees no size")
			}
			if bits == 3072 && len(testenv.Emulator()) > 0 {
				t.Skip("SKIPPED, NOTHING TESTED: slow behind an emulator, which sees the smallest and the largest size")
			}
			key, s := testKey(t, bits), newScratch(t)
			test(t, key, flat(t, key, s), s)
		})
	}
}

func TestPrecomputeEncodesTheKey(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		check := func() {
			t.Helper()
			k, err := split(encoding)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				name string
				got  []byte
				want *big.Int
			}{
				{"p", k.p, key.Primes[0]},
				{"q", k.q, key.Primes[1]},
				{"dP", k.dP, key.Precomputed.Dp},
				{"dQ", k.dQ, key.Precomputed.Dq},
				{"qInv", k.qInv, key.Precomputed.Qinv},
				{"n", k.n, key.N},
				{"e", k.e, big.NewInt(int64(key.E))},
			} {
				if new(big.Int).SetBytes(c.got).Cmp(c.want) != 0 {
					t.Errorf("%s is %x, want %x", c.name, c.got, c.want)
				}
			}
		}
		check()
		n, e, err := Public(encoding)
		if err != nil || e != key.E || !bytes.Equal(n, key.N.Bytes()) {
			t.Errorf("Public: %x, %d, %v", n, e, err)
		}

		// Without the optional numbers, with leading zeros, and with p and q swapped.
		parts := partsOf(key)
		parts.DP, parts.DQ, parts.QInv = nil, nil, nil
		for _, at := range []*[]byte{&parts.N, &parts.D, &parts.P, &parts.Q} {
			*at = append(make([]byte, 3), *at...)
		}
		clear(encoding)
		if err := Precompute(encoding, parts, random, s); err != nil {
			t.Fatal(err)
		}
		check()
		parts.P, parts.Q = parts.Q, parts.P
		key.Primes[0], key.Primes[1] = key.Primes[1], key.Primes[0]
		key.Precomputed = rsa.PrecomputedValues{}
		key.Precompute()
		if err := Precompute(encoding, parts, random, s); err != nil {
			t.Fatal(err)
		}
		check()
	})
}

func TestPrecomputeRefuses(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	key, other := testKey(t, 2048), testKey(t, 3072)
	one := big.NewInt(1)
	n, d, p, q := key.N, key.D, key.Primes[0], key.Primes[1]
	add := func(x *big.Int, y int64) []byte { return new(big.Int).Add(x, big.NewInt(y)).Bytes() }
	// A product of a prime, or a composite, and a composite, which pass every other
	// check: the inverse of e exists modulo each minus one.
	e := big.NewInt(65537)
	composites := func(p *big.Int) *Parts {
		odd := func() *big.Int {
			for {
				b := make([]byte, 128)
				rand.Read(b)
				b[0] |= 0xc0
				b[127] |= 1
				x := new(big.Int).SetBytes(b)
				if !x.ProbablyPrime(1) && new(big.Int).ModInverse(e, new(big.Int).Sub(x, one)) != nil {
					return x
				}
			}
		}
		if p == nil {
			p = odd()
		}
		q := odd()
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(e, phi)
		return &Parts{N: new(big.Int).Mul(p, q).Bytes(), E: 65537, D: d.Bytes(), P: p.Bytes(), Q: q.Bytes()}
	}
	near := func() *Parts {
		p := new(big.Int).Set(key.Primes[0])
		q := new(big.Int).Add(p, big.NewInt(2))
		for !q.ProbablyPrime(10) {
			q.Add(q, big.NewInt(2))
		}
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(e, phi)
		if d == nil {
			t.Skip("e has no inverse")
		}
		return &Parts{N: new(big.Int).Mul(p, q).Bytes(), E: 65537, D: d.Bytes(), P: p.Bytes(), Q: q.Bytes()}
	}
	lambda := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	lambda.Div(lambda, new(big.Int).GCD(nil, nil, new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)))
	// d for another e, that would do but for its size.
	exponent := func(e int64) func(*Parts) {
		d := new(big.Int).ModInverse(big.NewInt(e), lambda)
		if d == nil {
			t.Fatalf("the test key has no d for an e of %d", e)
		}
		return func(k *Parts) { k.E, k.D, k.DP, k.DQ = int(e), d.Bytes(), nil, nil }
	}
	// d that would do, but is not below n.
	longer := new(big.Int).Set(d)
	for longer.Cmp(n) < 0 {
		longer.Add(longer, lambda)
	}
	if longer.BitLen() > 2048 {
		t.Fatal("the test key has no other d of 2048 bits")
	}
	for name, change := range map[string]func(*Parts){
		"n + 2":              func(k *Parts) { k.N = add(n, 2) },
		"n of another key":   func(k *Parts) { k.N = other.N.Bytes() },
		"n short":            func(k *Parts) { k.N = k.N[:255] },
		"n zero":             func(k *Parts) { k.N = make([]byte, 256) },
		"n none":             func(k *Parts) { k.N = nil },
		"n even":             func(k *Parts) { k.N = add(n, 1) },
		"e 3":                exponent(3),
		"e 257":              exponent(257),
		"e even":             func(k *Parts) { k.E = 65538 },
		"e negative":         func(k *Parts) { k.E = -65537 },
		"e too large":        exponent(1<<31 + 11),
		"e of another key":   func(k *Parts) { k.E = 65539 },
		"d + 2":              func(k *Parts) { k.D = add(d, 2) },
		"d + n":              func(k *Parts) { k.D = new(big.Int).Add(d, n).Bytes() },
		"d not below n":      func(k *Parts) { k.D, k.DP, k.DQ = longer.Bytes(), nil, nil },
		"d short":            func(k *Parts) { k.D = k.D[128:] },
		"d zero":             func(k *Parts) { k.D = nil },
		"d of another key":   func(k *Parts) { k.D = other.D.Bytes() },
		"p + 2":              func(k *Parts) { k.P = add(p, 2) },
		"p even":             func(k *Parts) { k.P = add(p, 1) },
		"p one":              func(k *Parts) { k.P = []byte{1}; k.Q = n.Bytes() },
		"p none":             func(k *Parts) { k.P = nil },
		"p is q":             func(k *Parts) { k.P = k.Q },
		"p short":            func(k *Parts) { k.P = k.P[1:] },
		"p of another key":   func(k *Parts) { k.P = other.Primes[0].Bytes() },
		"q + 2":              func(k *Parts) { k.Q = add(q, 2) },
		"p and q composite":  func(k *Parts) { *k = *composites(nil) },
		"q composite":        func(k *Parts) { *k = *composites(p) },
		"p and q close":      func(k *Parts) { *k = *near() },
		"dP + 2":             func(k *Parts) { k.DP = add(key.Precomputed.Dp, 2) },
		"dQ + 2":             func(k *Parts) { k.DQ = add(key.Precomputed.Dq, 2) },
		"qInv + 2":           func(k *Parts) { k.QInv = add(key.Precomputed.Qinv, 2) },
		"qInv empty":         func(k *Parts) { k.QInv = []byte{} },
		"dP and dQ swapped":  func(k *Parts) { k.DP, k.DQ = k.DQ, k.DP },
		"p and q swapped":    func(k *Parts) { k.P, k.Q = k.Q, k.P },
		"all of another key": func(k *Parts) { *k = *partsOf(other) },
	} {
		parts := partsOf(key)
		change(parts)
		size, _ := KeySize(2048)
		encoding := make([]byte, size)
		if err := Precompute(encoding, parts, random, s); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
		if !isZero(encoding) {
			t.Errorf("%s: the key was not wiped", name)
		}
	}
	failure := errors.New("failure")
	size, _ := KeySize(2048)
	encoding := make([]byte, size)
	if err := Precompute(encoding, partsOf(key), func([]byte) error { return failure }, s); !errors.Is(err, failure) {
		t.Errorf("failing random source: %v", err)
	}
	if err := Precompute(encoding, partsOf(key), func(b []byte) error { clear(b); return nil }, s); !errors.Is(err, errRandom) {
		t.Errorf("random source that gives zeros: %v", err)
	}
}

func TestOtherSizesAreRefused(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	for _, bits := range []int{-1, 0, 1024, 2047, 2049, 2560, 8192} {
		if _, err := KeySize(bits); !errors.Is(err, ErrSize) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
	for _, size := range []int{0, 3, 4, 452, 899, 901, 1796 + 7} {
		key := make([]byte, size)
		_, _, err := Public(key)
		_, signing := SignPKCS1v15(nil, key, 0, nil, s)
		_, decrypting := DecryptPKCS1v15(nil, key, nil, s)
		for what, err := range map[string]error{
			"Public": err, "SignPKCS1v15": signing, "DecryptPKCS1v15": decrypting,
			"Generate": Generate(key, random, s), "Precompute": Precompute(key, &Parts{}, random, s),
		} {
			if !errors.Is(err, ErrSize) {
				t.Errorf("%s with %d bytes: %v", what, size, err)
			}
		}
	}
}

func TestGeneratedKeysAreTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	for _, bits := range sizes {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			t.Parallel()
			if bits > 2048 && (testing.Short() || testenv.Race) {
				t.Skip("SKIPPED, NOTHING TESTED: takes seconds")
			}
			s := newScratch(t)
			size, _ := KeySize(bits)
			encoding := make([]byte, size)
			if err := Generate(encoding, random, s); err != nil {
				t.Fatal(err)
			}
			k, err := split(encoding)
			if err != nil {
				t.Fatal(err)
			}
			number := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
			p, q := number(k.p), number(k.q)
			one, e := big.NewInt(1), big.NewInt(65537)
			phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
			key := &rsa.PrivateKey{
				PublicKey: rsa.PublicKey{N: number(k.n), E: int(k.exponent())},
				D:         new(big.Int).ModInverse(e, phi),
				Primes:    []*big.Int{p, q},
				Precomputed: rsa.PrecomputedValues{
					Dp: number(k.dP), Dq: number(k.dQ), Qinv: number(k.qInv),
				},
			}
			if err := key.Validate(); err != nil {
				t.Error(err)
			}
			if key.N.BitLen() != bits || !p.ProbablyPrime(20) || !q.ProbablyPrime(20) {
				t.Errorf("%d bits, primes %x and %x", key.N.BitLen(), p, q)
			}
			// What Precompute makes of it is the same.
			if !bytes.Equal(flat(t, key, s), encoding) {
				t.Error("Precompute of the generated key differs")
			}
		})
	}
}

func TestGenerateNeedsARandomSource(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	size, _ := KeySize(2048)
	failure := errors.New("failure")
	calls := 0
	for name, c := range map[string]struct {
		random func([]byte) error
		want   error
	}{
		"fails":      {func([]byte) error { return failure }, failure},
		"gives ones": {func(b []byte) error { copy(b, bytes.Repeat([]byte{0xff}, len(b))); return nil }, errRandom},
		"fails later": {func(b []byte) error {
			if calls++; calls > 20 {
				return failure
			}
			return random(b)
		}, failure},
	} {
		key := bytes.Repeat([]byte{1}, size)
		if err := Generate(key, c.random, s); !errors.Is(err, c.want) {
			t.Errorf("a source that %s: %v, want %v", name, err, c.want)
		}
		if !isZero(key) {
			t.Errorf("a source that %s: the key was not wiped", name)
		}
	}
}
