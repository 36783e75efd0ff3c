package mech

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"

	"coffer/p11"
)

// rsaPSSMechanisms returns CKM_RSA_PKCS_PSS and CKM_SHA1_RSA_PKCS_PSS and its
// like (PKCS #11 v3.2, sections 6.1.10 and 6.1.15).
func rsaPSSMechanisms() []Mechanism {
	ms := []Mechanism{{
		Type:       p11.CKM_RSA_PKCS_PSS,
		Keys:       rsaKeys,
		Size:       rsaSizes,
		Params:     p11.ParamPSS,
		SinglePart: true,
		Sign:       signRSAPSS,
		Verify:     verifyRSAPSS,
	}}
	for _, with := range []struct{ mechanism, digest p11.MechanismType }{
		{p11.CKM_SHA1_RSA_PKCS_PSS, p11.CKM_SHA_1},
		{p11.CKM_SHA224_RSA_PKCS_PSS, p11.CKM_SHA224},
		{p11.CKM_SHA256_RSA_PKCS_PSS, p11.CKM_SHA256},
		{p11.CKM_SHA384_RSA_PKCS_PSS, p11.CKM_SHA384},
		{p11.CKM_SHA512_RSA_PKCS_PSS, p11.CKM_SHA512},
		{p11.CKM_SHA3_224_RSA_PKCS_PSS, p11.CKM_SHA3_224},
		{p11.CKM_SHA3_256_RSA_PKCS_PSS, p11.CKM_SHA3_256},
		{p11.CKM_SHA3_384_RSA_PKCS_PSS, p11.CKM_SHA3_384},
		{p11.CKM_SHA3_512_RSA_PKCS_PSS, p11.CKM_SHA3_512},
	} {
		h, _ := hashByDigest(with.digest)
		ms = append(ms, Mechanism{
			Type:   with.mechanism,
			Weak:   h.Weak,
			Keys:   rsaKeys,
			Size:   rsaSizes,
			Params: p11.ParamPSS,
			Sign:   hashThen(h, withPSSHash(h, signRSAPSS)),
			Verify: hashThenVerify(h, withPSSHash(h, verifyRSAPSS)),
		})
	}
	return ms
}

// withPSSHash refuses parameters whose hashAlg is not that of the mechanism.
func withPSSHash[O any](h *hashAlg, raw func(Key, p11.Params) (O, error)) func(Key, p11.Params) (O, error) {
	return func(k Key, p p11.Params) (O, error) {
		pss, err := paramAs[p11.PSSParams](p)
		if err == nil && pss.Hash != h.Digest {
			err = p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the mechanism hashes with %s, its hashAlg says %v", h.Name, pss.Hash)
		}
		if err != nil {
			var none O
			return none, err
		}
		return raw(k, p)
	}
}

// A pss is the encoding EMSA-PSS for one key (RFC 8017, section 9.1).
type pss struct {
	hash, mgf *hashAlg
	salt      int // its length in bytes
	bits      int // of the encoded message: one less than the modulus has
}

// newPSS checks the parameters for a key.
func newPSS(key *rsa.PublicKey, p p11.Params) (*pss, error) {
	params, err := paramAs[p11.PSSParams](p)
	if err != nil {
		return nil, err
	}
	hash, ok := hashByDigest(params.Hash)
	if !ok {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "PSS with the hash %v is not supported", params.Hash)
	}
	mgf, ok := hashByMGF(params.MGF)
	if !ok {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "PSS with the mask generation function %v is not supported", params.MGF)
	}
	e := &pss{hash: hash, mgf: mgf, bits: key.N.BitLen() - 1}
	if most := e.len() - 2 - hash.Size(); most < 0 {
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the key is too small for PSS with %s", hash.Name)
	} else if params.SaltLen > uint64(most) {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a salt of %d bytes is more than the %d that the key takes", params.SaltLen, most)
	}
	e.salt = int(params.SaltLen)
	return e, nil
}

// len is the length of the encoded message in bytes.
func (e *pss) len() int { return (e.bits + 7) / 8 }

// options are for crypto/rsa, nil if it cannot do what e is: it has one hash
// for both purposes and no salt of length 0.
func (e *pss) options() *rsa.PSSOptions {
	if e.hash != e.mgf || e.salt == 0 {
		return nil
	}
	return &rsa.PSSOptions{SaltLength: e.salt}
}

func (e *pss) checkDigest(digest []byte) error {
	if len(digest) != e.hash.Size() {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "the data has %d bytes, not the %d of a %s digest", len(digest), e.hash.Size(), e.hash.Name)
	}
	return nil
}

