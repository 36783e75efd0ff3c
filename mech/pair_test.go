package mech_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/c2sp/wycheproof"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

var registry = mech.NewRegistry(mech.All()...)

// pairKey is one half of a key pair, as its key type parsed it.
type pairKey struct {
	class    p11.ObjectClass
	typ      p11.KeyType
	bits     int
	material any
}

func (k *pairKey) Class() p11.ObjectClass { return k.class }
func (k *pairKey) Type() p11.KeyType      { return k.typ }
func (k *pairKey) Bits() int              { return k.bits }
func (k *pairKey) Material() (any, error) { return k.material, nil }

func keyRow(t testing.TB, typ p11.KeyType) *mech.KeyType {
	t.Helper()
	row, err := registry.KeyType(typ)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func parseKey(t testing.TB, class p11.ObjectClass, typ p11.KeyType, values attr.Values) (*pairKey, error) {
	t.Helper()
	material, bits, err := keyRow(t, typ).Parse(class, values)
	return &pairKey{class, typ, bits, material}, err
}

func mustParseKey(t testing.TB, class p11.ObjectClass, typ p11.KeyType, values attr.Values) *pairKey {
	t.Helper()
	k, err := parseKey(t, class, typ, values)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// privateFromPKCS8 returns the private key in a PrivateKeyInfo.
func privateFromPKCS8(t testing.TB, typ p11.KeyType, der []byte) *pairKey {
	t.Helper()
	values, err := keyRow(t, typ).UnmarshalPKCS8(der)
	if err != nil {
		t.Fatal(err)
	}
	return mustParseKey(t, p11.CKO_PRIVATE_KEY, typ, values)
}

// generated returns a fresh pair and its attributes.
func generated(t testing.TB, gen p11.MechanismType, public attr.Values) (pub, priv *pairKey, pubValues, privValues attr.Values) {
	t.Helper()
	m := lookup(t, gen)
	a, b, err := m.GeneratePair(nil, public, nil)
	if err != nil {
		t.Fatal(err)
	}
	pubValues, privValues = public.With(a...), b
	return mustParseKey(t, p11.CKO_PUBLIC_KEY, m.Keys[0], pubValues), mustParseKey(t, p11.CKO_PRIVATE_KEY, m.Keys[0], privValues), pubValues, privValues
}

func ecParams(der string) attr.Values { return attr.Values{attr.NewString(p11.CKA_EC_PARAMS, der)} }

// The object identifiers of the curves, by the names of Project Wycheproof.
var curveOIDs = map[string]string{
	"secp224r1":    "\x06\x05\x2b\x81\x04\x00\x21",
	"secp256r1":    "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
	"secp384r1":    "\x06\x05\x2b\x81\x04\x00\x22",
	"secp521r1":    "\x06\x05\x2b\x81\x04\x00\x23",
	"secp256k1":    "\x06\x05\x2b\x81\x04\x00\x0a",
	"edwards25519": "\x06\x03\x2b\x65\x70",
	"edwards448":   "\x06\x03\x2b\x65\x71",
	"curve25519":   "\x06\x03\x2b\x65\x6e",
	"curve448":     "\x06\x03\x2b\x65\x6f",

	"brainpoolP224r1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x05",
	"brainpoolP256r1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x07",
	"brainpoolP320r1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x09",
	"brainpoolP384r1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0b",
	"brainpoolP512r1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0d",
	"brainpoolP256t1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x08",
	"brainpoolP384t1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0c",
}

// verify runs a verification in one part.
func verify(m *mech.Mechanism, k mech.Key, p p11.Params, data, sig []byte) error {
	op, err := m.Verify(k, p)
	if err != nil {
		return err
	}
	defer op.Wipe()
	return op.Verify(data, sig)
}

func sign(t testing.TB, m *mech.Mechanism, k mech.Key, p p11.Params, data []byte) []byte {
	t.Helper()
	op, err := m.Sign(k, p)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Wipe()
	sig := make([]byte, op.FinalSize(len(data)).Max)
	n, err := op.Final(sig, data)
	if err != nil {
		t.Fatal(err)
	}
	if n != len(sig) {
		t.Fatalf("the signature has %d bytes, not %d", n, len(sig))
	}
	return sig
}

// wantCode checks the code of an error.
func wantCode(t testing.TB, err error, want p11.RV) {
	t.Helper()
	if got := p11.Code(err); got != want {
		t.Errorf("got %v; want %v", err, want)
	}
}

// pairGroup and pairVector have the fields of Project Wycheproof's files for
// asymmetric algorithms that the tests here read.
type pairGroup struct {
	Curve     string
	Sha       string
	MgfSha    string
	SLen      int
	PublicKey struct {
		Curve                   string
		Uncompressed, PK        hexBytes
		Modulus, PublicExponent hexBytes
		P, Q, G, Y              hexBytes
	}
	PrivateKey struct {
		Modulus, PublicExponent, PrivateExponent hexBytes
	}
	PrivateKeyPkcs8 hexBytes
}

type pairVector struct {
	ID                      int `json:"tcId"`
	Comment                 string
	Result                  string
	Flags                   []string
	Msg, Sig, CT, Label     hexBytes
	Public, Private, Shared hexBytes
}

func (v *pairVector) flagged(f string) bool { return slices.Contains(v.Flags, f) }

// eachPairVector runs check for each vector of a file.
func eachPairVector(t *testing.T, file string, check func(*testing.T, *pairGroup, *pairVector)) {
	t.Run(file, func(t *testing.T) {
		f, err := wycheproof.TestVectors.Open(file + "_test.json")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var all struct {
			NumberOfTests int
			TestGroups    []struct {
				pairGroup
				Tests []pairVector
			}
		}
		// The groups of some files hold a key as an object, others as a string.
		if err := json.NewDecoder(f).Decode(&all); err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := range all.TestGroups {
			g := &all.TestGroups[i]
			for j := range g.Tests {
				n++
				v := &g.Tests[j]
				t.Run(fmt.Sprint(v.ID, " ", v.Comment), func(t *testing.T) { check(t, &g.pairGroup, v) })
			}
		}
		if n == 0 || n != all.NumberOfTests {
			t.Errorf("there are %d tests, not %d", n, all.NumberOfTests)
		}
	})
}

// hashNames maps the names of Project Wycheproof.
var hashNames = map[string]struct {
	digest p11.MechanismType
	mgf    p11.MGF
	rsa    p11.MechanismType
	pss    p11.MechanismType
	ecdsa  p11.MechanismType
}{
	"SHA-1":    {p11.CKM_SHA_1, p11.CKG_MGF1_SHA1, p11.CKM_SHA1_RSA_PKCS, p11.CKM_SHA1_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA1},
	"SHA-224":  {p11.CKM_SHA224, p11.CKG_MGF1_SHA224, p11.CKM_SHA224_RSA_PKCS, p11.CKM_SHA224_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA224},
	"SHA-256":  {p11.CKM_SHA256, p11.CKG_MGF1_SHA256, p11.CKM_SHA256_RSA_PKCS, p11.CKM_SHA256_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA256},
	"SHA-384":  {p11.CKM_SHA384, p11.CKG_MGF1_SHA384, p11.CKM_SHA384_RSA_PKCS, p11.CKM_SHA384_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA384},
	"SHA-512":  {p11.CKM_SHA512, p11.CKG_MGF1_SHA512, p11.CKM_SHA512_RSA_PKCS, p11.CKM_SHA512_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA512},
	"SHA3-224": {p11.CKM_SHA3_224, p11.CKG_MGF1_SHA3_224, p11.CKM_SHA3_224_RSA_PKCS, p11.CKM_SHA3_224_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA3_224},
	"SHA3-256": {p11.CKM_SHA3_256, p11.CKG_MGF1_SHA3_256, p11.CKM_SHA3_256_RSA_PKCS, p11.CKM_SHA3_256_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA3_256},
	"SHA3-384": {p11.CKM_SHA3_384, p11.CKG_MGF1_SHA3_384, p11.CKM_SHA3_384_RSA_PKCS, p11.CKM_SHA3_384_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA3_384},
	"SHA3-512": {p11.CKM_SHA3_512, p11.CKG_MGF1_SHA3_512, p11.CKM_SHA3_512_RSA_PKCS, p11.CKM_SHA3_512_RSA_PKCS_PSS, p11.CKM_ECDSA_SHA3_512},
}
