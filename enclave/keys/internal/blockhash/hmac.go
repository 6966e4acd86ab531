package blockhash

import (
	"bytes"
	"crypto"
	"crypto/hmac"

	"github.com/memkeep/memkeep/internal/xchacha"
)

const (
	innerPad = 0x36
	outerPad = 0x5c
)

// ExpandHMAC writes what HMAC needs of a key to dst, twice ChainSize bytes: the
// chaining values behind the key's inner and outer block (FIPS 198-1, section
// 6). They are as secret as the key.
func (h *Hasher) ExpandHMAC(dst, key []byte) {
	block := h.block[h.BlockSize():][:h.BlockSize()] // Write uses the first one
	clear(block)
	if len(key) > len(block) {
		h.Reset()
		h.Write(key)
		// Sum uses the second one too.
		h.Sum(dst)
		clear(block)
		xchacha.Copy(block, dst[:h.size])
	} else {
		xchacha.Copy(block, key)
	}
	h.pad(dst[:h.chain], block, innerPad)
	h.pad(dst[h.chain:], block, innerPad^outerPad)
}

// pad XORs the block with a byte, hashes it, and writes the chaining value.
func (h *Hasher) pad(dst, block []byte, with byte) {
	for i := range block {
		block[i] ^= with
	}
	h.Reset()
	h.Write(block)
	h.Chain(dst)
}

// HMAC writes the message's HMAC to dst, Size bytes of locked memory.
func (h *Hasher) HMAC(dst, expanded, message []byte) error {
	if err := h.Resume(expanded[:h.chain]); err != nil {
		return err
	}
	h.Write(message)
	h.Sum(dst)
	if err := h.Resume(expanded[h.chain:][:h.chain]); err != nil {
		return err
	}
	h.Write(dst[:h.size])
	h.Sum(dst)
	return nil
}

// Check compares with the standard library on what is no secret. The messages
// take one and two blocks of padding, and more. The scratch area is as in [New].
func Check(kind crypto.Hash, scratch []byte) error {
	h := New(kind, scratch)
	key := []byte("a key that is no secret")
	var out [maxBlock]byte
	var expanded [2 * maxBlock]byte
	for _, size := range []int{0, maxBlock - 10, 300} {
		message := make([]byte, size)
		plain := kind.New()
		plain.Write(message)
		h.Reset()
		h.Write(message)
		h.Sum(out[:])
		if !bytes.Equal(out[:h.size], plain.Sum(nil)) {
			return errLayout
		}
		h.ExpandHMAC(expanded[:], key)
		if err := h.HMAC(out[:], expanded[:], message); err != nil {
			return err
		}
		mac := hmac.New(kind.New, key)
		mac.Write(message)
		if !bytes.Equal(out[:h.size], mac.Sum(nil)) {
			return errLayout
		}
	}
	return nil
}
