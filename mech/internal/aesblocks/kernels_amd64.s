#include "textflag.h"

// Register use in all kernels:
//
//	DI dst   SI src   CX chunks left   DX round keys   R8 rounds
//	R9 the round key that is next   R10 rounds left   R11 iv
//
// Every address is a function of the arguments that are no secrets, and the
// number of rounds is one of 10, 12, 14.

#define LOAD_ARGUMENTS \
	MOVQ dst+0(FP), DI \
	MOVQ src+8(FP), SI \
	MOVQ chunks+16(FP), CX \
	MOVQ keys+24(FP), DX \
	MOVQ rounds+32(FP), R8

// Sixteen blocks in Y0 to Y7, the round key twice in Y15.

#define ALL16(op, key) \
	op key, Y0, Y0 \
	op key, Y1, Y1 \
	op key, Y2, Y2 \
	op key, Y3, Y3 \
	op key, Y4, Y4 \
	op key, Y5, Y5 \
	op key, Y6, Y6 \
	op key, Y7, Y7

#define LOAD16 \
	VMOVDQU (SI), Y0 \
	VMOVDQU 32(SI), Y1 \
	VMOVDQU 64(SI), Y2 \
	VMOVDQU 96(SI), Y3 \
	VMOVDQU 128(SI), Y4 \
	VMOVDQU 160(SI), Y5 \
	VMOVDQU 192(SI), Y6 \
	VMOVDQU 224(SI), Y7

#define STORE16 \
	VMOVDQU Y0, (DI) \
	VMOVDQU Y1, 32(DI) \
	VMOVDQU Y2, 64(DI) \
	VMOVDQU Y3, 96(DI) \
	VMOVDQU Y4, 128(DI) \
	VMOVDQU Y5, 160(DI) \
	VMOVDQU Y6, 192(DI) \
	VMOVDQU Y7, 224(DI) \
	ADDQ $256, SI \
	ADDQ $256, DI

#define ROUNDS16(label, round, last) \
	VBROADCASTI128 (DX), Y15 \
	ALL16(VPXOR, Y15) \
	LEAQ 16(DX), R9 \
	LEAQ -1(R8), R10 \
label: \
	VBROADCASTI128 (R9), Y15 \
	ALL16(round, Y15) \
	ADDQ $16, R9 \
	DECQ R10 \
	JNZ label \
	VBROADCASTI128 (R9), Y15 \
	ALL16(last, Y15)

// Eight blocks in X0 to X7, the round key in X15.

#define ALL8(op, key) \
	op key, X0 \
	op key, X1 \
	op key, X2 \
	op key, X3 \
	op key, X4 \
	op key, X5 \
	op key, X6 \
	op key, X7

#define LOAD8 \
	MOVOU (SI), X0 \
	MOVOU 16(SI), X1 \
	MOVOU 32(SI), X2 \
	MOVOU 48(SI), X3 \
	MOVOU 64(SI), X4 \
	MOVOU 80(SI), X5 \
	MOVOU 96(SI), X6 \
	MOVOU 112(SI), X7

#define STORE8 \
	MOVOU X0, (DI) \
	MOVOU X1, 16(DI) \
	MOVOU X2, 32(DI) \
	MOVOU X3, 48(DI) \
	MOVOU X4, 64(DI) \
	MOVOU X5, 80(DI) \
	MOVOU X6, 96(DI) \
	MOVOU X7, 112(DI) \
	ADDQ $128, SI \
	ADDQ $128, DI

#define ROUNDS8(label, round, last) \
	MOVOU (DX), X15 \
	ALL8(PXOR, X15) \
	LEAQ 16(DX), R9 \
	LEAQ -1(R8), R10 \
label: \
	MOVOU (R9), X15 \
	ALL8(round, X15) \
	ADDQ $16, R9 \
	DECQ R10 \
	JNZ label \
	MOVOU (R9), X15 \
	ALL8(last, X15)

// One block in X0.

#define ROUNDS1(label, round, last) \
	MOVOU (DX), X15 \
	PXOR X15, X0 \
	LEAQ 16(DX), R9 \
	LEAQ -1(R8), R10 \
label: \
	MOVOU (R9), X15 \
	round X15, X0 \
	ADDQ $16, R9 \
	DECQ R10 \
	JNZ label \
	MOVOU (R9), X15 \
	last X15, X0

#define STORE1 \
	MOVOU X0, (DI) \
	ADDQ $16, SI \
	ADDQ $16, DI

// func encrypt16(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)
TEXT ·encrypt16(SB), NOSPLIT, $0-40
	LOAD_ARGUMENTS
chunk:
	LOAD16
	ROUNDS16(next, VAESENC, VAESENCLAST)
	STORE16
	DECQ CX
	JNZ chunk
	VZEROUPPER
	RET

// func decrypt16(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)
TEXT ·decrypt16(SB), NOSPLIT, $0-40
	LOAD_ARGUMENTS
chunk:
	LOAD16
	ROUNDS16(next, VAESDEC, VAESDECLAST)
	STORE16
	DECQ CX
	JNZ chunk
	VZEROUPPER
	RET

// func encrypt8(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)
TEXT ·encrypt8(SB), NOSPLIT, $0-40
	LOAD_ARGUMENTS
