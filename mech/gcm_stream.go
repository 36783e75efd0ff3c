package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math"
)

// gcmStream is GCM in parts, with an IV of any length: the counter mode of
// crypto/cipher and ghash.
type gcmStream struct {
	ctr             gcmCounter
	hash            *ghash
	mask            [aes.BlockSize]byte // the block cipher over the first counter block
	aad, ciphertext uint64              // bytes authenticated
}

func newGCMStream(block cipher.Block, iv, aad []byte) *gcmStream {
	s := &gcmStream{hash: newGHASH(block), aad: uint64(len(aad))}
	// SP 800-38D, section 7.1, step 2.
	var counter [aes.BlockSize]byte
	if len(iv) == gcmStdIV {
		copy(counter[:], iv)
		counter[aes.BlockSize-1] = 1
	} else {
		s.hash.write(iv)
		counter = s.hash.sum(0, uint64(len(iv)))
		s.hash.reset()
	}
	block.Encrypt(s.mask[:], counter[:])
	s.ctr = newGCMCounter(block, counter)
	s.hash.write(aad)
	s.hash.pad()
	return s
}

// encrypt is streaming; dst may be src.
func (s *gcmStream) encrypt(dst, src []byte) {
	for len(src) > 0 {
		// Authenticate each stretch while it is in the cache.
		n := min(len(src), ghashChunk)
		s.ctr.XORKeyStream(dst[:n], src[:n])
		s.authenticate(dst[:n])
		dst, src = dst[n:], src[n:]
	}
}

func (s *gcmStream) authenticate(ciphertext []byte) {
	s.hash.write(ciphertext)
	s.ciphertext += uint64(len(ciphertext))
}

func (s *gcmStream) tag() [aes.BlockSize]byte {
	t := s.hash.sum(s.aad, s.ciphertext)
	for i := range t {
		t[i] ^= s.mask[i]
	}
	return t
}

func (s *gcmStream) wipe() {
	s.ctr.wipe()
	s.hash.wipe()
	clear(s.mask[:])
}

// gcmCounter is counter mode with a counter of 32 bits that wraps, which it
// does within a message when the IV is not of 96 bits.
type gcmCounter struct {
	block   cipher.Block
	counter [aes.BlockSize]byte // the block from which stream started
	stream  cipher.Stream
	left    uint64 // bytes until the 32 bits wrap
}

// newGCMCounter starts behind the block given.
func newGCMCounter(block cipher.Block, first [aes.BlockSize]byte) gcmCounter {
	c := gcmCounter{block: block, counter: first}
	c.start(binary.BigEndian.Uint32(first[12:]) + 1)
	return c
}

func (c *gcmCounter) start(low uint32) {
	if c.stream != nil {
		erase(c.stream)
	}
	binary.BigEndian.PutUint32(c.counter[12:], low)
	c.stream = newCTR(c.block, &c.counter)
	c.left = (math.MaxUint32 - uint64(low) + 1) * aes.BlockSize
}

func (c *gcmCounter) XORKeyStream(dst, src []byte) {
	for len(src) > 0 {
		if c.left == 0 {
			c.start(0)
		}
		n := int(min(uint64(len(src)), c.left))
		c.stream.XORKeyStream(dst[:n], src[:n])
		c.left -= uint64(n)
		dst, src = dst[n:], src[n:]
	}
}

// wipe leaves the block cipher to whoever made it.
func (c *gcmCounter) wipe() {
	if c.stream != nil {
		erase(c.stream)
	}
	*c = gcmCounter{}
}
