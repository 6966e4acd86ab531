package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A rows is ChaCha20 with one row of its state to a register: as many blocks as
// the register has 128-bit lanes. Of all forms it answers soonest.
type rows struct {
	a, b, c, d, tmp reg.VecPhysical
	spare           reg.VecPhysical // nil if there is none: see quarterRound
	whole           int             // see there
}

// Registers: 0 to 9 are two rows to work on, 10 to 13 hold their input, and in
// 14 and 15 are byte orders.

func (v isa) rows(i int) rows {
	return rows{a: v.vec(5 * i), b: v.vec(5*i + 1), c: v.vec(5*i + 2), d: v.vec(5*i + 3), tmp: v.vec(5*i + 4)}
}

// alone is a row that is worked on alone: each step of it waits for the one before, and
// the registers of the second row are free.
func (v isa) alone(r rows) rows {
	if v >= avx512 {
		r.spare = v.rows(1).a
	}
	return r
}

// paced is a row whose rounds are paced. If one rotation stays whole, they take hardly
// more cycles, and fewer instructions: there is more room for those that do nothing.
func (r rows) paced() rows {
	r.whole = 16
	return r
}

// input is what has to be added in the end. Only rowBlocks uses it, so HChaCha
// leaves it alone.
func (v isa) input() rows {
	return rows{a: v.vec(10), b: v.vec(11), c: v.vec(12), d: v.vec(13)}
}

// loadShuffles is byteShuffle for quarterRound.
func (v isa) loadShuffles() map[int]Op {
	if v != avx2 {
		return nil
	}
	VMOVDQU(shuffles, ymm[14])
	VMOVDQU(shuffles.Offset(32), ymm[15])
	return map[int]Op{16: ymm[14], 8: ymm[15]}
}

// doubleRound is a column and a diagonal round. Of the four rows, b stays and
// the others are turned, for b is the last that a quarter round computes:
// turning it would be waited for.
func (v isa) doubleRound(r rows, byteShuffle map[int]Op) []step {
	quarter := v.quarterRound(r.a, r.b, r.c, r.d, r.tmp, r.spare, r.whole, byteShuffle)
	turn := func(a, c, d int) []step {
		return []step{
			func() { v.rotateLanes(a, r.a) },
			func() { v.rotateLanes(d, r.d) },
			func() { v.rotateLanes(c, r.c) },
		}
	}
	var s []step
	s = append(s, quarter...)
	s = append(s, turn(3, 1, 2)...)
	s = append(s, quarter...)
	return append(s, turn(1, 3, 2)...)
}

// rounds loops over the double round of all rs, as often as work says.
func (v isa) rounds(label string, byteShuffle map[int]Op, rs ...rows) {
	if v == full {
		v.loop(label, pace(v.doubleRound(v.alone(rs[0]).paced(), nil), pacedSlots-2))
		return
	}
	if len(rs) == 1 && v == avx512 {
		ifPacedRounds(label)
		v.loop(label, v.doubleRound(v.alone(rs[0]), nil))
		Label(label + "_done")
		return
	}
	v.loop(label, v.doubleRounds(byteShuffle, rs...))
}

// loop does the steps as often as work says.
func (v isa) loop(label string, steps []step) {
	Label(label)
	emit(steps)
	DECQ(work)
	JNZ(LabelRef(label))
}

// doubleRounds is doubleRound of all rs, side by side.
func (v isa) doubleRounds(byteShuffle map[int]Op, rs ...rows) []step {
	var all [][]step
	for _, r := range rs {
		all = append(all, v.doubleRound(r, byteShuffle))
	}
	return zip(all...)
}

// hChaCha leaves the output of HChaCha (draft-irtf-cfrg-xchacha-03, section 2.2)
// in rows a and d of the result, in every lane. work is how many double rounds
// there are.
func (v isa) hChaCha(label string, key, in Mem) rows {
	r := v.rows(0)
	v.loadRow(key, r.b)
	v.loadRow(key.Offset(16), r.c)
	v.hChaChaRounds(label, r, in)
	return r
}

// hChaChaRounds is hChaCha of the key in rows b and c of r, in r.
func (v isa) hChaChaRounds(label string, r rows, in Mem) {
	v.loadRow(sigma, r.a)
	v.loadRow(in, r.d)
	v.rounds(label, v.loadShuffles(), r)
}

// loadSubkey is what rowBlocks needs to have been done.
func (v isa) loadSubkey() {
	v.loadRow(at(offSubkey), v.input().b)
	v.loadRow(at(offSubkey+16), v.input().c)
}

