package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519/field"
	"golang.org/x/crypto/chacha20"

	"github.com/memkeep/memkeep/enclave/keys/internal/tracetest"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// moreNeedles are those of keys that come as files, and of ciphers.
func moreNeedles(t *testing.T, name string) (secret []byte, list []needle) {
	t.Helper()
	switch name {
	case "ECDSA P-256", "ECDSA P-384", "Parse PEM":
		curve := elliptic.P256()
		if name == "ECDSA P-384" {
			curve = elliptic.P384()
		}
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		secret = pkcs8(t, k)
		list = number("scalar", scalarOf(t, k))
		if name == "Parse PEM" {
			secret = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
			// The lines with the scalar: what follows it is the public key.
			lines := strings.Split(string(secret), "\n")
			list = append(list, needle{what: "base64", bytes: []byte(lines[1][48:])})
		}
		return secret, list
	case "ECDH P-256":
		k, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		shared, err := k.ECDH(leftoverRemoteP256())
		if err != nil {
			t.Fatal(err)
		}
		// The standard library's way takes the scalar from the end.
		return append(p256Header(t, k), k.Bytes()...), append(number("scalar", k.Bytes()), number("shared secret", shared)...)
	case "X25519":
		return x25519Needles(t)
	case "Parse refused", "RSA refused":
		return refusedNeedles(t, name)
	case "XChaCha20-Poly1305":
		return cipherNeedles(t)
	}
	if strings.HasSuffix(name, "generate") {
		return randomBytes(t, 32), nil // the child makes the keys
	}
	var bits int
	if n, _ := fmt.Sscanf(name, "RSA %d", &bits); n == 1 {
		return rsaNeedles(t, bits)
	}
	t.Fatalf("no needles of %s", name)
	return nil, nil
}

// p256Header is a SEC 1 key without a public key, up to the scalar that it ends
// with.
func p256Header(t *testing.T, k *ecdh.PrivateKey) []byte {
	t.Helper()
	curve := marshal(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
	inner := slices.Concat(marshal(t, 1), []byte{4, 32}, k.Bytes())
	inner = marshal(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: inner})
	whole := marshal(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: slices.Concat(
		marshal(t, 0),
		marshal(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: slices.Concat(
			marshal(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}), curve)}),
		marshal(t, inner))})
	return whole[:len(whole)-32]
}

// number is a big-endian number, and as words in the processor's memory.
func number(what string, b []byte) []needle {
	little := slices.Clone(b)
	slices.Reverse(little)
	return []needle{{what: what, bytes: b}, {what: what + ", as words", bytes: little}}
}

func scalarOf(t *testing.T, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	b, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func x25519Needles(t *testing.T) (secret []byte, list []needle) {
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := k.ECDH(leftoverRemoteX25519())
	if err != nil {
		t.Fatal(err)
	}
	clamped := slices.Clone(k.Bytes())
	clamped[0] &= 248
	clamped[31] = clamped[31]&127 | 64
	point, err := new(field.Element).SetBytes(shared)
	if err != nil {
		t.Fatal(err)
	}
	// Go holds it as five words of 51 bits.
	var limbs []byte
	x := new(big.Int).SetBytes(reversed(point.Bytes()))
	for range 5 {
		limb := new(big.Int).And(x, big.NewInt(1<<51-1)).FillBytes(make([]byte, 8))
		limbs = append(limbs, reversed(limb)...)
		x.Rsh(x, 51)
	}
	return pkcs8(t, k), []needle{
		{what: "scalar", bytes: k.Bytes()},
		{what: "scalar, clamped", bytes: clamped},
		{what: "shared secret", bytes: shared},
		{what: "shared secret, as Go holds it", bytes: limbs},
	}
}

func reversed(b []byte) []byte {
	b = slices.Clone(b)
	slices.Reverse(b)
	return b
}

func rsaNeedles(t *testing.T, bits int) (secret []byte, list []needle) {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	forms, err := tracetest.RSA(k, crypto.SHA256, leftoverDigest[:])
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range forms {
		list = append(list, needle{what: n.What, bytes: n.Bytes})
	}
	return pkcs8(t, k), list
}

func cipherNeedles(t *testing.T) (secret []byte, list []needle) {
	key := randomBytes(t, 32)
	subkey, err := chacha20.HChaCha20(key, leftoverNonce[:16])
	if err != nil {
		t.Fatal(err)
	}
	stream, err := chacha20.NewUnauthenticatedCipher(key, leftoverNonce)
	if err != nil {
		t.Fatal(err)
	}
	poly := make([]byte, 32)
	stream.XORKeyStream(poly, poly)
	clamped := slices.Clone(poly[:16])
	for i, m := range []byte{0xff, 0xff, 0xff, 0x0f, 0xfc, 0xff, 0xff, 0x0f, 0xfc, 0xff, 0xff, 0x0f, 0xfc, 0xff, 0xff, 0x0f} {
		clamped[i] &= m
	}
	// What is sealed of the key, and what is as good.
	var share, zero [32]byte
	new(xchacha.State).HChaCha8(&share, &zero, new([16]byte))
	for i := range share {
		share[i] ^= key[i]
	}
	return key, []needle{
		{what: "key", bytes: key},
		{what: "share", bytes: share[:]},
		{what: "subkey", bytes: subkey},
		{what: "Poly1305 key", bytes: poly},
		{what: "Poly1305 key, clamped", bytes: clamped},
	}
}

// toldNeedles are what follows from the secret and the signatures that the child
// told: ECDSA's nonces, and of RSA the halves of the signature.
func toldNeedles(t *testing.T, name string, secret []byte, told [][]byte) (list []needle) {
	t.Helper()
	if len(told) == 0 {
		return nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	switch k := parsed.(type) {
	case *ecdsa.PrivateKey:
		order := k.Curve.Params().N
		d := new(big.Int).SetBytes(scalarOf(t, k))
		size := (order.BitLen() + 7) / 8
		for _, signature := range told {
			var s struct{ R, S *big.Int }
			if _, err := asn1.Unmarshal(signature, &s); err != nil {
				t.Fatal(err)
			}
			// k = (e + r d) / s
			n := new(big.Int).Mul(s.R, d)
			n.Add(n, new(big.Int).SetBytes(leftoverDigest[:]))
			n.Mul(n, new(big.Int).ModInverse(s.S, order)).Mod(n, order)
			list = append(list, number("nonce", n.FillBytes(make([]byte, size)))...)
		}
	case *rsa.PrivateKey:
		s := new(big.Int).SetBytes(told[0])
		for i, prime := range k.Primes {
			half := new(big.Int).Mod(s, prime).FillBytes(make([]byte, k.Size()/2))
			list = append(list, number([]string{"signature modulo p", "signature modulo q"}[i], half)...)
		}
		for _, other := range told {
			if !bytes.Equal(other, told[0]) {
				t.Fatalf("%s: two signatures of a digest", name)
			}
		}
	}
	return list
}
