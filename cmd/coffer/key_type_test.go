package main

import (
	"slices"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// notOffered are generators that nobody is led to: DES is there for old data,
// a Poly1305 key is good for one message, an EC key is no better for another way
// to make it, and DSA and Diffie-Hellman over numbers have had their time.
var notOffered = []p11.MechanismType{
	p11.CKM_DES2_KEY_GEN, p11.CKM_DES3_KEY_GEN, p11.CKM_POLY1305_KEY_GEN, p11.CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS,
	p11.CKM_X9_42_DH_KEY_PAIR_GEN, p11.CKM_DSA_KEY_PAIR_GEN, p11.CKM_DH_PKCS_KEY_PAIR_GEN,
}

// What the HSM can generate, key generate can too. A key for one HMAC alone is
// no other than a generic one to it.
func TestEveryGeneratorHasAKeyType(t *testing.T) {
	t.Parallel()
	reg := mech.NewRegistry(mech.All()...)
	for _, m := range reg.Mechanisms() {
		row, err := reg.Lookup(m)
		if err != nil {
			t.Fatal(err)
		}
		if row.Flags()&(p11.CKF_GENERATE|p11.CKF_GENERATE_KEY_PAIR) == 0 || isHMACGenerator(row) || row.Domain || slices.Contains(notOffered, m) {
			continue
		}
		if !slices.ContainsFunc(keyTypes, func(k keyType) bool { return k.generate == m }) {
			t.Errorf("no --type of key generate uses %v", m)
		}
	}
}

func isHMACGenerator(row *mech.Mechanism) bool {
	return slices.ContainsFunc(row.Keys, func(k p11.KeyType) bool { return len(k.String()) > 5 && k.String()[len(k.String())-5:] == "_HMAC" })
}

func TestTypesAreListedAsTheyAreGiven(t *testing.T) {
	t.Parallel()
	for _, k := range keyTypes {
		t.Run(k.name, func(t *testing.T) {
			m, s := testToken(t)
			spec, err := parseKeyType(k.example)
			if err != nil {
				t.Fatal(err)
			}
			made, err := keyRequest{spec: spec, label: "k", usages: spec.usages}.generate(m, s)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range made {
				if v.Type != k.example {
					t.Errorf("a key of type %s is listed as %s", k.example, v.Type)
				}
			}
		})
	}
}

func TestCurveNames(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]string{
		"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07": "P-256",
		"\x06\x05\x2b\x81\x04\x00\x0a":             "secp256k1",
		"\x06\x05\x2b\x81\x04\x00\x01":             "1.3.132.0.1",
		"\x13\x0cedwards25519":                     "edwards25519",
		"\x30\x00":                                 "3000",
		"":                                         "",
	} {
		if got := curveName([]byte(params)); got != want {
			t.Errorf("%x: got %q, want %q", params, got, want)
		}
	}
}
