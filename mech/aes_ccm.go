package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math"

	"coffer/p11"
)

// ccmFamily has AES-CCM (PKCS #11 v3.2, section 6.13.4; RFC 3610, NIST SP
// 800-38C).
//
// The parameter says how long the data is, so that encryption in parts puts
// out every part at once. Decryption holds the ciphertext back until the MAC
// is checked, which is over the plaintext: it decrypts twice, the first time
// into memory of its own.
var ccmFamily = Family{
	Name: "AES-CCM",
	Mechanisms: []Mechanism{{
		Type: p11.CKM_AES_CCM, Keys: aesOnly, Size: aesSize, Params: p11.ParamCCM,
		Encrypt: encryptCCM, Decrypt: decryptCCM,
		Messages: newCCMMessages, MessageKind: p11.MessageCCM,
		Wrap: wrapCCM, Unwrap: unwrapCCM, WrapSize: ccmWrapSize,
		WrapsPrivate: true,
	}},
}

// ccmMaxHeld is the most that decryption in several parts holds back.
const ccmMaxHeld = gcmMaxHeld

// ccm is the state common to both directions.
type ccm struct {
	block cipher.Block
	ctr   cipher.Stream // from the first block of the data on
	mac   *cbcMAC
	mask  [aes.BlockSize]byte // what the MAC is encrypted with
	size  uint64              // bytes of plaintext
	tag   int                 // its length in bytes
	first [aes.BlockSize]byte // the counter block of the data
}

func newCCM(k Key, p p11.Params) (*ccm, error) {
	params, err := paramAs[p11.CCMParams](p)
	if err != nil {
		return nil, err
	}
	block, err := aesOf(k)
	if err != nil {
		return nil, err
	}
	return newCCMOf(block, params)
}

// newCCMOf is newCCM of a cipher that was made before.
func newCCMOf(block cipher.Block, params p11.CCMParams) (*ccm, error) {
	tag, err := ccmTag(params)
	if err != nil {
		return nil, err
	}
	width, err := ccmWidth(len(params.Nonce))
	if err != nil {
		return nil, err
	}
	if !ccmFits(len(params.Nonce), params.DataLen) {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%d bytes of data are too many for a nonce of %d bytes", params.DataLen, len(params.Nonce))
	}
	c := &ccm{block: block, size: params.DataLen, tag: tag}
	// RFC 3610, section 2.3: the counter blocks.
	c.first[0] = byte(width - 1)
	copy(c.first[1:], params.Nonce)
	block.Encrypt(c.mask[:], c.first[:])
	c.first[aes.BlockSize-1] = 1
	c.start(params)
	return c, nil
}

func ccmTag(p p11.CCMParams) (int, error) {
	if p.MACLen < 4 || p.MACLen > 16 || p.MACLen%2 != 0 {
		return 0, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a MAC of %d bytes was asked for; it has 4, 6, 8, 10, 12, 14 or 16", p.MACLen)
	}
	return int(p.MACLen), nil
}

// start takes what is authenticated before the data (RFC 3610, section 2.2).
func (c *ccm) start(p p11.CCMParams) {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[8:], c.size)
	b[0] = byte((c.tag-2)/2)<<3 | byte(14-len(p.Nonce))
	copy(b[1:], p.Nonce) // over the leading zeros of the length
	if len(p.AAD) > 0 {
		b[0] |= 1 << 6
	}
	c.mac = newCBCMAC(c.block)
	c.mac.Write(b[:])
	if n := uint64(len(p.AAD)); n > 0 {
		var length []byte
		switch {
		case n < 0xff00:
			length = binary.BigEndian.AppendUint16(b[:0], uint16(n))
		case n <= math.MaxUint32:
			length = binary.BigEndian.AppendUint32(append(b[:0], 0xff, 0xfe), uint32(n))
		default:
			length = binary.BigEndian.AppendUint64(append(b[:0], 0xff, 0xff), n)
		}
		c.mac.Write(length)
		c.mac.Write(p.AAD)
		c.mac.pad()
	}
	c.rewind()
}

// rewind starts the key stream of the data.
func (c *ccm) rewind() {
	if c.ctr != nil {
		erase(c.ctr)
	}
	c.ctr = cipher.NewCTR(c.block, c.first[:])
}

// sum returns the encrypted MAC of all that was written.
func (c *ccm) sum() [aes.BlockSize]byte {
	var t [aes.BlockSize]byte
	c.mac.Sum(t[:0])
	subtle.XORBytes(t[:], t[:], c.mask[:])
	return t
}

func (c *ccm) wipe() {
	if c.ctr != nil {
		erase(c.ctr)
		c.ctr = nil
	}
	if c.mac != nil {
		c.mac.wipe() // and with it the block cipher
		c.mac = nil
	}
	c.block = nil
	clear(c.mask[:])
}

