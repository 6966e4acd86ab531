//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// ChaCha20 has one row of its state to a register, so a block takes four. They
// are computed four at a time, in V0 to V15, or two for a short message.

#define TURN8 V18   // byte order that rotates words left by 8
#define SIGMA V20   // the input rows
#define KEY_B V21
#define KEY_C V22
#define POSITION0 V23
#define POSITION1 V24
#define POSITION2 V25
#define POSITION3 V26

#define STATE R0
#define DST R1
#define SRC R2
#define N R3        // bytes left of SRC
#define NONCE R4
#define PART R5
#define USED R6     // where in the stream the unused keystream begins
#define CIPHER R7   // ciphertext that is next to be added to the accumulator
#define TODO R8     // blocks of it
#define ROUNDS R9
#define END R26     // of the stream

// Poly1305: the accumulator, the key, and what the multiplication needs.
#define H0 R10
#define H1 R11
#define H2 R12
#define KEY_R0 R13
#define KEY_R1 R14
#define FOLD R15
#define T0 R19
#define T1 R20
#define T2 R21
#define T3 R22
#define T4 R23
#define T5 R24
#define ONE R25

#define FIRST_BIT 0
#define LAST_BIT 1
#define OPENING_BIT 2

// The stream's last 256 bytes are used: four blocks.
#define GENERATED 256

#define CONSTANTS \
	MOVD $0x0605040702010003, T0; \
	MOVD $0x0e0d0c0f0a09080b, T1; \
	VMOV T0, TURN8.D[0]; \
	VMOV T1, TURN8.D[1]; \
	MOVD $0x3320646e61707865, T0; \
	MOVD $0x6b20657479622d32, T1; \
	VMOV T0, SIGMA.D[0]; \
	VMOV T1, SIGMA.D[1]

// RFC 8439, section 2.1, on whole registers of one block.
#define QUARTERS1(a, b, c, d, t) \
	VADD   b.S4, a.S4, a.S4; \
	VEOR   a.B16, d.B16, d.B16; \
	VREV32 d.H8, d.H8; \
	VADD   d.S4, c.S4, c.S4; \
	VEOR   c.B16, b.B16, t.B16; \
	VSHL   $12, t.S4, b.S4; \
	VSRI   $20, t.S4, b.S4; \
	VADD   b.S4, a.S4, a.S4; \
	VEOR   a.B16, d.B16, d.B16; \
	VTBL   TURN8.B16, [d.B16], d.B16; \
	VADD   d.S4, c.S4, c.S4; \
	VEOR   c.B16, b.B16, t.B16; \
	VSHL   $7, t.S4, b.S4; \
	VSRI   $25, t.S4, b.S4

// The same of two blocks, step by step, for processors that don't look ahead.
#define QUARTERS2(a, b, c, d, t, e, f, g, h, u) \
	VADD   b.S4, a.S4, a.S4; \
	VADD   f.S4, e.S4, e.S4; \
	VEOR   a.B16, d.B16, d.B16; \
	VEOR   e.B16, h.B16, h.B16; \
	VREV32 d.H8, d.H8; \
	VREV32 h.H8, h.H8; \
	VADD   d.S4, c.S4, c.S4; \
	VADD   h.S4, g.S4, g.S4; \
	VEOR   c.B16, b.B16, t.B16; \
	VEOR   g.B16, f.B16, u.B16; \
	VSHL   $12, t.S4, b.S4; \
	VSHL   $12, u.S4, f.S4; \
	VSRI   $20, t.S4, b.S4; \
	VSRI   $20, u.S4, f.S4; \
	VADD   b.S4, a.S4, a.S4; \
	VADD   f.S4, e.S4, e.S4; \
	VEOR   a.B16, d.B16, d.B16; \
	VEOR   e.B16, h.B16, h.B16; \
	VTBL   TURN8.B16, [d.B16], d.B16; \
	VTBL   TURN8.B16, [h.B16], h.B16; \
	VADD   d.S4, c.S4, c.S4; \
	VADD   h.S4, g.S4, g.S4; \
	VEOR   c.B16, b.B16, t.B16; \
	VEOR   g.B16, f.B16, u.B16; \
	VSHL   $7, t.S4, b.S4; \
	VSHL   $7, u.S4, f.S4; \
	VSRI   $25, t.S4, b.S4; \
	VSRI   $25, u.S4, f.S4

