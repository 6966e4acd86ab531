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
// takes 24 cycles. Paced, it takes 15 or 16: among the links are as many instructions that
// do nothing as make the processor take in no more than the chain uses up. Before the first
// of them, a fence waits until the schedulers are empty.
//
// Other processors are not known to need it. Where several rows run side by side, it gains
// nothing on Zen 5 either.

const (
	// What a double round of one row takes, with two cycles to spare: its eight halves of
	// a quarter round take three each, and the two whose rotation is not split four.
	pacedCycles = 8*3 + 2 + 2

	takenIn = 8 // instructions in a cycle
)

// pace adds what makes the steps, of one instruction each, and so many others beside them
// take so many cycles to be taken in.
func pace(steps []step, cycles, others int) []step {
	nops := takenIn*cycles - len(steps) - others
	all := make([]step, 0, len(steps)+nops)
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
