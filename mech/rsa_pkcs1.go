package mech

import (
	"crypto"
	"crypto/rsa"

	"coffer/p11"
)

// rsaPKCS1Mechanisms returns CKM_RSA_PKCS and CKM_SHA1_RSA_PKCS and its like
// (PKCS #11 v3.2, sections 6.1.6 and 6.1.14).
func rsaPKCS1Mechanisms() []Mechanism {
	ms := []Mechanism{{
		Type:       p11.CKM_RSA_PKCS,
		Keys:       rsaKeys,
		Size:       rsaSizes,
		SinglePart: true,
		Encrypt:    encryptRSAPKCS1,
		Decrypt:    decryptRSAPKCS1,
		Sign:       signRSAPKCS1(0),
		Verify:     verifyRSAPKCS1(0),

		SignRecover:   signRSAPKCS1(0),
		VerifyRecover: recoverRSAPKCS1,

		Wrap:     wrapWith(encryptRSAPKCS1),
		WrapSize: wrapSizeRSA(func(pub *rsa.PublicKey, _ p11.Params) (int, error) { return pub.Size() - pkcs1Overhead, nil }),
		Unwrap:   unwrapWith(decryptRSAPKCS1),

		Encapsulate:     encapsulateRSA(encryptRSAPKCS1),
		EncapsulateSize: encapsulateSizeRSA(func(pub *rsa.PublicKey, _ p11.Params) (int, error) { return pub.Size() - pkcs1Overhead, nil }),
		Decapsulate:     decapsulateRSAPKCS1,
	}}
	for _, with := range []struct{ mechanism, digest p11.MechanismType }{
		{p11.CKM_SHA1_RSA_PKCS, p11.CKM_SHA_1},
		{p11.CKM_SHA224_RSA_PKCS, p11.CKM_SHA224},
		{p11.CKM_SHA256_RSA_PKCS, p11.CKM_SHA256},
		{p11.CKM_SHA384_RSA_PKCS, p11.CKM_SHA384},
		{p11.CKM_SHA512_RSA_PKCS, p11.CKM_SHA512},
		{p11.CKM_SHA3_224_RSA_PKCS, p11.CKM_SHA3_224},
		{p11.CKM_SHA3_256_RSA_PKCS, p11.CKM_SHA3_256},
		{p11.CKM_SHA3_384_RSA_PKCS, p11.CKM_SHA3_384},
		{p11.CKM_SHA3_512_RSA_PKCS, p11.CKM_SHA3_512},
	} {
		h, _ := hashByDigest(with.digest)
		ms = append(ms, Mechanism{
			Type:   with.mechanism,
			Keys:   rsaKeys,
			Size:   rsaSizes,
			Sign:   hashThen(h, signRSAPKCS1(h.Crypto)),
			Verify: hashThenVerify(h, verifyRSAPKCS1(h.Crypto)),
		})
	}
	return ms
}

// pkcs1Overhead is what the padding of PKCS #1 v1.5 takes at least.
const pkcs1Overhead = 11

// signRSAPKCS1 returns the constructor of signatures over a digest of h, for
// which the DigestInfo is made here; or over what the caller made, which is
// most often a DigestInfo too, if h is 0.
func signRSAPKCS1(h crypto.Hash) func(Key, p11.Params) (Op, error) {
	return func(k Key, _ p11.Params) (Op, error) {
		key, err := materialOf[*rsa.PrivateKey](k)
		if err != nil {
			return nil, err
		}
		return rsaSignOp(key, func(data []byte) ([]byte, error) {
			if h == 0 && len(data) > key.Size()-pkcs1Overhead {
				return nil, errRSADataTooLong(len(data), key.Size()-pkcs1Overhead)
			}
			return rsa.SignPKCS1v15(nil, key, h, data)
		}), nil
	}
}

// rsaSignOp returns an Op whose result is that of sign, as long as the modulus.
func rsaSignOp(key *rsa.PrivateKey, sign func(data []byte) ([]byte, error)) Op {
	return &wholeOp{
		size: Size{Max: key.Size(), Exact: true},
		run: func(dst, src []byte) (int, error) {
			sig, err := sign(src)
			if err != nil {
				return 0, err
			}
			return copy(dst, sig), nil
		},
	}
}

func errRSADataTooLong(n, most int) error {
	return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "the data has %d bytes, more than the %d that the key and the mechanism take", n, most)
}