// Between columns and diagonals row b stays and the others are turned, for b
// is the last that is computed: turning it would be waited for.
#define TO_DIAGONALS(a, c, d) \
	VEXT $12, a.B16, a.B16, a.B16; \
	VEXT $4, c.B16, c.B16, c.B16; \
	VEXT $8, d.B16, d.B16, d.B16

#define TO_COLUMNS(a, c, d) \
	VEXT $4, a.B16, a.B16, a.B16; \
	VEXT $12, c.B16, c.B16, c.B16; \
	VEXT $8, d.B16, d.B16, d.B16

#define DOUBLE_ROUND1 \
	QUARTERS1(V0, V1, V2, V3, V16); \
	TO_DIAGONALS(V0, V2, V3); \
	QUARTERS1(V0, V1, V2, V3, V16); \
	TO_COLUMNS(V0, V2, V3)

#define ROUND_01 QUARTERS2(V0, V1, V2, V3, V16, V4, V5, V6, V7, V17)
#define ROUND_23 QUARTERS2(V8, V9, V10, V11, V16, V12, V13, V14, V15, V17)

// The input rows of a block, and their addition at the end.
#define LOAD(a, b, c, d, position) \
	VMOV SIGMA.B16, a.B16; \
	VMOV KEY_B.B16, b.B16; \
	VMOV KEY_C.B16, c.B16; \
	VMOV position.B16, d.B16

#define ADD_INPUT(a, b, c, d, position) \
	VADD SIGMA.S4, a.S4, a.S4; \
	VADD KEY_B.S4, b.S4, b.S4; \
	VADD KEY_C.S4, c.S4, c.S4; \
	VADD position.S4, d.S4, d.S4

// Positions of the next four blocks.
#define LOAD_POSITIONS \
	ADD  $State_position, STATE, T0; \
	VLD1 (T0), [POSITION0.B16]; \
	VEOR V19.B16, V19.B16, V19.B16; \
	VMOV ONE, V19.S[0]; \
	VADD V19.S4, POSITION0.S4, POSITION1.S4; \
	VADD V19.S4, POSITION1.S4, POSITION2.S4; \
	VADD V19.S4, POSITION2.S4, POSITION3.S4

#define COUNT_BLOCKS(n) \
	MOVWU State_position(STATE), T0; \
	ADDW  $n, T0, T0; \
	MOVW  T0, State_position(STATE)

// ADD_BLOCK adds lo and hi, 16 bytes, to the accumulator.
#define ADD_BLOCK(lo, hi) \
	ADDS lo, H0, H0; \
	ADCS hi, H1, H1; \
	ADC  ONE, H2, H2

// MULTIPLY multiplies the accumulator by r, modulo 2^130 - 5.
//
// The clamped r1 is a multiple of four. So a product with it that stands at
// 2^128 equals, modulo 2^130 - 5, one with FOLD = 5 r1/4 that stands at 1:
//
//	   1: h0 r0 + h1 FOLD             T1 T0
//	2^64: h0 r1 + h1 r0 + h2 FOLD     T3 T2
//	2^128: h2 r0                      T3
//
// What then stands at 2^130 is folded: times five, at 1.
#define MULTIPLY \
	MUL   KEY_R0, H0, T0; \
	UMULH KEY_R0, H0, T1; \
	MUL   FOLD, H1, T4; \
	UMULH FOLD, H1, T5; \
	MUL   KEY_R1, H0, T2; \
	UMULH KEY_R1, H0, T3; \
	ADDS  T4, T0, T0; \
	ADC   T5, T1, T1; \
	MUL   KEY_R0, H1, T4; \
	UMULH KEY_R0, H1, T5; \
	ADDS  T4, T2, T2; \
	ADC   T5, T3, T3; \
	MUL   FOLD, H2, T4; \
	MUL   KEY_R0, H2, T5; \
	ADDS  T4, T2, T2; \
	ADC   T5, T3, T3; \
	ADDS  T1, T2, H1; \
	ADC   ZR, T3, T3; \
	AND   $3, T3, H2; \
	AND   $~3, T3, T4; \
	ADD   T3>>2, T4, T4; \
	ADDS  T4, T0, H0; \
	ADCS  ZR, H1, H1; \
	ADC   ZR, H2, H2

