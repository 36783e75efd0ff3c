#include "textflag.h"

// Multiplication modulo p = 2⁵²¹ − 1 with MULX, ADCX and ADOX. Both operands
// are nine limbs of 64 bits, below 2⁵²², and so is the result. There is no
// branch and no address that depends on a value.
//
// A row multiplies a by one limb of b and adds it to ten accumulators: the low
// halves of the products by the chain of the carry flag, the high halves by
// that of the overflow flag. The lowest accumulator is then done, and serves the
// next row as its highest. Bounds: a·2⁶⁴ and what is carried from the row before
// fit ten limbs, so neither chain leaves them.

// SI a; AX, BX a product; r0 to r9 the accumulators, r9 zero by the XORQ, which
// clears both flags too.
#define ROW(b, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9) \
	MOVQ b, DX \
	XORQ r9, r9 \
	MULXQ 0(SI), AX, BX \
	ADCXQ AX, r0 \
	ADOXQ BX, r1 \
	MULXQ 8(SI), AX, BX \
	ADCXQ AX, r1 \
	ADOXQ BX, r2 \
	MULXQ 16(SI), AX, BX \
	ADCXQ AX, r2 \
	ADOXQ BX, r3 \
	MULXQ 24(SI), AX, BX \
	ADCXQ AX, r3 \
	ADOXQ BX, r4 \
	MULXQ 32(SI), AX, BX \
	ADCXQ AX, r4 \
	ADOXQ BX, r5 \
	MULXQ 40(SI), AX, BX \
	ADCXQ AX, r5 \
	ADOXQ BX, r6 \
	MULXQ 48(SI), AX, BX \
	ADCXQ AX, r6 \
	ADOXQ BX, r7 \
	MULXQ 56(SI), AX, BX \
	ADCXQ AX, r7 \
	ADOXQ BX, r8 \
	MULXQ 64(SI), AX, BX \
	ADCXQ AX, r8 \
	ADOXQ BX, r9 \
	MOVL $0, AX \
	ADCXQ AX, r9

// The limbs 0 to 8 of a product are in 0(SP) to 64(SP), 9 to 16 in h0 to h7; the
// product is below 2¹⁰⁴⁴, so there are no more. 2⁵⁷⁶ is 2⁵⁵ modulo p: the upper
// limbs are added to the lower ones 2⁵⁵ times. A carry out of limb 8 is worth
// 2⁵⁷⁶ again. What is above 2⁵²¹ then is folded down once more, which leaves
// less than 2⁵²¹ + 2⁵⁶.
#define REDUCE(h0, h1, h2, h3, h4, h5, h6, h7, zero) \
	MOVQ z+0(FP), DI \
	MOVQ $0x0080000000000000, DX \
	XORQ zero, zero \
	MULXQ h0, AX, h0 \
	ADCXQ 0(SP), AX \
	MOVQ AX, 0(SP) \
	MULXQ h1, AX, h1 \
	ADOXQ h0, AX \
	ADCXQ 8(SP), AX \
	MOVQ AX, h0 \
	MULXQ h2, AX, h2 \
	ADOXQ h1, AX \
	ADCXQ 16(SP), AX \
	MOVQ AX, h1 \
	MULXQ h3, AX, h3 \
	ADOXQ h2, AX \
	ADCXQ 24(SP), AX \
	MOVQ AX, h2 \
	MULXQ h4, AX, h4 \
	ADOXQ h3, AX \
	ADCXQ 32(SP), AX \
	MOVQ AX, h3 \
	MULXQ h5, AX, h5 \
	ADOXQ h4, AX \
	ADCXQ 40(SP), AX \
	MOVQ AX, h4 \
	MULXQ h6, AX, h6 \
	ADOXQ h5, AX \
	ADCXQ 48(SP), AX \
	MOVQ AX, h5 \
	MULXQ h7, AX, h7 \
	ADOXQ h6, AX \
	ADCXQ 56(SP), AX \
	MOVQ AX, h6 \
	ADOXQ zero, h7 \
	ADCXQ 64(SP), h7 \
	ADCXQ zero, zero \
	SHLQ $55, zero \
	MOVQ h7, BX \
	SHRQ $9, BX \
	ORQ zero, BX \
	ANDQ $0x1ff, h7 \
	ADDQ 0(SP), BX \
	MOVQ BX, 0(DI) \
	ADCQ $0, h0 \
	MOVQ h0, 8(DI) \
	ADCQ $0, h1 \
	MOVQ h1, 16(DI) \
	ADCQ $0, h2 \
	MOVQ h2, 24(DI) \
	ADCQ $0, h3 \
	MOVQ h3, 32(DI) \
	ADCQ $0, h4 \
	MOVQ h4, 40(DI) \
	ADCQ $0, h5 \
	MOVQ h5, 48(DI) \
	ADCQ $0, h6 \
	MOVQ h6, 56(DI) \
	ADCQ $0, h7 \
	MOVQ h7, 64(DI)

