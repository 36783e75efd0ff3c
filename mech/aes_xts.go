package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"

	"coffer/p11"
)

// xtsFamily has XTS-AES and CKK_AES_XTS (PKCS #11 v3.2, section 6.15; IEEE
// 1619, NIST SP 800-38E). golang.org/x/crypto/xts lacks ciphertext stealing
// and sequence numbers of more than 64 bits, so the mode is here.
var xtsFamily = Family{
	Name:     "AES-XTS",
	KeyTypes: []KeyType{xtsKeys},
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_AES_XTS_KEY_GEN, Keys: xtsOnly, Size: xtsSize,
			Generate: generateSecret(xtsKeys),
		},
		{
			Type: p11.CKM_AES_XTS, Keys: xtsOnly, Size: xtsSize, Params: p11.ParamIV,
			Encrypt: encryptXTS, Decrypt: decryptXTS,
			Wrap: wrapWith(encryptXTS), Unwrap: unwrapWith(decryptXTS), WrapSize: wrapSize(stolenLength),
		},
	},
}

var (
	xtsKeys = KeyType{Type: p11.CKK_AES_XTS, Secret: true, Lengths: []int{32, 64}, MaxLength: 64}
	xtsOnly = []p11.KeyType{p11.CKK_AES_XTS}
	xtsSize = KeySize{Min: 32, Max: 64, Unit: Bytes}
)

// xtsMaxUnit is the most that a data unit may have (SP 800-38E, section 4).
const xtsMaxUnit = aes.BlockSize << 20

// xtsOp en- or decrypts one data unit.
type xtsOp struct {
	stealing
	block  cipher.Block
	crypt1 func(dst, src []byte) // a block of the cipher
	lo, hi uint64                // the tweak of the next block
	done   int                   // bytes taken
}

func newXTS(k Key, p p11.Params, length p11.RV) (*xtsOp, error) {
	unit, err := ivParam(p, aes.BlockSize)
	if err != nil {
		return nil, err
	}
	key, err := secretOf(k)
	if err != nil {
		return nil, err
	}
	if len(key) != 32 && len(key) != 64 {
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "an AES-XTS key has 32 or 64 bytes, not %d", len(key))
	}
	block, err := newAES(key[:len(key)/2])
	if err != nil {
		return nil, err
	}
	tweaker, err := newAES(key[len(key)/2:])
	if err != nil {
		return nil, err
	}
	defer erase(tweaker)
	var t [aes.BlockSize]byte
	defer clear(t[:])
	tweaker.Encrypt(t[:], unit)
	op := &xtsOp{block: block, lo: binary.LittleEndian.Uint64(t[:8]), hi: binary.LittleEndian.Uint64(t[8:])}
	op.crypt, op.length = op.cryptBlocks, length
	return op, nil
}

func encryptXTS(k Key, p p11.Params) (Op, error) {
	op, err := newXTS(k, p, p11.CKR_DATA_LEN_RANGE)
	if err != nil {
		return nil, err
	}
	op.crypt1, op.finish = op.block.Encrypt, op.finishEncryption
	return op, nil
}

func decryptXTS(k Key, p p11.Params) (Op, error) {
	op, err := newXTS(k, p, p11.CKR_ENCRYPTED_DATA_LEN_RANGE)
	if err != nil {
		return nil, err
	}
	op.crypt1, op.finish = op.block.Decrypt, op.finishDecryption
	return op, nil
}

func (o *xtsOp) take(n int) error {
	if n > xtsMaxUnit-o.done {
		return p11.Errorf(o.length, "a data unit has at most %d bytes", xtsMaxUnit)
	}
	o.done += n
	return nil
}

func (o *xtsOp) Update(dst, src []byte) (int, error) {
	if err := o.take(len(src)); err != nil {
		return 0, err
	}
	return o.stealing.Update(dst, src)
}

func (o *xtsOp) Final(dst, src []byte) (int, error) {
	if err := o.take(len(src)); err != nil {
		return 0, err
	}
	return o.stealing.Final(dst, src)
}

// tweak returns the tweak and makes the next one, which is α times it.
func (o *xtsOp) tweak() (t [aes.BlockSize]byte) {
	binary.LittleEndian.PutUint64(t[:8], o.lo)
	binary.LittleEndian.PutUint64(t[8:], o.hi)
	carry := -(o.hi >> 63)
	o.hi = o.hi<<1 | o.lo>>63
	o.lo = o.lo<<1 ^ 0x87&carry
	return t
}

// one does a block under a tweak (IEEE 1619, section 5.3.1).
func (o *xtsOp) one(dst, src []byte, t *[aes.BlockSize]byte) {
	subtle.XORBytes(dst, src, t[:])
	o.crypt1(dst, dst)
	subtle.XORBytes(dst, dst, t[:])
}

func (o *xtsOp) cryptBlocks(dst, src []byte) {
	for len(src) > 0 {
		t := o.tweak()
		o.one(dst[:aes.BlockSize], src[:aes.BlockSize], &t)
		dst, src = dst[aes.BlockSize:], src[aes.BlockSize:]
	}
}

// finishEncryption and finishDecryption differ in the order of the last two
// tweaks (IEEE 1619, sections 5.3.2 and 5.4.2).
func (o *xtsOp) finishEncryption(dst, src []byte) {
	o.finishUnit(dst, src, func() (first, second [aes.BlockSize]byte) {
		first = o.tweak()
		return first, o.tweak()
	})
}

func (o *xtsOp) finishDecryption(dst, src []byte) {
	o.finishUnit(dst, src, func() (first, second [aes.BlockSize]byte) {
		second = o.tweak()
		return o.tweak(), second
	})
}

func (o *xtsOp) finishUnit(dst, src []byte, tweaks func() (first, second [aes.BlockSize]byte)) {
	if len(src)%aes.BlockSize == 0 {
		o.cryptBlocks(dst, src)
		return
	}
	first, second := tweaks()
	var a, b [aes.BlockSize]byte
	o.one(a[:], src[:aes.BlockSize], &first)
	partial := copy(b[:], src[aes.BlockSize:])
	copy(b[partial:], a[partial:])
	o.one(b[:], b[:], &second)
	copy(dst, b[:])
	copy(dst[aes.BlockSize:], a[:partial])
	clear(a[:])
	clear(b[:])
}

func (o *xtsOp) Wipe() {
	o.wipe()
	if o.block != nil {
		erase(o.block)
	}
	o.block, o.crypt1 = nil, nil
	o.lo, o.hi = 0, 0
}
