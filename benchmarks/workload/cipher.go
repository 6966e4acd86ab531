package workload

import (
	"crypto/rand"
	"errors"
	"unsafe"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/internal/xchacha"
)

// Implementations of the cipher, as Request.Cipher names them.
const (
	OurCipher = "internal/xchacha"
	XCrypto   = "golang.org/x/crypto"
)

// cipherOnly measures one message, encrypted or decrypted from one buffer into
// another again and again: no store, nothing allocated. Ours gets its key as
// shares, which it puts together for each message, and the other's is kept.
func cipherOnly(r Request) (Sample, error) {
	plaintext, sealed := randomBytes(r.Size), make([]byte, r.Size+xchacha.TagSize)
	var nonce [xchacha.NonceSize]byte
	_, _ = rand.Read(nonce[:]) // fills its argument or ends the program
	var key [xchacha.KeySize]byte
	var seal, open func(int) error
	switch r.Cipher {
	case OurCipher:
		s := xchacha.StateAt(alignedArea())
		shares := splitKey(s, &key)
		seal = func(int) error { s.Seal(sealed, plaintext, &nonce, shares); return nil }
		open = func(int) error {
			if !s.Open(plaintext, sealed, &nonce, shares) {
				return errors.New("does not open")
			}
			return nil
		}
	case XCrypto:
		aead, err := chacha20poly1305.NewX(key[:])
		if err != nil {
			return Sample{}, err
		}
		seal = func(int) error { aead.Seal(sealed[:0], nonce[:], plaintext, nil); return nil }
		open = func(int) error { _, err := aead.Open(plaintext[:0], nonce[:], sealed, nil); return err }
	default:
		return Sample{}, errors.New("no cipher is called " + r.Cipher)
	}
	if err := seal(0); err != nil {
		return Sample{}, err
	}
	if err := checkSealed(key[:], nonce[:], sealed); err != nil {
		return Sample{}, err
	}
	op := open
	if r.Op == OpCipherSeal {
		op = seal
	}
	return measure(r, []task{{op: op}})
}

// checkSealed holds both to what golang.org/x/crypto opens.
func checkSealed(key, nonce, sealed []byte) error {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return err
	}
	_, err = aead.Open(nil, nonce, sealed, nil)
	return err
}

// splitKey returns shares that stand for the key.
func splitKey(s *xchacha.State, key *[xchacha.KeySize]byte) *xchacha.Shares {
	shares := &xchacha.Shares{Left: new([xchacha.KeySize]byte), Right: new([xchacha.KeySize]byte), Domain: new([16]byte)}
	_, _ = rand.Read(shares.Right[:]) // fills its argument or ends the program
	s.HChaCha8(shares.Left, shares.Right, shares.Domain)
	xchacha.XOR(shares.Left, key)
	return shares
}

// alignedArea returns memory for a State.
func alignedArea() []byte {
	const alignment = 64
	b := make([]byte, xchacha.StateSize+alignment)
	return b[-uintptr(unsafe.Pointer(&b[0]))%alignment:]
}
