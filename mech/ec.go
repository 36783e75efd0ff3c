package mech

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"slices"
	"sync"

	"filippo.io/bigmod"

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
	Mechanisms: append([]Mechanism{
		{
			Type:         p11.CKM_EC_KEY_PAIR_GEN,
			Keys:         []p11.KeyType{p11.CKK_EC},
			Size:         ecSizes,
			Extra:        ecFlags,
			GeneratePair: generateEC(newECKey),
		},
		{
			Type:         p11.CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS,
			Keys:         []p11.KeyType{p11.CKK_EC},
			Size:         ecSizes,
			Extra:        ecFlags,
			GeneratePair: generateEC(newECKeyExtraBits),
		},
	}, ecdsaMechanisms()...),
}

// An ecPublic is the material of a CKK_EC public key: an *ecdsa.PublicKey or a
// *wsPublicKey.
type ecPublic interface {
	Bytes() ([]byte, error) // 04 || X || Y
}

// An ecPrivate is the material of a CKK_EC private key: an *ecPrivateKey or a
// *wsPrivateKey.
type ecPrivate interface {
	agreer
	of() *ecCurve
	scalarBytes() ([]byte, error) // a copy, as long as the order
	publicPoint() ([]byte, error) // 04 || X || Y
	sign(dst, digest []byte) error
	wipe()
}

// ecPrivateKey is a private key on a curve of the standard library.
type ecPrivateKey struct {
	*ecdsa.PrivateKey
	curve *ecCurve
	// ecdh is the same key for crypto/ecdh, made when first needed.
	ecdh func() (*ecdh.PrivateKey, error)
}

func newECPrivateKey(curve *ecCurve, key *ecdsa.PrivateKey) *ecPrivateKey {
	return &ecPrivateKey{PrivateKey: key, curve: curve, ecdh: sync.OnceValues(key.ECDH)}
}

func (k *ecPrivateKey) of() *ecCurve { return k.curve }

// scalarBytes is not Bytes of crypto/ecdsa, whose result is a part of the key
// that the package keeps for all who sign.
func (k *ecPrivateKey) scalarBytes() ([]byte, error) { return scalarOf(k.PrivateKey), nil }

func scalarOf(key *ecdsa.PrivateKey) []byte {
	//lint:ignore SA1019 big.Int.FillBytes takes the same time for every number
	return key.D.FillBytes(make([]byte, (key.Params().BitSize+7)/8))
}

func (k *ecPrivateKey) publicPoint() ([]byte, error) { return k.PublicKey.Bytes() }

func (k *ecPrivateKey) wipe() { wipeBig(k.D) }

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
	key, ok := curve.privateKey(d)
	if !ok {
		return nil, 0, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE is not between 1 and the order of the curve")
	}
	return key, curve.bits, nil
}

// privateKey returns the key of d, which has size bytes, or false if it is not
// from 1 to the order less 1.
func (c *ecCurve) privateKey(d []byte) (ecPrivate, bool) {
	if c.own != nil {
		return parseWSPrivate(c, d)
	}
	key, err := ecdsa.ParseRawPrivateKey(c.curve, d)
	if err != nil {
		return nil, false
	}
	return newECPrivateKey(c, key), true
}

// parsePoint returns the public key in CKA_EC_POINT.
func (c *ecCurve) parsePoint(point []byte) (ecPublic, error) {
	raw, ok := c.uncompressed(point)
	if !ok {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_EC_POINT is not a point of the curve, raw or in an OCTET STRING")
	}
	if c.own != nil {
		if key, ok := parseWSPublic(c, raw); ok {
			return key, nil
		}
	} else if key, err := ecdsa.ParseUncompressedPublicKey(c.curve, raw); err == nil {
		return key, nil
	}
	return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "CKA_EC_POINT is not on the curve")
}

