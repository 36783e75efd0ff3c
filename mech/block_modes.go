package mech

import (
	"crypto/cipher"
	"crypto/subtle"

	"coffer/p11"
)

// blockModes makes the modes that a block cipher has of old, each a pair of
// constructors (for AES, PKCS #11 v3.2, sections 6.10.4 to 6.10.6).
type blockModes struct {
	of func(Key) (cipher.Block, error)
	// parallel is the same cipher for what takes many blocks at once.
	parallel func(Key) (cipher.Block, error)
	size     int // of a block
}

func (b blockModes) encryptECB(k Key, _ p11.Params) (Op, error) {
	return newBlockOp(b.parallel, k, nil, ecbEncrypter, encrypting)
}

func (b blockModes) decryptECB(k Key, _ p11.Params) (Op, error) {
	return newBlockOp(b.parallel, k, nil, ecbDecrypter, decrypting)
}

func (b blockModes) encryptCBC(k Key, p p11.Params) (Op, error) {
	iv, err := ivParam(p, b.size)
	if err != nil {
		return nil, err
	}
	return newBlockOp(b.of, k, iv, cipher.NewCBCEncrypter, encrypting)
}

func (b blockModes) decryptCBC(k Key, p p11.Params) (Op, error) {
	iv, err := ivParam(p, b.size)
	if err != nil {
		return nil, err
	}
	return newBlockOp(b.parallel, k, iv, cipher.NewCBCDecrypter, decrypting)
}

func (b blockModes) encryptCBCPad(k Key, p p11.Params) (Op, error) {
	iv, err := ivParam(p, b.size)
	if err != nil {
		return nil, err
	}
	block, err := b.of(k)
	if err != nil {
		return nil, err
	}
	return &cbcPadEncryptOp{newBlocks(block, iv, cipher.NewCBCEncrypter, encrypting)}, nil
}

func (b blockModes) decryptCBCPad(k Key, p p11.Params) (Op, error) {
	iv, err := ivParam(p, b.size)
	if err != nil {
		return nil, err
	}
	block, err := b.parallel(k)
	if err != nil {
		return nil, err
	}
	op := &cbcPadDecryptOp{blocks: newBlocks(block, iv, cipher.NewCBCDecrypter, decrypting)}
	op.keep = 1
	copy(op.before[:], iv)
	return op, nil
}

func newBlockOp(of func(Key) (cipher.Block, error), k Key, iv []byte, mode func(cipher.Block, []byte) cipher.BlockMode, dir direction) (Op, error) {
	block, err := of(k)
	if err != nil {
		return nil, err
	}
	return &blockOp{newBlocks(block, iv, mode, dir)}, nil
}

// whole is the output length of ECB and CBC.
func (b blockModes) whole(n int) (int, error) {
	if n%b.size != 0 {
		return 0, encryptLength(n)
	}
	return n, nil
}

// padded is the output length of CBC with padding.
func (b blockModes) padded(n int) (int, error) { return n - n%b.size + b.size, nil }

func encryptLength(n int) error {
	return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "%d bytes are not a whole number of blocks", n)
}

func decryptLength(n int) error {
	return p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "%d bytes are not a whole number of blocks", n)
}

// blockOp is a mode that takes and gives whole blocks: ECB and CBC.
type blockOp struct {
	blocks
}

func (o *blockOp) Final(dst, src []byte) (int, error) {
	if n := o.n + len(src); n%o.size != 0 {
		if o.mode.dir == decrypting {
			return 0, decryptLength(n)
		}
		return 0, encryptLength(n)
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
	pad := byte(o.size - o.n)
	for i := o.n; i < o.size; i++ {
		o.held[i] = pad
	}
	o.mode.CryptBlocks(dst[n:n+o.size], o.held[:o.size])
	return n + o.size, nil
}

func (o *cbcPadEncryptOp) FinalSize(n int) Size {
	return Size{Max: o.ready(n) + o.size, Exact: true}
}

// cbcPadDecryptOp takes the padding off again. It holds the last block back
// until the end, and looks at the padding before it writes the rest.
type cbcPadDecryptOp struct {
	blocks
	before [largestBlock]byte // the ciphertext block before held
	last   [largestBlock]byte // the last block's plaintext
}

func (o *cbcPadDecryptOp) Update(dst, src []byte) (int, error) {
	if n := o.ready(len(src)); n > 0 {
		o.copyBlock(&o.before, src, n-o.size)
	}
	return o.blocks.Update(dst, src)
}

func (o *cbcPadDecryptOp) Final(dst, src []byte) (int, error) {
	total := o.n + len(src)
	if total == 0 || total%o.size != 0 {
		return 0, decryptLength(total)
	}
	before := o.before
	if total > o.size {
		o.copyBlock(&before, src, total-2*o.size)
	}
	o.copyBlock(&o.last, src, total-o.size)
	last := o.last[:o.size]
	o.mode.under.Decrypt(last, last)
	subtle.XORBytes(last, last, before[:])
	pad, ok := padding(last)
	if ok != 1 {
		return 0, p11.Errorf(p11.CKR_ENCRYPTED_DATA_INVALID, "the padding is wrong")
	}
	n, _ := o.blocks.Update(dst, src)
	return n + copy(dst[n:], last[:o.size-pad]), nil
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
func padding(last []byte) (pad, ok int) {
	size := len(last)
	pad = int(last[size-1])
	ok = subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, size)
	for i := range size {
		inside := subtle.ConstantTimeLessOrEq(i+1, pad)
		right := subtle.ConstantTimeByteEq(last[size-1-i], byte(pad))
		ok &= right | (1 ^ inside)
	}
	return pad, ok
}

// ecb encrypts or decrypts each block by itself.
type ecb struct {
	crypt func(dst, src []byte) // whole blocks
	size  int
}

func ecbEncrypter(b cipher.Block, _ []byte) cipher.BlockMode {
	if wide, ok := b.(interface{ EncryptECB(dst, src []byte) }); ok {
		return ecb{wide.EncryptECB, b.BlockSize()}
	}
	return ecb{inTurn(b.Encrypt, b.BlockSize()), b.BlockSize()}
}

func ecbDecrypter(b cipher.Block, _ []byte) cipher.BlockMode {
	if wide, ok := b.(interface{ DecryptECB(dst, src []byte) }); ok {
		return ecb{wide.DecryptECB, b.BlockSize()}
	}
	return ecb{inTurn(b.Decrypt, b.BlockSize()), b.BlockSize()}
}

func inTurn(crypt func(dst, src []byte), size int) func(dst, src []byte) {
	return func(dst, src []byte) {
		for len(src) > 0 {
			crypt(dst[:size], src[:size])
			dst, src = dst[size:], src[size:]
		}
	}
}

func (e ecb) BlockSize() int              { return e.size }
func (e ecb) CryptBlocks(dst, src []byte) { e.crypt(dst, src) }
