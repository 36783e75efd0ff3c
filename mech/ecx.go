package mech

import (
	"bytes"
	"crypto/rand"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
	"coffer/p11/attr"
)

// This file has what Edwards and Montgomery keys share: both halves of a pair
// are strings of bytes of one length, as RFC 7748, 8032 and 8410 define them.
//
// CKA_EC_POINT is written as a DER OCTET STRING. Version 3.2 says the bare
// bytes, 3.0 said "DER-encoding of the b-bit public key value". pkcs11-tool of
// OpenSC 0.23, libp11 0.4.12, pkcs11-provider before 1.0 and SoftHSM know the
// OCTET STRING only, while later ones of them, which know the bare bytes, take
// both. Both are taken here, and a BIT STRING as well.

// ecxFlags are the CK_MECHANISM_INFO flags of every mechanism on Edwards and
// Montgomery curves.
const ecxFlags = p11.CKF_EC_F_P | p11.CKF_EC_OID | p11.CKF_EC_CURVENAME | p11.CKF_EC_UNCOMPRESS

// ecxSizes are the field sizes of Edwards and Montgomery curves.
var ecxSizes = KeySize{Min: 255, Max: 448, Unit: Bits}

// An ecxCurve is an Edwards or a Montgomery curve.
type ecxCurve struct {
	curveID
	bits int // of the field
	size int // bytes of a private and of a public key
	// open makes the key of private, which has size bytes.
	open func(c *ecxCurve, private []byte) (*ecxPrivateKey, error)
	// eddsa is the signature scheme of an Edwards curve.
	eddsa *eddsa
	// valid reports whether a public key of size bytes is a point; nil if any is.
	valid func(public []byte) bool
}

// ecxPublicKey is the material of a public key of CKK_EC_EDWARDS and
// CKK_EC_MONTGOMERY.
type ecxPublicKey struct {
	curve *ecxCurve
	bytes []byte
}

// ecxPrivateKey is the material of a private key.
type ecxPrivateKey struct {
	public  ecxPublicKey
	private []byte // the seed or scalar of CKA_VALUE
	// One of these is set, by the kind of curve.
	signing []byte                              // the key as eddsa takes it
	shared  func(public []byte) ([]byte, error) // X25519 or X448
}

func (k *ecxPrivateKey) pointSize() int { return k.public.curve.size }

// agree is X25519 or X448.
func (k *ecxPrivateKey) agree(point []byte) ([]byte, error) {
	if k.shared == nil {
		return nil, p11.Errorf(p11.CKR_KEY_TYPE_INCONSISTENT, "an Edwards key makes no shared secret")
	}
	public, ok := unwrapPoint(point, k.public.curve.size)
	if !ok {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "it does not have the %d bytes of the curve", k.public.curve.size)
	}
	return k.shared(public)
}

// ecxCurves are the curves of one key type.
type ecxCurves []ecxCurve

// ecxKeyType returns the row of a key type with these curves.
func ecxKeyType(t p11.KeyType, curves ecxCurves) KeyType {
	return KeyType{
		Type:           t,
		Parse:          curves.parse,
		Complete:       completeECX,
		Wipe:           wipeECX,
		PublicKeyInfo:  ecxPublicKeyInfo,
		MarshalPKCS8:   marshalECXPKCS8,
		UnmarshalPKCS8: curves.unmarshalPKCS8,
	}
}

// named returns the curve that CKA_EC_PARAMS names.
func (cs ecxCurves) named(params []byte) (*ecxCurve, error) {
	for i := range cs {
		if cs[i].has(params) {
			return &cs[i], nil
		}
	}
	return nil, unknownCurve(params)
}

