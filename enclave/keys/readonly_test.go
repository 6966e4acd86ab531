package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
)

// What Use lends is read-only: to wipe it would end the process.
func TestKeysOfWhatUseLendsAreRefusedAndItStays(t *testing.T) {
	t.Parallel()
	testenv.MustGuard(t) // nothing is read-only there
	session := newSession(t)
	s, secret := keys.In(session), sequence(7, 32)
	e, err := session.NewCopy(secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func([]byte) error{
		"Parse":     func(b []byte) error { _, err := s.Parse(b); return err },
		"ParseSeed": func(b []byte) error { _, err := s.ParseSeed(b); return err },
		"NewMAC":    func(b []byte) error { _, err := s.NewMAC(crypto.SHA256, b); return err },
		"NewAEAD":   func(b []byte) error { _, err := s.NewAEAD(b); return err },
	} {
		err := e.Use(func(b []byte) error {
			err := make(b)
			if !bytes.Equal(b, secret) {
				t.Errorf("%s changed it", name)
			}
			return err
		})
		if !errors.Is(err, enclave.ErrReadOnly) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysOfAnEnclaveAreThoseOfItsBytes(t *testing.T) {
	t.Parallel()
	session := newSession(t)
	s := keys.In(session)
	secret, message := sequence(7, 32), []byte("message")
	e, err := session.NewCopy(secret)
	if err != nil {
		t.Fatal(err)
	}
	k, err1 := s.SeedFromEnclave(e)
	m, err2 := s.MACFromEnclave(crypto.SHA256, e)
	a, err3 := s.AEADFromEnclave(e)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	e.Destroy() // they are independent of it

	signature, err := k.Sign(nil, message, crypto.Hash(0))
	if err != nil || !bytes.Equal(signature, ed25519.Sign(ed25519.NewKeyFromSeed(slices.Clone(secret)), message)) {
		t.Errorf("another signature: %v", err)
	}
	h := hmac.New(sha256.New, secret)
	h.Write(message)
	if err := m.Verify(message, h.Sum(nil)); err != nil {
		t.Error(err)
	}
	standard, err := chacha20poly1305.NewX(secret)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, a.NonceSize())
	if !bytes.Equal(a.Seal(nil, nonce, message, nil), standard.Seal(nil, nonce, message, nil)) {
		t.Error("another ciphertext")
	}

	for name, make := range map[string]func() error{
		"seed": func() error { _, err := s.SeedFromEnclave(e); return err },
		"MAC":  func() error { _, err := s.MACFromEnclave(crypto.SHA256, e); return err },
		"AEAD": func() error { _, err := keys.AEADFromEnclave(e); return err },
	} {
		if err := make(); !errors.Is(err, enclave.ErrDestroyed) {
			t.Errorf("%s of a destroyed enclave: %v", name, err)
		}
	}
}
