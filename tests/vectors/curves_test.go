package vectors

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"regexp"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A curve is one of the vectors' names.
type curve struct {
	oid  asn1.ObjectIdentifier
	t    p11.KeyType
	size int // bytes of a coordinate
}

var curves = map[string]curve{
	"secp160k1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 9}, p11.CKK_EC, 20},
	"secp160r1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 8}, p11.CKK_EC, 20},
	"secp160r2":       {asn1.ObjectIdentifier{1, 3, 132, 0, 30}, p11.CKK_EC, 20},
	"secp192k1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 31}, p11.CKK_EC, 24},
	"secp192r1":       {asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 1}, p11.CKK_EC, 24},
	"secp224k1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 32}, p11.CKK_EC, 28},
	"secp224r1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 33}, p11.CKK_EC, 28},
	"secp256k1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 10}, p11.CKK_EC, 32},
	"secp256r1":       {asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, p11.CKK_EC, 32},
	"secp384r1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 34}, p11.CKK_EC, 48},
	"secp521r1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 35}, p11.CKK_EC, 66},
	"brainpoolP224r1": {asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 5}, p11.CKK_EC, 28},
	"brainpoolP256r1": {asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 7}, p11.CKK_EC, 32},
	"brainpoolP320r1": {asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 9}, p11.CKK_EC, 40},
	"brainpoolP384r1": {asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 11}, p11.CKK_EC, 48},
	"brainpoolP512r1": {asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 13}, p11.CKK_EC, 64},
	"sect283k1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 16}, p11.CKK_EC, 36},
	"sect283r1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 17}, p11.CKK_EC, 36},
	"sect409k1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 36}, p11.CKK_EC, 52},
	"sect409r1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 37}, p11.CKK_EC, 52},
	"sect571k1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 38}, p11.CKK_EC, 72},
	"sect571r1":       {asn1.ObjectIdentifier{1, 3, 132, 0, 39}, p11.CKK_EC, 72},
	"edwards25519":    {asn1.ObjectIdentifier{1, 3, 101, 112}, p11.CKK_EC_EDWARDS, 32},
	"edwards448":      {asn1.ObjectIdentifier{1, 3, 101, 113}, p11.CKK_EC_EDWARDS, 57},
	"curve25519":      {asn1.ObjectIdentifier{1, 3, 101, 110}, p11.CKK_EC_MONTGOMERY, 32},
	"curve448":        {asn1.ObjectIdentifier{1, 3, 101, 111}, p11.CKK_EC_MONTGOMERY, 56},
}

// webcrypto are the names that JWKs have for curves.
var webcrypto = map[string]string{"P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1", "P-256K": "secp256k1"}

func (cu curve) params() attr.Value {
	b, err := asn1.Marshal(cu.oid)
	if err != nil {
		panic(err)
	}
	return attr.NewBytes(p11.CKA_EC_PARAMS, b)
}

// publicKey is the template of a public key with a point.
func (cu curve) publicKey(point []byte) attr.Values {
	var b cryptobyte.Builder
	b.AddASN1OctetString(point)
	return Join(attr.Values{Class(p11.CKO_PUBLIC_KEY), Type(cu.t), cu.params(), attr.NewBytes(p11.CKA_EC_POINT, b.BytesOrPanic())}, Yes(p11.CKA_VERIFY))
}

func (cu curve) privateKey(d []byte) attr.Values {
	return Join(attr.Values{Class(p11.CKO_PRIVATE_KEY), Type(cu.t), cu.params(), Value(d)}, Yes(p11.CKA_DERIVE))
}

// lacks is the verdict for what fails because coffer has not the curve.
func lacks(name string, err error) verdict {
	if p11.Code(err) == p11.CKR_CURVE_NOT_SUPPORTED {
		return without("the curve " + name)
	}
	return no(err)
}

// ecdsa runs EcdsaP1363Verify by the mechanism that takes a digest; the files of
// EcdsaVerify, which have the same cases, run by those with the hash in them.
func ecdsa(c *client, g *group, v *vector) verdict {
	k, lacking := c.ecPublic(g)
	if lacking != yes {
		return lacking
	}
	return c.verify(Mech(p11.CKM_ECDSA), k, sum(g.Sha, v.Msg), v.Sig)
}

