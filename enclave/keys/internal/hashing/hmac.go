package hashing

import "github.com/memkeep/memkeep/internal/xchacha"

const (
	innerPad = 0x36
	outerPad = 0x5c
)

// MACKey writes to inner and outer the chaining values that the key's padded
// block leads to (FIPS 198-1, section 6). They are all that MAC needs of the
// key, and as secret. Each must have room for ChainSize bytes.
func (h *Hash) MACKey(inner, outer, key []byte) {
	if len(key) > h.h.BlockSize() {
		h.Reset()
		h.Write(key)
		h.Sum(h.digest)
		key = h.digest
	}
	h.padKey(inner, key, innerPad)
	h.padKey(outer, key, outerPad)
}

func (h *Hash) padKey(dst, key []byte, pad byte) {
	block := h.blocks[:h.h.BlockSize()]
	clear(block)
	xchacha.Copy(block, key)
	for i := range block {
		block[i] ^= pad
	}
	h.Reset()
	h.compress(block)
	h.Save(dst)
}

// MACStart starts the MAC of what is written next under the key that MACKey made
// inner of.
func (h *Hash) MACStart(inner []byte) { h.Load(inner, 1) }

// MACSum writes the MAC of what was written since MACStart to dst, which must
// have room for Size bytes.
func (h *Hash) MACSum(dst, outer []byte) {
	h.Sum(h.digest)
	h.Load(outer, 1)
	h.Write(h.digest)
	h.Sum(dst)
}
