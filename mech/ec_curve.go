package mech

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
)

// A curveID is how CKA_EC_PARAMS names a curve: the choices oId and curveName
// of Parameters (PKCS #11 v3.2, section 6.3.3). The choice ecParameters is not
// supported, implicitlyCA is forbidden.
type curveID struct {
	oids  []string // DER; the first is the one that coffer writes
	names []string
}

// has reports whether params, a whole DER Parameters value, names the curve.
func (id *curveID) has(params []byte) bool {
	if slices.Contains(id.oids, string(params)) {
		return true
	}
	s := cryptobyte.String(params)
	var name cryptobyte.String
	return s.ReadASN1(&name, asn1.PrintableString) && s.Empty() && slices.Contains(id.names, string(name))
}

// params returns the DER of the object identifier.
func (id *curveID) params() []byte { return []byte(id.oids[0]) }

// unknownCurve says why params name no curve that there is: CKR_CURVE_NOT_SUPPORTED
// for another curve, CKR_DOMAIN_PARAMS_INVALID for what is no name of a curve.
func unknownCurve(params []byte) error {
	s := cryptobyte.String(params)
	var tag asn1.Tag
	var body cryptobyte.String
	if !s.ReadAnyASN1(&body, &tag) || !s.Empty() {
		return p11.Errorf(p11.CKR_DOMAIN_PARAMS_INVALID, "CKA_EC_PARAMS is not the DER of an OBJECT IDENTIFIER or PrintableString")
	}
	switch tag {
	case asn1.OBJECT_IDENTIFIER, asn1.PrintableString:
		return p11.Errorf(p11.CKR_CURVE_NOT_SUPPORTED, "the curve %x is not one of this key type that coffer has", params)
	case asn1.SEQUENCE:
		return p11.Errorf(p11.CKR_DOMAIN_PARAMS_INVALID, "CKA_EC_PARAMS has explicit parameters: give the curve by its object identifier")
	default:
		return p11.Errorf(p11.CKR_DOMAIN_PARAMS_INVALID, "CKA_EC_PARAMS has the DER tag %#x: give the curve by its object identifier", uint8(tag))
	}
}

// An ecCurve is a short Weierstrass curve.
type ecCurve struct {
	curveID
	bits int // of the field and, for these curves, of the order
	// A curve of the standard library has these.
	curve elliptic.Curve
	ecdh  ecdh.Curve // nil for P-224, which crypto/ecdh lacks
	// group is what is faster than those, nil if nothing is.
	group *ecGroup
	// One that it lacks has this.
	own func() *weierstrass
}

// size is the length in bytes of a field element, a scalar, and each half of a
// signature.
func (c *ecCurve) size() int { return (c.bits + 7) / 8 }

var ecCurves = append([]ecCurve{
	{
		curveID: curveID{oids: []string{"\x06\x05\x2b\x81\x04\x00\x21"}, names: []string{"secp224r1", "P-224"}},
		curve:   elliptic.P224(), bits: 224,
	},
	{
		curveID: curveID{oids: []string{"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"}, names: []string{"secp256r1", "prime256v1", "P-256"}},
		curve:   elliptic.P256(), ecdh: ecdh.P256(), bits: 256, group: groupP256(),
	},
	{
		curveID: curveID{oids: []string{"\x06\x05\x2b\x81\x04\x00\x22"}, names: []string{"secp384r1", "P-384"}},
		curve:   elliptic.P384(), ecdh: ecdh.P384(), bits: 384,
	},
	{
		curveID: curveID{oids: []string{"\x06\x05\x2b\x81\x04\x00\x23"}, names: []string{"secp521r1", "P-521"}},
		curve:   elliptic.P521(), ecdh: ecdh.P521(), bits: 521, group: groupP521(),
	},
}, weierstrassCurves...)

// ecCurveOf returns the curve that CKA_EC_PARAMS names.
func ecCurveOf(params []byte) (*ecCurve, error) {
	for i := range ecCurves {
		if ecCurves[i].has(params) {
			return &ecCurves[i], nil
		}
	}
	return nil, unknownCurve(params)
}

// order is n.
func (c *ecCurve) order() *big.Int {
	if c.own != nil {
		return new(big.Int).SetBytes(c.own().n.Nat().Bytes(c.own().n))
	}
	return c.curve.Params().N
}

// ecCurveOfKey returns the row of the curve of a public key.
func ecCurveOfKey(k ecPublic) *ecCurve {
	switch k := k.(type) {
	case *ecdsa.PublicKey:
		return ecCurveFor(k.Curve)
	case *wsPublicKey:
		return k.curve
	}
	return nil
}

// ecCurveFor returns the row of a curve of the standard library, nil if there
// is none.
func ecCurveFor(c elliptic.Curve) *ecCurve {
	for i := range ecCurves {
		if ecCurves[i].curve == c {
			return &ecCurves[i]
		}
	}
	return nil
}

// octetString returns the DER OCTET STRING of b.
func octetString(b []byte) []byte {
	var bb cryptobyte.Builder
	bb.AddASN1OctetString(b)
	return bb.BytesOrPanic()
}

// unwrapPoint returns the point in a CKA_EC_POINT whose length is one of
// sizes: the bytes themselves, or inside a DER OCTET STRING or, as version 3.0
// can be read for Edwards curves, BIT STRING. Length decides first, since the
// bytes of a point may look like DER.
func unwrapPoint(point []byte, sizes ...int) ([]byte, bool) {
	if slices.Contains(sizes, len(point)) {
		return point, true
	}
	s := cryptobyte.String(point)
	var inner cryptobyte.String
	if !s.ReadASN1(&inner, asn1.OCTET_STRING) {
		s = cryptobyte.String(point)
		var unused uint8
		if !s.ReadASN1(&inner, asn1.BIT_STRING) || !inner.ReadUint8(&unused) || unused != 0 {
			return nil, false
		}
	}
	if !s.Empty() || !slices.Contains(sizes, len(inner)) {
		return nil, false
	}
	return inner, true
}

// uncompressed returns the point of the curve in CKA_EC_POINT, in whatever form
// it is given there, as 04 || X || Y; or false if it is no form of a point. It
// does not check that X and Y are on the curve.
func (c *ecCurve) uncompressed(point []byte) ([]byte, bool) {
	n := c.size()
	raw, ok := unwrapPoint(point, 1+2*n, 1+n)
	if !ok {
		return nil, false
	}
	if len(raw) == 1+2*n {
		return raw, raw[0] == 4
	}
	if c.own != nil {
		return c.own().decompress(raw)
	}
	x, y := elliptic.UnmarshalCompressed(c.curve, raw)
	if x == nil {
		return nil, false
	}
	out := make([]byte, 1+2*n)
	out[0] = 4
	x.FillBytes(out[1 : 1+n])
	y.FillBytes(out[1+n:])
	return out, true
}

// fixedWidth returns the big-endian integer b in exactly n bytes, or false if
// it does not fit.
func fixedWidth(b []byte, n int) ([]byte, bool) {
	if len(b) == n {
		return b, true
	}
	b = bytes.TrimLeft(b, "\x00")
	if len(b) > n {
		return nil, false
	}
	out := make([]byte, n)
	copy(out[n-len(b):], b)
	return out, true
}
