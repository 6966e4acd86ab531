package xchacha

import (
	"bytes"
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
