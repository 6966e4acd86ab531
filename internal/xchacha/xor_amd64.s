//go:build !purego

#include "textflag.h"

// func xor(dst, src *[32]byte)
// One register carries every word, and is cleared.
TEXT ·xor(SB), NOSPLIT, $0-16
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ 0(SI), AX
	XORQ AX, 0(DI)
	MOVQ 8(SI), AX
	XORQ AX, 8(DI)
	MOVQ 16(SI), AX
	XORQ AX, 16(DI)
	MOVQ 24(SI), AX
	XORQ AX, 24(DI)
	XORL AX, AX
	XORL SI, SI
	XORL DI, DI
	RET
