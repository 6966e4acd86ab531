// Package hashing computes hashes and HMACs of secrets in memory that the
// caller can wipe.
//
// The hash functions are the standard library's, fed whole blocks only. Then
// they copy no input into a buffer of their own, and all they hold is the
// chaining value, which Forget overwrites. Blocks are put together and padded in
// the caller's memory, which should be locked, and the chaining value is read
// back into it with AppendBinary, since Sum would copy the state to the stack.
//
// That relies on the layout of the marshaled state. New checks it against the
// hash function's own answers the first time, and returns an error if they differ.
package hashing

import (
	"crypto"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"

	"github.com/memkeep/memkeep/enclave/keys/internal/registers"
	"github.com/memkeep/memkeep/internal/xchacha"
)

// ErrUnsupported is returned by New for a hash function that this package does
// not know, or whose states have changed in the standard library.
var ErrUnsupported = errors.New("hash function not supported")

// Sizes of the largest of the hash functions, SHA-512.
const (
	MaxSize      = 64
	MaxBlockSize = 128
	MaxChainSize = 64
)

// MemorySize is the number of bytes of memory that a Hash works in:
//
//	[ blocks 256 | state 208 | digest 64 ]
const MemorySize = blocksArea + stateArea + MaxSize

const (
	blocksArea = 2 * MaxBlockSize // the last block and its padding
	stateArea  = 208              // a marshaled state: 204 bytes of SHA-512
)

// A Hash hashes secrets. It is not safe for concurrent use.
type Hash struct {
	h stateful
	layout

	blocks []byte // what is not yet a whole block, at most one, and padding
	state  []byte // a marshaled state, on its way in or out
	digest []byte // the inner digest of an HMAC

	n      int    // bytes in blocks
	length uint64 // bytes written, in all
}

type stateful interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// A layout is what a hash function's marshaled states look like:
//
//	[ magic 4 | chaining value | block | length 8 ]
type layout struct {
	magic      [magicSize]byte
	stateSize  int
	chainSize  int
	lengthSize int // of the message length at the end of the padding
}

const magicSize = 4

// layouts has each hash function's layout, learned and tested on its first use.
var layouts = map[crypto.Hash]func() (layout, error){
	crypto.SHA1:   sync.OnceValues(func() (layout, error) { return learn(crypto.SHA1, 8) }),
	crypto.SHA256: sync.OnceValues(func() (layout, error) { return learn(crypto.SHA256, 8) }),
	crypto.SHA384: sync.OnceValues(func() (layout, error) { return learn(crypto.SHA384, 16) }),
	crypto.SHA512: sync.OnceValues(func() (layout, error) { return learn(crypto.SHA512, 16) }),
}

// Supports reports whether New knows the hash function.
func Supports(function crypto.Hash) bool { return layouts[function] != nil }

// New returns a Hash for SHA-1, SHA-256, SHA-384 or SHA-512, and ErrUnsupported
// for any other hash function. It works in memory, of MemorySize bytes, which
// the caller owns and must keep until the last use of the Hash.
func New(function crypto.Hash, memory []byte) (*Hash, error) {
	if !Supports(function) {
		return nil, fmt.Errorf("%w: %v", ErrUnsupported, function)
	}
	l, err := layouts[function]()
	if err != nil {
		return nil, err
	}
	return newHash(function, memory, l)
}

func newHash(function crypto.Hash, memory []byte, l layout) (*Hash, error) {
	if len(memory) < MemorySize {
		return nil, fmt.Errorf("hashing: %d bytes of memory, need %d", len(memory), MemorySize)
	}
	inner, ok := function.New().(stateful)
	if !ok {
		return nil, fmt.Errorf("%w: %v does not marshal its state", ErrUnsupported, function)
	}
	return &Hash{
		h:      inner,
		layout: l,
		blocks: memory[: 2*inner.BlockSize() : blocksArea],
		state:  memory[blocksArea:][:l.stateSize:stateArea],
		digest: memory[blocksArea+stateArea:][:inner.Size():MaxSize],
	}, nil
}

