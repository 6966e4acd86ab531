package signer

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding"
	"encoding/binary"
	"fmt"
	"hash"

	"filippo.io/edwards25519"
)

// A workspace is a worker's locked memory:
//
//	[ block 256 | state 208 | digest 64 | sealed 64 | raw 64 ]
type workspace struct {
	block  []byte // two blocks of the larger hash function, being put together
	state  []byte // a marshaled hash state
	digest []byte // what goes from one hash into the next
	sealed []byte // a key's secret, to be sealed
	raw    []byte // a key that is being drawn
}

const (
	blockArea     = 2 * sha512.BlockSize
	stateArea     = 208 // 204 bytes of SHA-512, 108 of SHA-256
	digestArea    = sha512.Size
	rawArea       = 64
	workspaceSize = blockArea + stateArea + digestArea + sealedSize + rawArea
)

func newWorkspace(memory []byte) workspace {
	var ws workspace
	for _, area := range []struct {
		at   *[]byte
		size int
	}{
		{&ws.block, blockArea},
		{&ws.state, stateArea},
		{&ws.digest, digestArea},
		{&ws.sealed, sealedSize},
		{&ws.raw, rawArea},
	} {
		*area.at, memory = memory[:area.size:area.size], memory[area.size:]
	}
	return ws
}

// A blockHash is a hash function that is only ever given whole blocks, so that
// its own input buffer stays empty.
type blockHash struct {
	h          hash.Hash
	magic      [4]byte // what its marshaled states begin with
	stateSize  int     // of a marshaled state
	lengthSize int     // of the message length at the end of the padding
}

func newBlockHash(h hash.Hash, lengthSize int) blockHash {
	b := blockHash{h: h, lengthSize: lengthSize}
	// The state of a hash that has seen nothing is no secret. A hash function
	// that can't marshal leaves stateSize 0, and the self-test fails.
	if m, ok := h.(encoding.BinaryMarshaler); ok {
		if state, err := m.MarshalBinary(); err == nil {
			copy(b.magic[:], state)
			b.stateSize = len(state)
		}
	}
	return b
}

// chain returns where in a marshaled state the chaining value is.
func (b *blockHash) chain(state []byte) []byte {
	return state[len(b.magic):][:b.h.Size()]
}

// save writes the hash state to the workspace and returns its chaining value,
// which is valid until the state area is used again.
func (b *blockHash) save(ws *workspace) []byte {
	m, ok := b.h.(encoding.BinaryAppender)
	if !ok {
		return ws.state[:b.h.Size()]
	}
	// It appends in place: the area has room, and the sizes are constants
	// that the self-test has been through.
	state, err := m.AppendBinary(ws.state[:0])
	if err != nil {
		panic(fmt.Sprintf("signer: internal error: saving a hash state: %v", err))
	}
	return b.chain(state)
}

// load puts the hash where one block led to the chaining value.
func (b *blockHash) load(ws *workspace, chain []byte) error {
	state := ws.state[:b.stateSize]
	clear(state)
	copy(state, b.magic[:])
	copy(b.chain(state), chain)
	binary.BigEndian.PutUint64(state[b.stateSize-8:], uint64(b.h.BlockSize()))
	m, ok := b.h.(encoding.BinaryUnmarshaler)
	if !ok {
		return fmt.Errorf("signer: %T can't restore a state", b.h)
	}
	return m.UnmarshalBinary(state)
}

// finish hashes head, which is secret and shorter than a block, and message,
// which is not, behind the prior bytes that the hash has taken before. It
// returns the digest, in the workspace's state area.
func (b *blockHash) finish(ws *workspace, prior int, head, message []byte) []byte {
	size := b.h.BlockSize()
	block := ws.block[:2*size]
	clear(block)
	length := prior + len(head) + len(message)

	n := copy(block, head)
	if n > 0 {
		m := copy(block[n:size], message)
		n, message = n+m, message[m:]
	}
	if n == size {
		b.h.Write(block[:size])
		clear(block[:size])
		n = 0
	}
	whole := len(message) - len(message)%size
	b.h.Write(message[:whole])

	n += copy(block[n:], message[whole:])
	block[n] = 0x80
	end := size
	if n+1+b.lengthSize > size {
		end = 2 * size
	}
	binary.BigEndian.PutUint64(block[end-8:], uint64(length)<<3)
	b.h.Write(block[:end])
	chain := b.save(ws)
	b.forget()
	return chain
}

// public is what takes the place of secrets in registers.
var public [sha512.BlockSize]byte

// forget leaves nothing of what was hashed in the hash and in registers: a block
// of zeros takes the same way through the same registers and the same frames as
// the secret blocks before it. It must not wait for the job's end: wherever the
// runtime preempts the goroutine until then, it saves all registers to memory
// that nobody wipes, and some processors' hash functions (arm64) leave their
// state in vector registers, which nothing else uses.
func (b *blockHash) forget() {
	b.h.Reset()
	b.h.Write(public[:b.h.BlockSize()])
	b.h.Reset()
}

// A worker is what one goroutine of the pool works with.
type worker struct {
	ws     workspace
	sha256 blockHash
	sha512 blockHash

	scalar, nonce, challenge *edwards25519.Scalar
	point                    *edwards25519.Point
}

func newWorker(memory []byte) *worker {
	return &worker{
		ws:        newWorkspace(memory),
		sha256:    newBlockHash(sha256.New(), 8),
		sha512:    newBlockHash(sha512.New(), 16),
		scalar:    edwards25519.NewScalar(),
		nonce:     edwards25519.NewScalar(),
		challenge: edwards25519.NewScalar(),
		point:     edwards25519.NewIdentityPoint(),
	}
}

// clean wipes all that a job left in the worker.
func (w *worker) clean() {
	for _, area := range [][]byte{w.ws.block, w.ws.state, w.ws.digest, w.ws.sealed, w.ws.raw} {
		clear(area)
	}
	*w.scalar, *w.nonce, *w.challenge = edwards25519.Scalar{}, edwards25519.Scalar{}, edwards25519.Scalar{}
	// The coordinates of a point that was just computed tell more of the scalar
	// than its encoding does.
	w.point.Set(edwards25519.NewIdentityPoint())
	w.sha256.forget()
	w.sha512.forget()
}

// draw returns a random key.
func (w *worker) draw() []byte {
	key := w.ws.raw[:32]
	// It fills its argument or ends the program.
	_, _ = rand.Read(key)
	return key
}

// equal compares in time that depends on the lengths alone.
func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
