package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A message is the kernel that seals, or opens, one message or a part of it.
type message struct {
	isa
	open bool
}

func (m message) generate() {
	if m.open {
		TEXT("open"+m.String(), NOSPLIT, "func(s, dst, src *byte, n int, nonce *[24]byte, key *[3]*byte, p uint64) bool")
		Doc("open" + m.String() + " opens a part of a message. After the last one it compares the tag that follows src.")
	} else {
		TEXT("seal"+m.String(), NOSPLIT, "func(s, dst, src *byte, n int, nonce *[24]byte, key *[3]*byte, p uint64)")
		Doc("seal" + m.String() + " seals a part of a message. After the last one it writes the tag that follows dst.")
	}
	Pragma("noescape")
	Load(Param("s"), state)
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("n"), n)
	Load(Param("p"), reg.RAX)

	TESTQ(U32(first), reg.RAX)
	JZ(LabelRef("resume"))
	m.begin()
	m.parts()
	m.absorb()
	m.finish()
	if m.isa != sse2 {
		m.generateStream()
	}
}

// begin puts the key together, derives the subkey and the first keystream, as
// much as the message needs if it is short, and takes the Poly1305 key from it.
// What is generated ends at the end of the stream.
func (m message) begin() {
	Load(Param("key"), reg.RAX)
	MOVQ(Mem{Base: reg.RAX, Disp: 8}, reg.RDX)
	MOVQ(Mem{Base: reg.RAX, Disp: 16}, used)
	MOVQ(U32(4), work) // eight rounds: see Shares
	r := m.hChaCha("key_rounds", Mem{Base: reg.RDX}, Mem{Base: used})
	Comment("left share")
	MOVQ(Mem{Base: reg.RAX}, reg.RDX)
	m.loadRow(Mem{Base: reg.RDX}, r.b)
	m.loadRow(Mem{Base: reg.RDX, Disp: 16}, r.c)
	m.xor(r.a, r.b)
	m.xor(r.d, r.c)
	Load(Param("nonce"), reg.RAX)
	MOVQ(U32(10), work)
	m.hChaChaRounds("subkey", r, Mem{Base: reg.RAX})
	m.storeSubkey(r, at(offSubkey))
	m.copy(r.a, m.input().b)
	m.copy(r.d, m.input().c)
	Load(Param("nonce"), reg.RAX)
	m.storePosition(Mem{Base: reg.RAX, Disp: 16})
	MOVQ(n, at(offLength))

	CMPQ(n, U8(64))
	JA(LabelRef("beyond_64"))
	m.keystream("blocks_2", 128)
	JMP(LabelRef("key"))

	Label("beyond_64")
	CMPQ(n, U32(192))
	JA(LabelRef("beyond_192"))
	m.keystream("blocks_4", 256)
	JMP(LabelRef("key"))

	Label("beyond_192")
	if m.isa != sse2 {
		CMPQ(n, U32(320))
		JA(LabelRef("beyond_320"))
		m.threeRows("blocks_6", at(offStream+streamSize-384))
		MOVL(U32(streamSize-384), used.As32())
		JMP(LabelRef("key"))
		Label("beyond_320")
	}
	if m.isa == sse2 {
		m.keystream("blocks_8", streamSize)
	} else {
		XORL(todo.As32(), todo.As32())
		MOVQ(U32(streamSize), at(offUsed)) // no stream yet
		JMP(LabelRef("generate"))
	}

	Label("key")
	polyInit(stream())
	ADDQ(U8(64), used)
}

// storePosition makes row d of ChaCha20's first input of the end of the nonce. It
// is one store, for it is read as a whole right away.
func (m message) storePosition(nonce Mem) {
	if m.isa == sse2 {
		MOVQ(nonce, reg.X0)
		PSLLDQ(U8(8), reg.X0)
		MOVOU(reg.X0, at(offPosition))
		return
	}
	VMOVQ(nonce, reg.X0)
	VPSLLDQ(U8(8), reg.X0, reg.X0)
	VMOVDQU(reg.X0, at(offPosition))
}

// keystream fills the end of the stream with size bytes, at two rows a pass.
func (m message) keystream(label string, size int) {
	begin := streamSize - size
	if n := size / (4 * m.width()); n <= 2 {
		m.rowBlocks(label, n, at(offStream+begin))
		MOVL(U32(begin), used.As32())
		return
	}
	MOVL(U32(begin), used.As32())
	Label(label)
	m.rowBlocks(label+"_rounds", 2, stream())
	ADDQ(U32(8*m.width()), used)
	CMPQ(used, U32(streamSize))
	JNE(LabelRef(label))
	MOVL(U32(begin), used.As32())
}

