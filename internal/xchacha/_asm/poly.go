package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Poly1305's accumulator, in three words of 64 bits of which the last holds a
// few bits only, and what the multiplication works with.
var (
	h0, h1, h2 = reg.R10, reg.R11, reg.R12
	t0, t1, t2 = reg.RBX, reg.R13, reg.R14
)

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
func addBlock(block Mem) step {
	return func() { ADDQ(block, h0); ADCQ(block.Offset(8), h1); ADCQ(U8(1), h2) }
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
	s := append([]step{add}, polyFold()...)
	if v == sse2 {
		s = append(s, polyMultiply()...)
	} else {
		s = append(s, polyMultiplyBMI2(nil)...)
	}
	return append(s, polySum()...)
}

// polyBlocks is polyBlock of n blocks in memory. Each but the first is added to
// the product before it while its parts are still apart, which takes a link out of
// the chain.
func (v isa) polyBlocks(block Mem, n int) []step {
	s := []step{addBlock(block)}
	for i := 1; i <= n; i++ {
		var next step
		if i < n {
			at := block.Offset(16 * i)
			next = func() { ADDQ(at, t0); ADCQ(at.Offset(8), reg.RAX); ADCQ(U8(1), t2) }
		}
		s = append(s, polyFold()...)
		s = append(s, polyMultiplyBMI2(next)...)
		s = append(s, polySum()...)
	}
	return s
}

// polySum takes the product, h0 + 2^64 (h1 + t1 + ax) + 2^128 (h2 + t2), to the
// accumulator.
func polySum() []step {
	return []step{
		func() { ADDQ(t1, h1); ADCQ(t2, h2) },
		func() { ADDQ(reg.RAX, h1); ADCQ(U8(0), h2) },
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
func polyMultiplyBMI2(next step) []step {
	r0, r1, fold := at(offR), at(offR+8), at(offFold)
	ax, dx := reg.RAX, reg.RDX
	s := []step{
		func() { MOVQ(h0, dx) },
		func() { MULXQ(r0, t0, t1) },
		func() { MULXQ(r1, ax, t2) },
	}
	if next != nil {
		s = append(s, next)
	}
	return append(s,
		func() { MOVQ(h1, dx) },
		func() { MULXQ(r0, h0, h1) },
		func() { ADDQ(h0, ax); ADCQ(h1, t2) },
		func() { MULXQ(fold, h0, h1) },
		func() { ADDQ(t0, h0); ADCQ(h1, t1) },
		func() { MOVQ(fold, h1) },
		func() { IMULQ(h2, h1) },
		func() { IMULQ(r0, h2) },
	)
}

// polyFold brings the accumulator below 2^130 and a little: what stands at 2^130
// counts five times, at 1.
func polyFold() []step {
	ax := reg.RAX
	return []step{
		func() { MOVQ(h2, ax) },
		func() { SHRQ(U8(2), ax); ANDQ(U8(3), h2) },
		func() { LEAQ(Mem{Base: ax, Index: ax, Scale: 4}, ax) },
		func() { ADDQ(ax, h0); ADCQ(U8(0), h1); ADCQ(U8(0), h2) },
	}
}

// polyTag leaves the tag in h0 and h1: the accumulator, fully reduced, plus s.
func polyTag() {
	emit(polyFold())
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