chunk:
	LOAD8
	ROUNDS8(next, AESENC, AESENCLAST)
	STORE8
	DECQ CX
	JNZ chunk
	RET

// func decrypt8(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)
TEXT ·decrypt8(SB), NOSPLIT, $0-40
	LOAD_ARGUMENTS
chunk:
	LOAD8
	ROUNDS8(next, AESDEC, AESDECLAST)
	STORE8
	DECQ CX
	JNZ chunk
	RET

// func encrypt1(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)
TEXT ·encrypt1(SB), NOSPLIT, $0-40
	LOAD_ARGUMENTS
chunk:
	MOVOU (SI), X0
	ROUNDS1(next, AESENC, AESENCLAST)
	STORE1
	DECQ CX
	JNZ chunk
	RET

// func decrypt1(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)
TEXT ·decrypt1(SB), NOSPLIT, $0-40
	LOAD_ARGUMENTS
chunk:
	MOVOU (SI), X0
	ROUNDS1(next, AESDEC, AESDECLAST)
	STORE1
	DECQ CX
	JNZ chunk
	RET

// In CBC each block is XORed with the ciphertext before it, which is read
// before any of the chunk is written: dst may be src. X14 has the block before
// the chunk.

// func decryptCBC16(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int, iv *[BlockSize]byte)
TEXT ·decryptCBC16(SB), NOSPLIT, $0-48
	LOAD_ARGUMENTS
	MOVQ iv+40(FP), R11
	VMOVDQU (R11), X14
chunk:
	LOAD16
	ROUNDS16(next, VAESDEC, VAESDECLAST)
	VINSERTI128 $1, (SI), Y14, Y14
	VPXOR Y14, Y0, Y0
	VPXOR 16(SI), Y1, Y1
	VPXOR 48(SI), Y2, Y2
	VPXOR 80(SI), Y3, Y3
	VPXOR 112(SI), Y4, Y4
	VPXOR 144(SI), Y5, Y5
	VPXOR 176(SI), Y6, Y6
	VPXOR 208(SI), Y7, Y7
	VMOVDQU 240(SI), X14
	STORE16
	DECQ CX
	JNZ chunk
	VMOVDQU X14, (R11)
	VZEROUPPER
	RET

// func decryptCBC8(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int, iv *[BlockSize]byte)
TEXT ·decryptCBC8(SB), NOSPLIT, $0-48
	LOAD_ARGUMENTS
	MOVQ iv+40(FP), R11
	MOVOU (R11), X14
chunk:
	LOAD8
	ROUNDS8(next, AESDEC, AESDECLAST)
	PXOR X14, X0
	MOVOU (SI), X14
	PXOR X14, X1
	MOVOU 16(SI), X14
	PXOR X14, X2
	MOVOU 32(SI), X14
	PXOR X14, X3
	MOVOU 48(SI), X14
	PXOR X14, X4
	MOVOU 64(SI), X14
	PXOR X14, X5
	MOVOU 80(SI), X14
	PXOR X14, X6
	MOVOU 96(SI), X14
	PXOR X14, X7
	MOVOU 112(SI), X14
	STORE8
	DECQ CX
	JNZ chunk
	MOVOU X14, (R11)
	RET

// func decryptCBC1(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int, iv *[BlockSize]byte)
TEXT ·decryptCBC1(SB), NOSPLIT, $0-48
	LOAD_ARGUMENTS
	MOVQ iv+40(FP), R11
	MOVOU (R11), X14
chunk:
	MOVOU (SI), X0
	MOVOU X0, X13
	ROUNDS1(next, AESDEC, AESDECLAST)
	PXOR X14, X0
	MOVOU X13, X14
	STORE1
	DECQ CX
	JNZ chunk
	MOVOU X14, (R11)
	RET

// func hasVAES() bool
TEXT ·hasVAES(SB), NOSPLIT, $0-1
	XORL AX, AX
	CPUID
	CMPL AX, $7
	JLT  none
	MOVL $7, AX
	XORL CX, CX
	CPUID
	SHRL $9, CX
	ANDL $1, CX
	MOVB CX, ret+0(FP)
	RET
none:
	MOVB $0, ret+0(FP)
	RET

// func subWord(w uint32) uint32
TEXT ·subWord(SB), NOSPLIT, $0-12
	MOVL w+0(FP), AX
	MOVQ AX, X0
	PSHUFD $0, X0, X0
	AESKEYGENASSIST $0, X0, X0
	MOVQ X0, AX
	MOVL AX, ret+8(FP)
	PXOR X0, X0
	RET

// func invert(decrypt, encrypt *[scheduleSize]byte, rounds int)
TEXT ·invert(SB), NOSPLIT, $0-24
	MOVQ decrypt+0(FP), DI
	MOVQ encrypt+8(FP), SI
	MOVQ rounds+16(FP), CX
	MOVQ CX, AX
	SHLQ $4, AX
	ADDQ AX, SI
	MOVOU (SI), X0
	MOVOU X0, (DI)
	DECQ CX
next:
	SUBQ $16, SI
	ADDQ $16, DI
	MOVOU (SI), X0
	AESIMC X0, X0
	MOVOU X0, (DI)
	DECQ CX
	JNZ next
	MOVOU -16(SI), X0
	MOVOU X0, 16(DI)
	PXOR X0, X0
	RET