// ecPublic brings in the public key of a group.
func (c *client) ecPublic(g *group) (p11.ObjectHandle, verdict) {
	var key struct {
		Curve        string
		Uncompressed hexBytes
	}
	if err := json.Unmarshal(g.PublicKey, &key); err != nil {
		return 0, no(err)
	}
	k, err := c.object(curves[key.Curve].publicKey(key.Uncompressed))
	if err != nil {
		return 0, lacks(key.Curve, err)
	}
	return k, yes
}

// plain turns a signature into r || s, as PKCS #11 has it: both as long as they
// must be, or, where one is too long for that, both as long as the longer.
func plain(signature []byte, size int) ([]byte, bool) {
	s := cryptobyte.String(signature)
	var inner, r, t cryptobyte.String
	if !s.ReadASN1(&inner, der.SEQUENCE) || !s.Empty() || !inner.ReadASN1(&r, der.INTEGER) || !inner.ReadASN1(&t, der.INTEGER) || !inner.Empty() {
		return nil, false
	}
	for _, n := range []cryptobyte.String{r, t} { // minimal, and not negative
		if len(n) == 0 || n[0] >= 0x80 || len(n) > 1 && n[0] == 0 && n[1] < 0x80 {
			return nil, false
		}
	}
	a, b := bytes.TrimLeft(r, "\x00"), bytes.TrimLeft(t, "\x00")
	size = max(size, len(a), len(b))
	out := make([]byte, 2*size)
	copy(out[size-len(a):], a)
	copy(out[2*size-len(b):], b)
	return out, true
}

const notDER = "the signature is not the DER of two numbers; in PKCS #11 a signature is r ‖ s"

// inDER runs EcdsaVerify and EcdsaBitcoinVerify, by the mechanism with the hash
// in it where there is one.
func inDER(c *client, g *group, v *vector) verdict {
	if v.flagged("SignatureMalleabilityBitcoin") || g.Type == "EcdsaBitcoinVerify" && strings.Contains(v.Comment, "signature malleability") {
		return unfitFor("Bitcoin's rule of the smaller s is no part of ECDSA")
	}
	var key struct{ Curve string }
	_ = json.Unmarshal(g.PublicKey, &key)
	sig, ok := plain(v.Sig, curves[key.Curve].size)
	if !ok {
		return unfitFor(notDER)
	}
	k, lacking := c.ecPublic(g)
	if lacking != yes {
		return lacking
	}
	if m := hashes[g.Sha].ecdsa; m != 0 {
		return c.verify(Mech(m), k, v.Msg, sig)
	}
	return c.verify(Mech(p11.CKM_ECDSA), k, sum(g.Sha, v.Msg), sig)
}

func eddsa(c *client, g *group, v *vector) verdict {
	var key struct {
		Curve string
		PK    hexBytes
	}
	if err := json.Unmarshal(g.PublicKey, &key); err != nil {
		return no(err)
	}
	k, err := c.object(curves[key.Curve].publicKey(key.PK))
	if err != nil {
		return lacks(key.Curve, err)
	}
	m := Mech(p11.CKM_EDDSA)
	if key.Curve == "edwards448" {
		m.Params = p11.EdDSAParams{}
	}
	return c.verify(m, k, v.Msg, v.Sig)
}

// agrees is the verdict on a shared secret.
func (c *client) agrees(k p11.ObjectHandle, point []byte, v *vector) verdict {
	n := len(v.Shared)
	if n == 0 { // of a case that is to be refused
		n = 16
	}
	return c.derives(Mech(p11.CKM_ECDH1_DERIVE, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: point}), k, n, v.Shared)
}

// agreement runs the test types of key agreement; forms takes the two keys out
// of whatever they are in, and brings in the private one.
func agreement(forms func(c *client, cu curve, v *vector) (own p11.ObjectHandle, point []byte, err error)) adapter {
	return func(c *client, g *group, v *vector) verdict {
		name := g.Curve
		if n, ok := webcrypto[name]; ok {
			name = n
		}
		if onThisCurve.MatchString(v.Comment) {
			return unfitFor(string(noPoint))
		}
		k, point, err := forms(c, curves[name], v)
		if misfit, ok := err.(misfit); ok {
			return unfitFor(string(misfit))
		}
		if err != nil {
			return lacks(name, err)
		}
		return c.agrees(k, point, v)
	}
}

