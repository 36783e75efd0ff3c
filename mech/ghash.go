package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// ghash is GHASH (NIST SP 800-38D, section 6.4) over input in parts.
//
// crypto/cipher has GHASH in assembly, but only inside a whole GCM message.
// Sealing nothing with a chunk A of n blocks as additional data gives the tag
//
//	E ⊕ H·(Y(A) ⊕ L)
//
// where Y(A) is the GHASH state after A from zero, L the block of lengths, H
// the hash key and E a mask, both known here. GHASH is linear: from the state
// Y, the chunk leads to Y·Hⁿ ⊕ Y(A). So the state times H is kept, and a chunk
// costs one call of crypto/cipher and a few multiplications of our own, which
// are constant in time and without tables. The tags stay inside.
type ghash struct {
	oracle cipher.AEAD
	mask   [aes.BlockSize]byte
	h      [ghashPowers]element // H to the power of 2^i, for the first powers of i
	powers int
	hy     element             // H·Y
	begun  bool                // there was a chunk: Y is not zero
	tag    [aes.BlockSize]byte // scratch
	held   [ghashChunk]byte    // input not yet taken
	n      int                 // bytes in held
}

const (
	ghashChunk  = 4096 // a power of two, of whole blocks
	ghashPowers = 9    // enough for the blocks of a chunk: 2^8
)

// oracleNonce is the nonce under which chunks are hashed. What is sealed under
// it never leaves this file.
var oracleNonce [gcmStdIV]byte

func newGHASH(block cipher.Block) *ghash {
	g := &ghash{}
	var err error
	if g.oracle, err = cipher.NewGCM(block); err != nil {
		panic("mech: " + err.Error()) // only for a cipher that is not AES
	}
	first := [aes.BlockSize]byte{aes.BlockSize - 1: 1}
	block.Encrypt(g.mask[:], first[:])
	var h [aes.BlockSize]byte
	block.Encrypt(h[:], h[:])
	g.h[0], g.powers = newElement(&h), 1
	clear(h[:])
	return g
}

// power returns H to the power of 2^i.
func (g *ghash) power(i int) element {
	for ; g.powers <= i; g.powers++ {
		g.h[g.powers] = g.h[g.powers-1].times(g.h[g.powers-1])
	}
	return g.h[i]
}

func (g *ghash) write(p []byte) {
	if g.n > 0 {
		n := copy(g.held[g.n:], p)
		g.n += n
		p = p[n:]
		if g.n < len(g.held) {
			return
		}
		g.chunk(g.held[:])
		g.n = 0
	}
	for len(p) >= ghashChunk {
		g.chunk(p[:ghashChunk])
		p = p[ghashChunk:]
	}
	g.n = copy(g.held[:], p)
}

// chunk takes whole blocks.
func (g *ghash) chunk(p []byte) {
	g.oracle.Seal(g.tag[:0], oracleNonce[:], nil, p)
	for i := range g.tag {
		g.tag[i] ^= g.mask[i]
	}
	// The block of lengths: the bits of the additional data, and none.
	lengths := element{hi: uint64(len(p)) * 8}
	hya := newElement(&g.tag).plus(lengths.times(g.h[0]))
	for i, n := 0, len(p)/aes.BlockSize; n > 0 && g.begun; i, n = i+1, n>>1 {
		if n&1 == 1 {
			g.hy = g.hy.times(g.power(i))
		}
	}
	g.hy, g.begun = g.hy.plus(hya), true
}

// pad fills up the last block with zeros.
func (g *ghash) pad() {
	if g.n == 0 {
		return
	}
	end := (g.n + aes.BlockSize - 1) &^ (aes.BlockSize - 1)
	clear(g.held[g.n:end])
	g.chunk(g.held[:end])
	g.n = 0
}

// sum pads and returns GHASH of all that was written and the block of the two
// lengths in bytes.
func (g *ghash) sum(a, c uint64) [aes.BlockSize]byte {
	g.pad()
	lengths := element{hi: a * 8, lo: c * 8}
	y := g.hy.plus(lengths.times(g.h[0]))
	return y.bytes()
}

func (g *ghash) reset() {
	g.hy, g.begun = element{}, false
	g.n = 0
}

func (g *ghash) wipe() {
	if g.oracle != nil {
		erase(g.oracle)
	}
	*g = ghash{}
}

// An element is one of GF(2¹²⁸) as GCM has it: the first bit of the block, the
// most significant of hi, is the coefficient of 1.
type element struct{ hi, lo uint64 }

func newElement(b *[aes.BlockSize]byte) element {
	return element{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (x element) bytes() (b [aes.BlockSize]byte) {
	binary.BigEndian.PutUint64(b[:8], x.hi)
	binary.BigEndian.PutUint64(b[8:], x.lo)
	return b
}

func (x element) plus(y element) element { return element{x.hi ^ y.hi, x.lo ^ y.lo} }

// times multiplies (SP 800-38D, section 6.3) in constant time.
func (x element) times(y element) element {
	var z element
	for _, word := range [2]uint64{x.hi, x.lo} {
		for i := 63; i >= 0; i-- {
			bit := -(word >> i & 1)
			z.hi ^= y.hi & bit
			z.lo ^= y.lo & bit
			carry := -(y.lo & 1)
			y.lo = y.lo>>1 | y.hi<<63
			y.hi = y.hi>>1 ^ 0xe1<<56&carry
		}
	}
	return z
}
