package mech

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"sync"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
	"coffer/p11/attr"
)

// ecFlags are the CK_MECHANISM_INFO flags of every mechanism on short
// Weierstrass curves (PKCS #11 v3.2, section 6.3).
const ecFlags = p11.CKF_EC_F_P | p11.CKF_EC_OID | p11.CKF_EC_CURVENAME | p11.CKF_EC_UNCOMPRESS | p11.CKF_EC_COMPRESS

// ecSizes are the field sizes of ecCurves.
var ecSizes = KeySize{Min: 224, Max: 521, Unit: Bits}

// ecFamily has short Weierstrass keys, their generation and ECDSA (PKCS #11
// v3.2, section 6.3). CKM_ECDH1_DERIVE, which Montgomery keys share, is in
// ecdhFamily.
var ecFamily = Family{
	Name: "ec",
	KeyTypes: []KeyType{{
		Type:           p11.CKK_EC,
		Parse:          parseEC,
		Complete:       completeEC,
		Wipe:           wipeEC,
		PublicKeyInfo:  ecPublicKeyInfo,
		MarshalPKCS8:   marshalECPKCS8,
		UnmarshalPKCS8: unmarshalECPKCS8,
	}},
	Mechanisms: append([]Mechanism{{
		Type:         p11.CKM_EC_KEY_PAIR_GEN,
		Keys:         []p11.KeyType{p11.CKK_EC},
		Size:         ecSizes,
		Extra:        ecFlags,
		GeneratePair: generateEC,
	}}, ecdsaMechanisms()...),
}

// ecPrivateKey is the material of a CKK_EC private key. That of a public key
// is an *ecdsa.PublicKey.
type ecPrivateKey struct {
	*ecdsa.PrivateKey
	curve *ecCurve
	// ecdh is the same key for crypto/ecdh, made when first needed.
	ecdh func() (*ecdh.PrivateKey, error)
}

func newECPrivateKey(curve *ecCurve, key *ecdsa.PrivateKey) *ecPrivateKey {
	return &ecPrivateKey{PrivateKey: key, curve: curve, ecdh: sync.OnceValues(key.ECDH)}
}

func parseEC(class p11.ObjectClass, values attr.Values) (any, int, error) {
	curve, err := ecCurveOf(values.Bytes(p11.CKA_EC_PARAMS))
	if err != nil {
		return nil, 0, err
	}
	if class == p11.CKO_PUBLIC_KEY {
		key, err := curve.parsePoint(values.Bytes(p11.CKA_EC_POINT))
		return key, curve.bits, err
	}
	d, ok := fixedWidth(values.Bytes(p11.CKA_VALUE), curve.size())
	if !ok {
		return nil, 0, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE is longer than the order of the curve")
	}
	key, err := ecdsa.ParseRawPrivateKey(curve.curve, d)
	if err != nil {
		return nil, 0, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE is not between 1 and the order of the curve")
	}
	return newECPrivateKey(curve, key), curve.bits, nil
}

// parsePoint returns the public key in CKA_EC_POINT.
func (c *ecCurve) parsePoint(point []byte) (*ecdsa.PublicKey, error) {
	raw, ok := c.uncompressed(point)
	if !ok {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_EC_POINT is not a point of the curve, raw or in an OCTET STRING")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(c.curve, raw)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "CKA_EC_POINT is not on the curve")
	}
	return key, nil
}

// completeEC returns CKA_EC_POINT as the standard spells it, a DER OCTET STRING
// of the uncompressed point, where a public key was made with another form.
func completeEC(class p11.ObjectClass, values attr.Values, material any) (attr.Values, error) {
	key, ok := material.(*ecdsa.PublicKey)
	if class != p11.CKO_PUBLIC_KEY || !ok {
		return nil, nil
	}
	raw, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	point := octetString(raw)
	if bytes.Equal(values.Bytes(p11.CKA_EC_POINT), point) {
		return nil, nil
	}
	return attr.Values{attr.NewBytes(p11.CKA_EC_POINT, point)}, nil
}

func generateEC(_ p11.Params, public, _ attr.Values) (pub, priv attr.Values, err error) {
	params, ok := public.Get(p11.CKA_EC_PARAMS)
	if !ok {
		return nil, nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_EC_PARAMS is needed to generate an EC key pair")
	}
	curve, err := ecCurveOf(params)
	if err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(curve.curve, rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, nil, err
	}
	d, err := key.Bytes()
	if err != nil {
		return nil, nil, err
	}
	pub = attr.Values{attr.NewBytes(p11.CKA_EC_PARAMS, params), attr.NewBytes(p11.CKA_EC_POINT, octetString(point))}
	priv = attr.Values{attr.NewBytes(p11.CKA_EC_PARAMS, params), attr.NewBytes(p11.CKA_VALUE, d)}
	return pub, priv, nil
}

func ecPublicKeyInfo(material any) ([]byte, error) {
	switch key := material.(type) {
	case *ecdsa.PublicKey:
		return x509.MarshalPKIXPublicKey(key)
	case *ecPrivateKey:
		return x509.MarshalPKIXPublicKey(&key.PublicKey)
	}
	return nil, errNotMaterial(material)
}

func marshalECPKCS8(material any) ([]byte, error) {
	key, ok := material.(*ecPrivateKey)
	if !ok {
		return nil, errNotMaterial(material)
	}
	return x509.MarshalPKCS8PrivateKey(key.PrivateKey)
}

var oidECPublicKey = []byte("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01")

// unmarshalECPKCS8 reads the ECPrivateKey of SEC 1 in a PrivateKeyInfo. The
// curve is that of the algorithm identifier or, where there is none, of the
// ECPrivateKey; the public key that may be there is not used (PKCS #11 v3.2,
// section 6.7).
func unmarshalECPKCS8(der []byte) (attr.Values, error) {
	info, err := parsePrivateKeyInfo(der)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(info.algorithm, oidECPublicKey) {
		return nil, errWrongPKCS8Type
	}
	s := cryptobyte.String(info.key)
	var seq, d, own cryptobyte.String
	var version int
	var hasOwn bool
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1Integer(&version) || version != 1 ||
		!seq.ReadASN1(&d, asn1.OCTET_STRING) ||
		!seq.ReadOptionalASN1(&own, &hasOwn, asn1.Tag(0).Constructed().ContextSpecific()) {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the PKCS #8 structure has no ECPrivateKey inside")
	}
	params := info.parameters
	if len(params) == 0 {
		params = own
	}
	curve, err := ecCurveOf(params)
	if err != nil {
		return nil, err
	}
	value, ok := fixedWidth(d, curve.size())
	if !ok {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the private value is longer than the order of the curve")
	}
	return attr.Values{
		attr.NewBytes(p11.CKA_EC_PARAMS, bytes.Clone(params)),
		attr.NewBytes(p11.CKA_VALUE, bytes.Clone(value)),
	}, nil
}
