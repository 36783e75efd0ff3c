package mech

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"

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
		Weak:       PaddingOracle,
		Encrypt:    encryptRSAPKCS1,
		Decrypt:    decryptRSAPKCS1,
		Sign:       signRSAPKCS1(0),
		Verify:     verifyRSAPKCS1(0),

		SignRecover:   signRSAPKCS1(0),
		VerifyRecover: recoverRSAPKCS1,

		Wrap:     wrapWith(encryptRSAPKCS1),
		WrapSize: wrapSizeRSA(func(pub *rsa.PublicKey, _ p11.Params) (int, error) { return pub.Size() - pkcs1Overhead, nil }),
		Unwrap:   unwrapWith(decryptRSAPKCS1),

		UnwrapUntold: unwrapRSAPKCS1,

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
			Weak:   h.Weak,
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
		key, err := materialOf[*rsaPrivateKey](k)
		if err != nil {
			return nil, err
		}
		return rsaSignOp(key, func(dst, data []byte) error {
			if h == 0 && len(data) > key.Size()-pkcs1Overhead {
				return errRSADataTooLong(len(data), key.Size()-pkcs1Overhead)
			}
			if key.kernels == nil {
				sig, err := rsa.SignPKCS1v15(nil, key.PrivateKey, h, data)
				copy(dst, sig)
				return err
			}
			em := make([]byte, key.Size())
			padPKCS1Signature(em, h, data)
			return key.exp(dst, em)
		}), nil
	}
}

// rsaSignOp returns an Op whose result sign writes to dst, which is as long as
// the modulus.
func rsaSignOp(key *rsaPrivateKey, sign func(dst, data []byte) error) Op {
	return &wholeOp{
		size: Size{Max: key.Size(), Exact: true},
		run: func(dst, src []byte) (int, error) {
			return key.Size(), sign(dst[:key.Size()], src)
		},
	}
}

func errRSADataTooLong(n, most int) error {
	return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "the data has %d bytes, more than the %d that the key and the mechanism take", n, most)
}

// verifyRSAPKCS1 is signRSAPKCS1 for verification.
func verifyRSAPKCS1(h crypto.Hash) func(Key, p11.Params) (VerifyOp, error) {
	return func(k Key, _ p11.Params) (VerifyOp, error) {
		key, err := materialOf[*rsaPublicKey](k)
		if err != nil {
			return nil, err
		}
		return rsaVerifyOp(key, func(data, sig []byte) error {
			if h == 0 && len(data) > key.Size()-pkcs1Overhead {
				return errRSADataTooLong(len(data), key.Size()-pkcs1Overhead)
			}
			if key.kernels == nil {
				if rsa.VerifyPKCS1v15(key.PublicKey, h, data, sig) != nil {
					return p11.CKR_SIGNATURE_INVALID
				}
				return nil
			}
			buf := make([]byte, 2*key.Size())
			got, want := buf[:key.Size()], buf[key.Size():]
			padPKCS1Signature(want, h, data)
			if key.exp(got, sig) != nil || !bytes.Equal(got, want) {
				return p11.CKR_SIGNATURE_INVALID
			}
			return nil
		}), nil
	}
}

// rsaVerifyOp returns a VerifyOp that calls verify with a signature as long as
// the modulus.
func rsaVerifyOp(key *rsaPublicKey, verify func(data, sig []byte) error) VerifyOp {
	return wholeVerifyOp(func(data, sig []byte) error {
		if len(sig) != key.Size() {
			return p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "a signature of this key has %d bytes, not %d", key.Size(), len(sig))
		}
		return verify(data, sig)
	})
}

