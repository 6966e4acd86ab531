package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A wide is the way of a long message with AVX-512: sixteen blocks of keystream at a
// time, in all registers, which are used right away, and Poly1305 of as much
// ciphertext meanwhile. When sealing, that is what was sealed before, and when opening
// what is about to be opened.
//
// Poly1305 would wait the longer, for each block is added to the product of those
// before. So two chains run side by side, each over one half. Then the first is
// multiplied by r^32, for the 32 blocks of the other half that follow it.
type wide struct {
	message
	words                 [2]words // eight blocks each
	ciphertext, plaintext reg.GPPhysical
	second                accumulator // of the second half; its registers wait in memory
}

const (
	wideSize = 1024
	wideHalf = wideSize / 2

	// What there is to do before and after a pass pays off when three of them follow:
	// more than so many bytes are left.
	wideFrom = 3 * wideSize

	// The blocks of each half that are added in a double round. What is left of them
	// follows.
	widePerRound = 3
)

// Where registers wait. Nothing else needs that room before the last block.
const (
	offN         = offBlock
	offPlaintext = offBlock + 8
	offTodo      = offPower + 24
)

func (m message) wide() wide {
	w := wide{message: m}
	for i := range w.words {
		w.words[i] = m.wideWords(16*i, ymm[16-16*i:][:2])
	}
	w.ciphertext, w.plaintext = m.ciphertext()
	w.second = accumulator{todo, n, w.plaintext}
	return w
}

func (w wide) generate() {
	Label("wide")
	w.power()
	if w.open {
		w.absorbTodo("before_wide")
		Comment("the stream before")
		MOVQ(at(offUsed), used)
		LEAQ(Mem{Base: src, Index: used, Scale: 1, Disp: -streamSize}, src)
		w.xorStream("wide", w.vec(0), w.vec(1))
		MOVQ(U32(streamSize), at(offUsed))
	} else {
		w.firstRounds()
		JMP(LabelRef("wide_use"))
	}

	Label("wide_pass")
	MOVQ(n, at(offN))
	MOVQ(w.plaintext, at(offPlaintext))
	for _, x := range w.second {
		XORL(x.As32(), x.As32())
	}
	w.start()
	w.rounds("wide_rounds", w.halves(widePerRound))
	ADDQ(U8(16*widePerRound), w.ciphertext)
	DECQ(at(offRounds))
	JNZ(LabelRef("wide_rounds"))
	emit(w.halves(wideHalf/16 - 10*widePerRound))
	emit(polyCombine(h, w.second))
	SUBQ(U32(16*10*widePerRound), w.ciphertext)
	MOVQ(at(offN), n)
	MOVQ(at(offPlaintext), w.plaintext)
	if !w.open {
		ADDQ(U32(wideSize), dst)
	}

	Label("wide_use")
	w.use()
	ADDQ(U32(wideSize), src)
	if w.open {
		ADDQ(U32(wideSize), dst)
	}
	SUBQ(U32(wideSize), n)
	CMPQ(n, U32(wideSize))
	JA(LabelRef("wide_pass"))
	Comment("Beside generateStream, nothing else uses the registers above the sixteenth.")
	w.clear(16, 32)
	if w.open {
		XORL(todo.As32(), todo.As32())
	} else {
		MOVL(U32(wideSize/16), todo.As32())
	}
	JMP(LabelRef("narrow"))
}

// power has r^32 in the State.
func (w wide) power() {
	all := map[reg.GPPhysical]int{todo: offTodo, n: offN, w.plaintext: offPlaintext}
	for i, x := range h {
		all[x] = offH + 8*i
	}
	order := append(h[:], w.second[:]...)
	for _, x := range order {
		MOVQ(x, at(all[x]))
	}
	polyPower("power", h, w.second)
	for _, x := range order {
		MOVQ(at(all[x]), x)
	}
}

// start fills the registers with the input of sixteen blocks.
func (w wide) start() {
	for i := range w.words {
		w.words[i].load(8 * i)
	}
	MOVQ(U32(10), at(offRounds))
}

// rounds is a double round with other work between its steps.
func (w wide) rounds(label string, other []step) {
	Label(label)
	emit(interleave(zip(w.words[0].doubleRound(), w.words[1].doubleRound()), other))
}

// halves is the steps that add the next n blocks of each half.
func (w wide) halves(n int) []step {
	first := Mem{Base: w.ciphertext}
	return polyChains(n, chain{h, first}, chain{w.second, first.Offset(wideHalf)})
}

// firstRounds is the rounds of the first pass when sealing, in which what was
// sealed before is short of two halves.
func (w wide) firstRounds() {
	w.start()
	CMPQ(todo, U8(widePerRound))
	JB(LabelRef("first_rounds"))

	w.rounds("first_rounds_and_blocks", w.polyBlocks(Mem{Base: dst}, widePerRound))
	ADDQ(U8(16*widePerRound), dst)
	SUBQ(U8(widePerRound), todo)
	DECQ(at(offRounds))
	JZ(LabelRef("before_wide"))
	CMPQ(todo, U8(widePerRound))
	JAE(LabelRef("first_rounds_and_blocks"))

	w.rounds("first_rounds", nil)
	DECQ(at(offRounds))
	JNZ(LabelRef("first_rounds"))
	w.absorbTodo("before_wide")
}

// use ends ChaCha20 and writes src, sealed or opened, to dst. The stream, which is
// used up, lends room for two registers.
func (w wide) use() {
	tmp := w.words[0].tmp
	for i, x := range tmp {
		w.store(x, at(offStream+32*i))
	}
	for i, words := range w.words {
		emit(words.finish(func(x reg.VecPhysical, offset int) {
			w.xorMem(Mem{Base: src, Disp: wideHalf*i + offset}, x, nil)
			w.store(x, Mem{Base: dst, Disp: wideHalf*i + offset})
		}))
		if i > 0 {
			break
		}
		for j, x := range tmp {
			w.load(at(offStream+32*j), x)
		}
	}
}
