package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
)

// AMD's Zen 5 executes most vector instructions on integers in one cycle, but in two once
// some fifty of them wait in its schedulers, and then in two until nearly none waits any
// more. Rounds of one row are a chain, each link of which waits for the one before, while
// the processor takes in eight instructions a cycle: the schedulers soon fill, and a round
// takes 24 cycles. Paced, it takes 14 to 15: among the links are as many instructions that
// do nothing as make the processor take in hardly more than the chain uses up. Before the
// first of them, the schedulers must be empty.
//
// Other processors are not known to need it. Where several rows run side by side, it gains
// nothing on Zen 5 either.

// pacedSlots is how many instructions a double round of one row is made of: eight for each
// of 29 cycles. Its eight halves of a quarter round take three cycles each, and the two
// whose rotation is not split four: 26. With 27 the schedulers fill within ten double
// rounds, with 28 within the 24 of a short message.
const pacedSlots = 8 * 29

// pace adds to the steps, of one instruction each, what does nothing, until there are so
// many.
func pace(steps []step, slots int) []step {
	nops := slots - len(steps)
	all := make([]step, 0, slots)
	added := 0
	for i, s := range steps {
		all = append(all, s)
		for ; added < (i+1)*nops/len(steps); added++ {
			all = append(all, nop)
		}
	}
	return all
}

// nop is an instruction of four bytes that does nothing. Those of one byte stand so close
// that the processor can't keep all of a loop decoded, depending on what else runs: Use
// then takes up to 15 % longer.
func nop() {
	Instruction(&ir.Instruction{Opcode: "LONG", Operands: []Op{U32(0x00401f0f)}}) // NOP DWORD PTR [RAX+0]
}

// pacedRounds are the labels of a function's rounds that may be paced.
var pacedRounds []string

// ifPacedRounds has the rounds done by generatePaced, and goes on where they are done, if
// the caller wants them paced.
func ifPacedRounds(label string) {
	ifPaced(label + "_paced")
	pacedRounds = append(pacedRounds, label)
}

// generatePaced is the paced rounds of a function's row 0, in one loop for all of them: the
// processor keeps only so much decoded. There is a fence before the first of them, none
// before those that follow, for it takes sixteen cycles.
func (v isa) generatePaced() {
	if len(pacedRounds) == 0 {
		return
	}
	which := h0 // of pacedRounds; Poly1305 has yet to begin
	for i, label := range pacedRounds {
		Label(label + "_paced")
		MOVL(U32(i), which.As32())
		if i == 0 {
			LFENCE()
		}
		JMP(LabelRef("paced"))
	}
	v.loop("paced", pace(v.doubleRound(v.alone(v.rows(0)).paced(), nil), pacedSlots-2))
	for i, label := range pacedRounds[1:] {
		CMPL(which.As32(), U8(i+1))
		JEQ(LabelRef(label + "_done"))
	}
	JMP(LabelRef(pacedRounds[0] + "_done"))
	pacedRounds = nil
}

// align64 has the function begin a cache line. Where paced rounds lie in one makes up to 10 %
// of difference, and the linker would put them 32 bytes later as likely as not.
func align64() {
	Instruction(&ir.Instruction{Opcode: "PCALIGN", Operands: []Op{U8(64)}})
}

// ifPaced goes to the label if the caller wants rounds paced.
func ifPaced(label string) {
	p, err := Param("p").Resolve()
	if err != nil {
		panic(err)
	}
	TESTQ(U32(paced), p.Addr)
	JNZ(LabelRef(label))
}
