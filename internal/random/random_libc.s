//go:build darwin || openbsd

#include "textflag.h"

TEXT arc4random_trampoline<>(SB), NOSPLIT, $0-0
#ifdef GOARCH_ppc64
	CALL libc_arc4random_buf(SB)
	RET
#else
	JMP libc_arc4random_buf(SB)
#endif

#ifdef GOARCH_386
#define POINTER 4
#endif
#ifdef GOARCH_arm
#define POINTER 4
#endif
#ifndef POINTER
#define POINTER 8
#endif

GLOBL ·arc4randomTrampoline(SB), RODATA, $POINTER
DATA ·arc4randomTrampoline(SB)/POINTER, $arc4random_trampoline<>(SB)
