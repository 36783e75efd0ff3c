package mech

import (
	"crypto/cipher"
	"crypto/subtle"
)

// largestBlock is the size of the largest cipher block in bytes.
const largestBlock = 16

// cbcMAC is the CBC-MAC of a block cipher: the last block of a CBC encryption
// from an initial value of zero. By itself it is no secure MAC of messages of
// different lengths; CCM and XCBC make one of it.
type cbcMAC struct {
	block cipher.Block
	size  int                // of a block
	state [largestBlock]byte // with the bytes of an unfinished block XORed in
	n     int                // how many those are
}

func newCBCMAC(block cipher.Block) *cbcMAC {
	return &cbcMAC{block: block, size: block.BlockSize()}
}

func (c *cbcMAC) Write(p []byte) (int, error) {
	total := len(p)
	state := c.state[:c.size]
	for len(p) > 0 {
		n := subtle.XORBytes(state[c.n:], state[c.n:], p)
		p = p[n:]
		if c.n += n; c.n == c.size {
			c.block.Encrypt(state, state)
			c.n = 0
		}
	}
	return total, nil
}

// pad fills up an unfinished block with zeros.
func (c *cbcMAC) pad() {
	if c.n > 0 {
		c.block.Encrypt(c.state[:c.size], c.state[:c.size])
		c.n = 0
	}
}

// Sum appends the MAC of what was written and padded with zeros (FIPS 113). It
// leaves the state as it is, as hash.Hash has it.
func (c *cbcMAC) Sum(b []byte) []byte {
	var last [largestBlock]byte
	out := append(b, last[:c.size]...)
	end := out[len(b):]
	copy(end, c.state[:c.size])
	if c.n > 0 {
		c.block.Encrypt(end, end)
	}
	return out
}

func (c *cbcMAC) Reset() {
	clear(c.state[:])
	c.n = 0
}

func (c *cbcMAC) Size() int      { return c.size }
func (c *cbcMAC) BlockSize() int { return c.size }

func (c *cbcMAC) wipe() {
	c.Reset()
	if c.block != nil {
		erase(c.block)
		c.block = nil
	}
}
