//go:build !purego

#include "textflag.h"

// func xor(dst, src *[32]byte)
TEXT ·xor(SB), NOSPLIT, $0-16
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	LDP  0(R0), (R2, R3)
	LDP  0(R1), (R4, R5)
	EOR  R4, R2, R2
	EOR  R5, R3, R3
	STP  (R2, R3), 0(R0)
	LDP  16(R0), (R2, R3)
	LDP  16(R1), (R4, R5)
	EOR  R4, R2, R2
	EOR  R5, R3, R3
	STP  (R2, R3), 16(R0)
	MOVD ZR, R0
	MOVD ZR, R1
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD ZR, R5
	RET
