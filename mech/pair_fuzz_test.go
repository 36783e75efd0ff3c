package mech_test

import (
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
)

var pairTypes = []p11.KeyType{p11.CKK_RSA, p11.CKK_EC, p11.CKK_EC_EDWARDS, p11.CKK_EC_MONTGOMERY, p11.CKK_ML_DSA, p11.CKK_ML_KEM, p11.CKK_SLH_DSA}

// FuzzPKCS8 reads anything as a private key of every type: what is read makes
// a key that can be written and read again, or is refused with a code.
func FuzzPKCS8(f *testing.F) {
	for _, g := range []struct {
		gen p11.MechanismType
		kt  p11.KeyType
		v   attr.Values
	}{
		{p11.CKM_EC_KEY_PAIR_GEN, p11.CKK_EC, ecParams(curveOIDs["secp256r1"])},
		{p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, p11.CKK_EC_EDWARDS, ecParams(curveOIDs["edwards25519"])},
		{p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, p11.CKK_EC_MONTGOMERY, ecParams(curveOIDs["curve448"])},
		{p11.CKM_ML_DSA_KEY_PAIR_GEN, p11.CKK_ML_DSA, setValues(p11.CKP_ML_DSA_44, nil, nil)},
		{p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKK_SLH_DSA, setValues(p11.CKP_SLH_DSA_SHA2_128F, nil, nil)},
		{p11.CKM_ML_KEM_KEY_PAIR_GEN, p11.CKK_ML_KEM, setValues(p11.CKP_ML_KEM_512, nil, nil)},
		{p11.CKM_RSA_PKCS_KEY_PAIR_GEN, p11.CKK_RSA, attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, 1024)}},
	} {
		_, k, _, _ := generated(f, g.gen, g.v)
		der, err := keyRow(f, g.kt).MarshalPKCS8(k.material)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, typ := range pairTypes {
			kt := keyRow(t, typ)
			values, err := kt.UnmarshalPKCS8(der)
			if err != nil {
				wantKeyCode(t, err)
				continue
			}
			material, bits, err := kt.Parse(p11.CKO_PRIVATE_KEY, values)
			if err != nil {
				wantKeyCode(t, err)
				continue
			}
			if bits == 0 {
				t.Error("a key of no bits")
			}
			again, err := kt.MarshalPKCS8(material)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kt.UnmarshalPKCS8(again); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzCurveAndPoint parses anything as CKA_EC_PARAMS with anything as
// CKA_EC_POINT and CKA_VALUE.
func FuzzCurveAndPoint(f *testing.F) {
	for _, oid := range curveOIDs {
		f.Add([]byte(oid), []byte{4, 2, 1, 2})
	}
	_, _, values, _ := generated(f, p11.CKM_EC_KEY_PAIR_GEN, ecParams(curveOIDs["secp256r1"]))
	f.Add([]byte(curveOIDs["secp256r1"]), values.Bytes(p11.CKA_EC_POINT))
	f.Fuzz(func(t *testing.T, params, point []byte) {
		values := attr.Values{
			attr.NewBytes(p11.CKA_EC_PARAMS, params), attr.NewBytes(p11.CKA_EC_POINT, point), attr.NewBytes(p11.CKA_VALUE, point),
		}
		for _, typ := range pairTypes[1:] {
			kt := keyRow(t, typ)
			for _, class := range []p11.ObjectClass{p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY} {
				material, _, err := kt.Parse(class, values)
				if err != nil {
					wantKeyCode(t, err)
					continue
				}
				if _, err := kt.PublicKeyInfo(material); err != nil {
					t.Error(err)
				}
				if _, err := kt.Complete(class, values, material); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// wantKeyCode checks that a refused key has a code of C_CreateObject or
// C_UnwrapKey.
func wantKeyCode(t *testing.T, err error) {
	t.Helper()
	switch p11.Code(err) {
	case p11.CKR_ATTRIBUTE_VALUE_INVALID, p11.CKR_CURVE_NOT_SUPPORTED, p11.CKR_DOMAIN_PARAMS_INVALID,
		p11.CKR_PUBLIC_KEY_INVALID, p11.CKR_KEY_SIZE_RANGE, p11.CKR_WRAPPED_KEY_INVALID, p11.CKR_PARAMETER_SET_NOT_SUPPORTED:
	default:
		t.Errorf("a refused key: %v", err)
	}
}