// verifyRSAPKCS1 is signRSAPKCS1 for verification.
func verifyRSAPKCS1(h crypto.Hash) func(Key, p11.Params) (VerifyOp, error) {
	return func(k Key, _ p11.Params) (VerifyOp, error) {
		key, err := materialOf[*rsa.PublicKey](k)
		if err != nil {
			return nil, err
		}
		return rsaVerifyOp(key, func(data, sig []byte) error {
			if h == 0 && len(data) > key.Size()-pkcs1Overhead {
				return errRSADataTooLong(len(data), key.Size()-pkcs1Overhead)
			}
			if rsa.VerifyPKCS1v15(key, h, data, sig) != nil {
				return p11.CKR_SIGNATURE_INVALID
			}
			return nil
		}), nil
	}
}

// rsaVerifyOp returns a VerifyOp that calls verify with a signature as long as
// the modulus.
func rsaVerifyOp(key *rsa.PublicKey, verify func(data, sig []byte) error) VerifyOp {
	return wholeVerifyOp(func(data, sig []byte) error {
		if len(sig) != key.Size() {
			return p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "a signature of this key has %d bytes, not %d", key.Size(), len(sig))
		}
		return verify(data, sig)
	})
}

func encryptRSAPKCS1(k Key, _ p11.Params) (Op, error) {
	key, err := materialOf[*rsa.PublicKey](k)
	if err != nil {
		return nil, err
	}
	return rsaEncryptOp(key, key.Size()-pkcs1Overhead, func(data []byte) ([]byte, error) {
		//lint:ignore SA1019 the mechanism is that of the standard
		return rsa.EncryptPKCS1v15(nil, key, data)
	}), nil
}

// rsaEncryptOp returns an Op that encrypts up to most bytes.
func rsaEncryptOp(key *rsa.PublicKey, most int, encrypt func(data []byte) ([]byte, error)) Op {
	return &wholeOp{
		size: Size{Max: key.Size(), Exact: true},
		run: func(dst, src []byte) (int, error) {
			if len(src) > most {
				return 0, errRSADataTooLong(len(src), most)
			}
			out, err := encrypt(src)
			if err != nil {
				return 0, err
			}
			return copy(dst, out), nil
		},
	}
}

// decryptRSAPKCS1 tells right padding from wrong by its result, as the standard
// wants it, and so is the oracle of Bleichenbacher's attack for whoever may
// call it. crypto/rsa takes the same time for both up to there and coffer adds
// no further difference. C_UnwrapKey is no better: a wrong padding makes no key.
// Only OAEP is free of this; a key's CKA_ALLOWED_MECHANISMS can ask for it.
func decryptRSAPKCS1(k Key, _ p11.Params) (Op, error) {
	key, err := materialOf[*rsa.PrivateKey](k)
	if err != nil {
		return nil, err
	}
	return rsaDecryptOp(key, key.Size()-pkcs1Overhead, func(data []byte) ([]byte, error) {
		//lint:ignore SA1019 the mechanism is that of the standard
		return rsa.DecryptPKCS1v15(nil, key, data)
	}), nil
}

// rsaDecryptOp returns an Op that decrypts to up to most bytes.
func rsaDecryptOp(key *rsa.PrivateKey, most int, decrypt func(data []byte) ([]byte, error)) *wholeOp {
	return &wholeOp{
		size: Size{Max: most},
		run: func(dst, src []byte) (int, error) {
			if len(src) != key.Size() {
				return 0, errRSACiphertextLength(len(src), key.Size())
			}
			out, err := decrypt(src)
			if err != nil {
				return 0, p11.CKR_ENCRYPTED_DATA_INVALID
			}
			n := copy(dst, out)
			clear(out)
			return n, nil
		},
	}
}

// wrapSizeRSA makes a WrapSize of the length of the longest key that can be
// wrapped.
func wrapSizeRSA(most func(*rsa.PublicKey, p11.Params) (int, error)) func(Key, p11.Params, int) (int, error) {
	return func(k Key, p p11.Params, n int) (int, error) {
		key, err := materialOf[*rsa.PublicKey](k)
		if err != nil {
			return 0, err
		}
		m, err := most(key, p)
		if err != nil {
			return 0, err
		}
		if n > m {
			return 0, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the key to wrap has %d bytes, more than the %d that the wrapping key takes", n, m)
		}
		return key.Size(), nil
	}
}
