package ec

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"
)

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

// standard is a curve in the standard library's forms.
type standard struct {
	ecdsa elliptic.Curve
	ecdh  ecdh.Curve
}

func (c Curve) standard() standard {
	if c == P384 {
		return standard{elliptic.P384(), ecdh.P384()}
	}
	return standard{elliptic.P256(), ecdh.P256()}
}

// each runs the test for both curves.
func each(t *testing.T, test func(t *testing.T, c Curve, s *Scratch)) {
	t.Parallel()
	for _, c := range []Curve{P256, P384} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			test(t, c, newScratch(t))
		})
	}
}

// newKey returns a random key and its scalar.
func newKey(t testing.TB, c Curve) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(c.standard().ecdsa, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	scalar, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return key, scalar
}

func TestOrdersAreTheStandardLibrarys(t *testing.T) {
	each(t, func(t *testing.T, c Curve, s *Scratch) {
		if got, want := c.order().big, c.standard().ecdsa.Params().N; got.Cmp(want) != 0 {
			t.Errorf("%x, want %x", got, want)
		}
	})
}

func TestPublicKeyIsTheStandardLibrarys(t *testing.T) {
	each(t, func(t *testing.T, c Curve, s *Scratch) {
		for range 50 {
			key, scalar := newKey(t, c)
			got := make([]byte, c.PublicSize())
			if err := c.PublicFromScalar(got, scalar, s); err != nil {
				t.Fatal(err)
			}
			want, err := key.PublicKey.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%x, want %x", got, want)
			}
		}
	})
}

// invalidScalars are of the wrong size or range.
func invalidScalars(c Curve) map[string][]byte {
	order := c.standard().ecdsa.Params().N
	size := c.ScalarSize()
	return map[string][]byte{
		"none":      nil,
		"short":     make([]byte, size-1),
		"long":      append(make([]byte, size), 1),
		"zero":      make([]byte, size),
		"order":     order.FillBytes(make([]byte, size)),
		"order + 1": new(big.Int).Add(order, big.NewInt(1)).FillBytes(make([]byte, size)),
		"all ones":  bytes.Repeat([]byte{0xff}, size),
	}
}

func TestInvalidScalarsAreRefused(t *testing.T) {
	each(t, func(t *testing.T, c Curve, s *Scratch) {
		_, scalar := newKey(t, c)
		remote := make([]byte, c.PublicSize())
		if err := c.PublicFromScalar(remote, scalar, s); err != nil {
			t.Fatal(err)
		}
		for name, bad := range invalidScalars(c) {
			_, signing := c.Sign(nil, bad, make([]byte, 32), make([]byte, 32), s)
			for what, err := range map[string]error{
				"CheckScalar":      c.CheckScalar(bad, s),
				"PublicFromScalar": c.PublicFromScalar(make([]byte, c.PublicSize()), bad, s),
				"Sign":             signing,
				"ECDH":             c.ECDH(make([]byte, c.ScalarSize()), bad, remote, s),
			} {
				if !errors.Is(err, ErrScalar) {
					t.Errorf("%s of %s: %v", what, name, err)
				}
			}
		}
		order := c.standard().ecdsa.Params().N
		for _, good := range []*big.Int{big.NewInt(1), new(big.Int).Sub(order, big.NewInt(1))} {
			if err := c.CheckScalar(good.FillBytes(make([]byte, c.ScalarSize())), s); err != nil {
				t.Errorf("scalar %x: %v", good, err)
			}
		}
	})
}

func TestSharedSecretIsTheStandardLibrarys(t *testing.T) {
	each(t, func(t *testing.T, c Curve, s *Scratch) {
		for range 30 {
			one, err := c.standard().ecdh.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			other, err := c.standard().ecdh.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			want, err := one.ECDH(other.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, c.ScalarSize())
			if err := c.ECDH(got, one.Bytes(), other.PublicKey().Bytes(), s); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%x, want %x", got, want)
			}
		}
	})
}

func TestPointsNotOnTheCurveAreRefused(t *testing.T) {
	each(t, func(t *testing.T, c Curve, s *Scratch) {
		_, scalar := newKey(t, c)
		good := make([]byte, c.PublicSize())
		if err := c.PublicFromScalar(good, scalar, s); err != nil {
			t.Fatal(err)
		}
		size := c.ScalarSize()
		changed := bytes.Clone(good)
		changed[len(changed)-1] ^= 1
		hybrid := bytes.Clone(good)
		hybrid[0] = 6
		overflow := bytes.Clone(good)
		copy(overflow[1:], bytes.Repeat([]byte{0xff}, size))
		for name, bad := range map[string][]byte{
			"none":       nil,
			"infinity":   {0},
			"zero":       append([]byte{4}, make([]byte, 2*size)...),
			"all zero":   make([]byte, 1+2*size),
			"changed":    changed,
			"hybrid":     hybrid,
			"compressed": append([]byte{2 + good[2*size]&1}, good[1:1+size]...),
			"overflow":   overflow,
			"short":      good[:len(good)-1],
			"long":       append(bytes.Clone(good), 0),
		} {
			if err := c.ECDH(make([]byte, size), scalar, bad, s); !errors.Is(err, ErrPoint) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestX25519IsTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	for range 100 {
		one, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		other, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		want, err := one.ECDH(other.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, X25519Size)
		if err := X25519(got, one.Bytes(), other.PublicKey().Bytes(), s); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
		if err := X25519Public(got, one.Bytes(), s); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, one.PublicKey().Bytes()) {
			t.Fatalf("public key %x, want %x", got, one.PublicKey().Bytes())
		}
	}
}

// The points of order 1, 2, 4 and 8 on the curve and its twist, in all their
// encodings, as curve25519's author lists them.
func TestX25519RefusesSmallOrders(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	scalar := make([]byte, X25519Size)
	rand.Read(scalar)
	for _, digits := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		point, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got := make([]byte, X25519Size)
			if err := X25519(got, scalar, point, s); !errors.Is(err, ErrPoint) {
				t.Errorf("%x: %v", point, err)
			}
			if !bytes.Equal(got, make([]byte, X25519Size)) {
				t.Errorf("%x: wrote %x", point, got)
			}
			point[31] |= 0x80 // is ignored
		}
	}
	for _, size := range []int{0, 31, 33} {
		wrong, right := make([]byte, size), make([]byte, X25519Size)
		if err := X25519(right, wrong, basepoint[:], s); !errors.Is(err, ErrScalar) {
			t.Errorf("scalar of %d bytes: %v", size, err)
		}
		if err := X25519(right, scalar, wrong, s); !errors.Is(err, ErrPoint) {
			t.Errorf("point of %d bytes: %v", size, err)
		}
	}
}

func TestTooLittleMemoryIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := NewScratchIn(make([]byte, MemorySize-1)); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("%v", err)
	}
}
