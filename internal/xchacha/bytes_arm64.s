//go:build !purego

#include "textflag.h"

// func copyN(dst, src *byte, n int)
TEXT ·copyN(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2

pairs:
	CMP   $16, R2
	BLO   bytes
	LDP.P 16(R1), (R3, R4)
	STP.P (R3, R4), 16(R0)
	SUB   $16, R2
	B     pairs

bytes:
	CBZ     R2, done
	MOVBU.P 1(R1), R3
	MOVB.P  R3, 1(R0)
	SUB     $1, R2
	B       bytes

done:
	MOVD ZR, R0
	MOVD ZR, R1
	MOVD ZR, R3
	MOVD ZR, R4
	RET

// func copyBackN(dst, src *byte, n int)
TEXT ·copyBackN(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2
	ADD  R2, R0
	ADD  R2, R1

backwards:
	CBZ     R2, done
	MOVBU.W -1(R1), R3
	MOVB.W  R3, -1(R0)
	SUB     $1, R2
	B       backwards

done:
	MOVD ZR, R0
	MOVD ZR, R1
	MOVD ZR, R3
	RET

// func differ(a, b *byte, n int) uint64
// Before the result is one bit, R5 gathers the differences, which with a known
// b are the secret.
TEXT ·differ(SB), NOSPLIT, $0-32
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD n+16(FP), R2
	MOVD ZR, R5

words:
	CMP    $8, R2
	BLO    bytes
	MOVD.P 8(R0), R3
	MOVD.P 8(R1), R4
	EOR    R3, R4, R3
	ORR    R3, R5, R5
	SUB    $8, R2
	B      words

bytes:
	CBZ     R2, done
	MOVBU.P 1(R0), R3
	MOVBU.P 1(R1), R4
	EOR     R3, R4, R3
	ORR     R3, R5, R5
	SUB     $1, R2
	B       bytes

done:
	CMP  ZR, R5
	CSET NE, R3
	MOVD R3, ret+24(FP)
	MOVD ZR, R0
	MOVD ZR, R1
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD ZR, R5
	RET
