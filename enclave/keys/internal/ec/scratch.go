package ec

import (
	"crypto"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/bits"
	"sync"

	"filippo.io/bigmod"
	"filippo.io/edwards25519/field"
	"filippo.io/nistec"

	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
)

// The orders of the curves (SP 800-186, 3.2.1).
const (
	orderP256 = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
	orderP384 = "ffffffffffffffffffffffffffffffffffffffffffffffff" +
		"c7634d81f4372ddf581a0db248b0a77aecec196accc52973"
)

// MemorySize is the number of bytes of memory that a Scratch works in:
//
//	[ hash | nonce generator 4 × 64 | nonce 48 | blind 48 | digest 48 ]
const MemorySize = hashing.MemorySize + 4*hashing.MaxSize + 3*maxScalar

const maxScalar = 48

// A Scratch is what the functions of this package work with. It is not safe for
// concurrent use. Between uses it is wiped.
type Scratch struct {
	memory []byte
	drbg   drbg
	nonce  []byte
	blind  []byte
	digest []byte // the digest, reduced modulo the order

	// Secrets that can't be in memory of the caller's choosing.
	k, b, d, e, r, t *bigmod.Nat
	p256             *nistec.P256Point
	p384             *nistec.P384Point
	ladder           ladder

	atStep func(step string) // where tests inject faults

	// Not secret.
	hashMemory []byte
	hashes     map[crypto.Hash]*hashing.Hash // those that were asked for
}

// An order is a curve's, in both forms.
type order struct {
	mod *bigmod.Modulus
	big *big.Int
}

// The orders are made on their first use, and never changed.
var (
	p256Order = sync.OnceValue(func() order { return newOrder(orderP256) })
	p384Order = sync.OnceValue(func() order { return newOrder(orderP384) })
)

func newOrder(digits string) order {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic("ec: internal error: " + err.Error())
	}
	mod, err := bigmod.NewModulus(b)
	if err != nil {
		panic("ec: internal error: " + err.Error())
	}
	return order{mod: mod, big: new(big.Int).SetBytes(b)}
}

// order returns the curve's order.
func (c Curve) order() order {
	if c == P384 {
		return p384Order()
	}
	return p256Order()
}

// NewScratch returns a Scratch whose memory is on the Go heap.
func NewScratch() (*Scratch, error) { return NewScratchIn(make([]byte, MemorySize)) }

// NewScratchIn returns a Scratch that works in memory, of MemorySize bytes, which
// the caller owns and must keep until the last use of the Scratch.
func NewScratchIn(memory []byte) (*Scratch, error) {
	if len(memory) < MemorySize {
		return nil, fmt.Errorf("ec: %d bytes of memory, need %d", len(memory), MemorySize)
	}
	s := &Scratch{
		memory: memory[:MemorySize:MemorySize],
		k:      bigmod.NewNat(),
		b:      bigmod.NewNat(),
		d:      bigmod.NewNat(),
		e:      bigmod.NewNat(),
		r:      bigmod.NewNat(),
		t:      bigmod.NewNat(),
		p256:   nistec.NewP256Point(),
		p384:   nistec.NewP384Point(),
		hashes: make(map[crypto.Hash]*hashing.Hash),

		hashMemory: memory[:hashing.MemorySize],
	}
	rest := memory[hashing.MemorySize:]
	for _, area := range []struct {
		at   *[]byte
		size int
	}{
		{&s.drbg.inner, hashing.MaxChainSize},
		{&s.drbg.outer, hashing.MaxChainSize},
		{&s.drbg.key, hashing.MaxSize},
		{&s.drbg.v, hashing.MaxSize},
		{&s.nonce, maxScalar},
		{&s.blind, maxScalar},
		{&s.digest, maxScalar},
	} {
		*area.at, rest = rest[:area.size:area.size], rest[area.size:]
	}
	return s, nil
}

// hash returns a hash function in the Scratch's memory. They share it: only one is
// in use at a time.
func (s *Scratch) hash(function crypto.Hash) (*hashing.Hash, error) {
	if h := s.hashes[function]; h != nil {
		return h, nil
	}
	h, err := hashing.New(function, s.hashMemory)
	if err == nil {
		s.hashes[function] = h
	}
	return h, err
}

func (s *Scratch) step(name string) {
	if s.atStep != nil {
		s.atStep(name)
	}
}

// Wipe overwrites all that the calls since the last Wipe left in the Scratch.
func (s *Scratch) Wipe() {
	if s.drbg.h != nil {
		s.drbg.h.Forget()
		s.drbg.h = nil
	}
	clear(s.memory)
	for _, n := range []*bigmod.Nat{s.k, s.b, s.d, s.e, s.r, s.t} {
		// A Nat keeps its limbs for as long as they suffice, and here they always do.
		limbs := n.Bits()
		clear(limbs[:cap(limbs)])
	}
	// The coordinates of a point that was just computed tell more of the scalar
	// than its encoding does.
	s.p256.Set(nistec.NewP256Point())
	s.p384.Set(nistec.NewP384Point())
	s.ladder = ladder{}
}

// A ladder is the state of the Montgomery ladder of X25519, in the names of
// RFC 7748, section 5.
type ladder struct {
	x1, x2, z2, x3, z3   field.Element
	a, b, aa, bb, e, tmp field.Element
}

// setScalar sets n to a big-endian number and reports whether it is neither zero
// nor the curve's order or more.
func (s *Scratch) setScalar(n *bigmod.Nat, scalar []byte, c Curve) bool {
	_, err := n.SetBytes(scalar, c.order().mod)
	return err == nil && n.IsZero() == 0
}

// putNat writes n to dst, big-endian. It takes the place of bigmod's Bytes, which
// allocates.
func putNat(dst []byte, n *bigmod.Nat) {
	limbs := n.Bits()
	for i := range dst {
		at := len(dst) - 1 - i // of the byte, counted from the least significant
		limb := at / (bits.UintSize / 8)
		dst[i] = 0
		if limb < len(limbs) {
			dst[i] = byte(limbs[limb] >> (8 * (at % (bits.UintSize / 8))))
		}
	}
}
