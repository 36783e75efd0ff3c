package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// blockBytes is the size of a block in memory.
const blockBytes = 64

// function begins one that Go calls. Its frame is small, and Go saves BP there.
func function(name, signature string, doc ...string) {
	TEXT(name, attr.NOSPLIT, signature)
	Pragma("noescape")
	Doc(doc...)
}

var labels int

// here places a label that no other is called like, and returns it.
func here(name string) LabelRef {
	l := later(name)
	Label(string(l))
	return l
}

// later returns such a label for another place.
func later(name string) LabelRef {
	labels++
	return LabelRef(fmt.Sprintf("%s%d", name, labels))
}

func load(param string, r Register) { Load(Param(param), r) }

// jumpIfZeroCX is JCXZQ, which avo gives no label to jump to.
func jumpIfZeroCX(to LabelRef) {
	Instruction(&ir.Instruction{
		Opcode: "JCXZQ", Operands: []Op{to}, Inputs: []Op{RCX}, IsBranch: true, IsConditional: true,
	})
}

func clearAcc() {
	for _, r := range acc {
		XORL(r.(GP).As32(), r.(GP).As32())
	}
}

func loadAcc(base Register) {
	for k := range 8 {
		MOVQ(at(base, k), word(k))
	}
}

func storeAcc(base Register) {
	for k := range 8 {
		MOVQ(word(k), at(base, k))
	}
}

// A frame has what the functions keep outside of registers: sizes, pointers
// and one carry.
type frame struct {
	size              Mem // of the numbers, in bytes
	aEnd, bEnd        Mem
	mEnd, tEnd, carry Mem
	source, count     Mem
}

func newFrame() frame {
	var f frame
	for _, m := range []*Mem{&f.size, &f.aEnd, &f.bEnd, &f.mEnd, &f.tEnd, &f.carry, &f.source, &f.count} {
		*m = AllocLocal(8)
	}
	load("blocks", RAX)
	SHLQ(Imm(6), RAX)
	MOVQ(RAX, f.size)
	return f
}

// setEnd stores the end of a number that begins at r.
func (f frame) setEnd(slot Mem, r Register) {
	MOVQ(f.size, RAX)
	ADDQ(r, RAX)
	MOVQ(RAX, slot)
}

// along calls a block for SI, DI and those after them until SI is at end, and
// stores acc behind the last.
func along(block string, end Mem) {
	loop := here("block")
	call(block)
	ADDQ(Imm(blockBytes), RSI)
	ADDQ(Imm(blockBytes), RDI)
	CMPQ(RSI, end)
	JNE(loop)
}

// product makes t = a·b, a row of blocks for each block of b. The words of t
// from where a row ends are not read before they are written.
func (f frame) product() {
	load("a", RSI)
	load("b", RCX)
	load("t", RDI)
	f.setEnd(f.aEnd, RSI)
	f.setEnd(f.bEnd, RCX)
	XORL(EBP, EBP)
	clearAcc()
	along("mul8", f.aEnd)
	storeAcc(RDI)
	done := later("product")
	loop := here("row")
	ADDQ(Imm(blockBytes), RCX)
	CMPQ(RCX, f.bEnd)
	JEQ(done)
	load("a", RSI)
	SUBQ(f.size, RDI) // where the row before began
	ADDQ(Imm(blockBytes), RDI)
	clearAcc()
	along("mulAdd8", f.aEnd)
	storeAcc(RDI)
	JMP(loop)
	Label(string(done))
}

// square makes t = a² of what f.source points to.
func (f frame) square() {
	MOVQ(f.source, RCX)
	load("t", RDI)
	f.setEnd(f.aEnd, RCX)
	// The products of different words, each once: block i with itself and with
	// those above it.
	XORL(EBP, EBP)
	clearAcc()
	row := func(block string) {
		done := later("last")
		MOVQ(RCX, RSI)
		call("cross8")
		ADDQ(Imm(blockBytes), RSI)
		ADDQ(Imm(blockBytes), RDI)
		CMPQ(RSI, f.aEnd)
		JEQ(done)
		along(block, f.aEnd)
		Label(string(done))
		storeAcc(RDI)
		ADDQ(Imm(blockBytes), RCX)
	}
	row("mul8")
	done := later("crossed")
	loop := here("row")
	CMPQ(RCX, f.aEnd)
	JEQ(done)
	MOVQ(RCX, RAX)
	SUBQ(f.source, RAX)
	load("t", RDI)
	LEAQ(Mem{Base: RDI, Index: RAX, Scale: 2}, RDI)
	loadAcc(RDI)
	row("mulAdd8")
	JMP(loop)
	Label(string(done))
	// t = 2t + Σ a[i]²·2^(128i). The carries live in CF and OF, which LEAQ and
	// JCXZQ leave alone. None is left over: a² fits.
	MOVQ(f.source, RSI)
	load("t", RDI)
	load("blocks", RCX)
	end, next := later("squared"), later("double")
	XORL(EAX, EAX)
	Label(string(next))
	for i := range 8 {
		MOVQ(at(RSI, i), RDX)
		MULXQ(RDX, RAX, RBX)
		MOVQ(at(RDI, 2*i), R8)
		MOVQ(at(RDI, 2*i+1), R9)
		ADOXQ(R8, R8)
		ADCXQ(RAX, R8)
		ADOXQ(R9, R9)
		ADCXQ(RBX, R9)
		MOVQ(R8, at(RDI, 2*i))
		MOVQ(R9, at(RDI, 2*i+1))
	}
	LEAQ(at(RSI, 8), RSI)
	LEAQ(at(RDI, 16), RDI)
	LEAQ(Mem{Base: RCX, Disp: -1}, RCX)
	jumpIfZeroCX(end)
	JMP(next)
	Label(string(end))
}

