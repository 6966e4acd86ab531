package core

import (
	"errors"
	"unsafe"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/nacl/secretbox"

	"github.com/memkeep/memkeep/internal/random"
	"github.com/memkeep/memkeep/internal/wipe"
	"github.com/memkeep/memkeep/internal/xchacha"
)

const (
	keySize   = 32
	nonceSize = 24
)

// Overhead is how many bytes longer what [Encrypt] returns is than the plaintext:
// the nonce of 24 bytes and the tag of 16.
const Overhead int = secretbox.Overhead + nonceSize

// ErrInvalidKeyLength says that a key is not 32 bytes long.
var ErrInvalidKeyLength = errors.New("<memguard::core::ErrInvalidKeyLength> key must be exactly 32 bytes")

// ErrBufferTooSmall says that the plaintext does not fit into the output.
var ErrBufferTooSmall = errors.New("<memguard::core::ErrBufferTooSmall> the given buffer is too small to hold the plaintext")

// ErrDecryptionFailed says that the ciphertext does not open: it was tampered
// with, or the key is another one. For an [Enclave], that the session was purged.
var ErrDecryptionFailed = errors.New("<memguard::core::ErrDecryptionFailed> decryption failed: key is wrong or ciphertext is corrupt")

// Encrypt seals the plaintext under a key of 32 bytes, with XSalsa20-Poly1305 and
// a random nonce in front, as memguard does: either opens what the other sealed.
// It copies the key to ordinary memory for the time of the call; enclaves have a
// cipher of their own, which does not.
func Encrypt(plaintext, key []byte) ([]byte, error) {
	if len(key) != keySize {
		return nil, ErrInvalidKeyLength
	}
	var nonce [nonceSize]byte
	random.Bytes(nonce[:])
	return secretbox.Seal(nonce[:], plaintext, &nonce, (*[keySize]byte)(key)), nil
}

// Decrypt opens what [Encrypt] returned, to the start of output, and returns the
// size of the plaintext, which must fit into output's capacity.
func Decrypt(ciphertext, key []byte, output []byte) (int, error) {
	if len(key) != keySize {
		return 0, ErrInvalidKeyLength
	}
	if len(ciphertext) < Overhead {
		return 0, ErrDecryptionFailed
	}
	if cap(output) < len(ciphertext)-Overhead {
		return 0, ErrBufferTooSmall
	}
	nonce := [nonceSize]byte(ciphertext[:nonceSize])
	box := ciphertext[nonceSize:]
	out := output[:0]
	if overlap(output[:cap(output)], box) {
		// The cipher refuses to work in place.
		out = nil
	}
	m, ok := secretbox.Open(out, box, &nonce, (*[keySize]byte)(key))
	if !ok {
		return 0, ErrDecryptionFailed
	}
	if out == nil {
		Move(output[:cap(output)], m)
	}
	return len(m), nil
}

// overlap reports whether a and b share a byte.
func overlap(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	return uintptr(unsafe.Pointer(&a[0])) <= uintptr(unsafe.Pointer(&b[len(b)-1])) &&
		uintptr(unsafe.Pointer(&b[0])) <= uintptr(unsafe.Pointer(&a[len(a)-1]))
}

// Hash returns the BLAKE2b-256 of b.
func Hash(b []byte) []byte {
	h := blake2b.Sum256(b)
	return h[:]
}

// Scramble fills buf with random bytes. It never fails: without a source of
// randomness the program ends.
func Scramble(buf []byte) error {
	random.Bytes(buf)
	return nil
}

// Wipe sets buf to zero, in a way that the compiler does not drop.
func Wipe(buf []byte) { wipe.Bytes(buf) }

// Copy copies as many bytes as fit, in time that depends on the lengths alone.
func Copy(dst, src []byte) {
	xchacha.Copy(dst, src)
}

// Move is Copy that then wipes src, all of it.
func Move(dst, src []byte) {
	Copy(dst, src)
	Wipe(src)
}

// Equal reports whether x and y hold the same, in time that depends on the
// lengths alone.
func Equal(x, y []byte) bool { return xchacha.Equal(x, y) }
