package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Poly1305's accumulator, in three words of 64 bits of which the last holds a
// few bits only, and what the multiplication works with.
var (
	h          = accumulator{h0, h1, h2}
	h0, h1, h2 = reg.R10, reg.R11, reg.R12
	t0, t1, t2 = reg.RBX, reg.R13, reg.R14
)

type accumulator [3]reg.GPPhysical

// polyInit takes r and s (RFC 8439, section 2.5) from the first 32 bytes of
// src, and clears the accumulator.
func polyInit(src Mem) {
	MOVQ(src, reg.RAX)
	MOVQ(U64(0x0ffffffc0fffffff), t0)
	ANDQ(t0, reg.RAX)
	MOVQ(reg.RAX, at(offR))
	MOVQ(src.Offset(8), reg.RAX)
	MOVQ(U64(0x0ffffffc0ffffffc), t0)
	ANDQ(t0, reg.RAX)
	MOVQ(reg.RAX, at(offR+8))
	MOVQ(reg.RAX, t0)
	SHRQ(U8(2), t0)
	ADDQ(reg.RAX, t0)
	MOVQ(t0, at(offFold))
	for i := range 2 {
		MOVQ(src.Offset(16+8*i), reg.RAX)
		MOVQ(reg.RAX, at(offPad+8*i))
	}
	for _, h := range []reg.Register{h0, h1, h2} {
		XORQ(h, h)
	}
}

// addBlock adds a whole block to the accumulator.
func addBlock(block Mem) step { return addTo(h, block) }

func addTo(h accumulator, block Mem) step {
	return func() { ADDQ(block, h[0]); ADCQ(block.Offset(8), h[1]); ADCQ(U8(1), h[2]) }
}

// polyBlock is the steps that add to the accumulator, as add does, and then
// multiply it by r, modulo 2^130 - 5.
//
// The accumulator is folded after the addition, not after the multiplication: its
// last word may have 63 bits in between. So the next block is added while the
// product's high words are still being computed, and not one carry after another.
//
// The clamped r1 is a multiple of four. So a product with r1 that stands at
// 2^128 equals, modulo 2^130 - 5, one with fold = 5 r1/4 that stands at 1:
//
//	   1: h0 r0 + h1 fold
//	2^64: h0 r1 + h1 r0 + h2 fold
//	2^128: h2 r0
func (v isa) polyBlock(add step) []step {
	s := append([]step{add}, polyFold(h)...)
	if v == sse2 {
		s = append(s, polyMultiply()...)
	} else {
		s = append(s, polyMultiplyBMI2(h, nil)...)
	}
	return append(s, polySum(h)...)
}

// polyBlocks is polyBlock of n blocks in memory. Each but the first is added to
// the product before it while its parts are still apart, which takes a link out of
// the chain.
func (v isa) polyBlocks(block Mem, n int) []step {
	return polyChains(n, chain{h, block})
}

// A chain is blocks, one after another, and what they are added to.
type chain struct {
	to     accumulator
	blocks Mem
}

// polyChains is polyBlocks of n blocks of each chain. Chains do not wait for each
// other.
func polyChains(n int, chains ...chain) []step {
	var s []step
	for _, c := range chains {
		s = append(s, addTo(c.to, c.blocks))
	}
	for i := 1; i <= n; i++ {
		for _, c := range chains {
			var next step
			if i < n {
				at := c.blocks.Offset(16 * i)
				next = func() { ADDQ(at, t0); ADCQ(at.Offset(8), reg.RAX); ADCQ(U8(1), t2) }
			}
			s = append(s, polyFold(c.to)...)
			s = append(s, polyMultiplyBMI2(c.to, next)...)
			s = append(s, polySum(c.to)...)
		}
	}
	return s
}

// polySum takes the product, h0 + 2^64 (h1 + t1 + ax) + 2^128 (h2 + t2), to the
// accumulator.
func polySum(h accumulator) []step {
	return []step{
		func() { ADDQ(t1, h[1]); ADCQ(t2, h[2]) },
		func() { ADDQ(reg.RAX, h[1]); ADCQ(U8(0), h[2]) },
	}
}

func polyMultiply() []step {
	r0, r1, fold := at(offR), at(offR+8), at(offFold)
	ax, dx := reg.RAX, reg.RDX
	return []step{
		func() { MOVQ(r0, ax) },
		func() { MULQ(h0) },
		func() { MOVQ(ax, t0); MOVQ(dx, t1) },
		func() { MOVQ(r1, ax) },
		func() { MULQ(h0) },
		func() { MOVQ(ax, h0); MOVQ(dx, t2) },
		func() { MOVQ(r0, ax) },
		func() { MULQ(h1) },
		func() { ADDQ(ax, h0); ADCQ(dx, t2) },
		func() { MOVQ(fold, ax) },
		func() { MULQ(h1) },
		func() { MOVQ(h0, h1); MOVQ(t0, h0) },
		func() { ADDQ(ax, h0); ADCQ(dx, t1) },
		func() { MOVQ(fold, ax) },
		func() { IMULQ(h2, ax) },
		func() { IMULQ(r0, h2) },
	}
}