// reduce makes z of t: (t + q·m)/2^(64n), less m if that does not fit in n
// words. For t below 2^(128n) it is below 2^(64n) + m, so that it fits then.
// The q of each block takes the place of what it makes zero.
func (f frame) reduce() {
	load("m", RSI)
	load("t", RCX)
	f.setEnd(f.mEnd, RSI)
	f.setEnd(f.tEnd, RCX)
	XORL(EAX, EAX)
	MOVQ(RAX, f.carry)
	done := later("reduced")
	loop := here("column")
	load("m", RSI)
	MOVQ(RCX, RDI)
	loadAcc(RDI)
	load("k0", RBP)
	call("reduce8")
	XORL(EBP, EBP)
	ADDQ(Imm(blockBytes), RSI)
	ADDQ(Imm(blockBytes), RDI)
	CMPQ(RSI, f.mEnd)
	JEQ(done)
	along("mulAdd8", f.mEnd)
	Label(string(done))
	MOVQ(f.carry, RAX)
	ADDQ(RAX, RAX) // CF
	for k := range 8 {
		ADCQ(at(RDI, k), word(k))
	}
	SBBQ(RAX, RAX)
	MOVQ(RAX, f.carry)
	storeAcc(RDI)
	ADDQ(Imm(blockBytes), RCX)
	CMPQ(RCX, f.tEnd)
	JNE(loop)

	// z = t - (m or 0); RCX is at the upper half of t.
	load("m", RSI)
	load("z", RDI)
	MOVQ(f.carry, RDX)
	XORL(EBX, EBX) // the borrow
	loop = here("subtract")
	for k := range 8 {
		MOVQ(at(RSI, k), word(k))
		ANDQ(RDX, word(k))
	}
	ADDQ(RBX, RBX)
	for k := range 8 {
		MOVQ(at(RCX, k), RAX)
		SBBQ(word(k), RAX)
		MOVQ(RAX, at(RDI, k))
	}
	SBBQ(RBX, RBX)
	for _, r := range []Register{RSI, RDI, RCX} {
		ADDQ(Imm(blockBytes), r)
	}
	CMPQ(RSI, f.mEnd)
	JNE(loop)
}

func mulWide() {
	function("mulWide", "func(t, a, b *uint64, blocks int)",
		"mulWide makes t = a·b of numbers of 8·blocks words. t has twice as many and overlaps neither.")
	newFrame().product()
	RET()
}

func montReduce() {
	function("montReduce", "func(z, t, m *uint64, k0 uint64, blocks int)",
		"montReduce makes z = t/2^(64n), below 2^(64n) and right modulo m, for any t of 2n = 16·blocks words",
		"and any odd m. k0 is -1/m modulo 2^64. It overwrites t.")
	newFrame().reduce()
	RET()
}

func montMul() {
	function("montMul", "func(z, a, b, m *uint64, k0 uint64, t *uint64, blocks int)",
		"montMul makes z = a·b/2^(64n), below 2^(64n) and right modulo m, for any a and b of n = 8·blocks",
		"words and any odd m. k0 is -1/m modulo 2^64. z may be a or b. t is room for 2n words.")
	f := newFrame()
	f.product()
	f.reduce()
	RET()
}

func montSquare() {
	function("montSquare", "func(z, a, m *uint64, k0 uint64, t *uint64, blocks, times int)",
		"montSquare is montMul for z = a·a, then z = z·z and so on, times squarings in all, at least one.")
	f := newFrame()
	load("a", RAX)
	MOVQ(RAX, f.source)
	load("times", RAX)
	MOVQ(RAX, f.count)
	loop := here("square")
	f.square()
	f.reduce()
	load("z", RAX)
	MOVQ(RAX, f.source)
	DECQ(f.count)
	JNE(loop)
	RET()
}

// pick reads all entries of the table, whichever it is to return.
func pick() {
	function("pick", "func(z, table *uint64, index uint64, blocks int)",
		"pick copies entry index of the 32 of a table, of 8·blocks words each, to z. It reads them all.")
	load("z", RDI)
	load("table", RSI)
	load("blocks", RDX)
	MOVQ(RDX, RBX)
	SHLQ(Imm(6), RBX) // the size of an entry
	VPBROADCASTQ(NewParamAddr("index", 16), Y7)
	VPCMPEQQ(Y6, Y6, Y6) // -1
	column := here("column")
	MOVQ(RSI, RAX)
	MOVQ(U32(32), RCX)
	VPXOR(Y0, Y0, Y0)
	VPXOR(Y1, Y1, Y1)
	VPXOR(Y5, Y5, Y5) // the number of the entry
	entry := here("entry")
	VPCMPEQQ(Y5, Y7, Y4)
	VPSUBQ(Y6, Y5, Y5)
	VPAND(Mem{Base: RAX}, Y4, Y2)
	VPAND(Mem{Base: RAX, Disp: 32}, Y4, Y3)
	VPOR(Y2, Y0, Y0)
	VPOR(Y3, Y1, Y1)
	ADDQ(RBX, RAX)
	DECQ(RCX)
	JNE(entry)
	VMOVDQU(Y0, Mem{Base: RDI})
	VMOVDQU(Y1, Mem{Base: RDI, Disp: 32})
	ADDQ(Imm(blockBytes), RSI)
	ADDQ(Imm(blockBytes), RDI)
	DECQ(RDX)
	JNE(column)
	VZEROUPPER()
	RET()
}
