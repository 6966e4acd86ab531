package rsa

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	mathrand "math/rand/v2"
	"testing"
	"unsafe"

	"filippo.io/bigmod"

	"github.com/memkeep/memkeep/enclave/keys/internal/tracetest"
	"github.com/memkeep/memkeep/internal/testenv"
)

// operations are all that works with a key. They report an error that is not
// what they are to return.
func operations(t testing.TB, key *rsa.PrivateKey, encoding []byte, s *Scratch) map[string]func() {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	digest, other, dst := make([]byte, 32), bytes.Clone(encoding), make([]byte, key.Size())
	parts := partsOf(key)
	blocks := encodings(key.Size())
	plain := encrypt(&key.PublicKey, blocks["one"][0])
	// One in some 450 ciphertexts of OAEP is valid here too.
	invalid := encrypt(&key.PublicKey, blocks["type one"][0])
	oaep, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, &key.PublicKey, digest, nil)
	must(err)
	list := map[string]func(){
		"Precompute":   func() { must(Precompute(other, parts, random, s)) },
		"SignPKCS1v15": func() { _, err := SignPKCS1v15(dst[:0], encoding, crypto.SHA256, digest, s); must(err) },
		"SignPSS":      func() { _, err := SignPSS(dst[:0], encoding, crypto.SHA256, digest, digest, s); must(err) },
		"DecryptPKCS1v15": func() {
			_, err := DecryptPKCS1v15(dst, encoding, plain, s)
			must(err)
		},
		"DecryptPKCS1v15 fails": func() {
			if _, err := DecryptPKCS1v15(dst, encoding, invalid, s); err != ErrDecryption {
				t.Error(err)
			}
		},
		"DecryptPKCS1v15SessionKey": func() { must(DecryptPKCS1v15SessionKey(dst[:1], encoding, plain, s)) },
		"DecryptOAEP": func() {
			_, err := DecryptOAEP(dst, encoding, crypto.SHA256, crypto.SHA256, oaep, nil, s)
			must(err)
		},
		"DecryptOAEP fails": func() {
			if _, err := DecryptOAEP(dst, encoding, crypto.SHA256, crypto.SHA1, plain, nil, s); err != ErrDecryption {
				t.Error(err)
			}
		},
	}
	if key.N.BitLen() == 2048 {
		list["Generate"] = func() { must(Generate(other, random, s)) }
	}
	return list
}

// After each operation, each number in the Scratch is what it was in a new one,
// and of the moduli that were open nothing is left, though the Scratch does not
// hold them any more.
func TestOperationsLeaveNothing(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		fresh := tracetest.Values(newScratch(t))
		for name, operate := range operations(t, key, encoding, s) {
			moduli := make(map[*bigmod.Modulus]bool)
			s.atStep = func(string) {
				for _, m := range s.moduli {
					if m != nil {
						moduli[m] = true
					}
				}
			}
			operate()
			s.atStep = nil
			if len(moduli) < 2 {
				t.Errorf("%s: saw %d moduli", name, len(moduli))
			}
			for m := range moduli {
				for path, value := range tracetest.Values(m) {
					if value != 0 {
						t.Fatalf("%s: a modulus was left, %s is %#x", name, path, value)
					}
				}
			}
			tracetest.Equal(t, tracetest.Values(s), fresh)
			if t.Failed() {
				t.Fatal(name)
			}
		}
	})
}

// Every part of a Scratch holds something at the end of an operation, or the test
// before proves nothing of it.
func TestOperationsUseEveryPart(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	key := testKey(t, 2048)
	encoding := flat(t, key, s)
	fresh := tracetest.Values(s)
	used := make(map[string]bool)
	s.atStep = func(string) {
		for path, value := range tracetest.Values(s) {
			if value != fresh[path] {
				used[path] = true
			}
		}
	}
	operations(t, key, encoding, s)["SignPKCS1v15"]()
	operations(t, key, encoding, s)["Precompute"]()
	for _, part := range []string{
		".x.limbs[0]", ".y.limbs[0]", ".t.limbs[0]", ".m1.limbs[0]", ".m2.limbs[0]", ".radix.limbs[0]", ".big.limbs[0]",
		".product[0]", ".em[0]", ".wide[0]", ".tmp[0]", ".moduli[0].nat.limbs[0]", ".moduli[1].rr.limbs[0]", ".moduli[1].m0inv",
	} {
		if !used[part] {
			t.Errorf("%s was not used", part)
		}
	}
}