#define ADD_CIPHERTEXT \
	LDP.P 16(CIPHER), (T0, T1); \
	ADD_BLOCK(T0, T1); \
	MULTIPLY

// CIPHERTEXT leaves the ciphertext in V28, of what was in V28 and what V29 it
// became. V30 is ones when opening.
#define CIPHERTEXT VBIF V30.B16, V29.B16, V28.B16

// MOVE_PIECE takes size bytes, if N has that bit, by the lane of that size. What
// of it is ciphertext goes to CIPHER, too. No plaintext and no keystream passes
// through a general register: when a program dies, Go prints those.
#define MOVE_PIECE(bit, size, from, to, next) \
	TBZ    $bit, N, next; \
	VLD1.P size(SRC), from; \
	VLD1.P size(USED), to; \
	VEOR   V28.B16, V29.B16, V29.B16; \
	VST1.P to, size(DST); \
	CIPHERTEXT; \
	VST1.P from, size(CIPHER)

#define CLEAR_VECTORS \
	VEOR V0.B16, V0.B16, V0.B16; \
	VEOR V1.B16, V1.B16, V1.B16; \
	VEOR V2.B16, V2.B16, V2.B16; \
	VEOR V3.B16, V3.B16, V3.B16; \
	VEOR V4.B16, V4.B16, V4.B16; \
	VEOR V5.B16, V5.B16, V5.B16; \
	VEOR V6.B16, V6.B16, V6.B16; \
	VEOR V7.B16, V7.B16, V7.B16; \
	VEOR V8.B16, V8.B16, V8.B16; \
	VEOR V9.B16, V9.B16, V9.B16; \
	VEOR V10.B16, V10.B16, V10.B16; \
	VEOR V11.B16, V11.B16, V11.B16; \
	VEOR V12.B16, V12.B16, V12.B16; \
	VEOR V13.B16, V13.B16, V13.B16; \
	VEOR V14.B16, V14.B16, V14.B16; \
	VEOR V15.B16, V15.B16, V15.B16; \
	VEOR V16.B16, V16.B16, V16.B16; \
	VEOR V17.B16, V17.B16, V17.B16; \
	VEOR V18.B16, V18.B16, V18.B16; \
	VEOR V19.B16, V19.B16, V19.B16; \
	VEOR V20.B16, V20.B16, V20.B16; \
	VEOR V21.B16, V21.B16, V21.B16; \
	VEOR V22.B16, V22.B16, V22.B16; \
	VEOR V23.B16, V23.B16, V23.B16; \
	VEOR V24.B16, V24.B16, V24.B16; \
	VEOR V25.B16, V25.B16, V25.B16; \
	VEOR V26.B16, V26.B16, V26.B16; \
	VEOR V27.B16, V27.B16, V27.B16; \
	VEOR V28.B16, V28.B16, V28.B16; \
	VEOR V29.B16, V29.B16, V29.B16; \
	VEOR V30.B16, V30.B16, V30.B16; \
	VEOR V31.B16, V31.B16, V31.B16

#define CLEAR_GENERAL \
	MOVD ZR, R0; \
	MOVD ZR, R1; \
	MOVD ZR, R2; \
	MOVD ZR, R3; \
	MOVD ZR, R4; \
	MOVD ZR, R5; \
	MOVD ZR, R6; \
	MOVD ZR, R7; \
	MOVD ZR, R8; \
	MOVD ZR, R9; \
	MOVD ZR, R10; \
	MOVD ZR, R11; \
	MOVD ZR, R12; \
	MOVD ZR, R13; \
	MOVD ZR, R14; \
	MOVD ZR, R15; \
	MOVD ZR, R19; \
	MOVD ZR, R20; \
	MOVD ZR, R21; \
	MOVD ZR, R22; \
	MOVD ZR, R23; \
	MOVD ZR, R24; \
	MOVD ZR, R25; \
	MOVD ZR, R26