// parts decides, with stream in hand, whether it is enough for what is left.
// A part that is not the last ends where the stream does, and then has the
// next one generated for its successor.
func (m message) parts() {
	Label("parts")
	MOVL(U32(streamSize), reg.EAX)
	SUBQ(used, reg.RAX)
	Load(Param("p"), reg.RDX)
	TESTQ(U32(last), reg.RDX)
	JZ(LabelRef("not_last"))
	CMPQ(n, reg.RAX)
	JBE(LabelRef("absorb"))
	m.more()

	Label("not_last")
	TESTQ(n, n)
	JNZ(LabelRef("more"))
	for i, h := range []reg.Register{h0, h1, h2} {
		MOVQ(h, at(offH+8*i))
	}
	MOVQ(used, at(offUsed))
	m.leave()

	Label("resume")
	for i, h := range []reg.Register{h0, h1, h2} {
		MOVQ(at(offH+8*i), h)
	}
	MOVQ(at(offUsed), used)
	ADDQ(n, at(offLength))
	JMP(LabelRef("parts"))
}

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
	JMP(LabelRef("generate"))
}

// generateStream fills the whole stream. Meanwhile it adds todo blocks of
// ciphertext to the accumulator: those just sealed, or those to be opened with
// the old stream, which therefore is kept until then. The two kinds of work
// wait for different things, so together they take little longer than either.
func (m message) generateStream() {
	ciphertext := dst
	if m.open {
		ciphertext = src
	}
	w := m.words()
	addBlocks := func(n int) (steps []step) {
		for i := range n {
			steps = append(steps, m.polyBlock(addBlock(Mem{Base: ciphertext, Disp: 16 * i}))...)
		}
		return steps
	}
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
	w.load()
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

	Label("blocks")
	if atEnd {
		CMPQ(todo, U8(left))
		JNE(LabelRef("one_by_one"))
		if m.open {
			CMPQ(at(offUsed), U8(0))
			JNE(LabelRef("one_by_one"))
		}
		m.finishWithBlocks(w, left, addBlocks(left))
		JMP(LabelRef("finished"))
		Label("one_by_one")
	}
	TESTQ(todo, todo)
	JZ(LabelRef("generated"))
	emit(m.polyBlock(addBlock(Mem{Base: ciphertext})))
	ADDQ(U8(16), ciphertext)
	DECQ(todo)
	JMP(LabelRef("blocks"))

	Label("generated")
	if m.open {
		MOVQ(at(offUsed), used)
		LEAQ(Mem{Base: src, Index: used, Scale: 1, Disp: -streamSize}, src)
		m.xorStream("open", w.tmp[0], w.tmp[1])
	}
	emit(w.finish(at(offStream)))
	Label("finished")
	if m.isa == avx512 {
		Comment("The registers above the sixteenth are used here alone.")
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
func (m message) finishWithBlocks(w words, left int, blocks []step) {
	if !m.open {
		emit(interleave(w.finish(at(offStream)), blocks))
		ADDQ(U8(16*left), dst)
		return
	}
	var xors, stores []step
	size := m.width()
	from := 16*left - streamSize // where the stream began, seen from src
	for offset := 0; offset < streamSize; offset += size {
		x := w.tmp[offset/size%2]
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
	work := append(xors, w.finish(at(offStream))...)
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

// absorb takes all that is left, for which the stream is enough.
func (m message) absorb() {
	Label("absorb")
	m.absorbBlocks("absorb")
	TESTQ(n, n)
	JZ(LabelRef("ended"))

	Comment("The last block is short. String instructions move it, not general registers: those are printed when a program dies.")
	x := m.vec(0).AsX().(reg.VecPhysical)
	y := m.vec(1).AsX().(reg.VecPhysical)
	load, store, xor, and := m.short()
	XORL(work.As32(), work.As32())
	MOVQ(work, at(offBlock))
	MOVQ(work, at(offBlock+8))
	MOVQ(state, reg.RAX)
	ADDQ(U8(offBlock), state) // the block, for the time of moving
	moveShort("gather")
	MOVQ(reg.RAX, state)
	load(at(offBlock), x)
	load(stream(), y)
	xor(y, x)
	LEAQ(masks.Offset(16), reg.RDX)
	SUBQ(n, reg.RDX)
	load(Mem{Base: reg.RDX}, y)
	and(y, x)
	steps := m.polyBlock(addBlock(at(offBlock)))
	if m.open {
		steps[0]() // while the block is ciphertext
		steps = steps[1:]
	}
	store(x, at(offBlock))
	MOVQ(state, reg.RAX)
	MOVQ(src, work)
	LEAQ(at(offBlock), src)
	MOVQ(dst, reg.RDI)
	moveShort("scatter")
	MOVQ(reg.RDI, dst)
	MOVQ(work, src)
	MOVQ(reg.RAX, state)
	emit(steps)
	Label("ended")
}

// moveShort moves n bytes, fewer than 16, from RSI to RDI, and moves those on.
func moveShort(label string) {
	for _, piece := range []struct {
		size uint32
		move string
	}{{8, "MOVSQ"}, {4, "MOVSL"}, {2, "MOVSW"}, {1, "MOVSB"}} {
		next := label + "_" + string(rune('0'+piece.size/2))
		TESTQ(U32(piece.size), n)
		JZ(LabelRef(next))
		Instruction(&ir.Instruction{Opcode: piece.move}) // avo has none of them
		Label(next)
	}
}

// short is instructions on 16 bytes.
func (m message) short() (load, store, xor, and func(src, dst Op)) {
	if m.isa == sse2 {
		return MOVOU, MOVOU, PXOR, PAND
	}
	three := func(f func(...Op)) func(src, dst Op) { return func(src, dst Op) { f(src, dst, dst) } }
	move := func(src, dst Op) { VMOVDQU(src, dst) }
	return move, move, three(func(o ...Op) { VPXOR(o[0], o[1], o[2]) }), three(func(o ...Op) { VPAND(o[0], o[1], o[2]) })
}

// absorbBlocks takes 16 bytes at a time, until fewer are left or the stream is
// used up.
func (m message) absorbBlocks(label string) {
	x := m.vec(0).AsX().(reg.VecPhysical)
	y := m.vec(1).AsX().(reg.VecPhysical)
	load, store := VMOVDQU, VMOVDQU
	if m.isa == sse2 {
		load, store = MOVOU, MOVOU
	}
	Label(label + "_block")
	CMPQ(n, U8(16))
	JB(LabelRef(label + "_end"))
	CMPQ(used, U32(streamSize))
	JE(LabelRef(label + "_end"))
	load(Mem{Base: src}, x)
	steps := m.polyBlock(addBlock(Mem{Base: dst}))
	if m.open {
		steps = m.polyBlock(addBlock(Mem{Base: src}))
		steps[0]() // before dst, which may be src, is written
		steps = steps[1:]
	}
	m.xorMem(stream(), x, y)
	store(x, Mem{Base: dst})
	emit(steps)
	for _, r := range []reg.Register{src, dst, used} {
		ADDQ(U8(16), r)
	}
	SUBQ(U8(16), n)
	JMP(LabelRef(label + "_block"))
	Label(label + "_end")
}

// finish adds the lengths, computes the tag, and clears the State.
func (m message) finish() {
	Comment("no additional data, and the length of the ciphertext")
	emit(m.polyBlock(func() { ADDQ(at(offLength), h1); ADCQ(U8(1), h2) }))
	polyTag()
	if m.open {
		XORQ(Mem{Base: src}, h0)
		XORQ(Mem{Base: src, Disp: 8}, h1)
		ORQ(h1, h0)
		SETEQ(reg.AL)
		Store(reg.AL, ReturnIndex(0))
	} else {
		MOVQ(h0, Mem{Base: dst})
		MOVQ(h1, Mem{Base: dst, Disp: 8})
	}
	m.clear(0, 1)
	clearState := func(from, to int) {
		for i := from; i < to; i += m.width() {
			m.store(m.vec(0), at(i))
		}
	}
	const most = offStream + streamSize - 128 // a short message uses no more
	CMPQ(at(offLength), U8(64))
	JBE(LabelRef("clear_short"))
	clearState(offStream, most)
	Label("clear_short")
	clearState(most, stateSize)
	clearState(0, offStream)
	clearRegisters(m.isa)
	RET()
}

// leave returns from a part that is not the last.
func (m message) leave() {
	if m.open {
		Comment("No answer yet.")
		MOVB(U8(0), reg.AL)
		Store(reg.AL, ReturnIndex(0))
	}
	clearRegisters(m.isa)
	RET()
}
