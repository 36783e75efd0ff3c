package main

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"coffer/p11"
	"coffer/p11/attr"
)

// A keyType is a row of what --type takes: NAME:SIZE, ec:CURVE, or NAME alone.
type keyType struct {
	name     string
	key      p11.KeyType
	generate p11.MechanismType
	size     sizeKind
	usages   []string // if --usage is not given
	example  string
}

// sizeKind is what stands after the colon.
type sizeKind uint8

const (
	inBits    sizeKind = iota + 1 // of a modulus
	keyBits                       // of a secret
	keyBytes                      // of a secret
	ofCurve                       // the curve's name
	nameCurve                     // nothing: the name is that of a curve
	ofSet                         // the parameter set's name
)

var keyTypes = []keyType{
	{"aes", p11.CKK_AES, p11.CKM_AES_KEY_GEN, keyBits, []string{"encrypt", "decrypt"}, "aes:256"},
	{"aes-xts", p11.CKK_AES_XTS, p11.CKM_AES_XTS_KEY_GEN, keyBits, []string{"encrypt", "decrypt"}, "aes-xts:512"},
	{"chacha20", p11.CKK_CHACHA20, p11.CKM_CHACHA20_KEY_GEN, keyBits, []string{"encrypt", "decrypt"}, "chacha20:256"},
	{"rsa", p11.CKK_RSA, p11.CKM_RSA_PKCS_KEY_PAIR_GEN, inBits, []string{"sign", "decrypt"}, "rsa:2048"},
	{"ec", p11.CKK_EC, p11.CKM_EC_KEY_PAIR_GEN, ofCurve, []string{"sign"}, "ec:P-256"},
	{"ed25519", p11.CKK_EC_EDWARDS, p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, nameCurve, []string{"sign"}, "ed25519"},
	{"ed448", p11.CKK_EC_EDWARDS, p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, nameCurve, []string{"sign"}, "ed448"},
	{"x25519", p11.CKK_EC_MONTGOMERY, p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, nameCurve, []string{"derive"}, "x25519"},
	{"x448", p11.CKK_EC_MONTGOMERY, p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, nameCurve, []string{"derive"}, "x448"},
	{"ml-dsa", p11.CKK_ML_DSA, p11.CKM_ML_DSA_KEY_PAIR_GEN, ofSet, []string{"sign"}, "ml-dsa:65"},
	{"ml-kem", p11.CKK_ML_KEM, p11.CKM_ML_KEM_KEY_PAIR_GEN, ofSet, []string{"decapsulate"}, "ml-kem:768"},
	{"slh-dsa", p11.CKK_SLH_DSA, p11.CKM_SLH_DSA_KEY_PAIR_GEN, ofSet, []string{"sign"}, "slh-dsa:sha2-128f"},
	{"generic", p11.CKK_GENERIC_SECRET, p11.CKM_GENERIC_SECRET_KEY_GEN, keyBytes, []string{"sign", "verify", "derive"}, "generic:32"},
	{"hkdf", p11.CKK_HKDF, p11.CKM_HKDF_KEY_GEN, keyBytes, []string{"derive"}, "hkdf:32"},
}

// curves are the curves by the names of --type and by other common ones.
var curves = []struct {
	names []string
	oid   asn1.ObjectIdentifier
}{
	{[]string{"P-224", "secp224r1"}, asn1.ObjectIdentifier{1, 3, 132, 0, 33}},
	{[]string{"P-256", "secp256r1", "prime256v1"}, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
	{[]string{"P-384", "secp384r1"}, asn1.ObjectIdentifier{1, 3, 132, 0, 34}},
	{[]string{"P-521", "secp521r1"}, asn1.ObjectIdentifier{1, 3, 132, 0, 35}},
	{[]string{"secp256k1"}, asn1.ObjectIdentifier{1, 3, 132, 0, 10}},
	{[]string{"brainpoolP224r1"}, asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 5}},
	{[]string{"brainpoolP256r1"}, asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 7}},
	{[]string{"brainpoolP320r1"}, asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 9}},
	{[]string{"brainpoolP384r1"}, asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 11}},
	{[]string{"brainpoolP512r1"}, asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 13}},
	{[]string{"x25519"}, asn1.ObjectIdentifier{1, 3, 101, 110}}, // RFC 8410
	{[]string{"x448"}, asn1.ObjectIdentifier{1, 3, 101, 111}},
	{[]string{"ed25519"}, asn1.ObjectIdentifier{1, 3, 101, 112}},
	{[]string{"ed448"}, asn1.ObjectIdentifier{1, 3, 101, 113}},
}

