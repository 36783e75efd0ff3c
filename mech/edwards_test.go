package mech_test

import (
	"bytes"
	"crypto/x509"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
)

// eddsaVectors are of RFC 8032, sections 7.1 to 7.5.
var eddsaVectors = []struct {
	name, curve, private, public, message, sig string
	p                                          p11.Params
}{
	{
		"Ed25519, test 2", "edwards25519",
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		"72",
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		nil,
	},
	{
		"Ed25519ctx, foo", "edwards25519",
		"0305334e381af78f141cb666f6199f57bc3495335a256a95bd2a55bf546663f6",
		"dfc9425e4f968f7f0c29f0259cf5f9aed6851c2bb4ad8bfb860cfee0ab248292",
		"f726936d19c800494e3fdaff20b276a8",
		"55a4cc2f70a54e04288c5f4cd1e45a7bb520b36292911876cada7323198dd87a8b36950b95130022907a7fb7c4e9b2d5f6cca685a587b4b21f4b888e4e7edb0d",
		p11.EdDSAParams{Context: []byte("foo")},
	},
	{
		"Ed25519ph", "edwards25519",
		"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
		"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
		"616263",
		"98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
		p11.EdDSAParams{Prehash: true},
	},
	{
		"Ed448, 1 octet", "edwards448",
		"c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
		"43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480",
		"03",
		"26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd779805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adafd1d234441cf807c03a00",
		nil,
	},
	{
		"Ed448, 1 octet with context", "edwards448",
		"c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
		"43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480",
		"03",
		"d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea000c85741de5c8da1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c1cad10d54d0d5428407e85dcbc98a49155c13764e66c3c00",
		p11.EdDSAParams{Context: []byte("foo")},
	},
}

func TestEdDSARFC8032(t *testing.T) {
	m := lookup(t, p11.CKM_EDDSA)
	for _, v := range eddsaVectors {
		t.Run(v.name, func(t *testing.T) {
			params := ecParams(curveOIDs[v.curve])
			priv := mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_EC_EDWARDS, params.With(attr.NewBytes(p11.CKA_VALUE, unhex(v.private))))
			pub := mustParseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_EC_EDWARDS, params.With(attr.NewBytes(p11.CKA_EC_POINT, unhex(v.public))))
			message, want := unhex(v.message), unhex(v.sig)
			if got := sign(t, m, priv, v.p, message); !bytes.Equal(got, want) {
				t.Errorf("got %x; want %x", got, want)
			}
			if err := verify(m, pub, v.p, message, want); err != nil {
				t.Error(err)
			}
			wantCode(t, verify(m, pub, p11.EdDSAParams{Context: []byte("bar")}, message, want), p11.CKR_SIGNATURE_INVALID)
			kt := keyRow(t, p11.CKK_EC_EDWARDS)
			a, _ := kt.PublicKeyInfo(priv.material)
			b, _ := kt.PublicKeyInfo(pub.material)
			if len(a) == 0 || !bytes.Equal(a, b) {
				t.Errorf("CKA_PUBLIC_KEY_INFO of the halves: %x and %x", a, b)
			}
		})
	}
}

// TestEdDSAKeepsABoundedMessage: the parts of a pure signature are kept, up to
// a bound; those of Ed25519ph are hashed.
func TestEdDSAKeepsABoundedMessage(t *testing.T) {
	_, priv, _, _ := generated(t, p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, ecParams(curveOIDs["edwards25519"]))
	m := lookup(t, p11.CKM_EDDSA)
	for _, c := range []struct {
		p    p11.Params
		want p11.RV
	}{{nil, p11.CKR_TOKEN_RESOURCE_EXCEEDED}, {p11.EdDSAParams{Prehash: true}, p11.CKR_OK}} {
		op, err := m.Sign(priv, c.p)
		if err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 8<<20)
		for range 9 {
			if _, err = op.Update(nil, part); err != nil {
				break
			}
		}
		wantCode(t, err, c.want)
		op.Wipe()
	}
}