func encryptRSAPKCS1(k Key, _ p11.Params) (Op, error) {
	key, err := materialOf[*rsaPublicKey](k)
	if err != nil {
		return nil, err
	}
	return rsaEncryptOp(key, key.Size()-pkcs1Overhead, func(dst, data []byte) error {
		if key.kernels == nil {
			//lint:ignore SA1019 the mechanism is that of the standard
			out, err := rsa.EncryptPKCS1v15(nil, key.PublicKey, data)
			copy(dst, out)
			return err
		}
		em := make([]byte, key.Size())
		defer clear(em)
		padPKCS1(em, data)
		return key.exp(dst, em)
	}), nil
}

// rsaEncryptOp returns an Op that encrypts up to most bytes. What encrypt writes
// to is as long as the modulus.
func rsaEncryptOp(key *rsaPublicKey, most int, encrypt func(dst, data []byte) error) Op {
	return &wholeOp{
		size: Size{Max: key.Size(), Exact: true},
		run: func(dst, src []byte) (int, error) {
			if len(src) > most {
				return 0, errRSADataTooLong(len(src), most)
			}
			return key.Size(), encrypt(dst[:key.Size()], src)
		},
	}
}

// decryptRSAPKCS1 tells right padding from wrong by its result, as the standard
// wants it, and so is the oracle of Bleichenbacher's attack for whoever may
// call it. Both take the same time up to there. C_UnwrapKey and
// C_DecapsulateKey need not be, and are
// not where the length of the new key is known (decapsulateRSAPKCS1). OAEP is
// free of this; a key's CKA_ALLOWED_MECHANISMS can ask for it.
func decryptRSAPKCS1(k Key, _ p11.Params) (Op, error) {
	key, err := materialOf[*rsaPrivateKey](k)
	if err != nil {
		return nil, err
	}
	return rsaDecryptOp(key, key.Size()-pkcs1Overhead, func(dst, data []byte) (int, error) {
		if key.kernels == nil {
			//lint:ignore SA1019 the mechanism is that of the standard
			out, err := rsa.DecryptPKCS1v15(nil, key.PrivateKey, data)
			defer clear(out)
			return copy(dst, out), err
		}
		return key.open(dst, data, unpadPKCS1)
	}), nil
}

// open decrypts a block, has unpad find the message in it, and writes that to
// dst.
func (k *rsaPrivateKey) open(dst, data []byte, unpad func(em []byte) (start int, ok bool)) (int, error) {
	em := make([]byte, k.Size())
	defer clear(em)
	if err := k.exp(em, data); err != nil {
		return 0, err
	}
	start, ok := unpad(em)
	if !ok {
		return 0, p11.CKR_ENCRYPTED_DATA_INVALID
	}
	return copy(dst, em[start:]), nil
}

// rsaDecryptOp returns an Op that decrypts to up to most bytes, which decrypt
// writes to dst.
func rsaDecryptOp(key *rsaPrivateKey, most int, decrypt func(dst, data []byte) (int, error)) *wholeOp {
	return &wholeOp{
		size: Size{Max: most},
		run: func(dst, src []byte) (int, error) {
			if len(src) != key.Size() {
				return 0, errRSACiphertextLength(len(src), key.Size())
			}
			n, err := decrypt(dst, src)
			if errors.Is(err, errRSAFault) {
				return 0, err
			}
			if err != nil {
				return 0, p11.CKR_ENCRYPTED_DATA_INVALID
			}
			return n, nil
		},
	}
}

// wrapSizeRSA makes a WrapSize of the length of the longest key that can be
// wrapped.
func wrapSizeRSA(most func(*rsa.PublicKey, p11.Params) (int, error)) func(Key, p11.Params, int) (int, error) {
	return func(k Key, p p11.Params, n int) (int, error) {
		key, err := materialOf[*rsaPublicKey](k)
		if err != nil {
			return 0, err
		}
		m, err := most(key.PublicKey, p)
		if err != nil {
			return 0, err
		}
		if n > m {
			return 0, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the key to wrap has %d bytes, more than the %d that the wrapping key takes", n, m)
		}
		return key.Size(), nil
	}
}