// parameterSets are the parameter sets by the names of --type: those of the
// standard behind the name of the scheme.
var parameterSets = map[p11.KeyType][]struct {
	name string
	id   uint64
}{
	p11.CKK_ML_KEM: {{"512", p11.CKP_ML_KEM_512}, {"768", p11.CKP_ML_KEM_768}, {"1024", p11.CKP_ML_KEM_1024}},
	p11.CKK_SLH_DSA: {
		{"sha2-128s", p11.CKP_SLH_DSA_SHA2_128S}, {"sha2-128f", p11.CKP_SLH_DSA_SHA2_128F},
		{"sha2-192s", p11.CKP_SLH_DSA_SHA2_192S}, {"sha2-192f", p11.CKP_SLH_DSA_SHA2_192F},
		{"sha2-256s", p11.CKP_SLH_DSA_SHA2_256S}, {"sha2-256f", p11.CKP_SLH_DSA_SHA2_256F},
		{"shake-128s", p11.CKP_SLH_DSA_SHAKE_128S}, {"shake-128f", p11.CKP_SLH_DSA_SHAKE_128F},
		{"shake-192s", p11.CKP_SLH_DSA_SHAKE_192S}, {"shake-192f", p11.CKP_SLH_DSA_SHAKE_192F},
		{"shake-256s", p11.CKP_SLH_DSA_SHAKE_256S}, {"shake-256f", p11.CKP_SLH_DSA_SHAKE_256F},
	},
	p11.CKK_ML_DSA: {{"44", p11.CKP_ML_DSA_44}, {"65", p11.CKP_ML_DSA_65}, {"87", p11.CKP_ML_DSA_87}},
}

func keyTypeExamples() []string {
	var out []string
	for _, k := range keyTypes {
		out = append(out, k.example)
	}
	return out
}

// A keySpec is a parsed --type.
type keySpec struct {
	keyType
	// attrs are the attributes that give the size: of the secret key, or of the
	// public half.
	attrs attr.Values
}

func (k keySpec) secret() bool { return k.size == keyBits || k.size == keyBytes }

// parseKeyType reads a --type. Whether such a size exists is for the token to
// say.
func parseKeyType(text string) (keySpec, error) {
	name, size, sized := strings.Cut(text, ":")
	i := slices.IndexFunc(keyTypes, func(k keyType) bool { return k.name == strings.ToLower(name) })
	if i < 0 {
		return keySpec{}, usage("there is no key type %q; there are %s", name, strings.Join(keyTypeExamples(), ", "))
	}
	k := keySpec{keyType: keyTypes[i]}
	wants := func(what string) (keySpec, error) {
		return keySpec{}, usage("key type %q: give %s, such as %s", text, what, k.example)
	}
	switch k.size {
	case ofCurve:
		params, ok := curveParams(size)
		if !ok || !sized {
			return wants("a curve")
		}
		k.attrs = attr.Values{attr.NewBytes(p11.CKA_EC_PARAMS, params)}
		return k, nil
	case nameCurve:
		params, ok := curveParams(k.name)
		if !ok || sized {
			return wants("no size")
		}
		k.attrs = attr.Values{attr.NewBytes(p11.CKA_EC_PARAMS, params)}
		return k, nil
	}
	if k.size == ofSet {
		for _, set := range parameterSets[k.key] {
			if set.name == strings.ToLower(size) {
				k.attrs = attr.Values{attr.NewULong(p11.CKA_PARAMETER_SET, set.id)}
				return k, nil
			}
		}
		return wants("a parameter set (" + strings.Join(parameterSetNames(k.key), ", ") + ")")
	}
	n, err := strconv.ParseUint(size, 10, 31)
	switch {
	case k.size == keyBytes && err != nil:
		return wants("the length in bytes")
	case err != nil, k.size == keyBits && n%8 != 0:
		return wants("the size in bits")
	}
	switch k.size {
	case inBits:
		k.attrs = attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, int(n)), attr.NewBytes(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})}
	case keyBits:
		k.attrs = attr.Values{attr.NewULong(p11.CKA_VALUE_LEN, int(n/8))}
	case keyBytes:
		k.attrs = attr.Values{attr.NewULong(p11.CKA_VALUE_LEN, int(n))}
	}
	return k, nil
}

