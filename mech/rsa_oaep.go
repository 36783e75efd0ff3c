package mech

import (
	"crypto/rand"
	"crypto/rsa"

	"coffer/p11"
)

// rsaOAEPMechanisms has CKM_RSA_PKCS_OAEP (PKCS #11 v3.2, section 6.1.8), with
// any two hashes, and the mechanism that is made of it.
var rsaOAEPMechanisms = []Mechanism{
	{
		Type:       p11.CKM_RSA_PKCS_OAEP,
		Keys:       rsaKeys,
		Size:       rsaSizes,
		Params:     p11.ParamOAEP,
		SinglePart: true,
		Encrypt:    encryptRSAOAEP,
		Decrypt:    decryptRSAOAEP,
		Wrap:       wrapWith(encryptRSAOAEP),
		WrapSize:   wrapSizeRSA(oaepMost),
		Unwrap:     unwrapWith(decryptRSAOAEP),

		Encapsulate:     encapsulateRSA(encryptRSAOAEP),
		EncapsulateSize: encapsulateSizeRSA(oaepMost),
		Decapsulate:     decapsulateRSAOAEP,
	},
	{
		Type:         p11.CKM_RSA_AES_KEY_WRAP,
		Keys:         rsaKeys,
		Size:         rsaSizes,
		Params:       p11.ParamRSAAESWrap,
		Wrap:         wrapRSAAES,
		WrapSize:     wrapSizeRSAAES,
		Unwrap:       unwrapRSAAES,
		WrapsPrivate: true,
	},
}

// newOAEP checks the parameters for a key.
func newOAEP(key *rsa.PublicKey, p p11.Params) (*oaep, error) {
	params, err := paramAs[p11.OAEPParams](p)
	if err != nil {
		return nil, err
	}
	hash, ok := hashByDigest(params.Hash)
	if !ok {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "OAEP with the hash %v is not supported", params.Hash)
	}
	mgf, ok := hashByMGF(params.MGF)
	if !ok {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "OAEP with the mask generation function %v is not supported", params.MGF)
	}
	// Some clients leave the source 0 where they give no label.
	if params.Source != p11.CKZ_DATA_SPECIFIED && (params.Source != 0 || len(params.Label) != 0) {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "OAEP with the source %#x is not supported", params.Source)
	}
	e := &oaep{hash: hash, mgf: mgf, label: params.Label}
	if e.most(key.Size()) < 0 {
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the key is too small for OAEP with %s", hash.Name)
	}
	return e, nil
}

// options are for crypto/rsa.
func (e *oaep) options() *rsa.OAEPOptions {
	return &rsa.OAEPOptions{Hash: e.hash.Crypto, MGFHash: e.mgf.Crypto, Label: e.label}
}

func oaepMost(key *rsa.PublicKey, p p11.Params) (int, error) {
	e, err := newOAEP(key, p)
	if err != nil {
		return 0, err
	}
	return e.most(key.Size()), nil
}

func encryptRSAOAEP(k Key, p p11.Params) (Op, error) {
	key, err := materialOf[*rsaPublicKey](k)
	if err != nil {
		return nil, err
	}
	e, err := newOAEP(key.PublicKey, p)
	if err != nil {
		return nil, err
	}
	return rsaEncryptOp(key, e.most(key.Size()), func(dst, data []byte) error {
		if key.kernels == nil {
			out, err := rsa.EncryptOAEPWithOptions(rand.Reader, key.PublicKey, data, e.options())
			copy(dst, out)
			return err
		}
		em := make([]byte, key.Size())
		defer clear(em)
		e.pad(em, data)
		return key.exp(dst, em)
	}), nil
}

func decryptRSAOAEP(k Key, p p11.Params) (Op, error) {
	key, err := materialOf[*rsaPrivateKey](k)
	if err != nil {
		return nil, err
	}
	e, err := newOAEP(&key.PublicKey, p)
	if err != nil {
		return nil, err
	}
	return rsaDecryptOp(key, e.most(key.Size()), func(dst, data []byte) (int, error) {
		if key.kernels == nil {
			out, err := key.Decrypt(nil, data, e.options())
			defer clear(out)
			return copy(dst, out), err
		}
		return key.open(dst, data, e.unpad)
	}), nil
}
