package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The blocks are subroutines with a calling convention of their own. A number
// of a block has eight words, the lowest first:
//
//	acc   R8 to R15, in and out
//	SI    the first factor
//	CX    the second factor
//	DI    a block of the result
//	BP    zero; for reduce8 k0, which is -1/m modulo 2^64
//
// Zero is in a register because Go's assembler makes of a MOVQ $0 what changes
// the flags. AX, BX, DX and the flags are lost, all else is kept. In the comments B is
// 2^512. Each row of products has two chains of carries, as ADCX and ADOX make
// them: that of the low halves in CF, that of the high halves in OF.
var acc = [8]Register{R8, R9, R10, R11, R12, R13, R14, R15}

// word returns the register of word k. It serves word k+8 when word k is done.
func word(k int) Register { return acc[k%8] }

func at(base Register, k int) Mem { return Mem{Base: base, Disp: 8 * k} }

// subroutine begins one that is not for Go to call. Go's declaration of it is
// there for go vet.
func subroutine(name string, doc ...string) {
	TEXT(name, attr.NOSPLIT|attr.NOFRAME, "func()")
	Pragma("noescape")
	Doc(append(doc, "It is for the other functions of this file alone: its arguments are in registers.")...)
}

func call(name string) { CALL(LabelRef("·" + name + "(SB)")) }

// row adds DX times the words first to 7 of SI to the words from k up. Its last
// carry goes into the word that ends the row, which does not overflow as long
// as the sum of all rows so far fits, as the callers show. Flags: CF and OF
// are clear before. done is called when word k is.
func row(k, first int, done func()) {
	for j := first; j < 8; j++ {
		MULXQ(at(RSI, j), RAX, RBX)
		ADCXQ(RAX, word(k+j-first))
		if j == first && done != nil {
			done()
		}
		ADOXQ(RBX, word(k+j-first+1))
	}
	ADCQ(Imm(0), word(k+8-first))
}

// mul8: acc·1 + SI·CX; the low block goes to DI, the high one stays in acc. It
// fits: (B-1) + (B-1)² < B².
func mul8() {
	subroutine("mul8", "mul8 stores the low block of acc + a·b, and leaves the high one in acc.")
	for r := range 8 {
		MOVQ(at(RCX, r), RDX)
		XORL(EAX, EAX)
		row(r, 0, func() {
			MOVQ(word(r), at(RDI, r))
			MOVQ(RBP, word(r)) // word r+8
		})
	}
	RET()
}

// mulAdd8 is mul8 with the block at DI added: (B-1) + (B-1) + (B-1)² = B²-1
// fits.
func mulAdd8() {
	subroutine("mulAdd8", "mulAdd8 stores the low block of acc + t + a·b in t, and leaves the high one in acc.")
	for r := range 8 {
		MOVQ(at(RCX, r), RDX)
		XORL(EAX, EAX)
		ADOXQ(at(RDI, r), word(r)) // its carry is for the next word, where OF goes too
		row(r, 0, func() {
			MOVQ(word(r), at(RDI, r))
			MOVQ(RBP, word(r)) // word r+8
		})
	}
	RET()
}

// reduce8 finds the q < B for which acc + q·m is a multiple of B, word by word,
// stores it at CX and leaves (acc + q·m)/B in acc, which is at most B-1:
// (B-1) + (B-1)² < B².
func reduce8() {
	subroutine("reduce8", "reduce8 makes the low block of acc + q·m zero, stores q, and leaves the high block in acc.")
	for r := range 8 {
		MOVQ(word(r), RDX)
		IMULQ(RBP, RDX)
		MOVQ(RDX, at(RCX, r))
		XORL(EAX, EAX)
		row(r, 0, nil) // word r becomes zero, and so serves as word r+8
	}
	RET()
}

// cross8 adds the products of different words of a block, each once, for its
// square. After row r the sum is below 2^(64(r+9)): acc < B, and the rows make
// at most (2^(64(r+1))-1)·(B-1).
func cross8() {
	subroutine("cross8", "cross8 adds the products a[i]·a[j] with i < j to acc, stores the low block and leaves the high one in acc.")
	finish := func(k int) {
		if k < 8 {
			MOVQ(word(k), at(RDI, k))
			MOVQ(RBP, word(k)) // word k+8
		}
	}
	finish(0)
	for r := range 7 {
		MOVQ(at(RSI, r), RDX)
		XORL(EAX, EAX)
		row(2*r+1, r+1, nil)
		finish(2*r + 1)
		finish(2*r + 2)
	}
	RET()
}
