package xchacha

import (
	"encoding/binary"
	"math/bits"
)

// The portable kernel computes one block of keystream at a time, at the end of
// the stream. It keeps all arrays in the State, and in variables no more than
// the words of one step; where the compiler puts those is not in its hands.

// sigma is "expand 32-byte k" as words.
var sigma = [4]uint32{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}

func (s *State) hChaChaPortable(dst, key *[KeySize]byte, in *[16]byte, doubleRounds int) {
	x := &s.scratch
	copy(x[:4], sigma[:])
	for i := range 8 {
		x[4+i] = binary.LittleEndian.Uint32(key[4*i:])
	}
	for i := range 4 {
		x[12+i] = binary.LittleEndian.Uint32(in[4*i:])
	}
	permute(x, doubleRounds)
	for i := range 4 {
		binary.LittleEndian.PutUint32(dst[4*i:], x[i])
		binary.LittleEndian.PutUint32(dst[16+4*i:], x[12+i])
	}
	clear(x[:])
}

// permute is the rounds of ChaCha, a column and a diagonal round at a time.
func permute(x *[16]uint32, doubleRounds int) {
	for range doubleRounds {
		quarterRound(&x[0], &x[4], &x[8], &x[12])
		quarterRound(&x[1], &x[5], &x[9], &x[13])
		quarterRound(&x[2], &x[6], &x[10], &x[14])
		quarterRound(&x[3], &x[7], &x[11], &x[15])
		quarterRound(&x[0], &x[5], &x[10], &x[15])
		quarterRound(&x[1], &x[6], &x[11], &x[12])
		quarterRound(&x[2], &x[7], &x[8], &x[13])
		quarterRound(&x[3], &x[4], &x[9], &x[14])
	}
}

func quarterRound(a, b, c, d *uint32) {
	*a += *b
	*d = bits.RotateLeft32(*d^*a, 16)
	*c += *d
	*b = bits.RotateLeft32(*b^*c, 12)
	*a += *b
	*d = bits.RotateLeft32(*d^*a, 8)
	*c += *d
	*b = bits.RotateLeft32(*b^*c, 7)
}

// keystream computes the next block.
func (s *State) keystream() {
	s.used = streamSize - blockSize
	x := &s.scratch
	copy(x[:4], sigma[:])
	for i := range s.subkey { // copy would leave it in vector registers
		x[4+i] = s.subkey[i]
	}
	for i := range s.position {
		x[12+i] = s.position[i]
	}
	permute(x, 10)
	for i, w := range sigma {
		x[i] += w
	}
	for i := range s.subkey {
		x[4+i] += s.subkey[i]
	}
	for i := range s.position {
		x[12+i] += s.position[i]
	}
	for i := range x {
		binary.LittleEndian.PutUint32(s.stream[int(s.used)+4*i:], x[i])
	}
	s.position[0]++
}

// begin derives the subkey from the key, and the Poly1305 key from block 0.
func (s *State) begin(nonce *[NonceSize]byte, key *Shares) {
	s.hChaChaPortable(&s.Key, key.Right, key.Domain, 4)
	XOR(&s.Key, key.Left)
	// The stream is still unused, and the subkey is to be words.
	subkey := (*[KeySize]byte)(s.stream[:])
	s.hChaChaPortable(subkey, &s.Key, (*[16]byte)(nonce[:]), 10)
	for i := range s.subkey {
		s.subkey[i] = binary.LittleEndian.Uint32(subkey[4*i:])
	}
	s.position = [4]uint32{
		2: binary.LittleEndian.Uint32(nonce[16:]),
		3: binary.LittleEndian.Uint32(nonce[20:]),
	}
	s.keystream()
	clear(s.Key[:])
	first := s.stream[s.used:]
	s.r[0] = binary.LittleEndian.Uint64(first) & 0x0ffffffc0fffffff
	s.r[1] = binary.LittleEndian.Uint64(first[8:]) & 0x0ffffffc0ffffffc
	s.fold = s.r[1] + s.r[1]>>2
	s.pad[0] = binary.LittleEndian.Uint64(first[16:])
	s.pad[1] = binary.LittleEndian.Uint64(first[24:])
	s.used = streamSize
	s.h = [3]uint64{}
	s.length, s.additional = 0, 0
}

