//go:build !purego

#include "textflag.h"

// func xor(dst, src *[32]byte)
// Vector registers: when a program dies, Go prints the general ones.
TEXT ·xor(SB), NOSPLIT, $0-16
	MOVQ  dst+0(FP), DI
	MOVQ  src+8(FP), SI
	MOVOU 0(DI), X0
	MOVOU 16(DI), X1
	MOVOU 0(SI), X2
	MOVOU 16(SI), X3
	PXOR  X2, X0
	PXOR  X3, X1
	MOVOU X0, 0(DI)
	MOVOU X1, 16(DI)
	PXOR  X0, X0
	PXOR  X1, X1
	PXOR  X2, X2
	PXOR  X3, X3
	XORL  AX, AX
	XORL  SI, SI
	XORL  DI, DI
	RET
