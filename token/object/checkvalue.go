package object

import (
	"crypto/aes"
	"crypto/des"
	"crypto/sha1"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// keyCheckValue returns CKA_CHECK_VALUE of a secret key: three bytes that tell
// keys apart, nil for a key type that has none here. The algorithms are those
// of the key types' sections in PKCS #11 v3.2: AES and DES encrypt a block of
// zeros, generic secrets and ChaCha20 take SHA-1. The standard names none for
// the HMAC and HKDF types; they are generic secrets for one purpose and take
// the same.
func keyCheckValue(t p11.KeyType, value []byte) []byte {
	f := checkValues[t]
	if f == nil {
		return nil
	}
	mech.ScrubDeep()
	defer mech.ScrubDeep()
	return f(value)
}

// strength is the length in bytes from which a secret cannot be found by
// trying (SP 800-131A: 112 bits).
const strength = 14

// guessable reports whether a secret key of these values hides its value and
// is shorter than that. It gets no CKA_CHECK_VALUE, which everybody may read:
// three bytes of a digest tell a secret of three bytes wholly, and one of
// eight to a patient reader.
func guessable(table attr.Table, values attr.Values) bool {
	return table.Hides(values) && len(values.Bytes(p11.CKA_VALUE)) < strength
}

var checkValues = map[p11.KeyType]func([]byte) []byte{
	p11.CKK_AES:              aesCheckValue,
	p11.CKK_DES2:             desCheckValue,
	p11.CKK_DES3:             desCheckValue,
	p11.CKK_GENERIC_SECRET:   hashCheckValue,
	p11.CKK_CHACHA20:         hashCheckValue,
	p11.CKK_SALSA20:          hashCheckValue,
	p11.CKK_HKDF:             hashCheckValue,
	p11.CKK_MD5_HMAC:         hashCheckValue,
	p11.CKK_SHA_1_HMAC:       hashCheckValue,
	p11.CKK_SHA224_HMAC:      hashCheckValue,
	p11.CKK_SHA256_HMAC:      hashCheckValue,
	p11.CKK_SHA384_HMAC:      hashCheckValue,
	p11.CKK_SHA512_HMAC:      hashCheckValue,
	p11.CKK_SHA512_224_HMAC:  hashCheckValue,
	p11.CKK_SHA512_256_HMAC:  hashCheckValue,
	p11.CKK_SHA3_224_HMAC:    hashCheckValue,
	p11.CKK_SHA3_256_HMAC:    hashCheckValue,
	p11.CKK_SHA3_384_HMAC:    hashCheckValue,
	p11.CKK_SHA3_512_HMAC:    hashCheckValue,
	p11.CKK_BLAKE2B_160_HMAC: hashCheckValue,
	p11.CKK_BLAKE2B_256_HMAC: hashCheckValue,
	p11.CKK_BLAKE2B_384_HMAC: hashCheckValue,
	p11.CKK_BLAKE2B_512_HMAC: hashCheckValue,
}

func aesCheckValue(value []byte) []byte {
	block, err := aes.NewCipher(value)
	if err != nil {
		return nil
	}
	defer mech.Erase(block)
	var zero [aes.BlockSize]byte
	block.Encrypt(zero[:], zero[:])
	return zero[:3]
}

func desCheckValue(value []byte) []byte {
	if len(value) == 16 {
		value = append(append(make([]byte, 0, 24), value...), value[:8]...)
		defer clear(value)
	}
	block, err := des.NewTripleDESCipher(value)
	if err != nil {
		return nil
	}
	defer mech.Erase(block)
	var zero [des.BlockSize]byte
	block.Encrypt(zero[:], zero[:])
	return zero[:3]
}

func hashCheckValue(value []byte) []byte {
	h := sha1.New()
	defer mech.Erase(h)
	h.Write(value)
	return h.Sum(nil)[:3]
}

// withCheckValue puts the computed CKA_CHECK_VALUE into values. A template
// that gave another is CKR_ATTRIBUTE_VALUE_INVALID; one that gave the empty
// value wants none, and the object lacks it from then on; where none is
// computed, one that was given is ignored (PKCS #11 v3.2, "Secret key
// objects").
func withCheckValue(values attr.Values, computed []byte) (attr.Values, error) {
	given, ok := values.Get(p11.CKA_CHECK_VALUE)
	want := attr.NewBytes(p11.CKA_CHECK_VALUE, computed)
	switch {
	case ok && len(given) == 0 || computed == nil:
		return values.Without(p11.CKA_CHECK_VALUE), nil
	case ok && !want.Equal(attr.NewBytes(p11.CKA_CHECK_VALUE, given)):
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_CHECK_VALUE is not that of the value")
	default:
		return values.With(want), nil
	}
}
