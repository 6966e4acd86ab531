package ec

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"testing"
)

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// digests are random ones and those at the edges, shorter and longer than the
// order.
func digests(t testing.TB, c Curve) [][]byte {
	t.Helper()
	size := c.ScalarSize()
	order := c.standard().ecdsa.Params().N
	list := [][]byte{
		{0}, {0xff},
		order.FillBytes(make([]byte, size)),
		new(big.Int).Sub(order, big.NewInt(1)).FillBytes(make([]byte, size)),
		append(order.FillBytes(make([]byte, size)), 1),
	}
	for _, n := range []int{20, 28, 32, 48, 64, size - 1, size + 1, 100} {
		random := make([]byte, n)
		rand.Read(random)
		list = append(list, random, make([]byte, n), bytes.Repeat([]byte{0xff}, n))
	}
	return list
}

func TestSignaturesVerify(t *testing.T) {
	each(t, func(t *testing.T, c Curve, s *Scratch) {
		for range 3 {
			key, scalar := newKey(t, c)
			for _, digest := range digests(t, c) {
				for _, entropy := range [][]byte{nil, {1}, bytes.Repeat([]byte{2}, 32), make([]byte, 100)} {
					prefix := []byte("prefix")
					signature, err := c.Sign(prefix, scalar, digest, entropy, s)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.HasPrefix(signature, prefix) {
						t.Fatal("Sign did not append")
					}
					if !ecdsa.VerifyASN1(&key.PublicKey, digest, signature[len(prefix):]) {
						t.Fatalf("digest %x, entropy %x: the signature is not valid", digest, entropy)
					}
				}
			}
		}
	})
}

// Without entropy, the signatures are those of RFC 6979, as the standard library
// makes them.
func TestWithoutEntropySignaturesAreRFC6979(t *testing.T) {
	each(t, func(t *testing.T, c Curve, s *Scratch) {
		for range 20 {
			key, scalar := newKey(t, c)
			for _, function := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
				digest := make([]byte, function.Size())
				rand.Read(digest)
				got, err := c.Sign(nil, scalar, digest, nil, s)
				if err != nil {
					t.Fatal(err)
				}
				want, err := key.Sign(nil, digest, function)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("%v: %x, want %x", function, got, want)
				}
			}
		}
	})
}

// From RFC 6979, A.2.5 and A.2.6; the first is from Go's crypto/ecdsa (BSD
// licence), where the first nonce is not below the order.
func TestRFC6979Vectors(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	const p256 = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
	const p384 = "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5"
	for _, c := range []struct {
		curve                 Curve
		scalar, message, r, s string
	}{
		{P256, p256, "wv[vnX",
			"efd9073b652e76da1b5a019c0e4a2e3fa529b035a6abb91ef67f0ed7a1f21234",
			"3db4706c9d9f4a4fe13bb5e08ef0fab53a57dbab2061c83a35fa411c68d2ba33"},
		{P256, p256, "sample",
			"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
			"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
		{P256, p256, "test",
			"f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
			"019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"},
		{P384, p384, "sample",
			"21b13d1e013c7fa1392d03c5f99af8b30c570c6f98d4ea8e354b63a21d3daa33bde1e888e63355d92fa2b3c36d8fb2cd",
			"f3aa443fb107745bf4bd77cb3891674632068a10ca67e3d45db2266fa7d1feebefdc63eccd1ac42ec0cb8668a4fa0ab0"},
		{P384, p384, "test",
			"6d6defac9ab64dabafe36c6bf510352a4cc27001263638e5b16d9bb51d451559f918eedaf2293be5b475cc8f0188636b",
			"2d46f3becbcc523d5f1a1256bf0c9b024d879ba9e838144c8ba6baeb4b53b47d51ab373f9845c0514eefb14024787265"},
	} {
		digest := sha256.Sum256([]byte(c.message))
		got, err := c.curve.Sign(nil, unhex(t, c.scalar), digest[:], nil, s)
		if err != nil {
			t.Fatal(err)
		}
		want, err := encode(nil, unhex(t, c.r), unhex(t, c.s))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%v, %q: %x, want %x", c.curve, c.message, got, want)
		}
	}
}

// hedgedNonce draws a nonce with crypto/hmac, written after the text of
// draft-irtf-cfrg-det-sigs-with-noise, section 4.
func hedgedNonce(c Curve, scalar, digest, entropy []byte) []byte {
	mac := func(key []byte, data ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, d := range data {
			h.Write(d)
		}
		return h.Sum(nil)
	}
	pad := func(b []byte) []byte {
		for len(b)%sha256.BlockSize != 0 {
			b = append(b, 0)
		}
		return b
	}
	order := c.standard().ecdsa.Params().N
	z := new(big.Int).SetBytes(digest[:min(len(digest), c.ScalarSize())])
	z.Mod(z, order)
	data := func(v []byte, separator byte) []byte {
		b := append(bytes.Clone(v), separator)
		b = pad(append(b, entropy...))
		b = pad(append(b, scalar...))
		return append(b, z.FillBytes(make([]byte, c.ScalarSize()))...)
	}
	k, v := make([]byte, 32), bytes.Repeat([]byte{1}, 32)
	for _, separator := range []byte{0, 1} {
		k = mac(k, data(v, separator))
		v = mac(k, v)
	}
	var nonce []byte
	for len(nonce) < c.ScalarSize() {
		v = mac(k, v)
		nonce = append(nonce, v...)
	}
	return nonce[:c.ScalarSize()]
}

