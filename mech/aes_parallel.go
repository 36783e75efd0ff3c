package mech

import (
	"crypto/cipher"

	"coffer/mech/internal/aesblocks"
)

// parallelAESOf returns the block cipher under k for a mode whose blocks do not
// wait for each other: ECB, and CBC decryption.
func parallelAESOf(k Key) (cipher.Block, error) {
	if !aesblocks.Available() {
		return aesOf(k)
	}
	value, err := secretOf(k)
	if err != nil {
		return nil, err
	}
	c := aesblocks.New(value)
	if c == nil {
		return newAES(value) // which says what is wrong
	}
	return parallelAES{c}, nil
}

// parallelAES is recognised by cipher.NewCBCDecrypter, by its method of that
// name, and by ecbEncrypter and ecbDecrypter.
type parallelAES struct{ *aesblocks.Cipher }

func (c parallelAES) wipe() { c.Wipe() }

func (c parallelAES) NewCBCDecrypter(iv []byte) cipher.BlockMode {
	return &parallelCBC{cipher: c.Cipher, iv: [aesblocks.BlockSize]byte(iv)}
}

// parallelCBC is CBC decryption. The cipher is its owner's to wipe.
type parallelCBC struct {
	cipher *aesblocks.Cipher
	iv     [aesblocks.BlockSize]byte
}

func (m *parallelCBC) BlockSize() int              { return aesblocks.BlockSize }
func (m *parallelCBC) CryptBlocks(dst, src []byte) { m.cipher.DecryptCBC(dst, src, &m.iv) }
func (m *parallelCBC) wipe()                       { *m = parallelCBC{} }
