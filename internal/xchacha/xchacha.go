// Package xchacha is the one seam between memkeep and its cipher:
// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) and HChaCha20, with the key in
// memory that the caller gives.
//
// This version calls golang.org/x/crypto, whose constructors copy the key to
// the Go heap.
package xchacha

import (
	"crypto/subtle"
	"fmt"
	"unsafe"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/internal/wipe"
)

// Sizes in bytes.
const (
	KeySize   = 32
	NonceSize = 24
	TagSize   = 16
	StateSize = 512
)

// A State is the working memory of one operation at a time. It lies in locked
// memory.
type State struct {
	Key [KeySize]byte
	_   [StateSize - KeySize]byte
}

// StateAt overlays a State on the first StateSize bytes of mem, which is
// 64-byte aligned.
func StateAt(mem []byte) *State {
	if len(mem) < StateSize || uintptr(unsafe.Pointer(&mem[0]))%64 != 0 {
		panic(fmt.Sprintf("xchacha: internal error: no state in %d bytes at %p", len(mem), mem))
	}
	// A State has no pointers, and its memory is at least as large and aligned.
	return (*State)(unsafe.Pointer(&mem[0]))
}

// Seal writes the ciphertext of plaintext under s.Key and its tag to dst, which
// is TagSize longer.
func (s *State) Seal(dst, plaintext []byte, nonce *[NonceSize]byte) {
	if len(dst) != len(plaintext)+TagSize {
		panic("xchacha: internal error: wrong length")
	}
	aead, err := chacha20poly1305.NewX(s.Key[:])
	if err != nil {
		panic("xchacha: internal error: " + err.Error())
	}
	aead.Seal(dst[:0], nonce[:], plaintext, nil)
}

// Open writes the plaintext of ciphertext under s.Key to dst, which is TagSize
// shorter. If the tag is wrong it returns false, and dst is zero.
func (s *State) Open(dst, ciphertext []byte, nonce *[NonceSize]byte) bool {
	if len(ciphertext) < TagSize {
		return false
	}
	if len(dst) != len(ciphertext)-TagSize {
		panic("xchacha: internal error: wrong length")
	}
	aead, err := chacha20poly1305.NewX(s.Key[:])
	if err != nil {
		panic("xchacha: internal error: " + err.Error())
	}
	if _, err = aead.Open(dst[:0], nonce[:], ciphertext, nil); err != nil {
		wipe.Bytes(dst)
		return false
	}
	return true
}

// HChaCha20 sets dst to HChaCha20(key, in).
func (s *State) HChaCha20(dst, key *[KeySize]byte, in *[16]byte) {
	out, err := chacha20.HChaCha20(key[:], in[:])
	if err != nil {
		panic("xchacha: internal error: " + err.Error())
	}
	copy(dst[:], out)
	wipe.Bytes(out)
}

// XOR sets dst to dst ⊕ src.
func (s *State) XOR(dst, src *[KeySize]byte) { subtle.XORBytes(dst[:], dst[:], src[:]) }

// Wipe clears the state, key included.
func (s *State) Wipe() {
	wipe.Bytes(unsafe.Slice((*byte)(unsafe.Pointer(s)), StateSize))
}
