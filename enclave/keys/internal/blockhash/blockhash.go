// Package blockhash computes hashes and HMACs of secrets with the standard
// library's hash functions, and leaves nothing of the secrets in them.
//
// A [hash.Hash] that is fed whole blocks copies no input into a buffer of its
// own. All it holds is the chaining value, which Reset overwrites. So blocks are
// put together and padded in the caller's locked memory, and the chaining value
// is read into locked memory with AppendBinary, since Sum copies the state to
// the stack. That relies on the layout of the marshaled state: [Check] compares
// the outcome with the hash function's own.
package blockhash

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/memkeep/memkeep/enclave/keys/internal/registers"
	"github.com/memkeep/memkeep/internal/xchacha"
)

const (
	// ScratchSize is how much locked memory a Hasher works in, in bytes.
	ScratchSize = 2*maxBlock + maxState

	// MaxExpanded is the most that ExpandHMAC writes, in bytes.
	MaxExpanded = 2 * sha512.Size

	maxBlock  = sha512.BlockSize
	maxState  = 256
	magicSize = 4 // what a marshaled state begins with
)

// A Hasher computes one hash at a time. Close it when the secret is done with.
type Hasher struct {
	h       hash.Hash
	size    int // of a digest
	chain   int // of a chaining value
	magic   [magicSize]byte
	marshal int // size of a marshaled state

	block  []byte // locked: what is not hashed yet, and its padding
	state  []byte // locked: a marshaled state
	n      int    // bytes in block
	length uint64 // bytes hashed, and in block
}

// Supports reports whether there is a Hasher of that hash function.
func Supports(kind crypto.Hash) bool {
	switch kind {
	case crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512:
		return true
	}
	return false
}

// New returns a Hasher that works in scratch, ScratchSize bytes of locked
// memory, which the caller wipes.
func New(kind crypto.Hash, scratch []byte) *Hasher {
	h := &Hasher{
		size:  kind.Size(),
		block: scratch[:2*maxBlock],
		state: scratch[2*maxBlock : ScratchSize],
	}
	switch kind {
	case crypto.SHA1:
		h.h, h.chain, h.magic = sha1.New(), sha1.Size, [magicSize]byte([]byte("sha\x01"))
	case crypto.SHA256:
		h.h, h.chain, h.magic = sha256.New(), sha256.Size, [magicSize]byte([]byte("sha\x03"))
	case crypto.SHA384:
		h.h, h.chain, h.magic = sha512.New384(), sha512.Size, [magicSize]byte([]byte("sha\x04"))
	case crypto.SHA512:
		h.h, h.chain, h.magic = sha512.New(), sha512.Size, [magicSize]byte([]byte("sha\x07"))
	default:
		panic(fmt.Sprintf("blockhash: internal error: %v", kind))
	}
	// magic, chaining value, input buffer, length
	h.marshal = magicSize + h.chain + h.h.BlockSize() + 8
	return h
}

// Size returns the size of a digest, and ChainSize that of a chaining value.
func (h *Hasher) Size() int { return h.size }

// ChainSize returns the size of a chaining value.
func (h *Hasher) ChainSize() int { return h.chain }

// BlockSize returns the size of a block.
func (h *Hasher) BlockSize() int { return h.h.BlockSize() }

// Reset begins a new hash.
func (h *Hasher) Reset() {
	h.h.Reset()
	h.n, h.length = 0, 0
}

// Resume begins a new hash behind the one block that led to the chaining value.
func (h *Hasher) Resume(chain []byte) error {
	state := h.state[:h.marshal]
	clear(state)
	copy(state, h.magic[:])
	xchacha.Copy(state[magicSize:][:h.chain], chain)
	binary.BigEndian.PutUint64(state[len(state)-8:], uint64(h.BlockSize()))
	m, ok := h.h.(encoding.BinaryUnmarshaler)
	if !ok {
		return errLayout
	}
	if err := m.UnmarshalBinary(state); err != nil {
		return err
	}
	h.n, h.length = 0, uint64(h.BlockSize())
	return nil
}

// Write hashes p.
func (h *Hasher) Write(p []byte) {
	size := h.BlockSize()
	h.length += uint64(len(p))
	if h.n > 0 {
		n := xchacha.Copy(h.block[h.n:size], p)
		h.n, p = h.n+n, p[n:]
		if h.n < size {
			return
		}
		h.h.Write(h.block[:size])
		h.n = 0
	}
	whole := len(p) - len(p)%size
	h.h.Write(p[:whole])
	h.n = xchacha.Copy(h.block, p[whole:])
}

// Sum ends the hash and writes the digest to dst.
func (h *Hasher) Sum(dst []byte) {
	size, lengthSize := h.BlockSize(), h.BlockSize()/8
	block := h.block[:2*size]
	clear(block[h.n:])
	block[h.n] = 0x80
	end := size
	if h.n+1+lengthSize > size {
		end = 2 * size
	}
	binary.BigEndian.PutUint64(block[end-8:], h.length<<3)
	h.h.Write(block[:end])
	h.n = 0
	h.save(dst[:h.size])
}

// Chain ends after whole blocks and writes the chaining value to dst.
func (h *Hasher) Chain(dst []byte) { h.save(dst[:h.chain]) }

// save writes the start of the chaining value to dst, and forgets the hash.
func (h *Hasher) save(dst []byte) {
	m, ok := h.h.(encoding.BinaryAppender)
	if !ok {
		panic("blockhash: internal error: a hash that can't save its state")
	}
	// It appends in place: the area has room.
	state, err := m.AppendBinary(h.state[:0])
	if err != nil || len(state) != h.marshal {
		panic("blockhash: internal error: saving a hash state failed")
	}
	h.Forget()
	xchacha.Copy(dst, state[magicSize:])
}

// public takes the place of secrets in registers.
var public [maxBlock]byte

// Forget leaves nothing of what was hashed in the hash and in registers: a block
// of zeros takes the same way through the same registers and the same frames as
// the secret blocks before it. Wherever the runtime preempts the goroutine until
// then, it saves all registers to memory that nobody wipes.
func (h *Hasher) Forget() {
	h.h.Reset()
	h.h.Write(public[:h.BlockSize()])
	h.h.Reset()
	registers.Clear()
}

var errLayout = errors.New("blockhash: the standard library's hash states have changed")