func TestNoncesAreHedgedAsTheDraftSays(t *testing.T) {
	each(t, func(t *testing.T, c Curve, s *Scratch) {
		order := c.standard().ecdsa.Params().N
		for range 20 {
			_, scalar := newKey(t, c)
			digest, entropy := make([]byte, 32), make([]byte, 48)
			rand.Read(digest)
			rand.Read(entropy)
			if _, err := c.Sign(nil, scalar, digest, entropy, s); err != nil {
				t.Fatal(err)
			}
			want := hedgedNonce(c, scalar, digest, entropy)
			if new(big.Int).SetBytes(want).Cmp(order) >= 0 {
				continue // one in 2^32 on P-256
			}
			if got := s.nonce[:c.ScalarSize()]; !bytes.Equal(got, want) {
				t.Fatalf("nonce %x, want %x", got, want)
			}
		}
	})
}

func TestEntropyChangesTheNonce(t *testing.T) {
	each(t, func(t *testing.T, c Curve, s *Scratch) {
		_, scalar := newKey(t, c)
		digest := make([]byte, 32)
		seen := make(map[string]bool)
		for i := range 50 {
			if _, err := c.Sign(nil, scalar, digest, bytes.Repeat([]byte{byte(i)}, 1+i%32), s); err != nil {
				t.Fatal(err)
			}
			nonce, blind := string(s.nonce[:c.ScalarSize()]), string(s.blind[:c.ScalarSize()])
			if seen[nonce] || seen[blind] {
				t.Fatal("a nonce or a blind comes twice")
			}
			seen[nonce], seen[blind] = true, true
		}
	})
}

// A fault in a signature gives nothing away, because no two signatures have a nonce in
// common. With the deterministic nonces of RFC 6979 it gives the key to who has the
// right signature too: this is what makes the test one of anything.
func TestAFaultySignatureGivesNothingAway(t *testing.T) {
	each(t, func(t *testing.T, c Curve, s *Scratch) {
		_, scalar := newKey(t, c)
		digest := make([]byte, 32)
		rand.Read(digest)
		const bit = 5 // that is flipped
		for fault, step := range map[string]string{"the point": "point", "the digest": "r", "the key": "r"} {
			inject := func(at string) {
				switch {
				case at != step:
				case fault == "the point":
					s.p256.Double(s.p256)
					s.p384.Double(s.p384)
				case fault == "the digest":
					s.e.Bits()[0] ^= 1 << bit
				case fault == "the key":
					s.d.Bits()[0] ^= 1 << bit
				}
			}
			for _, hedged := range []bool{false, true} {
				sign := func(inject func(string)) (r, sum *big.Int) {
					var entropy []byte
					if hedged {
						entropy = make([]byte, 32)
						rand.Read(entropy)
					}
					s.atStep = inject
					defer func() { s.atStep = nil }()
					signature, err := c.Sign(nil, scalar, digest, entropy, s)
					if err != nil {
						t.Fatal(err)
					}
					var numbers struct{ R, S *big.Int }
					if _, err := asn1.Unmarshal(signature, &numbers); err != nil {
						t.Fatal(err)
					}
					return numbers.R, numbers.S
				}
				r, sum := sign(nil)
				r2, sum2 := sign(inject)
				found := false
				e := new(big.Int).SetBytes(digest)
				// The attacker guesses the fault. A bit of the key counts r times as
				// much as one of the digest.
				for _, guess := range []*big.Int{new(big.Int), big.NewInt(1 << bit), new(big.Int).Lsh(r, bit)} {
					for range 2 {
						d := keyOfOneNonce(c, e, r, sum, new(big.Int).Add(e, guess), r2, sum2)
						found = found || d != nil && d.Cmp(new(big.Int).SetBytes(scalar)) == 0
						guess.Neg(guess)
					}
				}
				if found == hedged {
					t.Errorf("a fault in %s, hedged: %v; gives the key away: %v", fault, hedged, found)
				}
			}
		}
	})
}

// keyOfOneNonce returns the key of two signatures if they have one nonce:
//
//	k = (e + r d) / s = (e' + r' d) / s'
func keyOfOneNonce(c Curve, e, r, s, e2, r2, s2 *big.Int) *big.Int {
	n := c.order().big
	product := func(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }
	below := new(big.Int).Sub(product(r, s2), product(r2, s))
	inverse := below.ModInverse(below.Mod(below, n), n)
	if inverse == nil {
		return nil
	}
	d := new(big.Int).Sub(product(e2, s), product(e, s2))
	return d.Mod(d.Mul(d, inverse), n)
}
