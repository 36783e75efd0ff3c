package mech

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"

	"coffer/p11"
	"coffer/p11/attr"
)

// ecdhFamily has the Diffie-Hellman derivations on both kinds of curve that
// have one (PKCS #11 v3.2, section 6.3.20 and 6.3.21).
var ecdhFamily = Family{
	Name: "ecdh",
	Mechanisms: append([]Mechanism{
		{
			Type:   p11.CKM_ECDH1_DERIVE,
			Keys:   []p11.KeyType{p11.CKK_EC, p11.CKK_EC_MONTGOMERY},
			Size:   ecSizes,
			Extra:  ecFlags,
			Params: p11.ParamECDH1,
			Derive: deriveECDH,

			Encapsulate:     encapsulateECDH,
			EncapsulateSize: encapsulateSizeECDH,
			Decapsulate:     decapsulateECDH,
		},
		{
			// The cofactor of every curve here is 1, so that this is the same.
			Type:   p11.CKM_ECDH1_COFACTOR_DERIVE,
			Keys:   []p11.KeyType{p11.CKK_EC},
			Size:   ecSizes,
			Extra:  ecFlags,
			Params: p11.ParamECDH1,
			Derive: deriveECDH,

			Encapsulate:     encapsulateECDH,
			EncapsulateSize: encapsulateSizeECDH,
			Decapsulate:     decapsulateECDH,
		},
	}, ecdhWrapMechanisms()...),
}

// An agreer is a private key that makes a shared secret with a public one.
type agreer interface {
	// agree takes the point in any of the forms of CKA_EC_POINT. Its error says
	// what is wrong with the point.
	agree(point []byte) (secret []byte, err error)
	// pointSize is the length in bytes of an uncompressed point of its curve.
	pointSize() int
}

// maxDerivedLen bounds what a key derivation function is asked for.
const maxDerivedLen = 1 << 20

func deriveECDH(d Derivation) (Derived, error) {
	key, err := materialOf[agreer](d.Base)
	if err != nil {
		return Derived{}, err
	}
	p, err := paramAs[p11.ECDH1Params](d.Params)
	if err != nil {
		return Derived{}, err
	}
	kdf, err := newSecretKDF(p.KDF, p.Shared)
	if err != nil {
		return Derived{}, err
	}
	// C_DeriveKey has no CKR_PUBLIC_KEY_INVALID: the point is a part of the
	// parameter.
	secret, err := key.agree(p.Public)
	if err != nil {
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the other party's public key: %w", err)
	}
	defer clear(secret)
	value, err := kdf(secret, d.Length)
	if err != nil {
		return Derived{}, err
	}
	return Derived{Values: attr.Values{attr.NewBytes(p11.CKA_VALUE, value)}}, nil
}

func (k *ecPrivateKey) pointSize() int { return 1 + 2*k.curve.size() }

// agree is ECDH on a short Weierstrass curve.
func (k *ecPrivateKey) agree(point []byte) ([]byte, error) {
	raw, ok := k.curve.uncompressed(point)
	if !ok {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "it is not a point of the curve, raw or in an OCTET STRING")
	}
	if k.curve.ecdh == nil {
		return k.agreeP224(raw)
	}
	peer, err := k.curve.ecdh.NewPublicKey(raw)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "it is not on the curve")
	}
	if k.curve.group != nil && k.curve.group.agree != nil {
		d, err := k.scalarBytes()
		if err != nil {
			return nil, err
		}
		defer clear(d)
		return k.curve.group.agree(d, raw)
	}
	own, err := k.ecdh()
	if err != nil {
		return nil, err
	}
	return own.ECDH(peer)
}

