package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A words is ChaCha20 with one word of the state to a register: eight blocks
// side by side. It has the highest throughput.
//
// AVX2 has sixteen registers, all of them state, so there two of the words of
// row c wait in memory while the quarter rounds of the other two run.
type words struct {
	v          isa
	a, b, c, d [4]reg.VecPhysical
	tmp        []reg.VecPhysical
}

func (v isa) words() words {
	w := words{v: v}
	for i := range 4 {
		w.a[i], w.b[i], w.d[i] = ymm[i], ymm[4+i], ymm[8+i]
		w.c[i] = ymm[12+i%2]
		if v == avx512 {
			w.c[i] = ymm[12+i]
		}
	}
	w.tmp = ymm[14:16]
	if v == avx512 {
		w.tmp = ymm[16:18]
	}
	return w
}

// wideWords is eight of sixteen blocks in AVX-512's registers, in those from the
// given one on. So many operations that depend on no other hide the latency of each,
// which those of eight blocks do not. tmp has to be freed before the end.
func (v isa) wideWords(from int, tmp []reg.VecPhysical) words {
	w := words{v: v, tmp: tmp}
	for i := range 4 {
		w.a[i], w.b[i] = ymm[from+i], ymm[from+4+i]
		w.c[i], w.d[i] = ymm[from+8+i], ymm[from+12+i]
	}
	return w
}

// waiting is where word i of row c waits.
func waiting(i int) Mem { return at(offScratch + 32*(i%2)) }

// load fills the registers with eight blocks' input, the next ones if skip is 0.
func (w words) load(skip int) {
	for i := range 4 {
		VPBROADCASTD(sigma.Offset(4*i), w.a[i])
		VPBROADCASTD(at(offSubkey+4*i), w.b[i])
		VPBROADCASTD(at(offPosition+4*i), w.d[i])
	}
	for _, i := range []int{2, 3, 0, 1} {
		VPBROADCASTD(at(offSubkey+16+4*i), w.c[i])
		if w.v == avx2 && i >= 2 {
			VMOVDQU(w.c[i], waiting(i))
		}
	}
	VPADDD(counters.Offset(4*skip), w.d[0], w.d[0])
}

// swapC exchanges the words of row c in registers with those that wait.
func (w words) swapC() []step {
	var s []step
	for i := range 2 {
		s = append(s,
			func() { VMOVDQU(waiting(i), w.tmp[i]) },
			func() { VMOVDQU(w.c[i], waiting(i)) },
			func() { VMOVDQA(w.tmp[i], w.c[i]) },
		)
	}
	return s
}

func (w words) doubleRound() []step {
	byteShuffle := map[int]Op{16: shuffles, 8: shuffles.Offset(32)}
	quarters := func(diagonal int, columns ...int) []step {
		var all [][]step
		for n, i := range columns {
			all = append(all, w.v.quarterRound(w.a[i], w.b[(i+diagonal)%4],
				w.c[(i+2*diagonal)%4], w.d[(i+3*diagonal)%4], w.tmp[n%2], nil, 0, byteShuffle))
		}
		return zip(all...)
	}
	if w.v == avx512 {
		return append(quarters(0, 0, 1, 2, 3), quarters(1, 0, 1, 2, 3)...)
	}
	var s []step
	s = append(s, quarters(0, 0, 1)...)
	s = append(s, w.swapC()...)
	s = append(s, quarters(0, 2, 3)...) // leaves words 2 and 3 of row c in registers,
	s = append(s, quarters(1, 0, 1)...) // which the first two diagonals take
	s = append(s, w.swapC()...)
	return append(s, quarters(1, 2, 3)...)
}

// finish adds the input, hands out the eight blocks, 32 bytes at a time with their
// offset, and counts them.
func (w words) finish(write func(x reg.VecPhysical, offset int)) []step {
	var s []step
	do := func(f func()) { s = append(s, f) }
	tmp := w.tmp[0]
	add := func(in Mem, x reg.VecPhysical) {
		if w.v == avx512 {
			do(func() { VPADDD_BCST(in, x, x) })
			return
		}
		do(func() { VPBROADCASTD(in, tmp) })
		do(func() { w.v.add(tmp, x) })
	}
	pairs := func(x, y [4]reg.VecPhysical, offset int) {
		s = append(s, w.transpose(x)...)
		s = append(s, w.transpose(y)...)
		for i := range 4 {
			do(func() { w.v.joinLanes(0, x[i], y[i], tmp) })
			do(func() { write(tmp, 64*i+offset) })
			do(func() { w.v.joinLanes(1, x[i], y[i], x[i]) })
			do(func() { write(x[i], 64*(i+4)+offset) })
		}
	}
	for i := range 4 {
		add(sigma.Offset(4*i), w.a[i])
		add(at(offSubkey+4*i), w.b[i])
	}
	do(func() { VPADDD(counters, w.d[0], w.d[0]) })
	for i := range 4 {
		add(at(offPosition+4*i), w.d[i])
	}
	pairs(w.a, w.b, 0)
	c := w.c
	if w.v == avx2 { // rows a and b are written, so there is room
		c[2], c[3] = ymm[0], ymm[1]
		do(func() { VMOVDQU(waiting(2), c[2]) })
		do(func() { VMOVDQU(waiting(3), c[3]) })
	}
	for i := range 4 {
		add(at(offSubkey+16+4*i), c[i])
	}
	pairs(c, w.d, 32)
	do(func() { ADDL(U32(8), at(offPosition)) })
	return s
}

// transpose turns four registers of one word of eight blocks each into four
// of four words of two blocks each: register i has those of blocks i and i+4.
func (w words) transpose(x [4]reg.VecPhysical) []step {
	t, u := w.tmp[0], w.tmp[1]
	return []step{
		func() { VPUNPCKLDQ(x[1], x[0], t) }, // blocks 0 and 1
		func() { VPUNPCKHDQ(x[1], x[0], u) }, // blocks 2 and 3
		func() { VPUNPCKLDQ(x[3], x[2], x[0]) },
		func() { VPUNPCKHDQ(x[3], x[2], x[2]) },
		func() { VPUNPCKHQDQ(x[0], t, x[1]) },
		func() { VPUNPCKLQDQ(x[0], t, x[0]) },
		func() { VPUNPCKHQDQ(x[2], u, x[3]) },
		func() { VPUNPCKLQDQ(x[2], u, x[2]) },
	}
}
