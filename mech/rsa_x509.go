package mech

import (
	"crypto/subtle"
	"errors"

	"coffer/p11"
)

// rsaX509Mechanisms has CKM_RSA_X_509 (PKCS #11 v3.2, section 6.1.12), RSA
// without padding but zeros on the left.
//
// It neither wraps nor unwraps: an unwrapped key would be as many of the last
// bytes as the template says, and a modification of what lies before them
// would go unseen.
var rsaX509Mechanisms = []Mechanism{{
	Type:       p11.CKM_RSA_X_509,
	Keys:       rsaKeys,
	Size:       rsaSizes,
	SinglePart: true,
	Weak:       Unpadded,
	Encrypt:    encryptRSAX509,
	Decrypt:    decryptRSAX509,
	Sign:       signRSAX509,
	Verify:     verifyRSAX509,

	SignRecover:   signRSAX509,
	VerifyRecover: recoverRSAX509,

	Encapsulate:     encapsulateRSAX509,
	EncapsulateSize: encapsulateSizeRSAX509,
	Decapsulate:     decapsulateRSAX509,
}}

func encryptRSAX509(k Key, _ p11.Params) (Op, error) {
	key, err := materialOf[*rsaPublicKey](k)
	if err != nil {
		return nil, err
	}
	return rsaEncryptOp(key, key.Size(), func(dst, data []byte) error {
		return dataInvalid(key.exp(dst, leftPad(data, key.Size())))
	}), nil
}

func signRSAX509(k Key, _ p11.Params) (Op, error) {
	key, err := materialOf[*rsaPrivateKey](k)
	if err != nil {
		return nil, err
	}
	return rsaSignOp(key, func(dst, data []byte) error {
		if len(data) > key.Size() {
			return errRSADataTooLong(len(data), key.Size())
		}
		return dataInvalid(key.exp(dst, leftPad(data, key.Size())))
	}), nil
}

// dataInvalid gives errNotBelowModulus the code that it has for a plaintext.
func dataInvalid(err error) error {
	if errors.Is(err, errNotBelowModulus) {
		return p11.Errorf(p11.CKR_DATA_INVALID, "%w", err)
	}
	return err
}

func decryptRSAX509(k Key, _ p11.Params) (Op, error) {
	key, err := materialOf[*rsaPrivateKey](k)
	if err != nil {
		return nil, err
	}
	op := rsaDecryptOp(key, key.Size(), func(dst, data []byte) (int, error) {
		return key.Size(), key.exp(dst[:key.Size()], data)
	})
	op.size.Exact = true
	return op, nil
}

func verifyRSAX509(k Key, _ p11.Params) (VerifyOp, error) {
	key, err := materialOf[*rsaPublicKey](k)
	if err != nil {
		return nil, err
	}
	return rsaVerifyOp(key, func(data, sig []byte) error {
		if len(data) > key.Size() {
			return errRSADataTooLong(len(data), key.Size())
		}
		out := make([]byte, key.Size())
		if key.exp(out, sig) != nil || subtle.ConstantTimeCompare(out, leftPad(data, key.Size())) != 1 {
			return p11.CKR_SIGNATURE_INVALID
		}
		return nil
	}), nil
}
