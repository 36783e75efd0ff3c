// Package aesblocks is AES (FIPS 197) where the blocks do not wait for each
// other: CBC decryption, and ECB both ways. The standard library has these one
// block at a time, and a processor can have eight or sixteen under way, which
// is seven times as fast and more.
//
// It works with the AES instructions of amd64, whose time depends on nothing
// secret, and with them alone: where they are missing, Available is false and
// the caller takes crypto/aes. So it does in FIPS mode, whose boundary is the
// standard library.
package aesblocks

import "crypto/fips140"

// BlockSize is AES's, in bytes.
const BlockSize = 16

// scheduleSize has the round keys of AES-256: 15 of 16 bytes each.
const scheduleSize = 15 * BlockSize

// Available reports whether this processor has what the package needs.
func Available() bool { return len(kernels) > 0 && !fips140.Enabled() }

// A kernel is the code for so many blocks at once. Each function takes
// chunks·blocks blocks from src to dst. decryptCBC takes the ciphertext block
// before them from iv and leaves their last there.
type kernel struct {
	blocks           int
	encrypt, decrypt func(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int)
	decryptCBC       func(dst, src *byte, chunks int, keys *[scheduleSize]byte, rounds int, iv *[BlockSize]byte)
}

// A Cipher is AES under one key, safe for use by several goroutines. It
// implements cipher.Block.
type Cipher struct {
	rounds           int
	encrypt, decrypt [scheduleSize]byte
}

// New returns AES under a key of 16, 24 or 32 bytes, and nil for one of any
// other length. The key is not kept, but its schedule begins with it: see
// Wipe. New must not be called where Available is false.
func New(key []byte) *Cipher {
	switch len(key) {
	case 16, 24, 32:
	default:
		return nil
	}
	c := &Cipher{rounds: len(key)/4 + 6}
	expand(&c.encrypt, key, c.rounds)
	invert(&c.decrypt, &c.encrypt, c.rounds)
	return c
}

// Wipe clears the round keys. The Cipher is of no further use.
func (c *Cipher) Wipe() { *c = Cipher{} }

// BlockSize returns 16.
func (c *Cipher) BlockSize() int { return BlockSize }

// Encrypt encrypts one block.
func (c *Cipher) Encrypt(dst, src []byte) { c.EncryptECB(dst, src[:BlockSize]) }

// Decrypt decrypts one block.
func (c *Cipher) Decrypt(dst, src []byte) { c.DecryptECB(dst, src[:BlockSize]) }

// EncryptECB encrypts whole blocks, each by itself. dst is at least as long as
// src, and is the same memory or does not overlap it.
func (c *Cipher) EncryptECB(dst, src []byte) {
	dst = checked(dst, src)
	for i := range kernels {
		if n := len(src) / BlockSize / kernels[i].blocks; n > 0 {
			kernels[i].encrypt(&dst[0], &src[0], n, &c.encrypt, c.rounds)
			done := n * kernels[i].blocks * BlockSize
			dst, src = dst[done:], src[done:]
		}
	}
}

// DecryptECB is the opposite of EncryptECB.
func (c *Cipher) DecryptECB(dst, src []byte) {
	dst = checked(dst, src)
	for i := range kernels {
		if n := len(src) / BlockSize / kernels[i].blocks; n > 0 {
			kernels[i].decrypt(&dst[0], &src[0], n, &c.decrypt, c.rounds)
			done := n * kernels[i].blocks * BlockSize
			dst, src = dst[done:], src[done:]
		}
	}
}

// DecryptCBC decrypts whole blocks that are chained (NIST SP 800-38A, 6.2), and
// leaves the last block of ciphertext in iv, for the next call. For dst and
// src see EncryptECB.
func (c *Cipher) DecryptCBC(dst, src []byte, iv *[BlockSize]byte) {
	dst = checked(dst, src)
	for i := range kernels {
		if n := len(src) / BlockSize / kernels[i].blocks; n > 0 {
			kernels[i].decryptCBC(&dst[0], &src[0], n, &c.decrypt, c.rounds, iv)
			done := n * kernels[i].blocks * BlockSize
			dst, src = dst[done:], src[done:]
		}
	}
}

// checked returns as much of dst as the kernels will write: they check nothing.
func checked(dst, src []byte) []byte {
	if len(src)%BlockSize != 0 {
		panic("aesblocks: not a whole number of blocks")
	}
	return dst[:len(src)]
}
