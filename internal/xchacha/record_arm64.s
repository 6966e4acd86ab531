//go:build !purego

#include "textflag.h"

// Where the kernels begin: their entry for assembly, not the wrapper that Go
// code calls, which uses registers of its own.

DATA entries<>+0(SB)/8, $·messageNEON(SB)
DATA entries<>+8(SB)/8, $·messageNEON(SB)
DATA entries<>+16(SB)/8, $·hChaChaNEON(SB)
DATA entries<>+24(SB)/8, $·xor(SB)
DATA entries<>+32(SB)/8, $·differ(SB)
DATA entries<>+40(SB)/8, $·copyN(SB)
DATA entries<>+48(SB)/8, $·copyBackN(SB)
GLOBL entries<>(SB), NOPTR, $56

// func entry(k kernel, function uint64) uintptr
TEXT ·entry(SB), NOSPLIT, $0-24
	MOVD function+8(FP), R0
	MOVD $entries<>(SB), R1
	MOVD (R1)(R0<<3), R0
	MOVD R0, ret+16(FP)
	RET

// Offsets into recording.
#define VECTORS 208
#define STACK 720

// func record(entry uintptr, args *[8]uintptr, r *recording)
TEXT ·record(SB), $88-24
	MOVD r+16(FP), R0
	ADD  $STACK, R0, R1
	SUB  $256, RSP, R2
	MOVD $32, R3

fill:
	MOVD.P 8(R1), R4
	MOVD.P R4, 8(R2)
	SUBS   $1, R3, R3
	BNE    fill

	MOVD args+8(FP), R1
	MOVD 0(R1), R2
	MOVD R2, 8(RSP)
	MOVD 8(R1), R2
	MOVD R2, 16(RSP)
	MOVD 16(R1), R2
	MOVD R2, 24(RSP)
	MOVD 24(R1), R2
	MOVD R2, 32(RSP)
	MOVD 32(R1), R2
	MOVD R2, 40(RSP)
	MOVD 40(R1), R2
	MOVD R2, 48(RSP)
	MOVD 48(R1), R2
	MOVD R2, 56(RSP)
	MOVD 56(R1), R2
	MOVD R2, 64(RSP)
	ADD  $VECTORS, R0, R1
	VLD1.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]
	VLD1.P 64(R1), [V4.B16, V5.B16, V6.B16, V7.B16]
	VLD1.P 64(R1), [V8.B16, V9.B16, V10.B16, V11.B16]
	VLD1.P 64(R1), [V12.B16, V13.B16, V14.B16, V15.B16]
	VLD1.P 64(R1), [V16.B16, V17.B16, V18.B16, V19.B16]
	VLD1.P 64(R1), [V20.B16, V21.B16, V22.B16, V23.B16]
	VLD1.P 64(R1), [V24.B16, V25.B16, V26.B16, V27.B16]
	VLD1.P 64(R1), [V28.B16, V29.B16, V30.B16, V31.B16]
	MOVD 8(R0), R1
	MOVD 16(R0), R2
	MOVD 24(R0), R3
	MOVD 32(R0), R4
	MOVD 40(R0), R5
	MOVD 48(R0), R6
	MOVD 56(R0), R7
	MOVD 64(R0), R8
	MOVD 72(R0), R9
	MOVD 80(R0), R10
	MOVD 88(R0), R11
	MOVD 96(R0), R12
	MOVD 104(R0), R13
	MOVD 112(R0), R14
	MOVD 120(R0), R15
	MOVD 128(R0), R16
	MOVD 136(R0), R17
	MOVD 144(R0), R19
	MOVD 152(R0), R20
	MOVD 160(R0), R21
	MOVD 168(R0), R22
	MOVD 176(R0), R23
	MOVD 184(R0), R24
	MOVD 192(R0), R25
	MOVD 200(R0), R26
	MOVD entry+0(FP), R27 // the assembler's own register, which is not recorded
	MOVD (R0), R0
	BL   (R27)

	MOVD R0, 72(RSP)
	MOVD r+16(FP), R0
	MOVD R1, 8(R0)
	MOVD R2, 16(R0)
	MOVD R3, 24(R0)
	MOVD R4, 32(R0)
	MOVD R5, 40(R0)
	MOVD R6, 48(R0)
	MOVD R7, 56(R0)
	MOVD R8, 64(R0)
	MOVD R9, 72(R0)
	MOVD R10, 80(R0)
	MOVD R11, 88(R0)
	MOVD R12, 96(R0)
	MOVD R13, 104(R0)
	MOVD R14, 112(R0)
	MOVD R15, 120(R0)
	MOVD R16, 128(R0)
	MOVD R17, 136(R0)
	MOVD R19, 144(R0)
	MOVD R20, 152(R0)
	MOVD R21, 160(R0)
	MOVD R22, 168(R0)
	MOVD R23, 176(R0)
	MOVD R24, 184(R0)
	MOVD R25, 192(R0)
	MOVD R26, 200(R0)
	MOVD 72(RSP), R1
	MOVD R1, (R0)
	ADD  $VECTORS, R0, R1
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R1)
	VST1.P [V4.B16, V5.B16, V6.B16, V7.B16], 64(R1)
	VST1.P [V8.B16, V9.B16, V10.B16, V11.B16], 64(R1)
	VST1.P [V12.B16, V13.B16, V14.B16, V15.B16], 64(R1)
	VST1.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R1)
	VST1.P [V20.B16, V21.B16, V22.B16, V23.B16], 64(R1)
	VST1.P [V24.B16, V25.B16, V26.B16, V27.B16], 64(R1)
	VST1.P [V28.B16, V29.B16, V30.B16, V31.B16], 64(R1)
	SUB  $256, RSP, R2
	MOVD $32, R3

read:
	MOVD.P 8(R2), R4
	MOVD.P R4, 8(R1)
	SUBS   $1, R3, R3
	BNE    read

	MOVD args+8(FP), R1
	MOVD 64(RSP), R2    // the result of open
	MOVD R2, 56(R1)
	RET