func signRSAPSS(k Key, p p11.Params) (Op, error) {
	key, err := materialOf[*rsaPrivateKey](k)
	if err != nil {
		return nil, err
	}
	e, err := newPSS(&key.PublicKey, p)
	if err != nil {
		return nil, err
	}
	options := e.options()
	return rsaSignOp(key, func(dst, digest []byte) error {
		if err := e.checkDigest(digest); err != nil {
			return err
		}
		if key.kernels == nil && options != nil {
			sig, err := rsa.SignPSS(rand.Reader, key.PrivateKey, e.hash.Crypto, digest, options)
			copy(dst, sig)
			return err
		}
		// The encoded message is shorter than the modulus if that has 8n+1 bits.
		block := make([]byte, key.Size())
		e.encode(block[len(block)-e.len():], digest)
		return key.exp(dst, block)
	}), nil
}

func verifyRSAPSS(k Key, p p11.Params) (VerifyOp, error) {
	key, err := materialOf[*rsaPublicKey](k)
	if err != nil {
		return nil, err
	}
	e, err := newPSS(key.PublicKey, p)
	if err != nil {
		return nil, err
	}
	options := e.options()
	return rsaVerifyOp(key, func(digest, sig []byte) error {
		if err := e.checkDigest(digest); err != nil {
			return err
		}
		if key.kernels == nil && options != nil {
			if rsa.VerifyPSS(key.PublicKey, e.hash.Crypto, digest, sig, options) != nil {
				return p11.CKR_SIGNATURE_INVALID
			}
			return nil
		}
		em := make([]byte, key.Size())
		if key.exp(em, sig) != nil {
			return p11.CKR_SIGNATURE_INVALID
		}
		pad := len(em) - e.len()
		if !isZeros(em[:pad]) || !e.consistent(digest, em[pad:]) {
			return p11.CKR_SIGNATURE_INVALID
		}
		return nil
	}), nil
}

// encode makes EM, in em, for a digest and a fresh salt. em is zero before.
func (e *pss) encode(em, digest []byte) {
	db, h := e.split(em)
	salt := db[len(db)-e.salt:]
	rand.Read(salt)
	db[len(db)-e.salt-1] = 1
	copy(h, e.digestSalted(digest, salt))
	e.mask(db, h)
	em[len(em)-1] = 0xbc
}

// consistent reports whether em is an encoding of the digest. It overwrites em.
func (e *pss) consistent(digest, em []byte) bool {
	db, h := e.split(em)
	if em[len(em)-1] != 0xbc || em[0]&^e.topBits() != 0 {
		return false
	}
	e.mask(db, h)
	salt := db[len(db)-e.salt:]
	pad := db[:len(db)-e.salt-1]
	return isZeros(pad) && db[len(pad)] == 1 && bytes.Equal(h, e.digestSalted(digest, salt))
}

// split returns the two parts of em: DB, masked or not, and H.
func (e *pss) split(em []byte) (db, h []byte) {
	n := len(em) - 1 - e.hash.Size()
	return em[:n], em[n : len(em)-1]
}

// topBits is the part of the first byte that bits leaves.
func (e *pss) topBits() byte { return 0xff >> (8*e.len() - e.bits) }

// mask puts the mask of MGF1 with the seed h on db, or takes it off.
func (e *pss) mask(db, h []byte) {
	mgf1XOR(e.mgf, db, h)
	db[0] &= e.topBits()
}

// digestSalted is the hash of eight zeros, the digest and the salt.
func (e *pss) digestSalted(digest, salt []byte) []byte {
	h := e.hash.New()
	h.Write(make([]byte, 8))
	h.Write(digest)
	h.Write(salt)
	return h.Sum(nil)
}

// mgf1XOR XORs the output of MGF1 (RFC 8017, appendix B.2.1) onto dst.
func mgf1XOR(alg *hashAlg, dst, seed []byte) {
	h := alg.New()
	var counter [4]byte
	var block [maxDigest]byte
	for i := uint32(0); len(dst) > 0; i++ {
		binary.BigEndian.PutUint32(counter[:], i)
		h.Reset()
		h.Write(seed)
		h.Write(counter[:])
		for j, b := range h.Sum(block[:0]) {
			if j == len(dst) {
				return
			}
			dst[j] ^= b
		}
		dst = dst[h.Size():]
	}
}

// leftPad returns b with zeros before it, n bytes in all. b is not longer.
func leftPad(b []byte, n int) []byte {
	out := make([]byte, n)
	copy(out[n-len(b):], b)
	return out
}
