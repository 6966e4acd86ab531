//go:build darwin || openbsd

#include "textflag.h"

TEXT minherit_trampoline<>(SB), NOSPLIT, $0-0
#ifdef GOARCH_ppc64
	CALL libc_minherit(SB)
	RET
#else
	JMP libc_minherit(SB)
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

GLOBL ·minheritTrampoline(SB), RODATA, $POINTER
DATA ·minheritTrampoline(SB)/POINTER, $minherit_trampoline<>(SB)