func (s *State) sealPortable(dst, src []byte, nonce *[NonceSize]byte, key *Shares, p part) {
	if p&first != 0 {
		s.begin(nonce, key)
	}
	s.length += uint64(len(src))
	for len(src) > 0 {
		n := s.xor(dst, src)
		s.absorb(dst[:n])
		dst, src = dst[n:], src[n:]
	}
	if p&last != 0 {
		s.tag()
		binary.LittleEndian.PutUint64(dst, s.h[0])
		binary.LittleEndian.PutUint64(dst[8:], s.h[1])
		s.Wipe()
	}
}

func (s *State) openPortable(dst, src []byte, nonce *[NonceSize]byte, key *Shares, p part) bool {
	if p&first != 0 {
		s.begin(nonce, key)
	}
	s.length += uint64(len(dst))
	for len(dst) > 0 {
		n := min(16, len(dst))
		s.absorb(src[:n]) // before dst, which may be src, is written
		s.xor(dst, src[:n])
		dst, src = dst[n:], src[n:]
	}
	if p&last == 0 {
		return false
	}
	s.tag()
	differ := s.h[0] ^ binary.LittleEndian.Uint64(src)
	differ |= s.h[1] ^ binary.LittleEndian.Uint64(src[8:])
	s.Wipe()
	return differ == 0
}

// xor takes up to 16 bytes from src and returns how many.
func (s *State) xor(dst, src []byte) int {
	if s.used == streamSize {
		s.keystream()
	}
	stream := s.stream[s.used:]
	s.used += 16
	if len(src) >= 16 {
		for i := 0; i < 16; i += 8 {
			x := binary.LittleEndian.Uint64(src[i:]) ^ binary.LittleEndian.Uint64(stream[i:])
			binary.LittleEndian.PutUint64(dst[i:], x)
		}
		return 16
	}
	for i := range src {
		dst[i] = src[i] ^ stream[i]
	}
	return len(src)
}

// absorb adds up to 16 bytes of ciphertext to the Poly1305 accumulator.
func (s *State) absorb(b []byte) {
	if len(b) < 16 {
		clear(s.block[copy(s.block[:], b):])
		b = s.block[:]
	}
	s.multiply(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
}

// multiply adds a block, and multiplies by r modulo 2^130 - 5.
//
// The clamped r[1] is a multiple of four. So a product with it that stands at
// 2^128 equals, modulo 2^130 - 5, one with fold = 5 r[1]/4 that stands at 1.
func (s *State) multiply(lo, hi uint64) {
	h, r := &s.h, &s.r
	var carry uint64
	h[0], carry = bits.Add64(h[0], lo, 0)
	h[1], carry = bits.Add64(h[1], hi, carry)
	h[2] += 1 + carry

	// at 1: h0 r0 + h1 fold
	d1, d0 := bits.Mul64(h[0], r[0])
	hi, lo = bits.Mul64(h[1], s.fold)
	d0, carry = bits.Add64(d0, lo, 0)
	d1, _ = bits.Add64(d1, hi, carry)

	// at 2^64: h0 r1 + h1 r0 + h2 fold, and what is carried to there
	d2, m := bits.Mul64(h[0], r[1])
	hi, lo = bits.Mul64(h[1], r[0])
	m, carry = bits.Add64(m, lo, 0)
	d2, _ = bits.Add64(d2, hi, carry)
	m, carry = bits.Add64(m, h[2]*s.fold, 0)
	d2 += h[2]*r[0] + carry // at 2^128
	d1, carry = bits.Add64(d1, m, 0)
	d2 += carry

	// What stands at 2^130 is folded: times five, at 1.
	h[0], carry = bits.Add64(d0, d2&^3+d2>>2, 0)
	h[1], carry = bits.Add64(d1, 0, carry)
	h[2] = d2&3 + carry
}

// tag ends the message and leaves its tag in h[0] and h[1].
func (s *State) tag() {
	s.multiply(s.additional, s.length)
	h := &s.h
	// The accumulator minus 2^130 - 5 is taken if it is not negative.
	g0, carry := bits.Add64(h[0], 5, 0)
	g1, carry := bits.Add64(h[1], 0, carry)
	mask := -((h[2] + carry) >> 2)
	h[0] ^= mask & (h[0] ^ g0)
	h[1] ^= mask & (h[1] ^ g1)
	h[0], carry = bits.Add64(h[0], s.pad[0], 0)
	h[1], _ = bits.Add64(h[1], s.pad[1], carry)
}
