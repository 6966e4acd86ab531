package keys_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/binary"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// leftoverNeedles returns a new secret of the subject and what the scan looks
// for.
func leftoverNeedles(t *testing.T, name string) (secret []byte, list []needle) {
	t.Helper()
	switch name {
	case "Ed25519":
		secret = randomBytes(t, 32)
		return secret, ed25519Needles(t, secret)
	case "HMAC-SHA-256":
		secret = randomBytes(t, 32)
		return secret, hmacNeedles(t, secret)
	}
	return moreNeedles(t, name)
}

func randomBytes(t *testing.T, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func ed25519Needles(t *testing.T, seed []byte) []needle {
	expanded := sha512.Sum512(seed)
	clamped := slices.Clone(expanded[:32])
	clamped[0] &= 248
	clamped[31] = clamped[31]&127 | 64
	nonce := sha512.Sum512(slices.Concat(expanded[32:], leftoverMessage))
	scalar, err := edwards25519.NewScalar().SetBytesWithClamping(expanded[:32])
	if err != nil {
		t.Fatal(err)
	}
	r, err := edwards25519.NewScalar().SetUniformBytes(nonce[:])
	if err != nil {
		t.Fatal(err)
	}
	return []needle{
		{what: "seed", bytes: seed},
		{what: "scalar", bytes: clamped[8:24]},
		{what: "scalar, reduced", bytes: scalar.Bytes()},
		{what: "scalar, as Go holds it", bytes: montgomery25519(t, scalar)},
		{what: "scalar, as digits", bytes: radix16(scalar)},
		{what: "nonce, reduced", bytes: r.Bytes()},
		{what: "nonce, as Go holds it", bytes: montgomery25519(t, r)},
		{what: "nonce, as digits", bytes: radix16(r)},
		{what: "prefix", bytes: expanded[32:]},
		{what: "expanded seed, hash state", bytes: words64(expanded[:])},
		{what: "nonce", bytes: nonce[:]},
		{what: "nonce, hash state", bytes: words64(nonce[:])},
	}
}

func hmacNeedles(t *testing.T, key []byte) []needle {
	list := []needle{{what: "key", bytes: key}}
	var inner []byte
	for _, pad := range []struct {
		name string
		xor  byte
	}{{"inner", 0x36}, {"outer", 0x5c}} {
		block := bytes.Repeat([]byte{pad.xor}, sha256.BlockSize)
		for i := range key {
			block[i] ^= key[i]
		}
		h := sha256.New()
		h.Write(block)
		state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if pad.name == "inner" {
			h.Write(leftoverMessage)
			inner = h.Sum(nil)
		}
		chain := state[4:][:sha256.Size]
		list = append(list,
			needle{what: pad.name + " block", bytes: block[:32]},
			needle{what: pad.name + " chaining value", bytes: chain},
			needle{what: pad.name + " chaining value, hash state", bytes: words32(chain)})
	}
	return append(list,
		needle{what: "inner digest", bytes: inner},
		needle{what: "inner digest, hash state", bytes: words32(inner)})
}

// montgomery25519 is a scalar in the Montgomery form that edwards25519.Scalar has
// in memory: times 2^256, four little-endian words.
func montgomery25519(t *testing.T, s *edwards25519.Scalar) []byte {
	two128 := make([]byte, 32)
	two128[16] = 1
	factor, err := edwards25519.NewScalar().SetCanonicalBytes(two128)
	if err != nil {
		t.Fatal(err)
	}
	factor.Multiply(factor, factor)
	return factor.Multiply(factor, s).Bytes()
}

// radix16 is a scalar's signed digits, which multiplication has on its stack.
func radix16(s *edwards25519.Scalar) []byte {
	var digits []byte
	carry := byte(0)
	for _, b := range s.Bytes() {
		for _, nibble := range []byte{b & 15, b >> 4} {
			digit := nibble + carry
			carry = (digit + 8) >> 4
			digits = append(digits, digit-carry<<4)
		}
	}
	return digits
}

// words32 is a big-endian chaining value as a hash keeps it in memory.
func words32(b []byte) []byte {
	var out []byte
	for ; len(b) > 0; b = b[4:] {
		out = binary.NativeEndian.AppendUint32(out, binary.BigEndian.Uint32(b))
	}
	return out
}

func words64(b []byte) []byte {
	var out []byte
	for ; len(b) > 0; b = b[8:] {
		out = binary.NativeEndian.AppendUint64(out, binary.BigEndian.Uint64(b))
	}
	return out
}
