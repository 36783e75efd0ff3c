package object

import (
	"bytes"
	"crypto/rand"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// The registry of these tests has two secret key types, a fixed-length one
// without CKA_VALUE_LEN, and a pair whose private value is its public one
// reversed.
var reg = mech.NewRegistry(mech.Family{
	Name: "fake",
	KeyTypes: []mech.KeyType{
		{Type: p11.CKK_AES, Secret: true, Lengths: []int{16, 24, 32}},
		{Type: p11.CKK_GENERIC_SECRET, Secret: true, MaxLength: 64},
		{Type: p11.CKK_DES3, Secret: true, Lengths: []int{24}},
		{Type: p11.CKK_CHACHA20, Secret: true, Lengths: []int{32}},
		{
			Type: p11.CKK_EC, Parse: parsePair, Complete: completePairForTest,
			PublicKeyInfo: func(m any) ([]byte, error) { return []byte("SPKI " + m.(pair).public), nil },
			MarshalPKCS8:  func(m any) ([]byte, error) { return []byte("PKCS8 " + m.(pair).private), nil },
			UnmarshalPKCS8: func(der []byte) (attr.Values, error) {
				v, ok := bytes.CutPrefix(der, []byte("PKCS8 "))
				if !ok {
					return nil, p11.CKR_DATA_INVALID
				}
				return attr.Values{attr.NewString(p11.CKA_EC_PARAMS, "curve"), attr.NewBytes(p11.CKA_VALUE, v)}, nil
			},
		},
	},
	Mechanisms: []mech.Mechanism{
		genAES, genPair, genChaCha,
		{
			Type: p11.CKM_AES_GCM, Keys: []p11.KeyType{p11.CKK_AES},
			Encrypt: func(mech.Key, p11.Params) (mech.Op, error) { return nil, nil },
			Decrypt: func(mech.Key, p11.Params) (mech.Op, error) { return nil, nil },
			Wrap:    func(mech.Key, p11.Params, []byte) ([]byte, error) { return nil, nil },
			Unwrap:  func(mech.Key, p11.Params, []byte) ([]byte, error) { return nil, nil },
		},
		{
			Type: p11.CKM_ECDSA, Keys: []p11.KeyType{p11.CKK_EC},
			Sign:   func(mech.Key, p11.Params) (mech.Op, error) { return nil, nil },
			Verify: func(mech.Key, p11.Params) (mech.VerifyOp, error) { return nil, nil },
		},
		derive,
	},
})

var (
	genAES = mech.Mechanism{
		Type: p11.CKM_AES_KEY_GEN, Keys: []p11.KeyType{p11.CKK_AES},
		Generate: func(_ p11.Params, want attr.Values) (attr.Values, error) {
			n, _ := want.ULong(p11.CKA_VALUE_LEN)
			return attr.Values{attr.NewBytes(p11.CKA_VALUE, bytes.Repeat([]byte{0x5a}, int(n)))}, nil
		},
	}
	genPair = mech.Mechanism{
		Type: p11.CKM_EC_KEY_PAIR_GEN, Keys: []p11.KeyType{p11.CKK_EC},
		GeneratePair: func(_ p11.Params, pub, priv attr.Values) (attr.Values, attr.Values, error) {
			params := attr.NewBytes(p11.CKA_EC_PARAMS, pub.Bytes(p11.CKA_EC_PARAMS))
			return attr.Values{params, attr.NewString(p11.CKA_EC_POINT, "abc")}, attr.Values{params, attr.NewString(p11.CKA_VALUE, "cba")}, nil
		},
	}
	genChaCha = mech.Mechanism{
		Type: p11.CKM_CHACHA20_KEY_GEN, Keys: []p11.KeyType{p11.CKK_CHACHA20}, Generate: genAES.Generate,
	}
	derive = mech.Mechanism{
		Type: p11.CKM_ECDH1_DERIVE, Keys: []p11.KeyType{p11.CKK_EC},
		Derive: func(mech.Derivation) (mech.Derived, error) { return mech.Derived{}, nil },
	}
)

type pair struct{ public, private string }

func parsePair(class p11.ObjectClass, values attr.Values) (any, int, error) {
	if string(values.Bytes(p11.CKA_EC_PARAMS)) != "curve" {
		return nil, 0, p11.CKR_CURVE_NOT_SUPPORTED
	}
	if class == p11.CKO_PUBLIC_KEY {
		return pair{public: string(values.Bytes(p11.CKA_EC_POINT))}, 24, nil
	}
	v := values.Bytes(p11.CKA_VALUE)
	if len(v) == 0 {
		return nil, 0, p11.CKR_ATTRIBUTE_VALUE_INVALID
	}
	p := pair{private: string(v)}
	for i := len(v) - 1; i >= 0; i-- {
		p.public += string(v[i : i+1])
	}
	return p, 24, nil
}

func completePairForTest(class p11.ObjectClass, values attr.Values, material any) (attr.Values, error) {
	return attr.Values{attr.NewString(p11.CKA_PUBLIC_CRC64_VALUE, "crc")}, nil
}

var (
	user = Actor{User: true}
	so   = Actor{SO: true}
)

func newFactory() *Factory { return NewFactory(reg, rand.Reader) }

func class(c p11.ObjectClass) attr.Value { return attr.NewULong(p11.CKA_CLASS, c) }
func keyType(k p11.KeyType) attr.Value   { return attr.NewULong(p11.CKA_KEY_TYPE, k) }
func on(t p11.AttributeType) attr.Value  { return attr.NewBool(t, true) }
func off(t p11.AttributeType) attr.Value { return attr.NewBool(t, false) }
func str(t p11.AttributeType, s string) attr.Value {
	return attr.NewString(t, s)
}

// aesTemplate is what C_CreateObject needs for an AES key.
func aesTemplate(v ...attr.Value) attr.Values {
	return attr.Values{class(p11.CKO_SECRET_KEY), keyType(p11.CKK_AES), str(p11.CKA_VALUE, "0123456789abcdef")}.With(v...)
}

// privateTemplate is what C_CreateObject needs for a private key.
func privateTemplate(v ...attr.Value) attr.Values {
	return attr.Values{class(p11.CKO_PRIVATE_KEY), keyType(p11.CKK_EC), str(p11.CKA_EC_PARAMS, "curve"), str(p11.CKA_VALUE, "cba")}.With(v...)
}

func create(t *testing.T, template attr.Values) *Object {
	t.Helper()
	o, err := newFactory().Create(template, user)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// want compares attributes of an object with what they have to be, whether or
// not it reveals them.
func want(t *testing.T, o *Object, vs ...attr.Value) {
	t.Helper()
	for _, v := range vs {
		if got, ok := o.values.Get(v.Type); !ok || !bytes.Equal(got, v.Raw) {
			t.Errorf("%v: got %x (present: %t), want %x", v.Type, got, ok, v.Raw)
		}
	}
}

func wantCode(t *testing.T, err error, rv p11.RV) {
	t.Helper()
	if p11.Code(err) != rv {
		t.Errorf("got %v, want %v", err, rv)
	}
}
