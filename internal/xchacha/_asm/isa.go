package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An isa is the instruction set a kernel is written in. The generators say
// what is computed, through the methods below; which instructions that takes
// is decided here.
type isa int

const (
	sse2   isa = iota // the amd64 baseline: no byte shuffle, two operands
	avx2              // 256-bit registers, byte shuffle, BMI2
	avx512            // AVX-512F and VL, in 256 bits: rotations, 32 registers
	full              // AVX-512 in 512 bits, for rows that are paced
)

func (v isa) String() string { return [...]string{"SSE2", "AVX2", "AVX512"}[v] }

var (
	xmm = []reg.VecPhysical{
		reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7,
		reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15,
		reg.X16, reg.X17, reg.X18, reg.X19, reg.X20, reg.X21, reg.X22, reg.X23,
		reg.X24, reg.X25, reg.X26, reg.X27, reg.X28, reg.X29, reg.X30, reg.X31,
	}
	ymm = []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
		reg.Y16, reg.Y17, reg.Y18, reg.Y19, reg.Y20, reg.Y21, reg.Y22, reg.Y23,
		reg.Y24, reg.Y25, reg.Y26, reg.Y27, reg.Y28, reg.Y29, reg.Y30, reg.Y31,
	}
	zmm = []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	}
)

// vec is vector register i, as wide as the kernel uses it.
func (v isa) vec(i int) reg.VecPhysical {
	switch v {
	case sse2:
		return xmm[i]
	case full:
		return zmm[i]
	}
	return ymm[i]
}

// width is the number of bytes in a vector.
func (v isa) width() int {
	switch v {
	case sse2:
		return 16
	case full:
		return 64
	}
	return 32
}

func (v isa) load(src Mem, dst reg.VecPhysical) { v.move(src, dst) }

func (v isa) store(src reg.VecPhysical, dst Mem) { v.move(src, dst) }

func (v isa) move(src, dst Op) {
	switch v {
	case sse2:
		MOVOU(src, dst)
	case avx2:
		VMOVDQU(src, dst)
	default:
		VMOVDQU32(src, dst)
	}
}

// loadRow reads 16 bytes and repeats them in every 128-bit lane.
func (v isa) loadRow(src Mem, dst reg.VecPhysical) {
	switch v {
	case sse2:
		MOVOU(src, dst)
	case full:
		VBROADCASTI32X4(src, dst)
	default:
		VBROADCASTI128(src, dst)
	}
}

func (v isa) copy(src, dst reg.VecPhysical) {
	switch v {
	case sse2:
		MOVO(src, dst)
	case avx2:
		VMOVDQA(src, dst)
	default:
		VMOVDQA32(src, dst)
	}
}

func (v isa) add(src, dst reg.VecPhysical) {
	if v == sse2 {
		PADDL(src, dst)
	} else {
		VPADDD(src, dst, dst)
	}
}

func (v isa) xor(src, dst reg.VecPhysical) {
	switch {
	case v == sse2:
		PXOR(src, dst)
	case v == avx2:
		VPXOR(src, dst, dst)
	default:
		VPXORD(src, dst, dst)
	}
}

func (v isa) and(src, dst reg.VecPhysical) {
	switch v {
	case sse2:
		PAND(src, dst)
	case avx2:
		VPAND(src, dst, dst)
	case avx512:
		VPANDD(src, dst, dst)
	}
}

// xorMem is xor with an operand in memory, aligned or not.
func (v isa) xorMem(src Mem, dst, tmp reg.VecPhysical) {
	if v == sse2 {
		MOVOU(src, tmp)
		PXOR(tmp, dst)
	} else if v == avx512 {
		VPXORD(src, dst, dst)
	} else {
		VPXOR(src, dst, dst)
	}
}

// rotl is the steps that rotate each 32-bit word of x left by n. tmp is
// overwritten.
func (v isa) rotl(x reg.VecPhysical, n int, tmp reg.VecPhysical, byteShuffle map[int]Op) []step {
	if v >= avx512 {
		return []step{func() { VPROLD(U8(n), x, x) }}
	}
	if mask, ok := byteShuffle[n]; v == avx2 && ok {
		return []step{func() { VPSHUFB(mask, x, x) }}
	}
	left, right := U8(n), U8(32-n)
	switch {
	case v == avx2:
		return []step{
			func() { VPSRLD(right, x, tmp) },
			func() { VPSLLD(left, x, x) },
			func() { VPOR(tmp, x, x) },
		}
	case n == 16:
		return []step{
			func() { PSHUFLW(U8(0b10110001), x, x) },
			func() { PSHUFHW(U8(0b10110001), x, x) },
		}
	}
	return []step{
		func() { MOVO(x, tmp) },
		func() { PSRLL(right, tmp) },
		func() { PSLLL(left, x) },
		func() { POR(tmp, x) },
	}
}

// addXorRotate is the steps of x += y and z = (z ⊕ x) <<< n, for AVX-512 alone. A
// rotation takes two cycles on Zen 4, and a shift one. So z is rotated before x is known,
// and then takes in both parts of x <<< n at once. tmp and spare are overwritten.
func (v isa) addXorRotate(x, y, z reg.VecPhysical, n int, tmp, spare reg.VecPhysical) []step {
	const xorOfThree = 0b10010110
	return []step{
		func() { VPROLD(U8(n), z, tmp) },
		func() { VPADDD(y, x, x) },
		func() { VPSLLD(U8(n), x, spare) },
		func() { VPSRLD(U8(32-n), x, z) },
		func() { VPTERNLOGD(U8(xorOfThree), tmp, spare, z) },
	}
}

// rotateLanes moves word (i+n) mod 4 of each 128-bit lane to word i.
func (v isa) rotateLanes(n int, x reg.VecPhysical) {
	order := U8([4]int{0b11100100, 0b00111001, 0b01001110, 0b10010011}[n])
	if v == sse2 {
		PSHUFL(order, x, x)
	} else {
		VPSHUFD(order, x, x)
	}
}

// joinLanes puts one 128-bit lane of x, and beside it the same lane of y, in
// dst.
func (v isa) joinLanes(lane int, x, y, dst reg.VecPhysical) {
	if v == avx512 {
		VSHUFI32X4(U8([]int{0b00, 0b11}[lane]), y, x, dst)
	} else {
		VPERM2I128(U8([]int{0x20, 0x31}[lane]), y, x, dst)
	}
}

// clear zeroes vector registers from up to, not including, to: the whole of
// them, for a VEX or EVEX instruction on the low 128 bits zeroes all above.
func (v isa) clear(from, to int) {
	for i := from; i < to; i++ {
		switch {
		case v == sse2:
			PXOR(xmm[i], xmm[i])
		case i < 16:
			VPXOR(xmm[i], xmm[i], xmm[i])
		default:
			VPXORD(xmm[i], xmm[i], xmm[i])
		}
	}
}

// A step emits one instruction, or a few that stay together.
type step func()

func emit(steps []step) {
	for _, s := range steps {
		s()
	}
}

// interleave spreads the steps of b evenly among those of a.
func interleave(a, b []step) []step {
	all := make([]step, 0, len(a)+len(b))
	taken := 0
	for i, s := range a {
		all = append(all, s)
		for ; taken < (i+1)*len(b)/len(a); taken++ {
			all = append(all, b[taken])
		}
	}
	return all
}

// zip takes a step of each list in turn.
func zip(lists ...[]step) []step {
	var all []step
	for i := 0; ; i++ {
		found := false
		for _, l := range lists {
			if i < len(l) {
				all, found = append(all, l[i]), true
			}
		}
		if !found {
			return all
		}
	}
}
