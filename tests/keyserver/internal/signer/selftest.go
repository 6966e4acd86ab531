package signer

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
)

// errSelfTest says that this way of using the hash functions does not fit the
// standard library it was built with.
var errSelfTest = errors.New("signer: self-test failed: the standard library's hash states have changed")

// selfTest compares with the standard library, on a key that is no secret. The
// messages take one and two blocks of padding, and more.
func (w *worker) selfTest() error {
	key := bytes.Repeat([]byte("test"), ed25519.SeedSize/4)
	private := ed25519.NewKeyFromSeed(key)
	if w.sha256.stateSize > stateArea || w.sha256.stateSize < sha256.Size ||
		w.sha512.stateSize > stateArea || w.sha512.stateSize < ed25519.SeedSize {
		return errSelfTest
	}
	for _, size := range []int{0, 60, 1000} {
		message := make([]byte, size)

		w.expandHMAC(key)
		mac := hmac.New(sha256.New, key)
		mac.Write(message)
		if !bytes.Equal(w.mac(w.ws.sealed, message), mac.Sum(nil)) {
			return errSelfTest
		}

		var public [ed25519.PublicKeySize]byte
		if err := w.expandEd25519(key, &public); err != nil {
			return err
		}
		signature := make([]byte, ed25519.SignatureSize)
		if err := w.signEd25519(signature, w.ws.sealed, public[:], message); err != nil {
			return err
		}
		if !bytes.Equal(signature, ed25519.Sign(private, message)) {
			return errSelfTest
		}
	}
	return nil
}
