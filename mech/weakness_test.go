package mech_test

import (
	"slices"
	"strings"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// approvedKeys are the key types of FIPS and NIST SP 800 standards. Whoever
// adds another says so here, or in its row what speaks against it.
var approvedKeys = []p11.KeyType{
	p11.CKK_RSA, p11.CKK_DSA, p11.CKK_DH, p11.CKK_X9_42_DH, p11.CKK_EC, p11.CKK_EC_EDWARDS,
	p11.CKK_AES, p11.CKK_AES_XTS, p11.CKK_GENERIC_SECRET, p11.CKK_HKDF,
	p11.CKK_SHA_1_HMAC, p11.CKK_SHA224_HMAC, p11.CKK_SHA256_HMAC, p11.CKK_SHA384_HMAC, p11.CKK_SHA512_HMAC,
	p11.CKK_SHA512_224_HMAC, p11.CKK_SHA512_256_HMAC, p11.CKK_SHA512_T_HMAC,
	p11.CKK_SHA3_224_HMAC, p11.CKK_SHA3_256_HMAC, p11.CKK_SHA3_384_HMAC, p11.CKK_SHA3_512_HMAC,
	p11.CKK_ML_DSA, p11.CKK_ML_KEM, p11.CKK_SLH_DSA, p11.CKK_HSS, p11.CKK_XMSS, p11.CKK_XMSSMT,
}

func TestRowsSayWhatSpeaksAgainstThem(t *testing.T) {
	reg := mech.NewRegistry(mech.All()...)
	for _, typ := range reg.Mechanisms() {
		row, err := reg.Lookup(typ)
		if err != nil {
			t.Fatal(err)
		}
		name, secret := typ.String(), false
		for _, k := range row.Keys {
			kind, err := reg.KeyType(k)
			if err != nil {
				t.Fatal(err)
			}
			secret = secret || kind.Secret
			if slices.Contains(approvedKeys, k) == (kind.Weak != 0) {
				t.Errorf("%v is of a NIST standard: %v; its row has against it %b", k, !slices.Contains(approvedKeys, k), kind.Weak)
			}
		}
		signs := row.Sign != nil && !secret
		if got := row.Weak&mech.SHA1Signature != 0; got != (signs && strings.Contains(name, "SHA1")) {
			t.Errorf("%v signs a SHA-1 digest: the row says %v", typ, got)
		}
		for _, other := range []string{"MD5", "MD2", "RIPEMD", "BLAKE2B", "FASTHASH"} {
			if strings.Contains(name, other) && row.Generate == nil && row.Weak&mech.Unapproved == 0 {
				t.Errorf("%v is of no NIST standard, and its row does not say so", typ)
			}
		}
	}
	pss, err := reg.Lookup(p11.CKM_RSA_PKCS_PSS)
	if err != nil {
		t.Fatal(err)
	}
	if pss.WeaknessesWith(p11.PSSParams{Hash: p11.CKM_SHA_1}) != mech.SHA1Signature || pss.WeaknessesWith(p11.PSSParams{Hash: p11.CKM_SHA256}) != 0 {
		t.Error("the digest that a parameter names counts")
	}
}