// func mul(z, a, b *element)
TEXT ·mul(SB), NOSPLIT, $72-24
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DI
	XORQ CX, CX
	XORQ BP, BP
	XORQ R8, R8
	XORQ R9, R9
	XORQ R10, R10
	XORQ R11, R11
	XORQ R12, R12
	XORQ R13, R13
	XORQ R14, R14
	ROW(0(DI), CX, BP, R8, R9, R10, R11, R12, R13, R14, R15)
	MOVQ CX, 0(SP)
	ROW(8(DI), BP, R8, R9, R10, R11, R12, R13, R14, R15, CX)
	MOVQ BP, 8(SP)
	ROW(16(DI), R8, R9, R10, R11, R12, R13, R14, R15, CX, BP)
	MOVQ R8, 16(SP)
	ROW(24(DI), R9, R10, R11, R12, R13, R14, R15, CX, BP, R8)
	MOVQ R9, 24(SP)
	ROW(32(DI), R10, R11, R12, R13, R14, R15, CX, BP, R8, R9)
	MOVQ R10, 32(SP)
	ROW(40(DI), R11, R12, R13, R14, R15, CX, BP, R8, R9, R10)
	MOVQ R11, 40(SP)
	ROW(48(DI), R12, R13, R14, R15, CX, BP, R8, R9, R10, R11)
	MOVQ R12, 48(SP)
	ROW(56(DI), R13, R14, R15, CX, BP, R8, R9, R10, R11, R12)
	MOVQ R13, 56(SP)
	ROW(64(DI), R14, R15, CX, BP, R8, R9, R10, R11, R12, R13)
	MOVQ R14, 64(SP)

	REDUCE(R15, CX, BP, R8, R9, R10, R11, R12, R14)
	RET

