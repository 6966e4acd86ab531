// Package xchacha is XChaCha20-Poly1305 whose every secret byte stays in
// memory that the caller gives: locked pages, where nothing reaches swap, a
// core dump or, with memfd_secret, another process. Where that does not
// matter, use golang.org/x/crypto/chacha20poly1305, which computes the same.
//
// No byte of key, subkey, Poly1305 key, keystream or plaintext is left outside
// the [State], dst and plaintext when a call returns: not on a stack, not on
// the heap, not in a register. The assembly for amd64 and arm64 keeps that
// promise. Its functions have no frame, are not preempted, spill into the
// State alone and clear every register they used; the Go code around them
// handles pointers and lengths only.
//
// The limits:
//
//   - Elsewhere, and with the purego build tag, portable Go does the work. It
//     keeps its arrays in the State too, but the compiler may spill single
//     words to the goroutine's stack, and a preempted goroutine leaves its
//     registers there.
//   - When a signal arrives while the assembly runs, the operating system saves
//     the registers in a frame on the thread's signal stack. The next signal
//     overwrites it: see package sigframe. Seal, Open, Copy and Equal mark for it
//     that they ran. HChaCha8 and XOR do not: who calls them on secrets has the
//     thread swept.
//   - When a program dies by a signal, Go prints the general registers of the
//     thread. On amd64 and arm64 no four bytes of key, keystream or plaintext are
//     ever in one. Words of Poly1305's key, which is good for one message, of a power
//     of r, and of the accumulator are: the processor multiplies there.
//   - A nonce must never be used twice with one key. A message has 256 GiB at
//     most. Additional data is portable Go's on arm64: see [State.SealWith].
//
// # Speed
//
// A short message takes three permutations of ChaCha one after the other: the mask
// of the key's share (8 rounds), the subkey (20) and the first keystream (20). Each
// waits for its own last result, so what counts is the latency of an addition, an
// exclusive or and a rotation, and of 96 such operations in 8 rounds none can begin
// before the last one ends. On Zen 4 a rotation of a vector takes two cycles, the other
// two take one. So with AVX-512 the rotation is split: (z ⊕ x) <<< n is the exclusive or
// of z <<< n, which is known before x is, of x << n, and of x >> 32-n, and one instruction
// computes it. The 48 rounds then take 576 cycles instead of 768, and opening 32 bytes
// 189 ns instead of 227 at 3.66 GHz. With more than two blocks side by side, the added
// instructions cost more than that saves.
//
// On Zen 5 every one of these takes two cycles once some fifty of them wait to be executed,
// as the rounds of one row soon make them, and one while few wait; only a rotation always
// takes two. So there the rounds are paced: among them are as many instructions that do
// nothing as keep the processor from taking in more than it can execute. Opening 32 bytes
// takes 193 ns instead of 289 at 4.3 GHz. General registers would be as fast, but those are
// printed when a program dies, and would hold the subkey.
//
// In a long message ChaCha20 computes many blocks at once, but each step of Poly1305
// waits for the one before. With AVX-512, more than 3.5 KiB takes sixteen blocks of ChaCha20
// at a time while two independent sums of Poly1305 run beside them, one of which is then
// multiplied by r^32. On Zen 4 that is 18 % faster than eight blocks and one sum.
//
// XChaCha20 is draft-irtf-cfrg-xchacha-03, ChaCha20 and Poly1305 are RFC 8439.
package xchacha

import (
	"math"
	"unsafe"

	"github.com/memkeep/memkeep/internal/sigframe"
)

const (
	KeySize   = 32
	NonceSize = 24
	TagSize   = 16

	// StateSize is the size of a State in bytes.
	StateSize = 768
)

const (
	blockSize  = 64  // of ChaCha20
	streamSize = 512 // as many blocks as the assembly computes side by side

	// The block counter has 32 bits, and block 0 is the Poly1305 key.
	maxMessage = (1<<32 - 1) * blockSize

	// partSize is how much of a message one call into assembly takes. A
	// garbage collection waits until it returns: 10 µs, or 40 with SSE2.
	partSize = 32 << 10
)

// A State is the working memory of one operation. It has no pointers, lies in
// locked memory and serves one operation at a time. Seal and Open leave it all
// zero.
//
//	  0  Key         for the caller's use between operations
//	 32  subkey      what HChaCha20 makes of the key and 16 bytes of nonce
//	 64  position    the last row of ChaCha20's input: counter, 0, nonce
//	 80  r           Poly1305's clamped r,
//	 96  pad         its s,
//	112  h           its accumulator,
//	136  fold        and 5/4 of the high word of r
//	144  block       the last block of a message, padded
//	160  length      bytes of the message so far
//	168  used        where in stream the unused keystream begins
//	176  rounds      a counter that found no register
//	184  additional  bytes of additional data so far
//	192  scratch     words of ChaCha20 that found none, or r^32
//	256  stream      keystream
//
// Words are in the processor's byte order.
type State struct {
	// Key is room for a key that the caller works on. Seal and Open clear it,
	// and the portable kernel puts the shares together here.
	Key [KeySize]byte

	subkey     [8]uint32
	position   [4]uint32
	r          [2]uint64
	pad        [2]uint64
	h          [3]uint64
	fold       uint64
	block      [16]byte
	length     uint64
	used       uint64
	rounds     uint64
	additional uint64
	scratch    [16]uint32
	stream     [streamSize]byte
}

