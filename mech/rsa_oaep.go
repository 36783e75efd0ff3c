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

// oaepOptions checks the parameters for a key and returns them as crypto/rsa
// takes them, with the length of the longest message.
func oaepOptions(key *rsa.PublicKey, p p11.Params) (options *rsa.OAEPOptions, most int, err error) {
	params, err := paramAs[p11.OAEPParams](p)
	if err != nil {
		return nil, 0, err
	}
	hash, ok := hashByDigest(params.Hash)
	if !ok {
		return nil, 0, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "OAEP with the hash %v is not supported", params.Hash)
	}
	mgf, ok := hashByMGF(params.MGF)
	if !ok {
		return nil, 0, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "OAEP with the mask generation function %v is not supported", params.MGF)
	}
	// Some clients leave the source 0 where they give no label.
	if params.Source != p11.CKZ_DATA_SPECIFIED && (params.Source != 0 || len(params.Label) != 0) {
		return nil, 0, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "OAEP with the source %#x is not supported", params.Source)
	}
	most = key.Size() - 2 - 2*hash.Size()
	if most < 0 {
		return nil, 0, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the key is too small for OAEP with %s", hash.Name)
	}
	return &rsa.OAEPOptions{Hash: hash.Crypto, MGFHash: mgf.Crypto, Label: params.Label}, most, nil
}

func oaepMost(key *rsa.PublicKey, p p11.Params) (int, error) {
	_, most, err := oaepOptions(key, p)
	return most, err
}

func encryptRSAOAEP(k Key, p p11.Params) (Op, error) {
	key, err := materialOf[*rsa.PublicKey](k)
	if err != nil {
		return nil, err
	}
	options, most, err := oaepOptions(key, p)
	if err != nil {
		return nil, err
	}
	return rsaEncryptOp(key, most, func(data []byte) ([]byte, error) {
		return rsa.EncryptOAEPWithOptions(rand.Reader, key, data, options)
	}), nil
}

func decryptRSAOAEP(k Key, p p11.Params) (Op, error) {
	key, err := materialOf[*rsa.PrivateKey](k)
	if err != nil {
		return nil, err
	}
	options, most, err := oaepOptions(&key.PublicKey, p)
	if err != nil {
		return nil, err
	}
	return rsaDecryptOp(key, most, func(data []byte) ([]byte, error) {
		return key.Decrypt(nil, data, options)
	}), nil
}
