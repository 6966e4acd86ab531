package contenders

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"
)

// A Cipher is the bare cipher with a key of its own, for one goroutine: nonces
// are numbers, and it decrypts into a buffer that it keeps.
type Cipher struct {
	aead   cipher.AEAD
	nonce  [chacha20poly1305.NonceSizeX]byte
	opened []byte
}

// NewCipher returns one with a random key.
func NewCipher() (*Cipher, error) {
	var key [chacha20poly1305.KeySize]byte
	_, _ = rand.Read(key[:]) // fills its argument or ends the program
	aead, err := chacha20poly1305.NewX(key[:])
	return &Cipher{aead: aead}, err
}

// Seal encrypts plaintext to dst, which is as much longer as the tag is.
func (c *Cipher) Seal(dst []byte, n uint64, plaintext []byte) {
	binary.LittleEndian.PutUint64(c.nonce[:], n)
	c.aead.Seal(dst[:0], c.nonce[:], plaintext, nil)
}

// Open decrypts. What it returns is overwritten by the next call.
func (c *Cipher) Open(sealed []byte, n uint64) ([]byte, error) {
	binary.LittleEndian.PutUint64(c.nonce[:], n)
	opened, err := c.aead.Open(c.opened[:0], c.nonce[:], sealed, nil)
	if err == nil {
		c.opened = opened
	}
	return opened, err
}
