package mech

import (
	"crypto/cipher"
	"crypto/subtle"
	"hash"
)

// cmac is CMAC (NIST SP 800-38B, RFC 4493) as a hash.Hash.
type cmac struct {
	block  cipher.Block
	size   int // of a block
	k1, k2 [largestBlock]byte
	state  [largestBlock]byte // the CBC-MAC of the blocks before held
	held   [largestBlock]byte // the last block so far, which may be the very last
	n      int                // bytes in held
	last   [largestBlock]byte // scratch of Sum
}

func newCMAC(block cipher.Block) hash.Hash {
	c := &cmac{block: block, size: block.BlockSize()}
	k1, k2 := c.k1[:c.size], c.k2[:c.size]
	block.Encrypt(k1, k1)
	double(k1)
	copy(k2, k1)
	double(k2)
	return c
}

// double multiplies by x in GF(2¹²⁸), or GF(2⁶⁴) if b has 8 bytes, most
// significant bit first, in constant time.
func double(b []byte) {
	polynomial := byte(0x87)
	if len(b) == 8 {
		polynomial = 0x1b
	}
	carry := b[0] >> 7
	for i := range len(b) - 1 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	b[len(b)-1] = b[len(b)-1]<<1 ^ polynomial&-carry
}

func (c *cmac) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if c.n == c.size {
			c.absorb(c.held[:c.size])
			c.n = 0
		}
		if c.n == 0 {
			for len(p) > c.size {
				c.absorb(p[:c.size])
				p = p[c.size:]
			}
		}
		n := copy(c.held[c.n:c.size], p)
		c.n += n
		p = p[n:]
	}
	return total, nil
}

func (c *cmac) absorb(block []byte) {
	subtle.XORBytes(c.state[:], c.state[:], block)
	c.block.Encrypt(c.state[:], c.state[:])
}

// Sum leaves the state as it is, as hash.Hash has it.
func (c *cmac) Sum(b []byte) []byte {
	c.last = c.held
	if c.n == c.size {
		subtle.XORBytes(c.last[:], c.last[:], c.k1[:])
	} else {
		c.last[c.n] = 0x80
		clear(c.last[c.n+1:])
		subtle.XORBytes(c.last[:], c.last[:], c.k2[:])
	}
	subtle.XORBytes(c.last[:], c.last[:], c.state[:])
	c.block.Encrypt(c.last[:], c.last[:])
	return append(b, c.last[:c.size]...)
}

func (c *cmac) Reset() {
	clear(c.state[:])
	clear(c.held[:])
	clear(c.last[:])
	c.n = 0
}

func (c *cmac) Size() int      { return c.size }
func (c *cmac) BlockSize() int { return c.size }

func (c *cmac) wipe() {
	c.Reset()
	clear(c.k1[:])
	clear(c.k2[:])
	erase(c.block)
}