// ccmEncryptOp encrypts and puts the MAC behind the ciphertext.
type ccmEncryptOp struct {
	ccm
	done uint64 // bytes encrypted
}

func encryptCCM(k Key, p p11.Params) (Op, error) {
	c, err := newCCM(k, p)
	if err != nil {
		return nil, err
	}
	return &ccmEncryptOp{ccm: *c}, nil
}

func (o *ccmEncryptOp) Update(dst, src []byte) (int, error) {
	n := uint64(len(src))
	if n > o.size-o.done {
		return 0, p11.Errorf(p11.CKR_DATA_LEN_RANGE, "the parameter says that the data has %d bytes, but more came", o.size)
	}
	o.done += n
	for rest := src; len(rest) > 0; { // each stretch while it is in the cache
		m := min(len(rest), ghashChunk)
		o.mac.Write(rest[:m])
		o.ctr.XORKeyStream(dst[:m], rest[:m])
		dst, rest = dst[m:], rest[m:]
	}
	return len(src), nil
}

func (o *ccmEncryptOp) UpdateSize(n int) Size { return Size{Max: n, Exact: true} }

func (o *ccmEncryptOp) Final(dst, src []byte) (int, error) {
	if uint64(len(src)) != o.size-o.done {
		return 0, p11.Errorf(p11.CKR_DATA_LEN_RANGE, "the parameter says that the data has %d bytes, but %d came", o.size, o.done+uint64(len(src)))
	}
	n, err := o.Update(dst, src)
	if err != nil {
		return 0, err
	}
	tag := o.sum()
	return n + copy(dst[n:], tag[:o.tag]), nil
}

func (o *ccmEncryptOp) FinalSize(n int) Size { return Size{Max: n + o.tag, Exact: true} }

func (o *ccmEncryptOp) Wipe() { o.wipe() }

// ccmDecryptOp holds everything back until Final.
type ccmDecryptOp struct {
	ccm
	held []byte // ciphertext
}

func decryptCCM(k Key, p p11.Params) (Op, error) {
	c, err := newCCM(k, p)
	if err != nil {
		return nil, err
	}
	return &ccmDecryptOp{ccm: *c}, nil
}

func (o *ccmDecryptOp) Update(_, src []byte) (int, error) {
	if len(src) > ccmMaxHeld+o.tag-len(o.held) {
		return 0, p11.Errorf(p11.CKR_DATA_LEN_RANGE, "decryption in parts takes at most %d bytes, as none is released before the MAC is checked", ccmMaxHeld)
	}
	o.held = append(o.held, src...)
	return 0, nil
}

func (o *ccmDecryptOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *ccmDecryptOp) Final(dst, src []byte) (int, error) {
	if len(o.held) > 0 {
		if _, err := o.Update(nil, src); err != nil {
			return 0, err
		}
		src = o.held
	}
	n := len(src) - o.tag
	if n < 0 || uint64(n) != o.size {
		return 0, p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "%d bytes are not the %d of the data and the %d of the MAC", len(src), o.size, o.tag)
	}
	if !o.authentic(src[:n], src[n:]) {
		return 0, p11.Errorf(p11.CKR_ENCRYPTED_DATA_INVALID, "the MAC is wrong")
	}
	o.rewind()
	o.ctr.XORKeyStream(dst[:n], src[:n])
	return n, nil
}

func (o *ccmDecryptOp) FinalSize(n int) Size {
	return Size{Max: max(len(o.held)+n-o.tag, 0), Exact: true}
}

func (o *ccmDecryptOp) Wipe() {
	o.wipe()
	o.held = nil
}

// wrapCCM and unwrapCCM know the length of the data themselves: what the
// parameter says of it is to be ignored (PKCS #11 v3.2, section 6.13.5).
func wrapCCM(k Key, p p11.Params, encoded []byte) ([]byte, error) {
	params, err := paramAs[p11.CCMParams](p)
	if err != nil {
		return nil, err
	}
	params.DataLen = uint64(len(encoded))
	return wrapWith(encryptCCM)(k, params, encoded)
}

func unwrapCCM(k Key, p p11.Params, wrapped []byte) ([]byte, error) {
	params, err := paramAs[p11.CCMParams](p)
	if err != nil {
		return nil, err
	}
	params.DataLen = uint64(max(len(wrapped)-int(min(params.MACLen, 16)), 0))
	return unwrapWith(decryptCCM)(k, params, wrapped)
}

func ccmWrapSize(_ Key, p p11.Params, n int) (int, error) {
	params, err := paramAs[p11.CCMParams](p)
	if err != nil {
		return 0, err
	}
	tag, err := ccmTag(params)
	return n + tag, err
}
