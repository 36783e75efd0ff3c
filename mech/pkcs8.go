package mech

import (
	"bytes"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
)

// errWrongPKCS8Type is the answer to a well-formed PrivateKeyInfo of another
// kind of key than the template says.
var errWrongPKCS8Type = p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the unwrapped private key is not of the template's CKA_KEY_TYPE")

// errNotMaterial reports a material that no Parse of the key type returns.
func errNotMaterial(material any) error {
	return fmt.Errorf("mech: %T is not the key's material", material)
}

// privateKeyInfo is a PKCS #8 PrivateKeyInfo or its successor, the
// OneAsymmetricKey of RFC 5958. Its slices point into what was parsed.
type privateKeyInfo struct {
	algorithm  []byte // DER OBJECT IDENTIFIER
	parameters []byte // DER, nil if absent
	key        []byte // the inside of privateKey
}

// parsePrivateKeyInfo takes der apart. Attributes and a public key at the end
// are passed over, and so are zero bytes after it: ciphers without padding
// leave them.
func parsePrivateKeyInfo(der []byte) (privateKeyInfo, error) {
	var info privateKeyInfo
	s := cryptobyte.String(der)
	var seq, alg, oid, key cryptobyte.String
	var version int
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || len(bytes.TrimLeft(s, "\x00")) != 0 ||
		!seq.ReadASN1Integer(&version) || version < 0 || version > 1 ||
		!seq.ReadASN1(&alg, asn1.SEQUENCE) ||
		!alg.ReadASN1Element(&oid, asn1.OBJECT_IDENTIFIER) ||
		!seq.ReadASN1(&key, asn1.OCTET_STRING) {
		return info, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the unwrapped private key is not a PKCS #8 PrivateKeyInfo")
	}
	info.algorithm, info.key = oid, key
	if !alg.Empty() {
		info.parameters = alg
	}
	return info, nil
}

// marshalPrivateKeyInfo returns the PrivateKeyInfo of RFC 8410: an algorithm
// without parameters, and the key as an OCTET STRING inside the OCTET STRING.
func marshalPrivateKeyInfo(algorithm, key []byte) []byte {
	var inner cryptobyte.Builder
	inner.AddASN1OctetString(key)
	secret := inner.BytesOrPanic()
	defer clear(secret)
	return marshalOneAsymmetricKey(algorithm, secret)
}

// marshalOneAsymmetricKey returns a PrivateKeyInfo of an algorithm without
// parameters. inside is what the algorithm puts into the OCTET STRING.
func marshalOneAsymmetricKey(algorithm, inside []byte) []byte {
	b := cryptobyte.NewBuilder(make([]byte, 0, len(inside)+64)) // which does not grow, and so leaves no copy
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(algorithm) })
		b.AddASN1OctetString(inside)
	})
	return b.BytesOrPanic()
}

// marshalPublicKeyInfo returns the SubjectPublicKeyInfo of RFC 8410.
func marshalPublicKeyInfo(algorithm, key []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(algorithm) })
		b.AddASN1BitString(key)
	})
	return b.BytesOrPanic()
}
