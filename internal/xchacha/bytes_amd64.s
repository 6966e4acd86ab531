//go:build !purego

#include "textflag.h"

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
// One register carries every word, and is cleared. The string instruction would
// need the direction flag, with which a fault must not leave.
TEXT ·copyBackN(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

words:
	CMPQ CX, $8
	JB   bytes
	MOVQ -8(SI)(CX*1), AX
	MOVQ AX, -8(DI)(CX*1)
	SUBQ $8, CX
	JMP  words

bytes:
	TESTQ   CX, CX
	JEQ     done
	MOVBLZX -1(SI)(CX*1), AX
	MOVB    AX, -1(DI)(CX*1)
	DECQ    CX
	JMP     bytes

done:
	XORL AX, AX
	XORL SI, SI
	XORL DI, DI
	RET

// func differ(a, b *byte, n int) uint64
// Before the result is one bit, DX gathers the differences, which with a known
// b are the secret.
TEXT ·differ(SB), NOSPLIT, $0-32
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ n+16(FP), CX
	XORL DX, DX

words:
	CMPQ CX, $8
	JB   bytes
	MOVQ (SI), AX
	XORQ (DI), AX
	ORQ  AX, DX
	ADDQ $8, SI
	ADDQ $8, DI
	SUBQ $8, CX
	JMP  words

bytes:
	TESTQ   CX, CX
	JEQ     done
	MOVBLZX (SI), AX
	MOVBLZX (DI), R8
	XORL    R8, AX
	ORQ     AX, DX
	INCQ    SI
	INCQ    DI
	DECQ    CX
	JMP     bytes

done:
	// The carry of 0 - DX is whether DX is not zero.
	NEGQ  DX
	SBBQ  AX, AX
	NEGQ  AX
	MOVQ  AX, ret+24(FP)
	XORL  AX, AX
	XORL  DX, DX
	XORL  R8, R8
	XORL  SI, SI
	XORL  DI, DI
	RET