// TestECXPointForms: version 3.2 has the bare bytes, SoftHSM and pkcs11-tool of
// OpenSC 0.23 the OCTET STRING, and 3.0 can be read as the BIT STRING.
func TestECXPointForms(t *testing.T) {
	for _, c := range []struct {
		gen   p11.MechanismType
		typ   p11.KeyType
		curve string
		size  int
	}{
		{p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, p11.CKK_EC_EDWARDS, "edwards25519", 32},
		{p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, p11.CKK_EC_EDWARDS, "edwards448", 57},
		{p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, p11.CKK_EC_MONTGOMERY, "curve25519", 32},
		{p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, p11.CKK_EC_MONTGOMERY, "curve448", 56},
	} {
		params := ecParams(curveOIDs[c.curve])
		pub, _, values, _ := generated(t, c.gen, params)
		kt := keyRow(t, c.typ)
		info, _ := kt.PublicKeyInfo(pub.material)
		der := values.Bytes(p11.CKA_EC_POINT)
		raw := der[2:]
		if !bytes.Equal(der, octetString(raw)) || len(raw) != c.size {
			t.Errorf("%s: CKA_EC_POINT is %x", c.curve, der)
		}
		for form, point := range map[string][]byte{"raw": raw, "DER": der, "BIT STRING": bitString(raw)} {
			given := params.With(attr.NewBytes(p11.CKA_EC_POINT, point))
			k, err := parseKey(t, p11.CKO_PUBLIC_KEY, c.typ, given)
			if err != nil {
				t.Errorf("%s, %s: %v", c.curve, form, err)
				continue
			}
			if same, _ := kt.PublicKeyInfo(k.material); !bytes.Equal(same, info) {
				t.Errorf("%s, %s: another key", c.curve, form)
			}
			more, err := kt.Complete(p11.CKO_PUBLIC_KEY, given, k.material)
			if err != nil || !bytes.Equal(given.With(more...).Bytes(p11.CKA_EC_POINT), der) {
				t.Errorf("%s, %s: the completed CKA_EC_POINT is not DER: %v", c.curve, form, err)
			}
		}
		_, err := parseKey(t, p11.CKO_PUBLIC_KEY, c.typ, params.With(attr.NewBytes(p11.CKA_EC_POINT, raw[1:])))
		wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
	}
	// A raw point that looks like DER is still the point.
	point := append([]byte{4, 30}, make([]byte, 30)...)
	if _, err := parseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_EC_MONTGOMERY, ecParams(curveOIDs["curve25519"]).With(attr.NewBytes(p11.CKA_EC_POINT, point))); err != nil {
		t.Error(err)
	}
}

// TestEdwardsPointsOffTheCurve agrees with crypto/ed25519 and circl, which do
// not export the check, on how many strings are points: about half.
func TestEdwardsPointsOffTheCurve(t *testing.T) {
	for _, c := range []struct {
		curve string
		size  int
	}{{"edwards25519", 32}, {"edwards448", 57}} {
		on := 0
		for i := range 200 {
			point := make([]byte, c.size)
			point[0] = byte(i)
			_, err := parseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_EC_EDWARDS, ecParams(curveOIDs[c.curve]).With(attr.NewBytes(p11.CKA_EC_POINT, point)))
			if err == nil {
				on++
			} else {
				wantCode(t, err, p11.CKR_PUBLIC_KEY_INVALID)
			}
		}
		if on < 70 || on > 130 {
			t.Errorf("%s: %d of 200 strings are points", c.curve, on)
		}
	}
}

func TestX509ReadsECX(t *testing.T) {
	for _, c := range []struct {
		gen   p11.MechanismType
		typ   p11.KeyType
		curve string
	}{
		{p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, p11.CKK_EC_EDWARDS, "edwards25519"},
		{p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, p11.CKK_EC_MONTGOMERY, "curve25519"},
	} {
		_, priv, _, _ := generated(t, c.gen, ecParams(curveOIDs[c.curve]))
		kt := keyRow(t, c.typ)
		der, err := kt.MarshalPKCS8(priv.material)
		if err != nil {
			t.Fatal(err)
		}
		key, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			t.Fatal(err)
		}
		again, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil || !bytes.Equal(again, der) {
			t.Errorf("crypto/x509 writes %x, %v; coffer %x", again, err, der)
		}
		info, err := kt.PublicKeyInfo(priv.material)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x509.ParsePKIXPublicKey(info); err != nil {
			t.Error(err)
		}
	}
}
