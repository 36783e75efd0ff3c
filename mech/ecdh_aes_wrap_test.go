package mech_test

import (
	"bytes"
	"testing"

	"coffer/p11"
)

// TestECDHAESKeyWrap takes what was wrapped apart: the point and the
// unwrapping key agree, by the mechanism that has vectors, on the AES key that
// opens the rest, by the one that has vectors.
func TestECDHAESKeyWrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		m, gen p11.MechanismType
		curve  string
		header int // bytes before the point
		point  int
	}{
		{p11.CKM_ECDH_AES_KEY_WRAP, p11.CKM_EC_KEY_PAIR_GEN, "secp256r1", 0, 65},
		{p11.CKM_ECDH_AES_KEY_WRAP, p11.CKM_EC_KEY_PAIR_GEN, "secp224r1", 0, 57},
		{p11.CKM_ECDH_AES_KEY_WRAP, p11.CKM_EC_KEY_PAIR_GEN, "brainpoolP256r1", 0, 65},
		{p11.CKM_ECDH_AES_KEY_WRAP, p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "curve25519", 0, 32},
		{p11.CKM_ECDH_COF_AES_KEY_WRAP, p11.CKM_EC_KEY_PAIR_GEN, "secp256r1", 2, 65},
		{p11.CKM_ECDH_COF_AES_KEY_WRAP, p11.CKM_EC_KEY_PAIR_GEN, "secp521r1", 3, 133},
		{p11.CKM_ECDH_X_AES_KEY_WRAP, p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "curve448", 0, 56},
	} {
		m, pub, priv := lookup(t, c.m), (*pairKey)(nil), (*pairKey)(nil)
		pub, priv, _, _ = generated(t, c.gen, ecParams(curveOIDs[c.curve]))
		target := []byte("the key to wrap, of any length")
		for _, p := range []p11.ECDHAESWrapParams{
			{AESKeyBits: 256, KDF: p11.CKD_SHA256_KDF, Shared: []byte("shared")},
			{AESKeyBits: 192, KDF: p11.CKD_SHA3_512_KDF_SP800},
			{AESKeyBits: 128, KDF: p11.CKD_NULL},
		} {
			wrapped, err := m.Wrap(pub, p, target)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := m.WrapSize(pub, p, len(target)); err != nil || n != len(wrapped) || n != c.header+c.point+40 {
				t.Errorf("%v on %s: WrapSize is %d, %v; want %d", c.m, c.curve, n, err, len(wrapped))
			}
			point, rest := wrapped[:c.header+c.point], wrapped[c.header+c.point:]
			length := int(p.AESKeyBits / 8)
			if p.KDF == p11.CKD_NULL {
				length = 0
			}
			key, err := derive(lookup(t, p11.CKM_ECDH1_DERIVE), priv, p11.ECDH1Params{KDF: p.KDF, Shared: p.Shared, Public: point}, length)
			if err != nil {
				t.Fatal(err)
			}
			kwp := lookup(t, p11.CKM_AES_KEY_WRAP_KWP)
			got, err := kwp.Unwrap(testKey{p11.CKK_AES, key[:p.AESKeyBits/8]}, nil, rest)
			if err != nil || !bytes.Equal(got, target) {
				t.Errorf("%v on %s: the parts do not open it: %v", c.m, c.curve, err)
			}
			if got, err := m.Unwrap(priv, p, wrapped); err != nil || !bytes.Equal(got, target) {
				t.Errorf("%v on %s: %v", c.m, c.curve, err)
			}
			again, err := m.Wrap(pub, p, target)
			if err != nil || bytes.Equal(again[:len(point)], point) {
				t.Errorf("%v on %s: the transport key is the same again", c.m, c.curve)
			}
			flipped := bytes.Clone(wrapped)
			flipped[len(flipped)-1] ^= 1
			offCurve := bytes.Clone(wrapped)
			offCurve[c.header+c.point-1] ^= 1
			otherInfo := p
			otherInfo.AESKeyBits, otherInfo.KDF, otherInfo.Shared = 128, p11.CKD_SHA1_KDF, []byte("other")
			for name, bad := range map[string]struct {
				p       p11.ECDHAESWrapParams
				wrapped []byte
				want    p11.RV
			}{
				"nothing":          {p, nil, p11.CKR_WRAPPED_KEY_LEN_RANGE},
				"the point alone":  {p, point, p11.CKR_WRAPPED_KEY_LEN_RANGE},
				"cut":              {p, wrapped[:len(wrapped)-1], p11.CKR_WRAPPED_KEY_LEN_RANGE},
				"a bit flipped":    {p, flipped, p11.CKR_WRAPPED_KEY_INVALID},
				"another point":    {p, offCurve, p11.CKR_WRAPPED_KEY_INVALID},
				"another function": {otherInfo, wrapped, p11.CKR_WRAPPED_KEY_INVALID},
			} {
				if _, err := m.Unwrap(priv, bad.p, bad.wrapped); p11.Code(err) != bad.want {
					t.Errorf("%v on %s, %s: got %v; want %v", c.m, c.curve, name, err, bad.want)
				}
			}
		}
	}
}
