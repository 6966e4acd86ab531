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
	if m.isa == avx512 {
		align64()
	}
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
	m.generatePaced()
}

// begin puts the key together, derives the subkey and the first keystream, as
// much as the message needs if it is short, and takes the Poly1305 key from it.
// What is generated ends at the end of the stream.
func (m message) begin() {
	Load(Param("nonce"), reg.RAX)
	m.storePosition(Mem{Base: reg.RAX, Disp: 16})
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
	MOVQ(n, at(offLength))
	MOVQ(U32(0), at(offExtra))
	if m.isa == avx512 {
		Comment("The power of r is not known yet.")
		MOVQ(U32(0), at(offPower))
		MOVQ(U32(0), at(offPower+8))
	}

	CMPQ(n, U8(64))
	JA(LabelRef("beyond_64"))
	m.keystream("blocks_2", 128)
	JMP(LabelRef("key"))

	Label("beyond_64")
	if m.isa == avx512 {
		ifPaced("beyond_64_paced")
	}
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
	if m.isa == avx512 {
		Label("beyond_64_paced")
		CMPQ(n, U32(192))
		JA(LabelRef("beyond_192"))
		full.rowBlocks("blocks_4_paced", 1, at(offStream+streamSize-256))
		MOVL(U32(streamSize-256), used.As32())
		JMP(LabelRef("key"))
	}

	Label("key")
	polyInit(stream())
	ADDQ(U8(64), used)
}

// storePosition makes row d of ChaCha20's first input of the end of the nonce. It
// is one store, for it is read as a whole. It comes before all rounds: what was stored
// just before takes ten cycles to read, and paced rounds would wait for it.
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

// absorb takes all that is left, for which the stream is enough.
func (m message) absorb() {
	Label("absorb")
	m.absorbBlocks("absorb")
	TESTQ(n, n)
	JZ(LabelRef("ended"))

	Comment("The last block is short. String instructions move it, not general registers: those are printed when a program dies.")
	x := m.vec(0).AsX().(reg.VecPhysical)
	y := m.vec(1).AsX().(reg.VecPhysical)
	XORL(work.As32(), work.As32())
	MOVQ(work, at(offBlock))
	MOVQ(work, at(offBlock+8))
	MOVQ(state, reg.RAX)
	ADDQ(U8(offBlock), state) // the block, for the time of moving
	moveShort("gather")
	MOVQ(reg.RAX, state)
	m.load(at(offBlock), x)
	m.load(stream(), y)
	m.xor(y, x)
	LEAQ(masks.Offset(16), reg.RDX)
	SUBQ(n, reg.RDX)
	m.load(Mem{Base: reg.RDX}, y)
	m.and(y, x)
	steps := m.polyBlock(addBlock(at(offBlock)))
	if m.open {
		steps[0]() // while the block is ciphertext
		steps = steps[1:]
	}
	m.store(x, at(offBlock))
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

// absorbBlocks takes 16 bytes at a time, until fewer are left or the stream is
// used up.
func (m message) absorbBlocks(label string) {
	x := m.vec(0).AsX().(reg.VecPhysical)
	y := m.vec(1).AsX().(reg.VecPhysical)
	load, store := VMOVDQU, VMOVDQU
	if m.isa == sse2 {
		load, store = MOVOU, MOVOU
	}
	if m.isa != sse2 {
		m.absorbFours(label)
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

// absorbFours takes 64 bytes at a time, as long as there are as many.
func (m message) absorbFours(label string) {
	Label(label + "_fours")
	CMPQ(n, U8(64))
	JB(LabelRef(label + "_block"))
	CMPQ(used, U32(streamSize-64))
	JA(LabelRef(label + "_block"))
	xor := func() {
		for i := range 2 {
			offset := i * m.width()
			m.load(Mem{Base: src, Disp: offset}, m.vec(i))
			m.xorMem(stream().Offset(offset), m.vec(i), nil)
			m.store(m.vec(i), Mem{Base: dst, Disp: offset})
		}
	}
	if m.open { // the ciphertext first: dst may be src
		emit(m.polyBlocks(Mem{Base: src}, 4))
		xor()
	} else {
		xor()
		emit(m.polyBlocks(Mem{Base: dst}, 4))
	}
	for _, r := range []reg.Register{src, dst, used} {
		ADDQ(U8(64), r)
	}
	SUBQ(U8(64), n)
	JMP(LabelRef(label + "_fours"))
}

// finish adds the lengths, computes the tag, and clears the State.
func (m message) finish() {
	Comment("the lengths of the additional data and of the ciphertext")
	emit(m.polyBlock(func() { ADDQ(at(offExtra), h0); ADCQ(at(offLength), h1); ADCQ(U8(1), h2) }))
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
