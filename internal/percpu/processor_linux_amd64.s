//go:build !purego

#include "textflag.h"

// func hasRDPID() bool
TEXT ·hasRDPID(SB), NOSPLIT, $0-1
	MOVB	$0, ret+0(FP)
	XORL	AX, AX
	CPUID
	CMPL	AX, $7 // the highest leaf
	JB	done
	MOVL	$7, AX
	XORL	CX, CX
	CPUID
	SHRL	$22, CX
	ANDL	$1, CX
	MOVB	CX, ret+0(FP)
done:
	RET

// func processor() uint32
TEXT ·processor(SB), NOSPLIT, $0-4
	BYTE	$0xF3; BYTE $0x0F; BYTE $0xC7; BYTE $0xF8 // RDPID AX, which the assembler lacks
	ANDL	$0xFFF, AX // above it is the number of the NUMA node
	MOVL	AX, ret+0(FP)
	RET