// func square(z, a *element)
//
// The products of different limbs are summed first, row by row, then doubled by
// the chain of the carry flag while the squares are added by that of the
// overflow flag.
TEXT ·square(SB), NOSPLIT, $72-16
	MOVQ a+8(FP), SI

	// Limb 0 by the others: limbs 1 to 9 in R8 to R15 and CX.
	MOVQ 0(SI), DX
	MULXQ 8(SI), R8, R9
	MULXQ 16(SI), AX, R10
	ADDQ AX, R9
	MULXQ 24(SI), AX, R11
	ADCQ AX, R10
	MULXQ 32(SI), AX, R12
	ADCQ AX, R11
	MULXQ 40(SI), AX, R13
	ADCQ AX, R12
	MULXQ 48(SI), AX, R14
	ADCQ AX, R13
	MULXQ 56(SI), AX, R15
	ADCQ AX, R14
	MULXQ 64(SI), AX, CX
	ADCQ AX, R15
	ADCQ $0, CX
	MOVQ R8, 8(SP)
	MOVQ R9, 16(SP)

	// Limb 1: limbs 3 to 10.
	MOVQ 8(SI), DX
	XORQ R8, R8
	MULXQ 16(SI), AX, BX
	ADCXQ AX, R10
	ADOXQ BX, R11
	MULXQ 24(SI), AX, BX
	ADCXQ AX, R11
	ADOXQ BX, R12
	MULXQ 32(SI), AX, BX
	ADCXQ AX, R12
	ADOXQ BX, R13
	MULXQ 40(SI), AX, BX
	ADCXQ AX, R13
	ADOXQ BX, R14
	MULXQ 48(SI), AX, BX
	ADCXQ AX, R14
	ADOXQ BX, R15
	MULXQ 56(SI), AX, BX
	ADCXQ AX, R15
	ADOXQ BX, CX
	MULXQ 64(SI), AX, BX
	ADCXQ AX, CX
	ADOXQ BX, R8
	MOVL $0, AX
	ADCXQ AX, R8
	MOVQ R10, 24(SP)
	MOVQ R11, 32(SP)

	// Limb 2: limbs 5 to 11.
	MOVQ 16(SI), DX
	XORQ R9, R9
	MULXQ 24(SI), AX, BX
	ADCXQ AX, R12
	ADOXQ BX, R13
	MULXQ 32(SI), AX, BX
	ADCXQ AX, R13
	ADOXQ BX, R14
	MULXQ 40(SI), AX, BX
	ADCXQ AX, R14
	ADOXQ BX, R15
	MULXQ 48(SI), AX, BX
	ADCXQ AX, R15
	ADOXQ BX, CX
	MULXQ 56(SI), AX, BX
	ADCXQ AX, CX
	ADOXQ BX, R8
	MULXQ 64(SI), AX, BX
	ADCXQ AX, R8
	ADOXQ BX, R9
	MOVL $0, AX
	ADCXQ AX, R9
	MOVQ R12, 40(SP)
	MOVQ R13, 48(SP)

	// Limb 3: limbs 7 to 12.
	MOVQ 24(SI), DX
	XORQ R10, R10
	MULXQ 32(SI), AX, BX
	ADCXQ AX, R14
	ADOXQ BX, R15
	MULXQ 40(SI), AX, BX
	ADCXQ AX, R15
	ADOXQ BX, CX
	MULXQ 48(SI), AX, BX
	ADCXQ AX, CX
	ADOXQ BX, R8
	MULXQ 56(SI), AX, BX
	ADCXQ AX, R8
	ADOXQ BX, R9
	MULXQ 64(SI), AX, BX
	ADCXQ AX, R9
	ADOXQ BX, R10
	MOVL $0, AX
	ADCXQ AX, R10
	MOVQ R14, 56(SP)
	MOVQ R15, 64(SP)

	// Limb 4: limbs 9 to 13.
	MOVQ 32(SI), DX
	XORQ R11, R11
	MULXQ 40(SI), AX, BX
	ADCXQ AX, CX
	ADOXQ BX, R8
	MULXQ 48(SI), AX, BX
	ADCXQ AX, R8
	ADOXQ BX, R9
	MULXQ 56(SI), AX, BX
	ADCXQ AX, R9
	ADOXQ BX, R10
	MULXQ 64(SI), AX, BX
	ADCXQ AX, R10
	ADOXQ BX, R11
	MOVL $0, AX
	ADCXQ AX, R11

	// Limb 5: limbs 11 to 14.
	MOVQ 40(SI), DX
	XORQ R12, R12
	MULXQ 48(SI), AX, BX
	ADCXQ AX, R9
	ADOXQ BX, R10
	MULXQ 56(SI), AX, BX
	ADCXQ AX, R10
	ADOXQ BX, R11
	MULXQ 64(SI), AX, BX
	ADCXQ AX, R11
	ADOXQ BX, R12
	MOVL $0, AX
	ADCXQ AX, R12

	// Limb 6: limbs 13 to 15.
	MOVQ 48(SI), DX
	XORQ R13, R13
	MULXQ 56(SI), AX, BX
	ADCXQ AX, R11
	ADOXQ BX, R12
	MULXQ 64(SI), AX, BX
	ADCXQ AX, R12
	ADOXQ BX, R13
	MOVL $0, AX
	ADCXQ AX, R13

	// Limb 7: limbs 15 and 16.
	MOVQ 56(SI), DX
	XORQ R14, R14
	MULXQ 64(SI), AX, BX
	ADCXQ AX, R13
	ADOXQ BX, R14
	MOVL $0, AX
	ADCXQ AX, R14

	// Twice that, and the squares.
	MOVQ 0(SI), DX
	XORQ R15, R15
	MULXQ DX, AX, BX
	MOVQ AX, 0(SP)
	MOVQ 8(SP), AX
	ADCXQ AX, AX
	ADOXQ BX, AX
	MOVQ AX, 8(SP)
	MOVQ 8(SI), DX
	MULXQ DX, AX, BX
	MOVQ 16(SP), DI
	ADCXQ DI, DI
	ADOXQ AX, DI
	MOVQ DI, 16(SP)
	MOVQ 24(SP), DI
	ADCXQ DI, DI
	ADOXQ BX, DI
	MOVQ DI, 24(SP)
	MOVQ 16(SI), DX
	MULXQ DX, AX, BX
	MOVQ 32(SP), DI
	ADCXQ DI, DI
	ADOXQ AX, DI
	MOVQ DI, 32(SP)
	MOVQ 40(SP), DI
	ADCXQ DI, DI
	ADOXQ BX, DI
	MOVQ DI, 40(SP)
	MOVQ 24(SI), DX
	MULXQ DX, AX, BX
	MOVQ 48(SP), DI
	ADCXQ DI, DI
	ADOXQ AX, DI
	MOVQ DI, 48(SP)
	MOVQ 56(SP), DI
	ADCXQ DI, DI
	ADOXQ BX, DI
	MOVQ DI, 56(SP)
	MOVQ 32(SI), DX
	MULXQ DX, AX, BX
	MOVQ 64(SP), DI
	ADCXQ DI, DI
	ADOXQ AX, DI
	MOVQ DI, 64(SP)
	ADCXQ CX, CX
	ADOXQ BX, CX
	MOVQ 40(SI), DX
	MULXQ DX, AX, BX
	ADCXQ R8, R8
	ADOXQ AX, R8
	ADCXQ R9, R9
	ADOXQ BX, R9
	MOVQ 48(SI), DX
	MULXQ DX, AX, BX
	ADCXQ R10, R10
	ADOXQ AX, R10
	ADCXQ R11, R11
	ADOXQ BX, R11
	MOVQ 56(SI), DX
	MULXQ DX, AX, BX
	ADCXQ R12, R12
	ADOXQ AX, R12
	ADCXQ R13, R13
	ADOXQ BX, R13
	MOVQ 64(SI), DX
	MULXQ DX, AX, BX
	ADCXQ R14, R14
	ADOXQ AX, R14

	REDUCE(CX, R8, R9, R10, R11, R12, R13, R14, R15)
	RET
