package mech

import "crypto/cipher"

// chained is a block mode that remembers the last block of ciphertext, which in
// CBC is all that the next block depends on beside the key.
type chained struct {
	mode  cipher.BlockMode
	make  func(cipher.Block, []byte) cipher.BlockMode
	under cipher.Block // the mode's, which may have a copy of it
	dir   direction
	last  [largestBlock]byte // at first the initialisation vector
}

func newChained(under cipher.Block, iv []byte, make func(cipher.Block, []byte) cipher.BlockMode, dir direction) *chained {
	c := &chained{mode: make(under, iv), make: make, under: under, dir: dir}
	copy(c.last[:], iv)
	return c
}

func (c *chained) BlockSize() int { return c.under.BlockSize() }

func (c *chained) CryptBlocks(dst, src []byte) {
	if len(src) == 0 {
		return
	}
	if c.dir == decrypting { // before dst, which may be src, is written
		copy(c.last[:], src[len(src)-c.BlockSize():])
	}
	c.mode.CryptBlocks(dst, src)
	if c.dir == encrypting {
		copy(c.last[:], dst[len(src)-c.BlockSize():len(src)])
	}
}

// again makes the mode anew from the last block.
func (c *chained) again() {
	erase(c.mode)
	c.mode = c.make(c.under, c.last[:c.BlockSize()])
}

func (c *chained) wipe() {
	if c.mode != nil {
		erase(c.mode)
		erase(c.under)
	}
	*c = chained{}
}