// func hChaChaNEON(dst, key *[KeySize]byte, in *[16]byte, doubleRounds int)
TEXT ·hChaChaNEON(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), DST
	MOVD key+8(FP), SRC
	MOVD in+16(FP), NONCE
	CONSTANTS
	VMOV SIGMA.B16, V0.B16
	VLD1 (SRC), [V1.B16, V2.B16]
	VLD1 (NONCE), [V3.B16]
	MOVD doubleRounds+24(FP), ROUNDS

rounds:
	DOUBLE_ROUND1
	SUBS $1, ROUNDS, ROUNDS
	BNE  rounds

	VST1.P [V0.B16], 16(DST)
	VST1   [V3.B16], (DST)
	CLEAR_VECTORS
	CLEAR_GENERAL
	RET

// func messageNEON(s *State, dst, src *byte, n int, nonce *[NonceSize]byte, key *Shares, p part) bool
TEXT ·messageNEON(SB), NOSPLIT, $0-57
	MOVD s+0(FP), STATE
	MOVD dst+8(FP), DST
	MOVD src+16(FP), SRC
	MOVD n+24(FP), N
	MOVD nonce+32(FP), NONCE
	MOVD key+40(FP), CIPHER
	MOVD p+48(FP), PART
	ADD  $(State_stream+const_streamSize), STATE, END
	MOVD $1, ONE
	CONSTANTS
	TBZ  $FIRST_BIT, PART, resume

	// The key is the left share ⊕ HChaCha8 of the right one and the domain.
	LDP  (CIPHER), (T0, T1)
	MOVD 16(CIPHER), T2
	VMOV SIGMA.B16, V0.B16
	VLD1 (T1), [V1.B16, V2.B16]
	VLD1 (T2), [V3.B16]
	MOVD $4, ROUNDS

key_rounds:
	DOUBLE_ROUND1
	SUBS $1, ROUNDS, ROUNDS
	BNE  key_rounds

	VLD1 (T0), [V1.B16, V2.B16]
	VEOR V0.B16, V1.B16, V1.B16
	VEOR V3.B16, V2.B16, V2.B16

	// The subkey is HChaCha20 of the key and 16 bytes of nonce.
	VMOV SIGMA.B16, V0.B16
	VLD1 (NONCE), [V3.B16]
	MOVD $10, ROUNDS

subkey:
	DOUBLE_ROUND1
	SUBS $1, ROUNDS, ROUNDS
	BNE  subkey

	VMOV V0.B16, KEY_B.B16
	VMOV V3.B16, KEY_C.B16
	ADD  $State_subkey, STATE, T0
	VST1 [KEY_B.B16, KEY_C.B16], (T0)
	MOVD 16(NONCE), T0
	MOVD ZR, State_position(STATE)
	MOVD T0, (State_position+8)(STATE)
	MOVD N, State_length(STATE)

	// A short message needs two blocks. Else USED says that there is no
	// keystream yet.
	MOVD END, USED
	MOVD ZR, TODO
	CMP  $64, N
	BHI  generate
	LOAD_POSITIONS
	LOAD(V0, V1, V2, V3, POSITION0)
	LOAD(V4, V5, V6, V7, POSITION1)
	MOVD $10, ROUNDS

short:
	ROUND_01
	TO_DIAGONALS(V0, V2, V3)
	TO_DIAGONALS(V4, V6, V7)
	ROUND_01
	TO_COLUMNS(V0, V2, V3)
	TO_COLUMNS(V4, V6, V7)
	SUBS $1, ROUNDS, ROUNDS
	BNE  short

	ADD_INPUT(V0, V1, V2, V3, POSITION0)
	ADD_INPUT(V4, V5, V6, V7, POSITION1)
	SUB    $128, END, USED
	MOVD   USED, T0
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(T0)
	VST1   [V4.B16, V5.B16, V6.B16, V7.B16], (T0)
	COUNT_BLOCKS(2)