// onThisCurve is said of keys that name another curve for a point of this one.
var onThisCurve = regexp.MustCompile("with a point shared with|The point of the public key is a valid on")

// A misfit says why a key cannot be given to PKCS #11.
type misfit string

func (m misfit) Error() string { return string(m) }

const noPoint = misfit("the fault is in the encoding around the public key; PKCS #11 takes the point")

func ownValue(c *client, cu curve, v *vector) (p11.ObjectHandle, error) {
	return c.object(cu.privateKey(bytesOf(v.Private)))
}

// points has the two keys as numbers.
func points(c *client, cu curve, v *vector) (p11.ObjectHandle, []byte, error) {
	k, err := ownValue(c, cu, v)
	return k, bytesOf(v.Public), err
}

// inSPKI has the public key in a SubjectPublicKeyInfo.
func inSPKI(c *client, cu curve, v *vector) (p11.ObjectHandle, []byte, error) {
	point, ok := pointIn(bytesOf(v.Public))
	if !ok {
		return 0, nil, noPoint
	}
	k, err := ownValue(c, cu, v)
	return k, point, err
}

// pointIn takes the point out of a SubjectPublicKeyInfo that names its curve.
func pointIn(spki []byte) ([]byte, bool) {
	s := cryptobyte.String(spki)
	var inner, alg cryptobyte.String
	var oid, named asn1.ObjectIdentifier
	var bits asn1.BitString
	if !s.ReadASN1(&inner, der.SEQUENCE) || !s.Empty() || !inner.ReadASN1(&alg, der.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) ||
		!inner.ReadASN1BitString(&bits) || !inner.Empty() || bits.BitLength%8 != 0 {
		return nil, false
	}
	if oid.Equal(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}) && !alg.ReadASN1ObjectIdentifier(&named) || !alg.Empty() {
		return nil, false
	}
	return bits.Bytes, true
}

// inPKCS8 has both keys in DER: the private one comes in wrapped.
func inPKCS8(c *client, cu curve, v *vector) (p11.ObjectHandle, []byte, error) {
	point, ok := pointIn(bytesOf(v.Public))
	if !ok {
		return 0, nil, noPoint
	}
	k, err := c.unwrap(bytesOf(v.Private), cu.t, Yes(p11.CKA_DERIVE))
	return k, point, err
}

func inPEM(c *client, cu curve, v *vector) (p11.ObjectHandle, []byte, error) {
	public, _ := pem.Decode([]byte(textOf(v.Public)))
	private, _ := pem.Decode([]byte(textOf(v.Private)))
	if public == nil || private == nil {
		return 0, nil, noPoint
	}
	point, ok := pointIn(public.Bytes)
	if !ok {
		return 0, nil, noPoint
	}
	k, err := c.unwrap(private.Bytes, cu.t, Yes(p11.CKA_DERIVE))
	return k, point, err
}

// inJWK has both keys as JSON Web Keys.
func inJWK(c *client, cu curve, v *vector) (p11.ObjectHandle, []byte, error) {
	type jwk struct{ Kty, Crv, X, Y, D string }
	var public, private jwk
	if json.Unmarshal(v.Public, &public) != nil || json.Unmarshal(v.Private, &private) != nil {
		return 0, nil, noPoint
	}
	field := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			return nil
		}
		return b
	}
	x, y, d := field(public.X), field(public.Y), field(private.D)
	kty := map[bool]string{true: "EC", false: "OKP"}[cu.t == p11.CKK_EC]
	if x == nil || d == nil || public.Kty != kty || public.Crv != private.Crv {
		return 0, nil, noPoint
	}
	k, err := c.object(cu.privateKey(d))
	if cu.t == p11.CKK_EC {
		if len(x) != cu.size || len(y) != cu.size {
			return 0, nil, noPoint
		}
		return k, append(append([]byte{4}, x...), y...), err
	}
	return k, x, err
}
