package xchacha

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// With additional data as without, the State's ciphertexts are x/crypto's.
func TestAdditionalDataAgreesWithReference(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		if k != portable && withAdditional() == portable {
			t.Skip("SKIPPED: this kernel is for messages without additional data")
		}
		additionalAgrees(t, k)
	})
}

func additionalAgrees(t *testing.T, k kernel) {
	r := rand.New(rand.NewChaCha8([32]byte{7}))
	fill := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	s := new(State)
	for i := range 400 {
		key, nonce := fill(KeySize), [NonceSize]byte(fill(NonceSize))
		message, additional := fill(i*3%777), fill(1+i%130)
		switch i {
		case 0: // around the parts of a long one
			message, additional = fill(2*partSize+300), fill(partSize+5)
		case 1:
			message, additional = fill(partAfterAdditional), fill(partSize)
		case 2:
			message, additional = fill(partAfterAdditional+partSize+1), fill(1)
		}
		reference, err := chacha20poly1305.NewX(key)
		if err != nil {
			t.Fatal(err)
		}
		want := reference.Seal(nil, nonce[:], message, additional)

		// As one share of the key, with the other from zeros.
		var left, zero [KeySize]byte
		var domain [16]byte
		s.HChaCha8(&left, &zero, &domain)
		XOR(&left, (*[KeySize]byte)(key))
		shares := &Shares{Left: &left, Right: &zero, Domain: &domain}

		got := make([]byte, len(message)+TagSize)
		copy(got, message)
		k.sealWith(s, got, got[:len(message)], additional, &nonce, shares)
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes and %d additional: %x, want %x", len(message), len(additional), got, want)
		}
		if *s != (State{}) {
			t.Fatal("SealWith left something in the State")
		}
		for _, broken := range [][2][]byte{{want, fill(len(additional) + 1)}, {flip(want), additional}} {
			opened := fill(len(message))
			if k.openWith(s, opened, broken[0], broken[1], &nonce, shares) {
				t.Fatal("a forgery opened")
			}
			if !bytes.Equal(opened, make([]byte, len(message))) || *s != (State{}) {
				t.Fatal("a forgery left something")
			}
		}
		if !k.openWith(s, got[:len(message)], got, additional, &nonce, shares) || !bytes.Equal(got[:len(message)], message) {
			t.Fatalf("%d bytes and %d additional did not open", len(message), len(additional))
		}
		if *s != (State{}) {
			t.Fatal("OpenWith left something in the State")
		}
	}
}

// flip returns b with one bit changed in its middle.
func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 4
	return b
}

// The AEAD of draft-irtf-cfrg-xchacha-03, A.3.1.
func TestAdditionalDataVector(t *testing.T) {
	const sunscreen = "Ladies and Gentlemen of the class of '99: " +
		"If I could offer you only one tip for the future, sunscreen would be it."
	additional := []byte("PQRS\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7")
	key, nonce := make([]byte, KeySize), new([NonceSize]byte)
	for i := range key {
		key[i] = 0x80 + byte(i)
	}
	for i := range nonce {
		nonce[i] = 0x40 + byte(i)
	}
	eachKernel(t, func(t *testing.T, k kernel) {
		if k != portable && withAdditional() == portable {
			t.Skip("SKIPPED: this kernel is for messages without additional data")
		}
		shares := split(t, key)
		dst := make([]byte, len(sunscreen)+TagSize)
		k.sealWith(newState(), dst, []byte(sunscreen), additional, nonce, shares)
		if got := hex.EncodeToString(dst[len(sunscreen):]); got != "c0875924c1c7987947deafd8780acf49" {
			t.Errorf("the tag is %s", got)
		}
		if !k.openWith(newState(), dst[:len(sunscreen)], dst, additional, nonce, shares) || string(dst[:len(sunscreen)]) != sunscreen {
			t.Error("it does not open in place")
		}
	})
}
