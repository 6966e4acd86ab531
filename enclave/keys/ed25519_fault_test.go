package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"filippo.io/edwards25519"

	"github.com/memkeep/memkeep/internal/testenv"
)

// A faultySigner signs one message, and has faults injected.
type faultySigner struct {
	private         ed25519.PrivateKey
	secret, message []byte
	right           []byte // the signature
	choose          *rand.Rand
}

func newFaultySigner(t *testing.T) *faultySigner {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := &faultySigner{
		private: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)),
		secret:  make([]byte, edSealedSize),
		message: []byte("the message that is signed twice"),
		choose:  rand.New(rand.NewPCG(seed, 0)),
	}
	f.right = ed25519.Sign(f.private, f.message)
	if _, err := expandEd25519(f.secret, f.private.Seed(), nil, make(arena, edScratchSize)); err != nil {
		t.Fatal(err)
	}
	return f
}

// sign signs with a fault at each step that faults has one for.
func (f *faultySigner) sign(faults map[string]func(s *signing25519)) ([]byte, error) {
	signature := make([]byte, ed25519.SignatureSize)
	var s signing25519
	s.atStep = func(step string) {
		if fault := faults[step]; fault != nil {
			fault(&s)
			delete(faults, step) // strikes once
		}
	}
	err := s.sign(signature, f.secret, f.private.Public().(ed25519.PublicKey), nil, f.message, make(arena, edScratchSize))
	return signature, err
}

// flip flips a bit of the bytes of v.
func flip[T any](f *faultySigner, v *T) {
	b := unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
	b[f.choose.IntN(len(b))] ^= 1 << f.choose.IntN(8)
}

// halves returns the point as the sum of two, after a fault in the first: what a
// fault within a multiplication leads to.
func (f *faultySigner) halves(p *edwards25519.Point, r *edwards25519.Scalar) {
	wide := make([]byte, 64)
	for i := range wide {
		wide[i] = byte(f.choose.Uint32())
	}
	part, err := new(edwards25519.Scalar).SetUniformBytes(wide)
	if err != nil {
		panic(err)
	}
	first := new(edwards25519.Point).ScalarBaseMult(part)
	flip(f, first)
	second := new(edwards25519.Point).ScalarBaseMult(new(edwards25519.Scalar).Subtract(r, part))
	p.Add(first, second)
}

// A bit flipped in any number that an Ed25519 signature is computed of gives an
// error or the right signature.
func TestFaultsNeverLeaveAnEd25519Signature(t *testing.T) {
	t.Parallel()
	f := newFaultySigner(t)
	message := slices.Clone(f.message)
	type fault struct {
		step   string
		inject func(s *signing25519)
	}
	for what, c := range map[string]struct {
		fault
		undo func() // of a fault in what outlives the signature
		// rare says that many of the bits make no difference: of x, only the sign
		// is encoded, and T is not.
		rare bool
	}{
		"r, before the multiplication":       {fault: fault{"r", func(s *signing25519) { flip(f, &s.nonce) }}},
		"a point within the multiplication":  {fault: fault{"r", nil}},
		"R's coordinates":                    {fault: fault{"R", func(s *signing25519) { flip(f, &s.point) }}, rare: true},
		"R's affine coordinates":             {fault: fault{"encoded", func(s *signing25519) { flip(f, &s.affine) }}, rare: true},
		"r, after the multiplication":        {fault: fault{"k", func(s *signing25519) { flip(f, &s.nonce) }}},
		"r's digest, after it was read":      {fault: fault{"R", func(s *signing25519) { flip(f, (*[64]byte)(s.nonceDigest)) }}},
		"k":                                  {fault: fault{"S", func(s *signing25519) { flip(f, &s.challenge) }}},
		"the scalar, after it was read":      {fault: fault{"S", func(s *signing25519) { flip(f, &s.scalar) }}},
		"the public key, before it is read":  {fault{"R", func(*signing25519) { flip(f, (*[32]byte)(f.secret[edPublicAt:])) }}, f.restore(), false},
		"the message, before its second use": {fault{"R", func(*signing25519) { flip(f, (*[32]byte)(f.message)) }}, func() { copy(f.message, message) }, false},
	} {
		const rounds = 500
		caught, done := 0, 0
		stride := 10
		if c.rare {
			stride = 2 // half of many are near enough to a half
		}
		next := testenv.Sampled(stride)
		for range rounds {
			if !next() {
				continue
			}
			done++
			inject := c.inject
			step := c.step
			if inject == nil {
				step = "R"
				inject = func(s *signing25519) { f.halves(&s.point, &s.nonce) }
			}
			got, err := f.sign(map[string]func(*signing25519){step: inject})
			if c.undo != nil {
				c.undo()
			}
			switch {
			case err == nil && !bytes.Equal(got, f.right):
				t.Fatalf("%s: a wrong signature", what)
			case err != nil && !errors.Is(err, errFault):
				t.Fatalf("%s: %v", what, err)
			case err != nil && !bytes.Equal(got, make([]byte, len(got))):
				t.Fatalf("%s: something is left of the signature", what)
			case err != nil:
				caught++
			}
		}
		t.Logf("%-36s %d of %d are errors", what, caught, done)
		if least := done * 9 / 10; caught < least && !(c.rare && caught > done/8) {
			t.Errorf("%s: only %d of %d faults were noticed", what, caught, done)
		}
	}
}

// restore returns a function that sets the secret to what it is now.
func (f *faultySigner) restore() func() {
	was := slices.Clone(f.secret)
	return func() { copy(f.secret, was) }
}

// The attack that the checks are against works on what they discard: this is what
// makes the test before a test of anything. And it works on a multiplication that is
// right but for its scalar, as when a wrong entry of a table is chosen, which is not
// noticed: the package's documentation says so.
func TestAFaultyEd25519SignatureGivesTheKeyAway(t *testing.T) {
	t.Parallel()
	f := newFaultySigner(t)
	other := func(s *signing25519) {
		// The table's entries are multiples of 16^i.
		digit := make([]byte, 32)
		digit[f.choose.IntN(31)] = byte(1 << (4 * f.choose.IntN(2)))
		wrong, err := new(edwards25519.Scalar).SetCanonicalBytes(digit)
		if err != nil {
			t.Error(err)
			return
		}
		s.point.ScalarBaseMult(wrong.Add(wrong, &s.nonce))
	}
	faulty, err := f.sign(map[string]func(*signing25519){"R": other})
	if err != nil {
		t.Fatalf("a wrong entry is noticed: the documentation is to say so: %v", err)
	}
	if bytes.Equal(faulty, f.right) {
		t.Fatal("no fault")
	}
	challenge := func(signature []byte) *edwards25519.Scalar {
		sum := sha512.Sum512(slices.Concat(signature[:32], f.private.Public().(ed25519.PublicKey), f.message))
		k, err := new(edwards25519.Scalar).SetUniformBytes(sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	s := func(signature []byte) *edwards25519.Scalar {
		s, err := new(edwards25519.Scalar).SetCanonicalBytes(signature[32:])
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// S - S' = (k - k') s. Go's scalars have no inverse, so the product is compared.
	key, err := new(edwards25519.Scalar).SetCanonicalBytes(f.secret[:edScalarSize])
	if err != nil {
		t.Fatal(err)
	}
	left := new(edwards25519.Scalar).Subtract(s(f.right), s(faulty))
	difference := new(edwards25519.Scalar).Subtract(challenge(f.right), challenge(faulty))
	if left.Equal(difference.Multiply(difference, key)) != 1 {
		t.Error("two signatures with one r don't give the key")
	}
}
