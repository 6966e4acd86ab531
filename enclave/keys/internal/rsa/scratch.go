package rsa

import (
	"crypto"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"unsafe"

	"filippo.io/bigmod"

	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
)

// MemorySize is the number of bytes of memory that a Scratch works in:
//
//	[ hash | em 512 | wide 512 | tmp 512 | digest 64 | counter 4 ]
const MemorySize = hashing.MemorySize + 3*maxSize + hashing.MaxSize + 4

// A Scratch is what the functions of this package work with. It is not safe for
// concurrent use. Every function wipes it before it returns.
type Scratch struct {
	memory  []byte
	em      []byte // an encoded message: the result of an operation
	wide    []byte
	tmp     []byte
	digest  []byte
	counter []byte

	// Secrets that can't be in memory of the caller's choosing. All numbers but
	// big are of a prime's size.
	x, y, t, m1, m2 *bigmod.Nat
	radix, zero     *bigmod.Nat
	big             *bigmod.Nat // of the size of n
	product         []uint
	moduli          [2]*bigmod.Modulus // those in use

	// Not secret.
	full       map[int]*bigmod.Modulus // by size in bytes, to give numbers that size
	hashMemory []byte
	hashes     map[crypto.Hash]*hashing.Hash // those that were asked for

	// atStep is called at each step of an operation, in tests that inject faults.
	atStep func(name string)
}

// NewScratch returns a Scratch whose memory is on the Go heap.
func NewScratch() (*Scratch, error) { return NewScratchIn(make([]byte, MemorySize)) }

// NewScratchIn returns a Scratch that works in memory, of MemorySize bytes, which
// the caller owns and must keep until the last use of the Scratch.
func NewScratchIn(memory []byte) (*Scratch, error) {
	if len(memory) < MemorySize {
		return nil, fmt.Errorf("rsa: %d bytes of memory, need %d", len(memory), MemorySize)
	}
	full, err := fullModuli()
	if err != nil {
		return nil, err
	}
	s := &Scratch{
		memory:  memory[:MemorySize:MemorySize],
		x:       bigmod.NewNat(),
		y:       bigmod.NewNat(),
		t:       bigmod.NewNat(),
		m1:      bigmod.NewNat(),
		m2:      bigmod.NewNat(),
		radix:   bigmod.NewNat(),
		zero:    bigmod.NewNat(),
		product: make([]uint, maxBits/bits.UintSize),
		full:    full,
		hashes:  make(map[crypto.Hash]*hashing.Hash),

		hashMemory: memory[:hashing.MemorySize],
	}
	rest := memory[hashing.MemorySize:]
	for _, area := range []struct {
		at   *[]byte
		size int
	}{
		{&s.em, maxSize}, {&s.wide, maxSize}, {&s.tmp, maxSize},
		{&s.digest, hashing.MaxSize}, {&s.counter, 4},
	} {
		*area.at, rest = rest[:area.size:area.size], rest[area.size:]
	}
	// The largest number there will ever be, so that it never grows and leaves
	// the shorter one behind.
	s.big = new(bigmod.Nat).ExpandFor(s.full[maxSize])
	return s, checkModulus()
}

// fullModuli are made on their first use, and never changed.
var fullModuli = sync.OnceValues(func() (map[int]*bigmod.Modulus, error) {
	full := make(map[int]*bigmod.Modulus)
	for _, size := range []int{128, 192, 256, 384, 512} {
		b := make([]byte, size)
		for i := range b {
			b[i] = 0xff
		}
		b[size-1]-- // an even modulus has nothing to precompute
		m, err := bigmod.NewModulus(b)
		if err != nil {
			return nil, err
		}
		full[size] = m
	}
	return full, nil
})

// hash returns a hash function in the Scratch's memory, or ErrHash. They share it:
// only one is in use at a time.
func (s *Scratch) hash(function crypto.Hash) (*hashing.Hash, error) {
	if h := s.hashes[function]; h != nil {
		return h, nil
	}
	h, err := hashing.New(function, s.hashMemory)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHash, err)
	}
	s.hashes[function] = h
	return h, nil
}

// Wipe overwrites all that was left in the Scratch.
func (s *Scratch) Wipe() {
	for _, m := range s.moduli {
		if m != nil {
			s.close(m)
		}
	}
	for _, h := range s.hashes {
		h.Forget()
	}
	clear(s.memory)
	for _, n := range []*bigmod.Nat{s.x, s.y, s.t, s.m1, s.m2, s.radix, s.zero, s.big} {
		wipeNat(n)
	}
	clear(s.product)
}

// wipeNat overwrites a number with zeros. A Nat keeps its limbs for as long as
// they suffice, and here they always do.
func wipeNat(n *bigmod.Nat) {
	limbs := n.Bits()
	clear(limbs[:cap(limbs)])
}

// modulus is the layout of bigmod.Modulus, which has no way to wipe it. Its
// fields lie on the heap, and are as secret as the prime that they are made of.
type modulus struct {
	nat   *bigmod.Nat
	odd   bool
	m0inv uint        // the negative inverse of the number's last limb
	rr    *bigmod.Nat // nil if the modulus is even
}

// checkModulus reports whether modulus is the layout of bigmod.Modulus.
func checkModulus() error {
	const number = 0x1234567
	m, err := bigmod.NewModulus([]byte{number >> 24, number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff})
	if err != nil {
		return err
	}
	errLayout := errors.New("rsa: internal error: bigmod's Modulus has another layout")
	if unsafe.Sizeof(*m) != unsafe.Sizeof(modulus{}) {
		return errLayout
	}
	inner := (*modulus)(unsafe.Pointer(m))
	minusOne := ^uint(0)
	if !inner.odd || inner.m0inv*number != minusOne ||
		len(inner.nat.Bits()) != 1 || inner.nat.Bits()[0] != number ||
		len(inner.rr.Bits()) != 1 || inner.rr.Bits()[0] == 0 || inner.rr.Bits()[0] >= number {
		return errLayout
	}
	return nil
}

// open returns the modulus of a number, which is greater than one and has no
// leading zeros. The caller closes it.
func (s *Scratch) open(number []byte) *bigmod.Modulus {
	m, err := bigmod.NewModulus(number)
	if err != nil {
		panic("rsa: internal error: " + err.Error())
	}
	for i, open := range s.moduli {
		if open == nil {
			s.moduli[i] = m
			s.step("open")
			return m
		}
	}
	panic("rsa: internal error: three moduli at once")
}

// close wipes a modulus.
func (s *Scratch) close(m *bigmod.Modulus) {
	inner := (*modulus)(unsafe.Pointer(m))
	wipeNat(inner.nat)
	if inner.rr != nil {
		wipeNat(inner.rr)
	}
	inner.m0inv = 0
	for i, open := range s.moduli {
		if open == m {
			s.moduli[i] = nil
		}
	}
}

// resize sets n to zero, of the given size in bytes.
func (s *Scratch) resize(n *bigmod.Nat, size int) {
	if _, err := n.SetBytes(nil, s.full[size]); err != nil {
		panic("rsa: internal error: " + err.Error())
	}
}

// set sets n to a number of a prime's size or of n's, and returns its limbs.
// bigmod's SetBytes would want it to be below a modulus.
func (s *Scratch) set(n *bigmod.Nat, number []byte) []uint {
	s.resize(n, len(number))
	limbs := n.Bits()
	for i, b := range number {
		at := len(number) - 1 - i // of the byte, counted from the least significant
		limbs[at/limbSize] |= uint(b) << (8 * (at % limbSize))
	}
	return limbs
}
