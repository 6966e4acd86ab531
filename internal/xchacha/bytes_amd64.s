//go:build !purego

#include "textflag.h"

// No byte of a secret passes through a general register here: when a program
// dies, Go prints those, and no others.

// func copyN(dst, src *byte, n int)
// The string instruction moves bytes without a register.
TEXT ·copyN(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	REP; MOVSB
	XORL AX, AX
	XORL SI, SI
	XORL DI, DI
	RET

// func copyBackN(dst, src *byte, n int)
// One string instruction at a time: each moves forwards, and then the pointers
// go back. Repeated backwards it would need the direction flag, with which a
// fault must not leave.
TEXT ·copyBackN(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	ADDQ CX, DI
	ADDQ CX, SI

words:
	CMPQ CX, $8
	JB   bytes
	SUBQ $8, SI
	SUBQ $8, DI
	MOVSQ
	SUBQ $8, SI
	SUBQ $8, DI
	SUBQ $8, CX
	JMP  words

bytes:
	TESTQ CX, CX
	JEQ   done
	DECQ  SI
	DECQ  DI
	MOVSB
	DECQ  SI
	DECQ  DI
	DECQ  CX
	JMP   bytes

done:
	XORL AX, AX
	XORL SI, SI
	XORL DI, DI
	RET

// func differ(a, b *byte, n int) uint64
// X0 gathers the differences, which with a known b are the secret. What is left
// of a multiple of 16 bytes is compared together with some that were compared
// before; sizes below that go down to two words of 8, 4 or 2 bytes, which may
// overlap. The one byte is compared where it is, and leaves flags.
TEXT ·differ(SB), NOSPLIT, $0-32
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ n+16(FP), CX
	PXOR X0, X0
	CMPQ CX, $16
	JB   below16

blocks:
	MOVOU (SI), X1
	MOVOU (DI), X2
	PXOR  X2, X1
	POR   X1, X0
	ADDQ  $16, SI
	ADDQ  $16, DI
	SUBQ  $16, CX
	CMPQ  CX, $16
	JAE   blocks
	MOVOU -16(SI)(CX*1), X1
	MOVOU -16(DI)(CX*1), X2
	JMP   last

below16:
	CMPQ CX, $8
	JB   below8
	MOVQ (SI), X1
	MOVQ (DI), X2
	PXOR X2, X1
	POR  X1, X0
	MOVQ -8(SI)(CX*1), X1
	MOVQ -8(DI)(CX*1), X2
	JMP  last

below8:
	CMPQ CX, $4
	JB   below4
	MOVL (SI), X1
	MOVL (DI), X2
	PXOR X2, X1
	POR  X1, X0
	MOVL -4(SI)(CX*1), X1
	MOVL -4(DI)(CX*1), X2
	JMP  last

below4:
	CMPQ   CX, $2
	JB     below2
	PXOR   X1, X1
	PXOR   X2, X2
	PINSRW $0, (SI), X1
	PINSRW $0, (DI), X2
	PINSRW $1, -2(SI)(CX*1), X1
	PINSRW $1, -2(DI)(CX*1), X2

last:
	PXOR X2, X1
	POR  X1, X0

	// All bits are folded into the lowest word of X0, and that to whether it is
	// zero, before a general register sees it.
	PSHUFD  $0x4e, X0, X1
	POR     X1, X0
	PSHUFD  $0xb1, X0, X1
	POR     X1, X0
	PXOR    X1, X1
	PCMPEQL X1, X0
	MOVL    X0, AX
	INCL    AX             // all ones if the same
	NEGL    AX
	SBBL    AX, AX
	NEGL    AX

done:
	MOVQ AX, ret+24(FP)
	PXOR X0, X0
	PXOR X1, X1
	PXOR X2, X2
	XORL AX, AX
	XORL CX, CX
	XORL SI, SI
	XORL DI, DI
	RET

below2:
	XORL  AX, AX
	TESTQ CX, CX
	JEQ   done
	CMPSB
	SETNE AX
	JMP   done