func (cs ecxCurves) parse(class p11.ObjectClass, values attr.Values) (any, int, error) {
	curve, err := cs.named(values.Bytes(p11.CKA_EC_PARAMS))
	if err != nil {
		return nil, 0, err
	}
	if class == p11.CKO_PUBLIC_KEY {
		key, err := curve.publicKey(values.Bytes(p11.CKA_EC_POINT))
		return key, curve.bits, err
	}
	value := values.Bytes(p11.CKA_VALUE)
	if len(value) != curve.size {
		return nil, 0, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE has %d bytes, not the %d of the curve", len(value), curve.size)
	}
	key, err := curve.open(curve, value)
	if err != nil {
		return nil, 0, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE is not a private key: %w", err)
	}
	return key, curve.bits, nil
}

// publicKey returns the public key in CKA_EC_POINT.
func (c *ecxCurve) publicKey(point []byte) (*ecxPublicKey, error) {
	raw, ok := unwrapPoint(point, c.size)
	if !ok {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_EC_POINT does not have the %d bytes of the curve, raw or in an OCTET STRING", c.size)
	}
	if c.valid != nil && !c.valid(raw) {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "CKA_EC_POINT is not on the curve")
	}
	return &ecxPublicKey{curve: c, bytes: bytes.Clone(raw)}, nil
}

// completeECX returns CKA_EC_POINT as an OCTET STRING where a public key was
// made with another form.
func completeECX(class p11.ObjectClass, values attr.Values, material any) (attr.Values, error) {
	key, ok := material.(*ecxPublicKey)
	if class != p11.CKO_PUBLIC_KEY || !ok {
		return nil, nil
	}
	point := octetString(key.bytes)
	if bytes.Equal(values.Bytes(p11.CKA_EC_POINT), point) {
		return nil, nil
	}
	return attr.Values{attr.NewBytes(p11.CKA_EC_POINT, point)}, nil
}

func (cs ecxCurves) generate(_ p11.Params, public, _ attr.Values) (pub, priv attr.Values, err error) {
	params, ok := public.Get(p11.CKA_EC_PARAMS)
	if !ok {
		return nil, nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_EC_PARAMS is needed to generate a key pair on a curve")
	}
	curve, err := cs.named(params)
	if err != nil {
		return nil, nil, err
	}
	private := make([]byte, curve.size)
	rand.Read(private)
	key, err := curve.open(curve, private)
	if err != nil {
		return nil, nil, err
	}
	pub = attr.Values{attr.NewBytes(p11.CKA_EC_PARAMS, params), attr.NewBytes(p11.CKA_EC_POINT, octetString(key.public.bytes))}
	priv = attr.Values{attr.NewBytes(p11.CKA_EC_PARAMS, params), attr.NewBytes(p11.CKA_VALUE, private)}
	return pub, priv, nil
}

func ecxPublicKeyInfo(material any) ([]byte, error) {
	switch key := material.(type) {
	case *ecxPublicKey:
		return marshalPublicKeyInfo(key.curve.params(), key.bytes), nil
	case *ecxPrivateKey:
		return marshalPublicKeyInfo(key.public.curve.params(), key.public.bytes), nil
	}
	return nil, errNotMaterial(material)
}

func marshalECXPKCS8(material any) ([]byte, error) {
	key, ok := material.(*ecxPrivateKey)
	if !ok {
		return nil, errNotMaterial(material)
	}
	return marshalPrivateKeyInfo(key.public.curve.params(), key.private), nil
}

// unmarshalPKCS8 reads the CurvePrivateKey of RFC 8410 in a PrivateKeyInfo.
func (cs ecxCurves) unmarshalPKCS8(der []byte) (attr.Values, error) {
	info, err := parsePrivateKeyInfo(der)
	if err != nil {
		return nil, err
	}
	curve, err := cs.named(info.algorithm)
	if err != nil {
		return nil, errWrongPKCS8Type
	}
	s := cryptobyte.String(info.key)
	var private cryptobyte.String
	if !s.ReadASN1(&private, asn1.OCTET_STRING) || !s.Empty() || len(private) != curve.size {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the PKCS #8 structure has no key of %d bytes inside", curve.size)
	}
	return attr.Values{
		attr.NewBytes(p11.CKA_EC_PARAMS, curve.params()),
		attr.NewBytes(p11.CKA_VALUE, bytes.Clone(private)),
	}, nil
}