key:
	// Block 0 is the Poly1305 key.
	LDP  (USED), (KEY_R0, KEY_R1)
	AND  $0x0ffffffc0fffffff, KEY_R0, KEY_R0
	AND  $0x0ffffffc0ffffffc, KEY_R1, KEY_R1
	ADD  KEY_R1>>2, KEY_R1, FOLD
	STP  (KEY_R0, KEY_R1), State_r(STATE)
	MOVD FOLD, State_fold(STATE)
	LDP  16(USED), (T0, T1)
	STP  (T0, T1), State_pad(STATE)
	ADD  $64, USED
	MOVD ZR, H0
	MOVD ZR, H1
	MOVD ZR, H2

parts:
	// Is the stream enough for what is left? A part that is not the last
	// ends where the stream does, and then has the next one generated for
	// its successor.
	SUB  USED, END, TODO
	TBZ  $LAST_BIT, PART, not_last
	CMP  TODO, N
	BLS  absorb
	B    more

not_last:
	CBNZ N, more
	STP  (H0, H1), State_h(STATE)
	MOVD H2, (State_h+16)(STATE)
	ADD  $State_stream, STATE, T0
	SUB  T0, USED, USED
	MOVD USED, State_used(STATE)
	MOVB ZR, ret+56(FP)
	B    clear_registers

resume:
	LDP  State_h(STATE), (H0, H1)
	MOVD (State_h+16)(STATE), H2
	LDP  State_r(STATE), (KEY_R0, KEY_R1)
	MOVD State_fold(STATE), FOLD
	ADD  $State_subkey, STATE, T0
	VLD1 (T0), [KEY_B.B16, KEY_C.B16]
	MOVD State_length(STATE), T0
	ADD  N, T0, T0
	MOVD T0, State_length(STATE)
	MOVD State_used(STATE), USED
	ADD  $State_stream, USED, USED
	ADD  STATE, USED, USED
	B    parts

more:
	// Use up the stream and generate the next. What is sealed is added to
	// the accumulator meanwhile, and what is to be opened, beforehand.
	SUB  TODO, N, N
	LSR  $4, TODO, TODO
	MOVD SRC, CIPHER
	TBNZ $OPENING_BIT, PART, generate
	MOVD DST, CIPHER

xor:
	CMP    END, USED
	BEQ    xor_done
	VLD1.P 32(SRC), [V28.B16, V29.B16]
	VLD1.P 32(USED), [V30.B16, V31.B16]
	VEOR   V30.B16, V28.B16, V28.B16
	VEOR   V31.B16, V29.B16, V29.B16
	VST1.P [V28.B16, V29.B16], 32(DST)
	B      xor

xor_done:
	TBNZ $OPENING_BIT, PART, generated

generate:
	LOAD_POSITIONS
	LOAD(V0, V1, V2, V3, POSITION0)
	LOAD(V4, V5, V6, V7, POSITION1)
	LOAD(V8, V9, V10, V11, POSITION2)
	LOAD(V12, V13, V14, V15, POSITION3)
	MOVD $10, ROUNDS

rounds:
	// The two kinds of work wait for different things, so together they
	// take little longer than either.
	ROUND_01
	CBZ  TODO, first_added
	ADD_CIPHERTEXT
	SUB  $1, TODO

first_added:
	ROUND_23
	TO_DIAGONALS(V0, V2, V3)
	TO_DIAGONALS(V4, V6, V7)
	TO_DIAGONALS(V8, V10, V11)
	TO_DIAGONALS(V12, V14, V15)
	ROUND_01
	CBZ  TODO, second_added
	ADD_CIPHERTEXT
	SUB  $1, TODO

