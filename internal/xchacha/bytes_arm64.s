//go:build !purego

#include "textflag.h"

// No byte of a secret passes through a general register here: when a program
// dies, Go prints those, and no others.

// func copyN(dst, src *byte, n int)
TEXT ·copyN(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2

blocks:
	CMP    $16, R2
	BLO    bytes
	VLD1.P 16(R1), [V0.B16]
	VST1.P [V0.B16], 16(R0)
	SUB    $16, R2
	B      blocks

bytes:
	CBZ    R2, done
	VLD1.P 1(R1), V0.B[0]
	VST1.P V0.B[0], 1(R0)
	SUB    $1, R2
	B      bytes

done:
	VEOR V0.B16, V0.B16, V0.B16
	MOVD ZR, R0
	MOVD ZR, R1
	RET

// func copyBackN(dst, src *byte, n int)
TEXT ·copyBackN(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2
	ADD  R2, R0
	ADD  R2, R1

blocks:
	CMP  $16, R2
	BLO  bytes
	SUB  $16, R0
	SUB  $16, R1
	SUB  $16, R2
	VLD1 (R1), [V0.B16]
	VST1 [V0.B16], (R0)
	B    blocks

bytes:
	CBZ  R2, done
	SUB  $1, R0
	SUB  $1, R1
	SUB  $1, R2
	VLD1 (R1), V0.B[0]
	VST1 V0.B[0], (R0)
	B    bytes

done:
	VEOR V0.B16, V0.B16, V0.B16
	MOVD ZR, R0
	MOVD ZR, R1
	RET

// func differ(a, b *byte, n int) uint64
// V0 gathers the differences, which with a known b are the secret.
TEXT ·differ(SB), NOSPLIT, $0-32
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD n+16(FP), R2
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16

blocks:
	CMP    $16, R2
	BLO    rest
	VLD1.P 16(R0), [V1.B16]
	VLD1.P 16(R1), [V2.B16]
	VEOR   V1.B16, V2.B16, V1.B16
	VORR   V1.B16, V0.B16, V0.B16
	SUB    $16, R2
	B      blocks

rest:
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16

bytes:
	CBZ    R2, fold
	VLD1.P 1(R0), V1.B[0]
	VLD1.P 1(R1), V2.B[0]
	VEOR   V1.B16, V2.B16, V1.B16
	VORR   V1.B16, V0.B16, V0.B16
	VEOR   V1.B16, V1.B16, V1.B16
	SUB    $1, R2
	B      bytes

fold:
	// All bytes are folded into each one, and that to whether it is zero, before
	// a general register sees it.
	VEXT   $8, V0.B16, V0.B16, V1.B16
	VORR   V1.B16, V0.B16, V0.B16
	VEXT   $4, V0.B16, V0.B16, V1.B16
	VORR   V1.B16, V0.B16, V0.B16
	VEXT   $2, V0.B16, V0.B16, V1.B16
	VORR   V1.B16, V0.B16, V0.B16
	VEXT   $1, V0.B16, V0.B16, V1.B16
	VORR   V1.B16, V0.B16, V0.B16
	VCMTST V0.B16, V0.B16, V0.B16
	VUSHR  $7, V0.B16, V0.B16
	VMOV   V0.B[0], R3
	MOVD   R3, ret+24(FP)
	VEOR   V0.B16, V0.B16, V0.B16
	VEOR   V1.B16, V1.B16, V1.B16
	VEOR   V2.B16, V2.B16, V2.B16
	MOVD   ZR, R0
	MOVD   ZR, R1
	MOVD   ZR, R3
	RET