func curveParams(name string) ([]byte, bool) {
	for _, c := range curves {
		if slices.ContainsFunc(c.names, func(n string) bool { return strings.EqualFold(n, name) }) {
			der, err := asn1.Marshal(c.oid)
			return der, err == nil
		}
	}
	return nil, false
}

func parameterSetNames(t p11.KeyType) (names []string) {
	for _, set := range parameterSets[t] {
		names = append(names, set.name)
	}
	return names
}

// parameterSetName returns the name of a CKA_PARAMETER_SET: ours, or its number.
func parameterSetName(t p11.KeyType, id uint64) string {
	for _, set := range parameterSets[t] {
		if set.id == id {
			return set.name
		}
	}
	return strconv.FormatUint(id, 10)
}

// curveName returns the name of CKA_EC_PARAMS: ours, or what it says.
func curveName(params []byte) string {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err == nil && len(rest) == 0 {
		for _, c := range curves {
			if c.oid.Equal(oid) {
				return c.names[0]
			}
		}
		return oid.String()
	}
	var name string
	if rest, err := asn1.UnmarshalWithParams(params, &name, "printable"); err == nil && len(rest) == 0 {
		return name
	}
	return fmt.Sprintf("%x", params)
}

// typeName returns the type of an object, of a key as --type takes it.
func typeName(vs attr.Values) string {
	if c, ok := vs.ULong(p11.CKA_CERTIFICATE_TYPE); ok {
		return strings.TrimPrefix(p11.CertificateType(c).String(), "CKC_")
	}
	if p, ok := vs.ULong(p11.CKA_PROFILE_ID); ok {
		return strings.TrimPrefix(p11.ProfileID(p).String(), "CKP_")
	}
	t, ok := vs.KeyType()
	if !ok {
		return ""
	}
	i := slices.IndexFunc(keyTypes, func(k keyType) bool { return k.key == t })
	if i < 0 {
		name := strings.TrimPrefix(t.String(), "CKK_")
		if n, ok := vs.ULong(p11.CKA_VALUE_LEN); ok {
			return fmt.Sprintf("%s:%d", name, n)
		}
		return name
	}
	k := keyTypes[i]
	n, _ := vs.ULong(p11.CKA_VALUE_LEN)
	switch k.size {
	case inBits:
		return fmt.Sprintf("%s:%d", k.name, bitLen(vs.Bytes(p11.CKA_MODULUS)))
	case keyBits:
		return fmt.Sprintf("%s:%d", k.name, 8*n)
	case keyBytes:
		return fmt.Sprintf("%s:%d", k.name, n)
	case ofCurve:
		return k.name + ":" + curveName(vs.Bytes(p11.CKA_EC_PARAMS))
	case ofSet:
		set, _ := vs.ULong(p11.CKA_PARAMETER_SET)
		return k.name + ":" + parameterSetName(k.key, set)
	default:
		return curveName(vs.Bytes(p11.CKA_EC_PARAMS))
	}
}

// bitLen returns the length of a big-endian integer.
func bitLen(b []byte) int {
	b = bytes.TrimLeft(b, "\x00")
	if len(b) == 0 {
		return 0
	}
	return 8*(len(b)-1) + bits.Len8(b[0])
}
