package main

import (
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// more uses up the stream, RAX bytes of it, and generates the next.
func (m message) more() {
	Label("more")
	if m.isa == sse2 {
		m.absorbBlocks("more")
		m.loadSubkey()
		LEAQ(Mem{Base: n, Disp: -1}, reg.RAX) // nothing left is not little: a part ends
		CMPQ(reg.RAX, U32(128))
		JB(LabelRef("little_more"))
		m.keystream("more_blocks_8", streamSize)
		JMP(LabelRef("parts"))
		Label("little_more")
		m.keystream("more_blocks_2", 128)
		JMP(LabelRef("parts"))
		return
	}
	SUBQ(reg.RAX, n)
	MOVQ(used, at(offUsed))
	if !m.open {
		m.xorStream("seal", ymm[0], ymm[1])
		SUBQ(reg.RAX, dst)
	}
	MOVQ(reg.RAX, todo)
	SHRQ(U8(4), todo)
	if m.isa == avx512 {
		CMPQ(n, U32(wideFrom))
		JA(LabelRef("wide"))
		Label("narrow")
	}
	LEAQ(Mem{Base: n, Disp: -1}, reg.RAX)
	CMPQ(reg.RAX, U32(256))
	JAE(LabelRef("generate"))
	CMPQ(reg.RAX, U32(128))
	JAE(LabelRef("four_more"))
	if m.isa == avx512 {
		ifPaced("two_more_paced")
	}
	m.generateRows("two", 1, false)
	if m.isa == avx512 {
		Label("two_more_paced")
		m.generateRows("two_paced", 1, true)
	}
	Label("four_more")
	m.generateRows("four", 2, false)
	if m.isa == avx512 {
		m.wide().generate()
	}
}

// ciphertext is the register that points to ciphertext, and the other one.
func (m message) ciphertext() (ciphertext, plaintext reg.GPPhysical) {
	if m.open {
		return src, dst
	}
	return dst, src
}

// absorbTodo adds todo blocks of ciphertext to the accumulator, one by one.
func (m message) absorbTodo(label string) {
	ciphertext, _ := m.ciphertext()
	Label(label)
	TESTQ(todo, todo)
	JZ(LabelRef(label + "_done"))
	emit(m.polyBlock(addBlock(Mem{Base: ciphertext})))
	ADDQ(U8(16), ciphertext)
	DECQ(todo)
	JMP(LabelRef(label))
	Label(label + "_done")
}

// generateRows is generateStream where no more than some rows of blocks are needed
// to end the message: they take fewer instructions than eight blocks. Only one row can be
// paced.
func (m message) generateRows(label string, count int, paced bool) {
	ciphertext, _ := m.ciphertext()
	const perPair = 5
	byteShuffle := m.loadShuffles()
	in, rs := m.vec(10), make([]rows, count)
	for i := range rs {
		r := m.rows(i)
		if paced {
			r = m.alone(r).paced()
		}
		rs[i] = r
		m.loadRow(sigma, r.a)
		m.loadRow(at(offSubkey), r.b)
		m.loadRow(at(offSubkey+16), r.c)
		m.loadPosition(i, r.d, r.tmp)
	}
	oneRound := m.doubleRounds(byteShuffle, rs...)
	twoRounds := append(slices.Clone(oneRound), oneRound...)
	if paced {
		const polyInstructions = 30 // of a block
		oneRound = pace(oneRound, pacedSlots-2)
		twoRounds = pace(twoRounds, 2*pacedSlots-polyInstructions*perPair)
		LFENCE()
	}
	MOVQ(U32(10), at(offRounds))
	CMPQ(todo, U8(perPair))
	JB(LabelRef(label + "_rounds"))

	Label(label + "_rounds_and_blocks")
	emit(interleave(twoRounds, m.polyBlocks(Mem{Base: ciphertext}, perPair)))
	ADDQ(U8(16*perPair), ciphertext)
	SUBQ(U8(perPair), todo)
	SUBQ(U8(2), at(offRounds))
	JZ(LabelRef(label + "_blocks"))
	CMPQ(todo, U8(perPair))
	JAE(LabelRef(label + "_rounds_and_blocks"))

	Label(label + "_rounds")
	emit(oneRound)
	DECQ(at(offRounds))
	JNZ(LabelRef(label + "_rounds"))

	m.absorbTodo(label + "_blocks")
	if m.open {
		MOVQ(at(offUsed), used)
		LEAQ(Mem{Base: src, Index: used, Scale: 1, Disp: -streamSize}, src)
		m.xorStream(label, m.vec(11), m.vec(12))
	}
	begin := streamSize - 4*m.width()*count
	m.addInput(in, rs)
	for i, r := range rs {
		m.storeRows(r, at(offStream+begin+4*m.width()*i))
	}
	ADDL(U32(count*m.width()/16), at(offPosition))
	MOVL(U32(begin), used.As32())
	JMP(LabelRef("parts"))
}

// generateStream fills the whole stream. Meanwhile it adds todo blocks of
// ciphertext to the accumulator: those just sealed, or those to be opened with
// the old stream, which therefore is kept until then. The two kinds of work
// wait for different things, so together they take little longer than either.
func (m message) generateStream() {
	ciphertext, _ := m.ciphertext()
	w := m.words()
	write := func(x reg.VecPhysical, offset int) { m.store(x, at(offStream+offset)) }
	addBlocks := func(n int) []step { return m.polyBlocks(Mem{Base: ciphertext}, n) }
	// Poly1305 waits the longer. So of the 32 blocks of a whole stream some are left
	// for what follows the rounds. With AVX2 the rounds have more instructions, and
	// there are no registers for that.
	perPair := 6
	atEnd := m.isa == avx512
	if atEnd {
		perPair = 5
	}
	left := 32 - 5*perPair

	Label("generate")
	w.load(0)
	MOVQ(U32(10), at(offRounds))
	CMPQ(todo, U8(perPair))
	JB(LabelRef("rounds"))

	Label("rounds_and_blocks")
	emit(interleave(append(w.doubleRound(), w.doubleRound()...), addBlocks(perPair)))
	ADDQ(U8(16*perPair), ciphertext)
	SUBQ(U8(perPair), todo)
	SUBQ(U8(2), at(offRounds))
	JZ(LabelRef("blocks"))
	CMPQ(todo, U8(perPair))
	JAE(LabelRef("rounds_and_blocks"))

	Label("rounds")
	emit(w.doubleRound())
	DECQ(at(offRounds))
	JNZ(LabelRef("rounds"))

	remaining := "blocks"
	if atEnd {
		remaining = "one_by_one"
		Label("blocks")
		CMPQ(todo, U8(left))
		JNE(LabelRef(remaining))
		if m.open {
			CMPQ(at(offUsed), U8(0))
			JNE(LabelRef(remaining))
		}
		m.finishWithBlocks(w.finish(write), w.tmp, left, addBlocks(left))
		JMP(LabelRef("finished"))
	}
	m.absorbTodo(remaining)
	if m.open {
		MOVQ(at(offUsed), used)
		LEAQ(Mem{Base: src, Index: used, Scale: 1, Disp: -streamSize}, src)
		m.xorStream("open", w.tmp[0], w.tmp[1])
	}
	emit(w.finish(write))
	Label("finished")
	if m.isa == avx512 {
		Comment("Beside wide, nothing else uses the registers above the sixteenth.")
		m.clear(16, 22)
	}
	XORL(used.As32(), used.As32())
	CMPL(at(offPosition), U8(8))
	JE(LabelRef("key"))
	JMP(LabelRef("parts"))
}

// finishWithBlocks is the end of generateStream, with a whole stream before it of
// which the given number of blocks is left to add. When opening in place, what
// they are must not be overwritten until then: so that waits in registers.
func (m message) finishWithBlocks(finish []step, tmp []reg.VecPhysical, left int, blocks []step) {
	if !m.open {
		emit(interleave(finish, blocks))
		ADDQ(U8(16*left), dst)
		return
	}
	var xors, stores []step
	size := m.width()
	from := 16*left - streamSize // where the stream began, seen from src
	for offset := 0; offset < streamSize; offset += size {
		x := tmp[offset/size%2]
		store := func() { m.store(x, Mem{Base: dst, Disp: offset}) }
		waits := offset+size > streamSize-16*left
		if waits {
			x = m.vec(18 + len(stores))
		}
		xors = append(xors,
			func() { m.load(Mem{Base: src, Disp: from + offset}, x) },
			func() { m.xorMem(at(offStream+offset), x, x) })
		if waits {
			stores = append(stores, store)
		} else {
			xors = append(xors, store)
		}
	}
	work := append(xors, finish...)
	emit(interleave(append(work, stores...), blocks))
	ADDQ(U8(16*left), src)
	ADDQ(U32(streamSize), dst)
}

// xorStream uses up the stream, a multiple of 64 bytes.
func (m message) xorStream(label string, x, y reg.VecPhysical) {
	Label(label + "_stream")
	CMPQ(used, U32(streamSize))
	JE(LabelRef(label + "_stream_used"))
	for i := 0; i < 64; i += 2 * m.width() {
		for j, r := range []reg.VecPhysical{x, y} {
			offset := i + j*m.width()
			m.load(Mem{Base: src, Disp: offset}, r)
			m.xorMem(stream().Offset(offset), r, r)
			m.store(r, Mem{Base: dst, Disp: offset})
		}
	}
	ADDQ(U8(64), src)
	ADDQ(U8(64), dst)
	ADDQ(U8(64), used)
	JMP(LabelRef(label + "_stream"))
	Label(label + "_stream_used")
}
