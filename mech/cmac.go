package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"hash"
)

// cmac is CMAC over AES (NIST SP 800-38B, RFC 4493) as a hash.Hash.
type cmac struct {
	block  cipher.Block
	k1, k2 [aes.BlockSize]byte
	state  [aes.BlockSize]byte // the CBC-MAC of the blocks before held
	held   [aes.BlockSize]byte // the last block so far, which may be the very last
	n      int                 // bytes in held
	last   [aes.BlockSize]byte // scratch of Sum
}

func newCMAC(block cipher.Block) hash.Hash {
	c := &cmac{block: block}
	block.Encrypt(c.k1[:], c.k1[:])
	double(&c.k1)
	c.k2 = c.k1
	double(&c.k2)
	return c
}

// double multiplies by x in GF(2¹²⁸), most significant bit first, in constant
// time.
func double(b *[aes.BlockSize]byte) {
	carry := b[0] >> 7
	for i := range len(b) - 1 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	b[len(b)-1] = b[len(b)-1]<<1 ^ 0x87&-carry
}

func (c *cmac) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if c.n == len(c.held) {
			c.absorb(c.held[:])
			c.n = 0
		}
		if c.n == 0 {
			for len(p) > len(c.held) {
				c.absorb(p[:len(c.held)])
				p = p[len(c.held):]
			}
		}
		n := copy(c.held[c.n:], p)
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
	if c.n == len(c.held) {
		subtle.XORBytes(c.last[:], c.last[:], c.k1[:])
	} else {
		c.last[c.n] = 0x80
		clear(c.last[c.n+1:])
		subtle.XORBytes(c.last[:], c.last[:], c.k2[:])
	}
	subtle.XORBytes(c.last[:], c.last[:], c.state[:])
	c.block.Encrypt(c.last[:], c.last[:])
	return append(b, c.last[:]...)
}

func (c *cmac) Reset() {
	clear(c.state[:])
	clear(c.held[:])
	clear(c.last[:])
	c.n = 0
}

func (c *cmac) Size() int      { return aes.BlockSize }
func (c *cmac) BlockSize() int { return aes.BlockSize }

func (c *cmac) wipe() {
	c.Reset()
	clear(c.k1[:])
	clear(c.k2[:])
	erase(c.block)
}