// completeEC returns CKA_EC_POINT as the standard spells it, a DER OCTET STRING
// of the uncompressed point, where a public key was made with another form.
func completeEC(class p11.ObjectClass, values attr.Values, material any) (attr.Values, error) {
	key, ok := material.(ecPublic)
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

// generateEC returns a constructor of pairs with a way to make a private key.
func generateEC(newKey func(*ecCurve) (ecPrivate, error)) func(p11.Params, attr.Values, attr.Values) (pub, priv attr.Values, err error) {
	return func(_ p11.Params, public, _ attr.Values) (pub, priv attr.Values, err error) {
		return generateECPair(newKey, public)
	}
}

// newECKey tries random numbers (FIPS 186-5, Appendix A.2.2).
func newECKey(curve *ecCurve) (ecPrivate, error) {
	if curve.own != nil {
		_, d := curve.own().randomScalar()
		defer clear(d)
		key, _ := parseWSPrivate(curve, d)
		return key, nil
	}
	key, err := ecdsa.GenerateKey(curve.curve, rand.Reader)
	if err != nil {
		return nil, err
	}
	return newECPrivateKey(curve, key), nil
}

// newECKeyExtraBits reduces a random number that is 64 bits longer than the
// order n, modulo n-1, and adds 1 (FIPS 186-5, Appendix A.2.1).
func newECKeyExtraBits(curve *ecCurve) (ecPrivate, error) {
	order := curve.order()
	one := big.NewInt(1)
	below, err := bigmod.NewModulus(new(big.Int).Sub(order, one).Bytes())
	if err != nil {
		return nil, err
	}
	bits := order.BitLen() + 64
	long, err := bigmod.NewModulus(new(big.Int).Lsh(one, uint(bits)).Bytes())
	if err != nil {
		return nil, err
	}
	c := make([]byte, (bits+7)/8)
	rand.Read(c)
	defer clear(c)
	c[0] &= 0xff >> (8*len(c) - bits)
	wide, err := bigmod.NewNat().SetBytes(c, long)
	if err != nil {
		return nil, err
	}
	n, err := bigmod.NewModulus(order.Bytes())
	if err != nil {
		return nil, err
	}
	reduced := bigmod.NewNat().Mod(wide, below).Bytes(below)
	defer clear(reduced)
	d, err := bigmod.NewNat().SetBytes(reduced, n)
	if err != nil {
		return nil, err
	}
	value := d.Add(bigmod.NewNat().ExpandFor(n).SetUint(1).ExpandFor(n), n).Bytes(n)
	defer clear(value)
	key, ok := curve.privateKey(value)
	if !ok {
		return nil, errNotMaterial(key)
	}
	return key, nil
}

func generateECPair(newKey func(*ecCurve) (ecPrivate, error), public attr.Values) (pub, priv attr.Values, err error) {
	params, ok := public.Get(p11.CKA_EC_PARAMS)
	if !ok {
		return nil, nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_EC_PARAMS is needed to generate an EC key pair")
	}
	curve, err := ecCurveOf(params)
	if err != nil {
		return nil, nil, err
	}
	key, err := newKey(curve)
	if err != nil {
		return nil, nil, err
	}
	defer key.wipe()
	point, err := key.publicPoint()
	if err != nil {
		return nil, nil, err
	}
	d, err := key.scalarBytes()
	if err != nil {
		return nil, nil, err
	}
	pub = attr.Values{attr.NewBytes(p11.CKA_EC_PARAMS, params), attr.NewBytes(p11.CKA_EC_POINT, octetString(point))}
	priv = attr.Values{attr.NewBytes(p11.CKA_EC_PARAMS, params), attr.NewBytes(p11.CKA_VALUE, d)}
	return pub, priv, nil
}

func ecPublicKeyInfo(material any) ([]byte, error) {
	var curve *ecCurve
	var point []byte
	var err error
	switch key := material.(type) {
	case ecPrivate:
		curve = key.of()
		point, err = key.publicPoint()
	case ecPublic:
		curve = ecCurveOfKey(key)
		point, err = key.Bytes()
	default:
		return nil, errNotMaterial(material)
	}
	if err != nil {
		return nil, err
	}
	return marshalPublicKeyInfo(slices.Concat(oidECPublicKey, curve.params()), point), nil
}

func marshalECPKCS8(material any) ([]byte, error) {
	switch key := material.(type) {
	case *ecPrivateKey:
		return x509.MarshalPKCS8PrivateKey(key.PrivateKey)
	case *wsPrivateKey:
		return key.marshalPKCS8(), nil
	}
	return nil, errNotMaterial(material)
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