// agreeP224 does without crypto/ecdh, which lacks the curve. ScalarMult of
// elliptic.P224 is the constant-time one that P-256 has in crypto/ecdh; it is
// deprecated for what happens with points that were not checked.
func (k *ecPrivateKey) agreeP224(raw []byte) ([]byte, error) {
	peer, err := ecdsa.ParseUncompressedPublicKey(k.curve.curve, raw)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "it is not on the curve")
	}
	d, err := k.scalarBytes()
	if err != nil {
		return nil, err
	}
	defer clear(d)
	//lint:ignore SA1019 the point was checked
	x, _ := k.curve.curve.ScalarMult(peer.X, peer.Y, d)
	return x.FillBytes(make([]byte, k.curve.size())), nil
}

// A secretKDF makes a key of length bytes of a shared secret. A length of 0
// stands for the whole secret, which only CKD_NULL can give.
type secretKDF func(secret []byte, length int) ([]byte, error)

// newSecretKDF returns the key derivation function of a CK_EC_KDF_TYPE.
func newSecretKDF(kdf p11.KDF, shared []byte) (secretKDF, error) {
	if kdf == p11.CKD_NULL {
		if len(shared) != 0 {
			return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "CKD_NULL takes no shared data")
		}
		return trailingBytes, nil
	}
	if h, ok := hashByKDF(kdf); ok {
		// ANSI X9.63: secret, counter, shared data.
		return hashKDF(h, func(secret, counter []byte) [][]byte { return [][]byte{secret, counter, shared} }), nil
	}
	if digest, ok := sp800KDFs[kdf]; ok {
		// NIST SP 800-56A, section 5.8.1.1: counter, secret, other information.
		h, _ := hashByDigest(digest)
		return hashKDF(h, func(secret, counter []byte) [][]byte { return [][]byte{counter, secret, shared} }), nil
	}
	return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no key derivation function %v", kdf)
}

var sp800KDFs = map[p11.KDF]p11.MechanismType{
	p11.CKD_SHA1_KDF_SP800:     p11.CKM_SHA_1,
	p11.CKD_SHA224_KDF_SP800:   p11.CKM_SHA224,
	p11.CKD_SHA256_KDF_SP800:   p11.CKM_SHA256,
	p11.CKD_SHA384_KDF_SP800:   p11.CKM_SHA384,
	p11.CKD_SHA512_KDF_SP800:   p11.CKM_SHA512,
	p11.CKD_SHA3_224_KDF_SP800: p11.CKM_SHA3_224,
	p11.CKD_SHA3_256_KDF_SP800: p11.CKM_SHA3_256,
	p11.CKD_SHA3_384_KDF_SP800: p11.CKM_SHA3_384,
	p11.CKD_SHA3_512_KDF_SP800: p11.CKM_SHA3_512,
}

// trailingBytes truncates at the leading end (PKCS #11 v3.2, section 6.3.20).
func trailingBytes(secret []byte, length int) ([]byte, error) {
	if length > len(secret) {
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the shared secret has %d bytes, not %d: a longer key needs a key derivation function", len(secret), length)
	}
	if length == 0 {
		length = len(secret)
	}
	return bytes.Clone(secret[len(secret)-length:]), nil
}

// hashKDF concatenates the digests of block(secret, 1), block(secret, 2) and so
// on, the counter being four bytes.
func hashKDF(h *hashAlg, block func(secret, counter []byte) [][]byte) secretKDF {
	return func(secret []byte, length int) ([]byte, error) {
		if length == 0 {
			return nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN is needed with a key derivation function")
		}
		if length > maxDerivedLen {
			return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a key of %d bytes is more than the %d that can be derived", length, maxDerivedLen)
		}
		out := make([]byte, 0, length+h.Size())
		hash := h.New()
		var counter [4]byte
		for i := uint32(1); len(out) < length; i++ {
			binary.BigEndian.PutUint32(counter[:], i)
			hash.Reset()
			for _, part := range block(secret, counter[:]) {
				hash.Write(part)
			}
			out = hash.Sum(out)
		}
		clear(out[length:])
		return out[:length:length], nil
	}
}
