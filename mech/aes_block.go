package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"

	"coffer/p11"
)

// encryptECB and its like are the constructors of the block modes (PKCS #11
// v3.2, sections 6.10.4 to 6.10.6).
func encryptECB(k Key, p p11.Params) (Op, error) {
	return newBlockOp(k, nil, ecbEncrypter, encryptLength)
}
func decryptECB(k Key, p p11.Params) (Op, error) {
	return newBlockOp(k, nil, ecbDecrypter, decryptLength)
}

func encryptCBC(k Key, p p11.Params) (Op, error) {
	iv, err := ivParam(p, aes.BlockSize)
	if err != nil {
		return nil, err
	}
	return newBlockOp(k, iv, cipher.NewCBCEncrypter, encryptLength)
}

func decryptCBC(k Key, p p11.Params) (Op, error) {
	iv, err := ivParam(p, aes.BlockSize)
	if err != nil {
		return nil, err
	}
	return newBlockOp(k, iv, cipher.NewCBCDecrypter, decryptLength)
}

func encryptCBCPad(k Key, p p11.Params) (Op, error) {
	iv, err := ivParam(p, aes.BlockSize)
	if err != nil {
		return nil, err
	}
	block, err := aesOf(k)
	if err != nil {
		return nil, err
	}
	return &cbcPadEncryptOp{blocks: blocks{mode: cipher.NewCBCEncrypter(block, iv), under: block}}, nil
}

func decryptCBCPad(k Key, p p11.Params) (Op, error) {
	iv, err := ivParam(p, aes.BlockSize)
	if err != nil {
		return nil, err
	}
	block, err := aesOf(k)
	if err != nil {
		return nil, err
	}
	op := &cbcPadDecryptOp{blocks: blocks{mode: cipher.NewCBCDecrypter(block, iv), under: block, keep: 1}}
	copy(op.before[:], iv)
	return op, nil
}

// wholeBlocks is the output length of ECB and CBC.
func wholeBlocks(n int) (int, error) {
	if n%aes.BlockSize != 0 {
		return 0, encryptLength(n)
	}
	return n, nil
}

// paddedBlocks is the output length of CBC with padding.
func paddedBlocks(n int) (int, error) { return n - n%aes.BlockSize + aes.BlockSize, nil }

func encryptLength(n int) error {
	return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "%d bytes are not a whole number of blocks", n)
}

func decryptLength(n int) error {
	return p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "%d bytes are not a whole number of blocks", n)
}

// blockOp is a mode that takes and gives whole blocks: ECB and CBC.
type blockOp struct {
	blocks
	length func(total int) error // the refusal of a total length
}

func newBlockOp(k Key, iv []byte, mode func(cipher.Block, []byte) cipher.BlockMode, length func(int) error) (Op, error) {
	block, err := aesOf(k)
	if err != nil {
		return nil, err
	}
	return &blockOp{blocks: blocks{mode: mode(block, iv), under: block}, length: length}, nil
}

func (o *blockOp) Final(dst, src []byte) (int, error) {
	if n := o.n + len(src); n%aes.BlockSize != 0 {
		return 0, o.length(n)
	}
	return o.Update(dst, src)
}

func (o *blockOp) FinalSize(n int) Size { return Size{Max: o.ready(n), Exact: true} }

// cbcPadEncryptOp is CBC with the padding of PKCS #7.
type cbcPadEncryptOp struct {
	blocks
}

func (o *cbcPadEncryptOp) Final(dst, src []byte) (int, error) {
	n, _ := o.Update(dst, src)
	pad := byte(aes.BlockSize - o.n)
	for i := o.n; i < aes.BlockSize; i++ {
		o.held[i] = pad
	}
	o.mode.CryptBlocks(dst[n:n+aes.BlockSize], o.held[:])
	return n + aes.BlockSize, nil
}

func (o *cbcPadEncryptOp) FinalSize(n int) Size {
	return Size{Max: o.ready(n) + aes.BlockSize, Exact: true}
}

// cbcPadDecryptOp takes the padding off again. It holds the last block back
// until the end, and looks at the padding before it writes the rest.
type cbcPadDecryptOp struct {
	blocks
	before [aes.BlockSize]byte // the ciphertext block before held
	last   [aes.BlockSize]byte // the last block's plaintext
}

func (o *cbcPadDecryptOp) Update(dst, src []byte) (int, error) {
	if n := o.ready(len(src)); n > 0 {
		o.copyBlock(&o.before, src, n-aes.BlockSize)
	}
	return o.blocks.Update(dst, src)
}

func (o *cbcPadDecryptOp) Final(dst, src []byte) (int, error) {
	total := o.n + len(src)
	if total == 0 || total%aes.BlockSize != 0 {
		return 0, decryptLength(total)
	}
	before := o.before
	if total > aes.BlockSize {
		o.copyBlock(&before, src, total-2*aes.BlockSize)
	}
	o.copyBlock(&o.last, src, total-aes.BlockSize)
	o.under.Decrypt(o.last[:], o.last[:])
	subtle.XORBytes(o.last[:], o.last[:], before[:])
	pad, ok := padding(&o.last)
	if ok != 1 {
		return 0, p11.Errorf(p11.CKR_ENCRYPTED_DATA_INVALID, "the padding is wrong")
	}
	n, _ := o.blocks.Update(dst, src)
	return n + copy(dst[n:], o.last[:aes.BlockSize-pad]), nil
}

// FinalSize: at least one byte of the input is padding.
func (o *cbcPadDecryptOp) FinalSize(n int) Size { return Size{Max: max(o.n+n-1, 0)} }

func (o *cbcPadDecryptOp) Wipe() {
	o.blocks.Wipe()
	clear(o.before[:])
	clear(o.last[:])
}

// padding returns the length of the padding of a last block (RFC 5652, section
// 6.3), and 1 if it is right, in constant time. The length means nothing if it
// is not.
func padding(last *[aes.BlockSize]byte) (pad, ok int) {
	pad = int(last[aes.BlockSize-1])
	ok = subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, aes.BlockSize)
	for i := range aes.BlockSize {
		inside := subtle.ConstantTimeLessOrEq(i+1, pad)
		right := subtle.ConstantTimeByteEq(last[aes.BlockSize-1-i], byte(pad))
		ok &= right | (1 ^ inside)
	}
	return pad, ok
}

// ecb encrypts or decrypts each block by itself.
type ecb struct{ crypt func(dst, src []byte) }

func ecbEncrypter(b cipher.Block, _ []byte) cipher.BlockMode { return ecb{b.Encrypt} }
func ecbDecrypter(b cipher.Block, _ []byte) cipher.BlockMode { return ecb{b.Decrypt} }

func (ecb) BlockSize() int { return aes.BlockSize }

func (e ecb) CryptBlocks(dst, src []byte) {
	for len(src) > 0 {
		e.crypt(dst[:aes.BlockSize], src[:aes.BlockSize])
		dst, src = dst[aes.BlockSize:], src[aes.BlockSize:]
	}
}
