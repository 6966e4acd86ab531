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

// Overhead is the difference between the sizes of a ciphertext and its plaintext: 24
// bytes of nonce and 16 of tag.
const Overhead int = secretbox.Overhead + nonceSize

// ErrInvalidKeyLength reports that a key is not 32 bytes long.
var ErrInvalidKeyLength = errors.New("<memguard::core::ErrInvalidKeyLength> key must be exactly 32 bytes")

// ErrBufferTooSmall reports that the plaintext does not fit into the output.
var ErrBufferTooSmall = errors.New("<memguard::core::ErrBufferTooSmall> the given buffer is too small to hold the plaintext")

// ErrDecryptionFailed reports that the ciphertext was modified or the key is wrong, or
// that the session of an [Enclave] was purged.
var ErrDecryptionFailed = errors.New("<memguard::core::ErrDecryptionFailed> decryption failed: key is wrong or ciphertext is corrupt")

// Encrypt encrypts plaintext under a key of 32 bytes with XSalsa20-Poly1305, after a
// random nonce, in memguard's format. Unlike enclaves, it copies the key to ordinary
// memory during the call.
func Encrypt(plaintext, key []byte) ([]byte, error) {
	if len(key) != keySize {
		return nil, ErrInvalidKeyLength
	}
	var nonce [nonceSize]byte
	random.Bytes(nonce[:])
	return secretbox.Seal(nonce[:], plaintext, &nonce, (*[keySize]byte)(key)), nil
}

// Decrypt decrypts what [Encrypt] or memguard returned to the start of output, whose
// capacity must hold the plaintext, and returns the plaintext's size.
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

// Scramble fills buf with random bytes. It never returns an error: if the system has no
// random bytes, the program ends.
func Scramble(buf []byte) error {
	random.Bytes(buf)
	return nil
}

// Wipe sets buf to zero. The compiler does not remove it.
func Wipe(buf []byte) { wipe.Bytes(buf) }

// Copy copies as many bytes as fit, in time that depends on the lengths alone.
func Copy(dst, src []byte) {
	xchacha.Copy(dst, src)
}

// Move is like [Copy], but then wipes all of src.
func Move(dst, src []byte) {
	Copy(dst, src)
	Wipe(src)
}

// Equal reports whether x and y are equal, in time that depends on the lengths alone.
func Equal(x, y []byte) bool { return xchacha.Equal(x, y) }
