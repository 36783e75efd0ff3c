package mech

import (
	"encoding/binary"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
)

// This file has the key derivation functions of ANSI X9.42, which RFC 2631
// describes, and the mechanisms with them.

// newX942KDF returns the function of a CK_X9_42_DH_KDF_TYPE.
func newX942KDF(kdf p11.KDF, info []byte) (secretKDF, error) {
	sha1, _ := hashByDigest(p11.CKM_SHA_1)
	switch kdf {
	case p11.CKD_NULL:
		if len(info) != 0 {
			return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "CKD_NULL takes no other info")
		}
		return trailingBytes, nil
	case p11.CKD_SHA1_KDF_CONCATENATE:
		return hashKDF(sha1, func(secret, counter []byte) [][]byte { return [][]byte{secret, counter, info} }), nil
	case p11.CKD_SHA1_KDF_ASN1:
		at, ok := x942Counter(info)
		if !ok {
			return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the other info is no OtherInfo of X9.42 in DER with a counter of 1")
		}
		return hashKDF(sha1, func(secret, counter []byte) [][]byte {
			return [][]byte{secret, info[:at], counter, info[at+len(counter):]}
		}), nil
	}
	return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no key derivation function %v", kdf)
}

// x942Counter returns where the counter is in an OtherInfo (RFC 2631, section
// 2.1.2):
//
//	OtherInfo ::= SEQUENCE {
//	  keyInfo SEQUENCE { algorithm OBJECT IDENTIFIER, counter OCTET STRING SIZE (4) },
//	  partyAInfo [0] OCTET STRING OPTIONAL, suppPubInfo [2] OCTET STRING }
func x942Counter(info []byte) (at int, ok bool) {
	s := cryptobyte.String(info)
	var all, key, counter cryptobyte.String
	ok = s.ReadASN1(&all, asn1.SEQUENCE) && s.Empty() && all.ReadASN1(&key, asn1.SEQUENCE) &&
		key.SkipASN1(asn1.OBJECT_IDENTIFIER) && key.ReadASN1(&counter, asn1.OCTET_STRING) && key.Empty() &&
		len(counter) == 4 && slices.Equal(counter, []byte{0, 0, 0, 1})
	if !ok {
		return 0, false
	}
	// The counter ends where the key info does, and that where the rest begins.
	return len(info) - len(all) - len(counter), binary.BigEndian.Uint32(info[len(info)-len(all)-4:]) == 1
}

func deriveX942(d Derivation) (Derived, error) {
	p, err := paramAs[p11.X942DH1Params](d.Params)
	if err != nil {
		return Derived{}, err
	}
	kdf, err := newX942KDF(p.KDF, p.OtherInfo)
	if err != nil {
		return Derived{}, err
	}
	return ffAgree(d, p.Public, kdf)
}

// x942Encapsulation returns the function of a parameter without a public value.
func x942Encapsulation(p p11.Params) (secretKDF, error) {
	params, err := paramAs[p11.X942DH1Params](p)
	if err != nil {
		return nil, err
	}
	if len(params.Public) != 0 {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "to encapsulate and decapsulate, CKM_X9_42_DH_DERIVE takes no public value")
	}
	return newX942KDF(params.KDF, params.OtherInfo)
}

func encapsulateX942(k Key, p p11.Params, length int) (ciphertext, secret []byte, err error) {
	kdf, err := x942Encapsulation(p)
	if err != nil {
		return nil, nil, err
	}
	return ffEncapsulate(k, kdf, length)
}

func encapsulateSizeX942(k Key, p p11.Params, length int) (int, error) {
	kdf, err := x942Encapsulation(p)
	if err != nil {
		return 0, err
	}
	return ffEncapsulateSize(k, kdf, length)
}

func decapsulateX942(k Key, p p11.Params, ciphertext []byte, length int) ([]byte, error) {
	kdf, err := x942Encapsulation(p)
	if err != nil {
		return nil, err
	}
	return ffDecapsulate(k, ciphertext, kdf, length)
}