// The assembly knows the sizes and offsets above. If one is wrong here, a
// constant is out of range and nothing compiles.
const (
	_ = -(unsafe.Sizeof(State{}) ^ StateSize)
	_ = -(unsafe.Offsetof(State{}.subkey) ^ 32)
	_ = -(unsafe.Offsetof(State{}.position) ^ 64)
	_ = -(unsafe.Offsetof(State{}.r) ^ 80)
	_ = -(unsafe.Offsetof(State{}.pad) ^ 96)
	_ = -(unsafe.Offsetof(State{}.h) ^ 112)
	_ = -(unsafe.Offsetof(State{}.fold) ^ 136)
	_ = -(unsafe.Offsetof(State{}.block) ^ 144)
	_ = -(unsafe.Offsetof(State{}.length) ^ 160)
	_ = -(unsafe.Offsetof(State{}.used) ^ 168)
	_ = -(unsafe.Offsetof(State{}.rounds) ^ 176)
	_ = -(unsafe.Offsetof(State{}.additional) ^ 184)
	_ = -(unsafe.Offsetof(State{}.scratch) ^ 192)
	_ = -(unsafe.Offsetof(State{}.stream) ^ 256)
)

// StateAt overlays a State on the first StateSize bytes of mem, which the
// caller keeps mapped for as long as the State is used. It panics if mem is too
// short or does not begin at a multiple of 64.
func StateAt(mem []byte) *State {
	if len(mem) < StateSize {
		panic("xchacha: internal error: memory too short for a State")
	}
	p := unsafe.Pointer(unsafe.SliceData(mem))
	if uintptr(p)%64 != 0 {
		panic("xchacha: internal error: misaligned memory for a State")
	}
	// A State is bytes and integers, for which any content is valid; size and
	// alignment are checked above.
	return (*State)(p)
}

// Shares are a key that is never stored whole: Left ⊕ HChaCha8(Right, Domain).
// The assembly puts it together in registers.
//
// Eight rounds are enough here. The mask keeps one share from telling anything
// unless all bits of the other are known; there is one for each pair of shares,
// and its input and output are secret. Go's runtime and C2SP's chacha8rand draw
// random bytes from ChaCha with eight rounds, and no attack on it is known.
type Shares struct {
	Left, Right *[KeySize]byte
	Domain      *[16]byte
}

// Seal encrypts plaintext under key and nonce to dst, and appends the tag.
// dst is TagSize longer than plaintext. They do not overlap, or begin at the
// same byte.
func (s *State) Seal(dst, plaintext []byte, nonce *[NonceSize]byte, key *Shares) {
	defer sigframe.Mark()
	best.sealMessage(s, dst, plaintext, nonce, key)
}

// Open decrypts ciphertext, which ends with its tag, to dst. dst is TagSize
// shorter than ciphertext. They do not overlap, or begin at the same byte. If
// the ciphertext is not what Seal made with key and nonce, Open returns false
// and dst is all zero.
func (s *State) Open(dst, ciphertext []byte, nonce *[NonceSize]byte, key *Shares) bool {
	defer sigframe.Mark()
	return best.openMessage(s, dst, ciphertext, nonce, key)
}

// HChaCha8 is the mask of [Shares]: HChaCha20 (draft-irtf-cfrg-xchacha-03) with
// eight rounds. dst may be key. The State is neither used nor changed, unless one
// of them is its Key.
func (s *State) HChaCha8(dst, key *[KeySize]byte, in *[16]byte) {
	best.hChaCha(s, dst, key, in, 4)
}

// XOR sets dst to dst ⊕ src, and leaves no more behind than HChaCha8 does.
func XOR(dst, src *[KeySize]byte) { xor(dst, src) }

// Wipe clears the State, the key included.
func (s *State) Wipe() { *s = State{} }

// A kernel is one implementation; each platform's file lists its own. best is
// the one that suits this processor.
type kernel int

const portable kernel = 0

var best = kernels()[0]

// A part tells a kernel where in a message the bytes it gets stand. All but
// the last end where a multiple of streamSize bytes of keystream is used up.
type part uint64

const (
	first part = 1 << iota
	last
	paced // the kernel is avx512Paced
)

func (k kernel) sealMessage(s *State, dst, src []byte, nonce *[NonceSize]byte, key *Shares) {
	if len(dst)-TagSize != len(src) {
		panic("xchacha: internal error: wrong length to seal")
	}
	checkMessage(dst, src, len(src))
	p, n := first, partSize-blockSize
	for len(src) > n {
		k.seal(s, dst, src[:n], nonce, key, p)
		dst, src = dst[n:], src[n:]
		p, n = 0, partSize
	}
	k.seal(s, dst, src, nonce, key, p|last)
}

func (k kernel) openMessage(s *State, dst, src []byte, nonce *[NonceSize]byte, key *Shares) bool {
	if len(src) < TagSize {
		clear(dst)
		return false
	}
	if len(dst) != len(src)-TagSize {
		panic("xchacha: internal error: wrong length to open")
	}
	checkMessage(dst, src, len(dst))
	all := dst
	p, n := first, partSize-blockSize
	for len(dst) > n {
		k.open(s, dst[:n], src, nonce, key, p)
		dst, src = dst[n:], src[n:]
		p, n = 0, partSize
	}
	if !k.open(s, dst, src, nonce, key, p|last) {
		clear(all)
		return false
	}
	return true
}

func checkMessage(dst, src []byte, n int) {
	if math.MaxInt > maxMessage && uint64(n) > maxMessage {
		panic("xchacha: internal error: message too long")
	}
	if Overlap(dst, src) && &dst[0] != &src[0] {
		panic("xchacha: internal error: overlap")
	}
}