// What is allocated is either a modulus, of which nothing is left in the end, or
// holds no secret: the encoded message and the signature.
func TestSecretsAreNotAllocated(t *testing.T) {
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's builds allocate more")
	}
	// bigmod.NewModulus allocates a Modulus, its number and, if it is odd, R².
	const odd, even = 5, 3
	for _, bits := range sizes {
		s, key := newScratch(t), testKey(t, bits)
		encoding := flat(t, key, s)
		k, err := split(encoding)
		if err != nil {
			t.Fatal(err)
		}
		input := make([]byte, k.size())
		rand.Read(input[1:])
		full := s.em[:k.size()]
		dst := make([]byte, k.size())
		plain := encrypt(&key.PublicKey, encodings(key.Size())["one"][0])
		oaep, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, &key.PublicKey, []byte{1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for what, c := range map[string]struct {
			want float64
			fn   func() error
		}{
			"private":        {2 * odd, func() error { return s.private(&k, input) }},
			"isProduct":      {0, func() error { s.isProduct(&k); return nil }},
			"isInverse":      {even, func() error { s.isInverse(k.p, k.dP, 65537); return nil }},
			"reduceExponent": {even, func() error { s.reduceExponent(dst[:k.prime()], full, k.p); return nil }},
			"isPrime":        {odd, func() error { _, err := s.isPrime(k.p, func(b []byte) error { b[1]++; return nil }); return err }},
			"Wipe":           {0, func() error { s.Wipe(); return nil }},
			"PKCS1v15":       {2 * odd, func() error { _, err := DecryptPKCS1v15(dst, encoding, plain, s); return err }},
			"OAEP":           {2 * odd, func() error { _, err := DecryptOAEP(dst, encoding, crypto.SHA256, 0, oaep, nil, s); return err }},
		} {
			if n := testing.AllocsPerRun(3, func() {
				if err := c.fn(); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}); n != c.want {
				t.Errorf("%d bits, %s: %v allocations, want %v", bits, what, n, c.want)
			}
		}
	}
}

func TestStackDepth(t *testing.T) {
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's builds have larger frames")
	}
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		for name, operate := range operations(t, key, encoding, s) {
			operate()
			if depth := tracetest.StackDepth(operate); depth > StackDepth {
				t.Errorf("%s: %d bytes, StackDepth is %d", name, depth, StackDepth)
			} else {
				t.Logf("%s: %d bytes", name, depth)
			}
		}
	})
}

// A bit flipped anywhere, at any step, gives an error or the right signature,
// never a wrong one, from which the key could be computed.
func TestFaultsNeverLeaveASignature(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		digest := make([]byte, 32)
		want, err := SignPKCS1v15(nil, encoding, crypto.SHA256, digest, s)
		if err != nil {
			t.Fatal(err)
		}
		seed := mathrand.Uint64()
		choose := mathrand.New(mathrand.NewPCG(seed, 1))
		rounds, faults := 400*2048/key.N.BitLen(), 0
		if testing.Short() || testenv.Race {
			rounds /= 10
		}
		const steps = 6
		try := func(fault int, flip func(encoding []byte) string) {
			broken, copied := "", bytes.Clone(encoding)
			s.atStep = func(name string) {
				if fault--; fault == -1 {
					broken = name + flip(copied)
				}
			}
			dst := make([]byte, 0, key.Size())
			got, err := SignPKCS1v15(dst, copied, crypto.SHA256, digest, s)
			s.atStep = nil
			if err != nil {
				faults++
			}
			switch {
			case err != nil && (err != ErrFault && err != ErrMessage || got != nil):
				t.Fatalf("seed %d, %s: %x, %v", seed, broken, got, err)
			case err != nil && !isZero(dst[:cap(dst)]), err != nil && !isZero(s.memory):
				t.Fatalf("seed %d, %s: something is left of the signature", seed, broken)
			case err == nil && !bytes.Equal(got, want):
				t.Fatalf("seed %d, %s: a wrong signature", seed, broken)
			}
		}
		for range rounds {
			try(choose.IntN(steps), func(encoding []byte) string { return flip(s, encoding, choose) })
		}
		for step := range steps {
			try(step, func(encoding []byte) string { return even(t, encoding, "p") })
			try(step, func(encoding []byte) string { return even(t, encoding, "q") })
		}
		if faults < rounds/10 {
			t.Errorf("only %d of %d faults were noticed", faults, rounds)
		}
	})
}

