// Command _asm generates the amd64 assembly of package xchacha.
//
// A kernel is written once and generated for three instruction sets; isa.go is
// what differs between them. message.go is the way of a message through it, with
// stream.go for what is beyond the first keystream and wide.go for long messages;
// rows.go and words.go are two forms of ChaCha20, for latency and for throughput, and
// pace.go is what makes rows faster on Zen 5; poly.go is Poly1305.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets into State. The package does not compile if its fields have others.
const (
	offSubkey   = 32
	offPosition = 64
	offR        = 80
	offPad      = 96
	offH        = 112
	offFold     = 136
	offBlock    = 144
	offLength   = 160
	offUsed     = 168
	offRounds   = 176
	offExtra    = 184
	offScratch  = 192
	offPower    = 192 // in its place: with AVX-512, words find a register
	offStream   = 256
	streamSize  = 512
	stateSize   = offStream + streamSize
)

const (
	first = 1 << 0 // this call begins a message
	last  = 1 << 1 // this call ends it
	paced = 1 << 2 // a row alone is paced: see pace.go
)

// What the general registers hold, beside the ones that Poly1305 takes. The
// frame pointer is left alone, and so is R15, which position-independent code
// needs for itself.
var (
	state = reg.RDI
	src   = reg.RSI
	dst   = reg.R8
	n     = reg.RCX // bytes left of src
	used  = reg.R9  // bytes of the stream that are used up
	todo  = reg.R9  // in a generating pass: Poly1305 blocks left to interleave
	work  = reg.RBX
)

var general = []reg.GPPhysical{
	reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.RDI,
	reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14,
}

func at(offset int) Mem { return Mem{Base: state, Disp: offset} }

// stream is the keystream that is next to be used.
func stream() Mem { return Mem{Base: state, Index: used, Scale: 1, Disp: offStream} }

func main() {
	ConstraintExpr("!purego")
	constants()
	additional()
	for _, v := range []isa{sse2, avx2, avx512} {
		hChaCha(v)
		message{v, false}.generate()
		message{v, true}.generate()
	}
	Generate()
}

func hChaCha(v isa) {
	TEXT("hChaCha"+v.String(), NOSPLIT, "func(dst *[32]byte, key *[32]byte, in *[16]byte, doubleRounds uint64, p uint64)")
	Pragma("noescape")
	Doc("hChaCha" + v.String() + " is HChaCha of so many double rounds; dst may be key.")
	Load(Param("dst"), dst)
	Load(Param("key"), reg.RAX)
	Load(Param("in"), src)
	Load(Param("doubleRounds"), work)
	r := v.hChaCha("rounds", Mem{Base: reg.RAX}, Mem{Base: src})
	v.storeSubkey(r, Mem{Base: dst})
	clearRegisters(v)
	RET()
	v.generatePaced()
}

func (v isa) storeSubkey(r rows, dst Mem) {
	for i, x := range []reg.VecPhysical{r.a, r.d} {
		if v == sse2 {
			MOVOU(x, dst.Offset(16*i))
		} else {
			VMOVDQU(x.AsX(), dst.Offset(16*i))
		}
	}
}

func clearRegisters(v isa) {
	Comment("Nothing outlives the call in a register.")
	v.clear(0, 16)
	if v != sse2 {
		VZEROUPPER()
	}
	for _, r := range general {
		XORL(r.As32(), r.As32())
	}
}