// polyMultiplyBMI2 is polyMultiply with results in any register: it spares a
// fifth of the instructions. next, if any, adds to t0 + 2^64 ax + 2^128 t2.
func polyMultiplyBMI2(h accumulator, next step) []step {
	r0, r1, fold := at(offR), at(offR+8), at(offFold)
	ax, dx := reg.RAX, reg.RDX
	s := []step{
		func() { MOVQ(h[0], dx) },
		func() { MULXQ(r0, t0, t1) },
		func() { MULXQ(r1, ax, t2) },
	}
	if next != nil {
		s = append(s, next)
	}
	return append(s,
		func() { MOVQ(h[1], dx) },
		func() { MULXQ(r0, h[0], h[1]) },
		func() { ADDQ(h[0], ax); ADCQ(h[1], t2) },
		func() { MULXQ(fold, h[0], h[1]) },
		func() { ADDQ(t0, h[0]); ADCQ(h[1], t1) },
		func() { MOVQ(fold, h[1]) },
		func() { IMULQ(h[2], h[1]) },
		func() { IMULQ(r0, h[2]) },
	)
}

// polyFold brings the accumulator below 2^130 and a little: what stands at 2^130
// counts five times, at 1.
func polyFold(h accumulator) []step {
	ax := reg.RAX
	return []step{
		func() { MOVQ(h[2], ax) },
		func() { SHRQ(U8(2), ax); ANDQ(U8(3), h[2]) },
		func() { LEAQ(Mem{Base: ax, Index: ax, Scale: 4}, ax) },
		func() { ADDQ(ax, h[0]); ADCQ(U8(0), h[1]); ADCQ(U8(0), h[2]) },
	}
}

// polyTag leaves the tag in h0 and h1: the accumulator, fully reduced, plus s.
func polyTag() {
	emit(polyFold(h))
	Comment("accumulator minus 2^130 - 5, taken if it is not negative")
	MOVQ(h0, t0)
	MOVQ(h1, t1)
	MOVQ(h2, t2)
	ADDQ(U8(5), t0)
	ADCQ(U8(0), t1)
	ADCQ(U8(0), t2)
	SHRQ(U8(2), t2)
	CMOVQNE(t0, h0)
	CMOVQNE(t1, h1)
	ADDQ(at(offPad), h0)
	ADCQ(at(offPad+8), h1)
}

// polyCombine sets h to h times the power of r in the State, plus g, which is
// overwritten. Neither h nor the power needs to be less than 2^130, so that the
// product has five words: g0, g1, g2, t0 and t1.
func polyCombine(h, g accumulator) []step {
	x := [5]reg.GPPhysical{g[0], g[1], g[2], t0, t1}
	s := polyFold(h)
	s = append(s, func() { XORL(t0.As32(), t0.As32()); XORL(t1.As32(), t1.As32()) })
	for i := range 3 {
		s = append(s, func() { MOVQ(at(offPower+8*i), reg.RDX) })
		for j := range 3 {
			s = append(s, func() {
				MULXQ(h[j], reg.RAX, t2)
				ADDQ(reg.RAX, x[i+j])
				if i+j == 4 { // the last words are small: their product is one word
					return
				}
				ADCQ(t2, x[i+j+1])
				if i+j < 3 {
					ADCQ(U8(0), x[i+j+2])
				}
			})
		}
	}
	add := func() { ADDQ(g[2], g[0]); ADCQ(t0, g[1]); ADCQ(t1, h[2]) }
	return append(s,
		func() { MOVQ(g[2], h[2]); ANDQ(U8(3), h[2]) },
		func() { ANDQ(I8(-4), g[2]) },
		add, // what stands at 2^130, four times
		func() { SHRQ(U8(2), t0, g[2]) },
		func() { SHRQ(U8(2), t1, t0); SHRQ(U8(2), t1) },
		add, // and once
		func() { MOVQ(g[0], h[0]); MOVQ(g[1], h[1]) },
	)
}

// polyPower puts r^32 in the State, unless it is there. h and g are accumulators to
// work with.
func polyPower(label string, h, g accumulator) {
	MOVQ(at(offPower), h[0])
	ORQ(at(offPower+8), h[0])
	JNZ(LabelRef(label + "_known"))
	MOVQ(at(offR), h[0])
	MOVQ(at(offR+8), h[1])
	XORL(h[2].As32(), h[2].As32())
	MOVQ(U32(5), at(offRounds))
	Label(label)
	for i := range 3 {
		MOVQ(h[i], at(offPower+8*i))
		XORL(g[i].As32(), g[i].As32())
	}
	emit(polyCombine(h, g))
	emit(polyFold(h))
	DECQ(at(offRounds))
	JNZ(LabelRef(label))
	for i := range 3 {
		MOVQ(h[i], at(offPower+8*i))
	}
	Label(label + "_known")
}
