package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// additional generates the function that adds additional data to the accumulator
// of a message that has begun. One form serves all processors: it is no more than
// Poly1305, and mostly short.
func additional() {
	TEXT("absorbAdditional", NOSPLIT, "func(s, b *byte, n int)")
	Doc("absorbAdditional adds n bytes at b, the last block padded with zeros, to the accumulator of a message that has begun.")
	Pragma("noescape")
	Load(Param("s"), state)
	Load(Param("b"), src)
	Load(Param("n"), n)
	ADDQ(n, at(offExtra))
	for i, h := range []reg.Register{h0, h1, h2} {
		MOVQ(at(offH+8*i), h)
	}

	Label("block")
	CMPQ(n, U8(16))
	JB(LabelRef("rest"))
	emit(sse2.polyBlock(addBlock(Mem{Base: src})))
	ADDQ(U8(16), src)
	SUBQ(U8(16), n)
	JMP(LabelRef("block"))

	Label("rest")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	XORL(reg.EAX, reg.EAX)
	MOVQ(reg.RAX, at(offBlock))
	MOVQ(reg.RAX, at(offBlock+8))
	MOVQ(state, reg.RAX)
	ADDQ(U8(offBlock), state) // the block, for the time of moving
	moveShort("gather")
	MOVQ(reg.RAX, state)
	emit(sse2.polyBlock(addBlock(at(offBlock))))

	Label("done")
	for i, h := range []reg.Register{h0, h1, h2} {
		MOVQ(h, at(offH+8*i))
	}
	clearRegisters(sse2)
	RET()
}
