package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Constants of the generated code.
var (
	sigma    Mem // "expand 32-byte k"
	shuffles Mem // byte orders that rotate words left by 16, then by 8
	counters Mem // 0 … 15 as words
	lanes    Mem // 0 to 5, each in the first word of a lane
	masks    Mem // 16 bytes of ones and 16 of zeros
)

func constants() {
	sigma = GLOBL("sigma", RODATA|NOPTR)
	DATA(0, String("expand 32-byte k"))

	shuffles = GLOBL("shuffles", RODATA|NOPTR)
	for i, left := range []int{2, 1} { // in bytes
		for j := range 32 {
			DATA(32*i+j, U8(j%16/4*4+(j+4-left)%4))
		}
	}

	counters = GLOBL("counters", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(i))
	}

	masks = GLOBL("masks", RODATA|NOPTR)
	for i := range 4 {
		DATA(8*i, U64([]uint64{math.MaxUint64, math.MaxUint64, 0, 0}[i]))
	}

	lanes = GLOBL("lanes", RODATA|NOPTR)
	for i := range 6 {
		DATA(16*i, U64(i))
		DATA(16*i+8, U64(0))
	}
}

// quarterRound is RFC 8439, section 2.1, on all 32-bit words of the registers.
// byteShuffle has the byte orders, if any, that rotate by a number of bits. spare is
// nil, or a register with which the result is there sooner, but for a rotation by so many
// bits as whole says.
func (v isa) quarterRound(a, b, c, d, tmp, spare reg.VecPhysical, whole int, byteShuffle map[int]Op) []step {
	var s []step
	half := func(x, y, z reg.VecPhysical, n int) {
		if spare != nil && n != whole {
			s = append(s, v.addXorRotate(x, y, z, n, tmp, spare)...)
			return
		}
		s = append(s, func() { v.add(y, x) }, func() { v.xor(x, z) })
		s = append(s, v.rotl(z, n, tmp, byteShuffle)...)
	}
	half(a, b, d, 16)
	half(c, d, b, 12)
	half(a, b, d, 8)
	half(c, d, b, 7)
	return s
}