// rowBlocks writes the next keystream blocks, as many as fit in n rows, to
// dst, and counts them. The subkey is, and stays, in rows b and c of input.
func (v isa) rowBlocks(label string, n int, dst Mem) {
	in := v.input()
	v.loadRow(sigma, in.a)
	if v == full { // the subkey is in the low lanes alone
		VSHUFI32X4(U8(0), in.b, in.b, in.b)
		VSHUFI32X4(U8(0), in.c, in.c, in.c)
	}
	rs := make([]rows, n)
	for i := range rs {
		rs[i] = v.rows(i)
		v.copy(in.a, rs[i].a)
		v.copy(in.b, rs[i].b)
		v.copy(in.c, rs[i].c)
		v.loadPosition(i, rs[i].d, rs[i].tmp)
	}
	MOVQ(U32(10), work)
	v.rounds(label, v.loadShuffles(), rs...)
	for i, r := range rs {
		v.loadPosition(i, in.d, r.tmp)
		v.add(in.a, r.a)
		v.add(in.b, r.b)
		v.add(in.c, r.c)
		v.add(in.d, r.d)
		if v == full {
			storeBlocks(r, in, dst)
		} else {
			v.storeRows(r, dst.Offset(64*v.width()/16*i))
		}
	}
	ADDL(U32(n*v.width()/16), at(offPosition))
}

// threeRows is rowBlocks of three rows, which leave no register for the input and
// the byte orders: those come from memory.
func (v isa) threeRows(label string, dst Mem) {
	in := v.vec(15)
	rs := make([]rows, 3)
	for i := range rs {
		rs[i] = rows{a: v.vec(4 * i), b: v.vec(4*i + 1), c: v.vec(4*i + 2), d: v.vec(4*i + 3), tmp: v.vec(12 + i)}
		v.copy(v.input().b, rs[i].b)
		v.copy(v.input().c, rs[i].c)
	}
	for i, r := range rs { // which overwrites the input
		v.loadRow(sigma, r.a)
		v.loadPosition(i, r.d, r.tmp)
	}
	MOVQ(U32(10), work)
	v.rounds(label, map[int]Op{16: shuffles, 8: shuffles.Offset(32)}, rs...)
	v.addInput(in, rs)
	for i, r := range rs {
		v.storeRows(r, dst.Offset(64*v.width()/16*i))
	}
	ADDL(U32(3*v.width()/16), at(offPosition))
}

// addInput adds the input to the rows. in is overwritten, as is each tmp.
func (v isa) addInput(in reg.VecPhysical, rs []rows) {
	for i, r := range rs {
		v.loadPosition(i, in, r.tmp)
		v.add(in, r.d)
	}
	for _, row := range []struct {
		in  Mem
		reg func(rows) reg.VecPhysical
	}{
		{sigma, func(r rows) reg.VecPhysical { return r.a }},
		{at(offSubkey), func(r rows) reg.VecPhysical { return r.b }},
		{at(offSubkey + 16), func(r rows) reg.VecPhysical { return r.c }},
	} {
		v.loadRow(row.in, in)
		for _, r := range rs {
			v.add(in, row.reg(r))
		}
	}
}

// loadPosition is row d of the input of row i. tmp is overwritten.
func (v isa) loadPosition(i int, d, tmp reg.VecPhysical) {
	v.loadRow(at(offPosition), d)
	v.load(lanes.Offset(v.width()*i), tmp)
	v.add(tmp, d)
}

func (v isa) storeRows(r rows, dst Mem) {
	if v == sse2 {
		for i, x := range []reg.VecPhysical{r.a, r.b, r.c, r.d} {
			v.store(x, dst.Offset(16*i))
		}
		return
	}
	for i, x := range []reg.VecPhysical{r.a, r.b, r.c, r.d} {
		VMOVDQU(x.AsX(), dst.Offset(16*i))
		VEXTRACTI128(U8(1), x, dst.Offset(64+16*i))
	}
}

// storeBlocks is storeRows of the only row in 512 bits. Each block is one store, for it is
// read in pieces of any size right away. t and r are overwritten.
func storeBlocks(r, t rows, dst Mem) {
	const firstTwo, lastTwo, even, odd = 0b01000100, 0b11101110, 0b10001000, 0b11011101 // lanes, of each operand
	VSHUFI32X4(U8(firstTwo), r.b, r.a, t.a)
	VSHUFI32X4(U8(firstTwo), r.d, r.c, t.c)
	VSHUFI32X4(U8(lastTwo), r.b, r.a, t.b)
	VSHUFI32X4(U8(lastTwo), r.d, r.c, t.d)
	VSHUFI32X4(U8(even), t.c, t.a, r.a)
	VSHUFI32X4(U8(odd), t.c, t.a, r.b)
	VSHUFI32X4(U8(even), t.d, t.b, r.c)
	VSHUFI32X4(U8(odd), t.d, t.b, r.d)
	for i, x := range []reg.VecPhysical{r.a, r.b, r.c, r.d} {
		full.store(x, dst.Offset(64*i))
	}
}