// learn finds where the chaining value is in a marshaled state.
func learn(function crypto.Hash, lengthSize int) (layout, error) {
	inner, ok := function.New().(stateful)
	if !ok {
		return layout{}, fmt.Errorf("%w: %v does not marshal its state", ErrUnsupported, function)
	}
	// The state of a hash that has seen nothing is no secret.
	state, err := inner.AppendBinary(nil)
	if err != nil {
		return layout{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	l := layout{
		stateSize:  len(state),
		chainSize:  len(state) - magicSize - inner.BlockSize() - 8,
		lengthSize: lengthSize,
	}
	if len(state) > stateArea || l.chainSize < inner.Size() || l.chainSize > MaxChainSize {
		return layout{}, fmt.Errorf("%w: a state of %d bytes", ErrUnsupported, len(state))
	}
	copy(l.magic[:], state)
	h, err := newHash(function, make([]byte, MemorySize), l)
	if err != nil {
		return layout{}, err
	}
	return l, h.selfTest(function)
}

// Size returns the size of a digest in bytes.
func (h *Hash) Size() int { return h.h.Size() }

// BlockSize returns the size of a block in bytes.
func (h *Hash) BlockSize() int { return h.h.BlockSize() }

// ChainSize returns the size of a chaining value in bytes. It is the size of a
// digest but for SHA-384, where it is 64.
func (h *Hash) ChainSize() int { return h.chainSize }

// Reset starts a new hash.
func (h *Hash) Reset() {
	h.h.Reset()
	h.n, h.length = 0, 0
}

// Write adds p to the hash.
func (h *Hash) Write(p []byte) {
	size := h.h.BlockSize()
	h.length += uint64(len(p))
	if h.n > 0 {
		m := xchacha.Copy(h.blocks[h.n:size], p)
		h.n, p = h.n+m, p[m:]
		if h.n < size {
			return
		}
		h.compress(h.blocks[:size])
		h.n = 0
	}
	whole := len(p) - len(p)%size
	h.compress(p[:whole])
	h.n = xchacha.Copy(h.blocks, p[whole:])
}

// compress hashes whole blocks. Some processors' hash functions leave the chaining
// value in vector registers, which are saved to memory that nobody wipes wherever
// the runtime preempts the goroutine or a signal arrives.
func (h *Hash) compress(blocks []byte) {
	h.h.Write(blocks)
	registers.Clear()
}

// Pad fills the current block up with zeros, if it has been begun.
func (h *Hash) Pad() {
	if h.n == 0 {
		return
	}
	size := h.h.BlockSize()
	clear(h.blocks[h.n:size])
	h.length += uint64(size - h.n)
	h.compress(h.blocks[:size])
	h.n = 0
}

// Sum writes the digest to dst, which must have room for it. The hash must be
// Reset or Loaded before it is used again; until Forget, it holds the digest.
func (h *Hash) Sum(dst []byte) {
	size := h.h.BlockSize()
	h.blocks[h.n] = 0x80
	end := size
	if h.n+1+h.lengthSize > size {
		end = 2 * size
	}
	clear(h.blocks[h.n+1 : end])
	binary.BigEndian.PutUint64(h.blocks[end-8:], h.length<<3)
	h.compress(h.blocks[:end])
	xchacha.Copy(dst[:h.h.Size()], h.marshal())
}

// marshal returns the chaining value, in the state area.
func (h *Hash) marshal() []byte {
	// It appends in place: learn has seen that a state has room.
	state, err := h.h.AppendBinary(h.state[:0])
	if err != nil || len(state) != len(h.state) {
		panic("hashing: internal error: a hash state has changed its size")
	}
	return state[len(h.magic):][:h.chainSize]
}

// Save writes the chaining value to dst, which must have room for it. Only
// whole blocks may have been written. The value is as secret as what was hashed.
func (h *Hash) Save(dst []byte) {
	if h.n != 0 {
		panic("hashing: internal error: Save within a block")
	}
	xchacha.Copy(dst[:h.chainSize], h.marshal())
}

// Load restores the hash to where the given number of blocks had led to the
// chaining value.
func (h *Hash) Load(chain []byte, blocks int) {
	h.n, h.length = 0, uint64(blocks*h.h.BlockSize())
	clear(h.state)
	copy(h.state, h.magic[:])
	xchacha.Copy(h.state[len(h.magic):][:h.chainSize], chain)
	binary.BigEndian.PutUint64(h.state[len(h.state)-8:], h.length)
	if err := h.h.UnmarshalBinary(h.state); err != nil {
		// The self-test has restored such a state.
		panic("hashing: internal error: " + err.Error())
	}
}

// Forget leaves nothing of what was hashed in the hash function and in its memory.
func (h *Hash) Forget() {
	h.Reset()
	clear(h.blocks)
	clear(h.state)
	clear(h.digest)
}
