package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"hash"

	"coffer/p11"
)

// aesMACFamily has the message authentication codes of AES but CMAC: GMAC
// (PKCS #11 v3.2, section 6.13.6), the CBC-MAC of FIPS 113 and XCBC (sections
// 6.10.9 to 6.10.12).
var aesMACFamily = Family{
	Name: "AES MAC",
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_AES_GMAC, Keys: aesOnly, Size: aesSize, Params: p11.ParamGCM,
			Sign: signGMAC, Verify: verifyGMAC,
		},
		{
			Type: p11.CKM_AES_MAC, Weak: Unapproved, Keys: aesOnly, Size: aesSize,
			Sign: aesMAC.sign, Verify: aesMAC.verify,
		},
		{
			Type: p11.CKM_AES_MAC_GENERAL, Weak: Unapproved, Keys: aesOnly, Size: aesSize, Params: p11.ParamULong,
			Sign: aesMACGeneral.sign, Verify: aesMACGeneral.verify,
		},
		{
			Type: p11.CKM_AES_XCBC_MAC, Weak: Unapproved, Keys: aesOnly, Size: xcbcSize,
			Sign: aesXCBC.sign, Verify: aesXCBC.verify,
		},
		{
			Type: p11.CKM_AES_XCBC_MAC_96, Weak: Unapproved, Keys: aesOnly, Size: xcbcSize,
			Sign: aesXCBC96.sign, Verify: aesXCBC96.verify,
		},
	},
}

var (
	aesMAC        = keyedHash{keyedCBCMAC(newAES), whole(aes.BlockSize / 2)}
	aesMACGeneral = keyedHash{keyedCBCMAC(newAES), upTo(aes.BlockSize)}
	aesXCBC       = keyedHash{keyedXCBC, whole(aes.BlockSize)}
	aesXCBC96     = keyedHash{keyedXCBC, whole(12)}

	// RFC 3566 has keys of 128 bits only.
	xcbcSize = KeySize{Min: 16, Max: 16, Unit: Bytes}
)

// keyedCBCMAC makes a keyed hash of a constructor of block ciphers.
func keyedCBCMAC(cipher func([]byte) (cipher.Block, error)) func([]byte) (hash.Hash, error) {
	return func(key []byte) (hash.Hash, error) {
		block, err := cipher(key)
		if err != nil {
			return nil, err
		}
		return newCBCMAC(block), nil
	}
}

// keyedXCBC is AES-XCBC-MAC (RFC 3566): CMAC under a key of its own, and with
// other blocks for the end.
func keyedXCBC(key []byte) (hash.Hash, error) {
	if len(key) != 16 {
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "AES-XCBC-MAC has keys of 16 bytes, not %d", len(key))
	}
	block, err := newAES(key)
	if err != nil {
		return nil, err
	}
	defer erase(block)
	var ks [3][aes.BlockSize]byte
	defer clear(ks[:])
	for i := range ks {
		for j := range ks[i] {
			ks[i][j] = byte(i + 1)
		}
		block.Encrypt(ks[i][:], ks[i][:])
	}
	under, err := newAES(ks[0][:])
	if err != nil {
		return nil, err
	}
	return &cmac{block: under, size: aes.BlockSize, k1: ks[1], k2: ks[2]}, nil
}

// gmac is GMAC, GCM of nothing but additional data, as a hash.Hash.
type gmac struct {
	block cipher.Block
	hash  *ghash
	mask  [aes.BlockSize]byte
	n     uint64 // bytes written
}

// newGMAC returns an operation whose hash has the tag's length.
func newGMAC(k Key, p p11.Params, dir direction) (hashOp, error) {
	params, err := paramAs[p11.GCMParams](p)
	if err != nil {
		return hashOp{}, err
	}
	if len(params.AAD) > 0 {
		return hashOp{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "what GMAC authenticates is the data, not the parameter's additional data")
	}
	tag, err := gcmTag(params)
	if err != nil {
		return hashOp{}, err
	}
	block, err := aesOf(k)
	if err != nil {
		return hashOp{}, err
	}
	iv, err := gcmIV(params, dir)
	if err != nil {
		return hashOp{}, err
	}
	s := newGCMStream(block, iv, nil)
	s.ctr.wipe()
	return hashOp{hash: &gmac{block: block, hash: s.hash, mask: s.mask}, size: tag}, nil
}

func signGMAC(k Key, p p11.Params) (Op, error) {
	op, err := newGMAC(k, p, encrypting)
	if err != nil {
		return nil, err
	}
	return &op, nil
}

func verifyGMAC(k Key, p p11.Params) (VerifyOp, error) {
	op, err := newGMAC(k, p, decrypting)
	if err != nil {
		return nil, err
	}
	return &macVerifyOp{op}, nil
}

func (g *gmac) Write(p []byte) (int, error) {
	g.hash.write(p)
	g.n += uint64(len(p))
	return len(p), nil
}

// Sum ends the message: unlike other hashes, this one cannot go on.
func (g *gmac) Sum(b []byte) []byte {
	t := g.hash.sum(g.n, 0)
	for i := range t {
		t[i] ^= g.mask[i]
	}
	return append(b, t[:]...)
}

func (g *gmac) Reset() {
	g.hash.reset()
	g.n = 0
}

func (g *gmac) Size() int      { return aes.BlockSize }
func (g *gmac) BlockSize() int { return aes.BlockSize }

func (g *gmac) wipe() {
	g.hash.wipe()
	clear(g.mask[:])
	if g.block != nil {
		erase(g.block)
		g.block = nil
	}
}