// even flips the last bit of a prime, p or q.
func even(t *testing.T, encoding []byte, name string) string {
	t.Helper()
	k, err := split(encoding)
	if err != nil {
		t.Fatal(err)
	}
	prime := map[string][]byte{"p": k.p, "q": k.q}[name]
	prime[len(prime)-1] ^= 1
	return ": " + name + " is even"
}

// flip flips a bit of something that the operation under way works with.
func flip(s *Scratch, encoding []byte, choose *mathrand.Rand) string {
	k, err := split(encoding)
	if err != nil {
		panic(err)
	}
	limbs := map[string][]uint{
		"m1": s.m1.Bits(), "m2": s.m2.Bits(), "x": s.x.Bits(), "t": s.t.Bits(), "radix": s.radix.Bits(),
		"product": s.product[:k.size()/limbSize],
	}
	for i, name := range []string{"p", "q"} {
		if m := s.moduli[i]; m != nil {
			inner := (*modulus)(unsafe.Pointer(m))
			limbs["modulus "+name], limbs["R² of "+name] = inner.nat.Bits(), inner.rr.Bits()
		}
	}
	texts := map[string][]byte{"em": s.em[:k.size()], "dP": k.dP, "dQ": k.dQ, "qInv": k.qInv, "p": k.p, "q": k.q, "tmp": s.tmp[:k.prime()]}
	names := []string{
		"m1", "m2", "x", "t", "radix", "product", "modulus p", "modulus q", "R² of p", "R² of q",
		"em", "dP", "dQ", "qInv", "p", "q", "tmp",
	}
	name := names[choose.IntN(len(names))]
	if l := limbs[name]; len(l) > 0 {
		l[choose.IntN(len(l))] ^= 1 << choose.IntN(8*limbSize)
	}
	if b := texts[name]; len(b) > 0 {
		b[choose.IntN(len(b))] ^= 1 << choose.IntN(8)
	}
	return ", " + name
}

// The attack that the check is against works on what the check discards: this is
// what makes TestFaultsNeverLeaveASignature a test of anything.
func TestAFaultySignatureGivesThePrimeAway(t *testing.T) {
	t.Parallel()
	s, key := newScratch(t), testKey(t, 2048)
	encoding := flat(t, key, s)
	k, err := split(encoding)
	if err != nil {
		t.Fatal(err)
	}
	input := make([]byte, k.size())
	rand.Read(input[1:])
	var faulty *big.Int
	s.atStep = func(name string) {
		switch name {
		case "m1":
			s.m1.Bits()[3] ^= 4
		case "em":
			faulty = new(big.Int).SetBytes(s.em[:k.size()])
		}
	}
	if err := s.private(&k, input); err != ErrFault {
		t.Fatal(err)
	}
	x := new(big.Int).Exp(faulty, big.NewInt(int64(key.E)), key.N)
	x.Sub(x, new(big.Int).SetBytes(input))
	if x.GCD(nil, nil, x.Abs(x), key.N).Cmp(key.Primes[1]) != 0 {
		t.Errorf("the faulty signature gives %x, want q", x)
	}
}