second_added:
	ROUND_23
	TO_COLUMNS(V0, V2, V3)
	TO_COLUMNS(V4, V6, V7)
	TO_COLUMNS(V8, V10, V11)
	TO_COLUMNS(V12, V14, V15)
	SUBS $1, ROUNDS, ROUNDS
	BNE  rounds
	TBNZ $OPENING_BIT, PART, xor

generated:
	ADD_INPUT(V0, V1, V2, V3, POSITION0)
	ADD_INPUT(V4, V5, V6, V7, POSITION1)
	ADD_INPUT(V8, V9, V10, V11, POSITION2)
	ADD_INPUT(V12, V13, V14, V15, POSITION3)
	SUB    $GENERATED, END, USED
	MOVD   USED, T0
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(T0)
	VST1.P [V4.B16, V5.B16, V6.B16, V7.B16], 64(T0)
	VST1.P [V8.B16, V9.B16, V10.B16, V11.B16], 64(T0)
	VST1.P [V12.B16, V13.B16, V14.B16, V15.B16], 64(T0)
	COUNT_BLOCKS(4)
	CMP    $4, T0
	BEQ    key
	B      parts

absorb:
	SBFX $OPENING_BIT, PART, $1, T0
	VDUP T0, V30.D2

absorb_block:
	CMP    $16, N
	BLO    tail
	VLD1.P 16(SRC), [V28.B16]
	VLD1.P 16(USED), [V29.B16]
	VEOR   V28.B16, V29.B16, V29.B16
	VST1.P [V29.B16], 16(DST)
	CIPHERTEXT
	VMOV   V28.D[0], T0
	VMOV   V28.D[1], T1
	ADD_BLOCK(T0, T1)
	MULTIPLY
	SUB    $16, N
	B      absorb_block

tail:
	// The last block is short: move what there is of it, and add it padded
	// with zeros.
	CBZ N, ended
	STP (ZR, ZR), State_block(STATE)
	ADD $State_block, STATE, CIPHER
	MOVE_PIECE(3, 8, V28.D[0], V29.D[0], tail_4)

tail_4:
	MOVE_PIECE(2, 4, V28.S[0], V29.S[0], tail_2)

tail_2:
	MOVE_PIECE(1, 2, V28.H[0], V29.H[0], tail_1)

tail_1:
	MOVE_PIECE(0, 1, V28.B[0], V29.B[0], tail_0)

tail_0:
	LDP State_block(STATE), (T0, T1)
	ADD_BLOCK(T0, T1)
	MULTIPLY

ended:
	// No additional data, and the length of the ciphertext.
	MOVD State_length(STATE), CIPHER
	ADD_BLOCK(ZR, CIPHER)
	MULTIPLY

	// The accumulator minus 2^130 - 5 is taken if it is not negative.
	ADDS $5, H0, T0
	ADCS ZR, H1, T1
	ADC  ZR, H2, T2
	TST  $~3, T2
	CSEL NE, T0, H0, H0
	CSEL NE, T1, H1, H1
	LDP  State_pad(STATE), (T0, T1)
	ADDS T0, H0, H0
	ADC  T1, H1, H1

	TBNZ $OPENING_BIT, PART, compare
	STP  (H0, H1), (DST)
	MOVB ZR, ret+56(FP)
	B    clear_state

compare:
	LDP  (SRC), (T0, T1)
	EOR  T0, H0, H0
	EOR  T1, H1, H1
	ORR  H1, H0, H0
	CMP  ZR, H0
	CSET EQ, T0
	MOVB T0, ret+56(FP)

clear_state:
	// CIPHER is still the length of the message.
	VEOR   V0.B16, V0.B16, V0.B16
	VEOR   V1.B16, V1.B16, V1.B16
	VEOR   V2.B16, V2.B16, V2.B16
	VEOR   V3.B16, V3.B16, V3.B16
	MOVD   STATE, T0
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(T0)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(T0)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(T0)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(T0)
	SUB    $128, END, T0
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(T0)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(T0)
	CMP    $64, CIPHER
	BLS    clear_registers
	SUB    $256, END, T0
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(T0)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(T0)

clear_registers:
	CLEAR_VECTORS
	CLEAR_GENERAL
	RET
