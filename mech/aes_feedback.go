package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"

	"coffer/p11"
)

// feedbackFamily has the modes that make a stream cipher of AES (PKCS #11
// v3.2, sections 6.10.7 and 6.10.8; NIST SP 800-38A): output feedback, and
// cipher feedback with segments of 1, 8, 64 and 128 bits. The last segment may
// be short. crypto/cipher has two of the five and has deprecated both.
//
// None wraps keys, though the text lets them: a wrapped key cut down to its
// first byte would unwrap as a key of one byte, which a few MACs give away.
var feedbackFamily = Family{
	Name: "AES feedback",
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_AES_OFB, Keys: aesOnly, Size: aesSize, Params: p11.ParamIV,
			Encrypt: newOFBOp, Decrypt: newOFBOp,
		},
		{
			Type: p11.CKM_AES_CFB128, Keys: aesOnly, Size: aesSize, Params: p11.ParamIV,
			Encrypt: newCFBOp(16, encrypting), Decrypt: newCFBOp(16, decrypting),
		},
		{
			Type: p11.CKM_AES_CFB64, Keys: aesOnly, Size: aesSize, Params: p11.ParamIV,
			Encrypt: newCFBOp(8, encrypting), Decrypt: newCFBOp(8, decrypting),
		},
		{
			Type: p11.CKM_AES_CFB8, Keys: aesOnly, Size: aesSize, Params: p11.ParamIV,
			Encrypt: newCFBOp(1, encrypting), Decrypt: newCFBOp(1, decrypting),
		},
		{
			Type: p11.CKM_AES_CFB1, Keys: aesOnly, Size: aesSize, Params: p11.ParamIV,
			Encrypt: newCFB1Op(encrypting), Decrypt: newCFB1Op(decrypting),
		},
	},
}

// feedbackOf returns the block cipher and the initialisation vector of such a
// mode.
func feedbackOf(k Key, p p11.Params) (f feedback, err error) {
	iv, err := ivParam(p, aes.BlockSize)
	if err != nil {
		return f, err
	}
	f.block, err = aesOf(k)
	copy(f.in[:], iv)
	return f, err
}

// feedback is a block cipher whose input is made of its output or of the
// ciphertext.
type feedback struct {
	block cipher.Block
	in    [aes.BlockSize]byte // of the block cipher, the next time
	out   [aes.BlockSize]byte // of the block cipher, the last time
	n     int                 // how many bytes of out are used up
}

func (f *feedback) UpdateSize(n int) Size { return Size{Max: n, Exact: true} }
func (f *feedback) FinalSize(n int) Size  { return Size{Max: n, Exact: true} }

func (f *feedback) Wipe() {
	if f.block != nil {
		erase(f.block)
		f.block = nil
	}
	clear(f.in[:])
	clear(f.out[:])
}

// ofbOp is output feedback; encryption and decryption are the same.
type ofbOp struct{ feedback }

func newOFBOp(k Key, p p11.Params) (Op, error) {
	f, err := feedbackOf(k, p)
	if err != nil {
		return nil, err
	}
	f.out, f.n = f.in, aes.BlockSize
	return &ofbOp{f}, nil
}

func (o *ofbOp) Update(dst, src []byte) (int, error) {
	total := len(src)
	for len(src) > 0 {
		if o.n == aes.BlockSize {
			o.block.Encrypt(o.out[:], o.out[:])
			o.n = 0
		}
		n := subtle.XORBytes(dst, src, o.out[o.n:])
		o.n += n
		dst, src = dst[n:], src[n:]
	}
	return total, nil
}

func (o *ofbOp) Final(dst, src []byte) (int, error) { return o.Update(dst, src) }

// cfbOp is cipher feedback with segments of whole bytes.
type cfbOp struct {
	feedback
	segment int                 // its length in bytes
	cipher  [aes.BlockSize]byte // the ciphertext of the segment so far
	dir     direction
}

func newCFBOp(segment int, dir direction) func(Key, p11.Params) (Op, error) {
	return func(k Key, p p11.Params) (Op, error) {
		f, err := feedbackOf(k, p)
		if err != nil {
			return nil, err
		}
		return &cfbOp{feedback: f, segment: segment, dir: dir}, nil
	}
}

func (o *cfbOp) Update(dst, src []byte) (int, error) {
	total := len(src)
	for len(src) > 0 {
		if o.n == 0 {
			o.block.Encrypt(o.out[:], o.in[:])
		}
		n := min(o.segment-o.n, len(src))
		if o.dir == decrypting {
			copy(o.cipher[o.n:], src[:n])
		}
		subtle.XORBytes(dst[:n], src[:n], o.out[o.n:])
		if o.dir == encrypting {
			copy(o.cipher[o.n:], dst[:n])
		}
		if o.n += n; o.n == o.segment {
			copy(o.in[:], o.in[o.segment:])
			copy(o.in[aes.BlockSize-o.segment:], o.cipher[:o.segment])
			o.n = 0
		}
		dst, src = dst[n:], src[n:]
	}
	return total, nil
}

func (o *cfbOp) Final(dst, src []byte) (int, error) { return o.Update(dst, src) }

// cfb1Op is cipher feedback with segments of one bit, the most significant bit
// of a byte first.
type cfb1Op struct {
	feedback
	dir direction
}

func newCFB1Op(dir direction) func(Key, p11.Params) (Op, error) {
	return func(k Key, p p11.Params) (Op, error) {
		f, err := feedbackOf(k, p)
		if err != nil {
			return nil, err
		}
		return &cfb1Op{feedback: f, dir: dir}, nil
	}
}

func (o *cfb1Op) Update(dst, src []byte) (int, error) {
	for i, in := range src {
		var out byte
		for range 8 {
			o.block.Encrypt(o.out[:], o.in[:])
			bit := in>>7 ^ o.out[0]>>7
			out = out<<1 | bit
			if o.dir == decrypting {
				bit = in >> 7
			}
			in <<= 1
			for j := range aes.BlockSize - 1 {
				o.in[j] = o.in[j]<<1 | o.in[j+1]>>7
			}
			o.in[aes.BlockSize-1] = o.in[aes.BlockSize-1]<<1 | bit
		}
		dst[i] = out
	}
	return len(src), nil
}

func (o *cfb1Op) Final(dst, src []byte) (int, error) { return o.Update(dst, src) }
