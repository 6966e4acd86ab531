package xchacha

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

func FuzzRoundTrip(f *testing.F) {
	random := newSource(7)
	for _, n := range []int{0, 1, 32, 64, 65, 192, 193, 448, 449, 1000, partSize} {
		f.Add(random.bytes(KeySize), random.bytes(NonceSize), random.bytes(n), uint8(n))
	}
	f.Fuzz(func(t *testing.T, key, nonce, plaintext []byte, offset uint8) {
		if len(key) != KeySize || len(nonce) != NonceSize {
			t.Skip()
		}
		for _, k := range kernels() {
			roundTrip(t, k, key, (*[NonceSize]byte)(nonce), plaintext, int(offset%64))
		}
	})
}

func FuzzOpen(f *testing.F) {
	random := newSource(8)
	for _, n := range []int{0, 15, 16, 48, 80, 300, 600} {
		key, nonce := random.bytes(KeySize), random.nonce()
		f.Add(key, nonce[:], random.bytes(n))
		f.Add(key, nonce[:], sealed(f, key, nonce, random.bytes(n)))
	}
	f.Fuzz(func(t *testing.T, key, nonce, ciphertext []byte) {
		if len(key) != KeySize || len(nonce) != NonceSize {
			t.Skip()
		}
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			t.Fatal(err)
		}
		want, err := aead.Open(nil, nonce, ciphertext, nil)
		for _, k := range kernels() {
			s := newState()
			got := make([]byte, max(0, len(ciphertext)-TagSize))
			if opened := k.openMessage(s, got, ciphertext, (*[NonceSize]byte)(nonce), split(t, key)); opened != (err == nil) {
				t.Fatalf("%v: opened is %v, x/crypto says %v", k, opened, err)
			}
			if err != nil {
				want = make([]byte, len(got))
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%v: wrong plaintext", k)
			}
		}
	})
}
