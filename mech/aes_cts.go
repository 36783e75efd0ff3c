package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"

	"coffer/p11"
)

// ctsFamily has AES-CBC with ciphertext stealing (PKCS #11 v3.2, section
// 6.12; addendum to NIST SP 800-38A).
//
// The text does not say which of the addendum's three variants it means, which
// differ in the order of the last two blocks. This is CBC-CS1, as in NSS; data
// of whole blocks is CBC.
var ctsFamily = Family{
	Name: "AES-CTS",
	Mechanisms: []Mechanism{{
		Type: p11.CKM_AES_CTS, Keys: aesOnly, Size: aesSize, Params: p11.ParamIV,
		Encrypt: encryptCTS, Decrypt: decryptCTS,
		Wrap: wrapWith(encryptCTS), Unwrap: unwrapWith(decryptCTS), WrapSize: wrapSize(stolenLength),
	}},
}

// stolenLength is the output length of the modes with ciphertext stealing.
func stolenLength(n int) (int, error) {
	if n < aes.BlockSize {
		return 0, p11.Errorf(p11.CKR_DATA_LEN_RANGE, "%d bytes are less than a block of %d", n, aes.BlockSize)
	}
	return n, nil
}

type ctsOp struct {
	stealing
	mode *chained
}

func newCTS(k Key, p p11.Params, mode func(cipher.Block, []byte) cipher.BlockMode, dir direction, length p11.RV) (*ctsOp, error) {
	iv, err := ivParam(p, aes.BlockSize)
	if err != nil {
		return nil, err
	}
	block, err := aesOf(k)
	if err != nil {
		return nil, err
	}
	op := &ctsOp{mode: newChained(block, iv, mode, dir)}
	op.crypt, op.length = op.mode.CryptBlocks, length
	return op, nil
}

func encryptCTS(k Key, p p11.Params) (Op, error) {
	op, err := newCTS(k, p, cipher.NewCBCEncrypter, encrypting, p11.CKR_DATA_LEN_RANGE)
	if err != nil {
		return nil, err
	}
	op.finish = op.finishEncryption
	return op, nil
}

func decryptCTS(k Key, p p11.Params) (Op, error) {
	op, err := newCTS(k, p, cipher.NewCBCDecrypter, decrypting, p11.CKR_ENCRYPTED_DATA_LEN_RANGE)
	if err != nil {
		return nil, err
	}
	op.finish = op.finishDecryption
	return op, nil
}

func (o *ctsOp) finishEncryption(dst, src []byte) {
	partial := len(src) % aes.BlockSize
	if partial == 0 {
		o.mode.CryptBlocks(dst, src)
		return
	}
	var both [2 * aes.BlockSize]byte
	copy(both[:], src) // and zeros
	o.mode.CryptBlocks(both[:], both[:])
	copy(dst, both[:partial])
	copy(dst[partial:], both[aes.BlockSize:])
}

func (o *ctsOp) finishDecryption(dst, src []byte) {
	partial := len(src) % aes.BlockSize
	if partial == 0 {
		o.mode.CryptBlocks(dst, src)
		return
	}
	var before, last [aes.BlockSize]byte
	defer clear(last[:])
	o.mode.under.Decrypt(last[:], src[partial:])
	copy(before[:], src[:partial])
	copy(before[partial:], last[partial:])
	subtle.XORBytes(last[:], last[:], src[:partial])
	o.mode.CryptBlocks(before[:], before[:])
	copy(dst, before[:])
	copy(dst[aes.BlockSize:], last[:partial])
	clear(before[:])
}

func (o *ctsOp) Wipe() {
	o.wipe()
	if o.mode != nil {
		o.mode.wipe()
	}
	o.mode = nil
}
