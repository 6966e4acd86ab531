package keys_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/enclave/keys"
)

func TestAEADIsXChaCha20Poly1305(t *testing.T) {
	t.Parallel()
	in := in(t)
	for i := range 600 {
		raw, nonce := sequence(uint64(i), 32), sequence(uint64(i)+1, 24)
		plaintext := sequence(uint64(i)+2, i*5)
		additional := sequence(uint64(i)+3, i%90*(i%2)) // every second one has none
		reference, err := chacha20poly1305.NewX(raw)
		if err != nil {
			t.Fatal(err)
		}
		want := reference.Seal([]byte("prefix"), nonce, plaintext, additional)

		key := slices.Clone(raw)
		a, err := in.NewAEAD(key)
		if err != nil {
			t.Fatal(err)
		}
		if !wiped(key) {
			t.Fatal("NewAEAD left the key")
		}
		got := a.Seal([]byte("prefix"), nonce, plaintext, additional)
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes and %d additional: %x, want %x", len(plaintext), len(additional), got, want)
		}
		if opened, err := a.Open([]byte("prefix"), nonce, want[6:], additional); err != nil || string(opened) != "prefix"+string(plaintext) {
			t.Fatalf("%d bytes and %d additional: %v", len(plaintext), len(additional), err)
		}

		// In place.
		buffer := append(slices.Clone(plaintext), make([]byte, a.Overhead())...)
		sealed := a.Seal(buffer[:0], nonce, buffer[:len(plaintext)], additional)
		if !bytes.Equal(sealed, want[6:]) {
			t.Fatalf("%d bytes in place: another ciphertext", len(plaintext))
		}
		if opened, err := a.Open(sealed[:0], nonce, sealed, additional); err != nil || !bytes.Equal(opened, plaintext) {
			t.Fatalf("%d bytes in place: %v", len(plaintext), err)
		}
	}
}

func TestAEADRefusesForgeries(t *testing.T) {
	t.Parallel()
	a, err := in(t).NewAEAD(sequence(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	nonce, additional := sequence(2, 24), []byte("additional")
	for _, additional := range [][]byte{nil, additional} {
		right := a.Seal(nil, nonce, []byte("plaintext"), additional)
		for i := range right {
			forged := slices.Clone(right)
			forged[i] ^= 1
			out := make([]byte, 0, 64)
			if _, err := a.Open(out, nonce, forged, additional); !errors.Is(err, keys.ErrAuthentication) {
				t.Errorf("byte %d changed: %v", i, err)
			}
			if !wiped(out[:64]) {
				t.Error("plaintext of a forgery")
			}
		}
		for what, err := range map[string]error{
			"another nonce":      openError(a, sequence(3, 24), right, additional),
			"other additional":   openError(a, nonce, right, append(slices.Clone(additional), 1)),
			"a truncation":       openError(a, nonce, right[:len(right)-1], additional),
			"less than a tag":    openError(a, nonce, right[:15], additional),
			"nothing":            openError(a, nonce, nil, additional),
			"a byte in addition": openError(a, nonce, append(slices.Clone(right), 0), additional),
		} {
			if !errors.Is(err, keys.ErrAuthentication) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

func openError(a *keys.AEAD, nonce, ciphertext, additional []byte) error {
	_, err := a.Open(nil, nonce, ciphertext, additional)
	return err
}

func TestAEADKeyOfWrongLengthIsRefusedAndWiped(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, size := range []int{0, 16, 31, 33} {
		key := sequence(1, size)
		if _, err := in.NewAEAD(key); !errors.Is(err, keys.ErrFormat) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if !wiped(key) {
			t.Errorf("%d bytes were not wiped", size)
		}
	}
}

func TestAEADPanicsAtNoncesOfWrongLength(t *testing.T) {
	t.Parallel()
	a, err := in(t).NewAEAD(sequence(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]func(){
		"Seal": func() { a.Seal(nil, make([]byte, 12), nil, nil) },
		"Open": func() { _, _ = a.Open(nil, make([]byte, 12), make([]byte, 16), nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s took a nonce of 12 bytes", what)
				}
			}()
			f()
		}()
	}
}
