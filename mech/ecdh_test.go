package mech_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

func derive(m *mech.Mechanism, k mech.Key, p p11.Params, length int) ([]byte, error) {
	d, err := m.Derive(mech.Derivation{Base: k, Params: p, Length: length})
	return d.Values.Bytes(p11.CKA_VALUE), err
}

func TestECDHLengthsAndFunctions(t *testing.T) {
	m := lookup(t, p11.CKM_ECDH1_DERIVE)
	_, a, _, _ := generated(t, p11.CKM_EC_KEY_PAIR_GEN, ecParams(curveOIDs["secp384r1"]))
	_, _, bValues, _ := generated(t, p11.CKM_EC_KEY_PAIR_GEN, ecParams(curveOIDs["secp384r1"]))
	point := bValues.Bytes(p11.CKA_EC_POINT)
	with := func(kdf p11.KDF, shared string) p11.ECDH1Params {
		return p11.ECDH1Params{KDF: kdf, Shared: []byte(shared), Public: point}
	}
	z, err := derive(m, a, with(p11.CKD_NULL, ""), 0)
	if err != nil || len(z) != 48 {
		t.Fatalf("%d bytes, %v; want the 48 of the field", len(z), err)
	}
	for _, c := range []struct {
		name   string
		p      p11.ECDH1Params
		length int
		want   []byte
		code   p11.RV
	}{
		{"CKD_NULL is cut at the leading end", with(p11.CKD_NULL, ""), 16, z[32:], p11.CKR_OK},
		{"CKD_NULL gives no more than there is", with(p11.CKD_NULL, ""), 49, nil, p11.CKR_KEY_SIZE_RANGE},
		{"CKD_NULL takes no shared data", with(p11.CKD_NULL, "x"), 16, nil, p11.CKR_MECHANISM_PARAM_INVALID},
		{"a KDF needs a length", with(p11.CKD_SHA256_KDF, ""), 0, nil, p11.CKR_TEMPLATE_INCOMPLETE},
		{"no endless key", with(p11.CKD_SHA256_KDF, ""), 1 << 40, nil, p11.CKR_KEY_SIZE_RANGE},
		{"ANSI X9.63", with(p11.CKD_SHA256_KDF, "info"), 40, append(sum256(z, 0, 0, 0, 1, "info"), sum256(z, 0, 0, 0, 2, "info")[:8]...), p11.CKR_OK},
		{"SP 800-56A", with(p11.CKD_SHA512_KDF_SP800, "info"), 32, sum512(0, 0, 0, 1, z, "info")[:32], p11.CKR_OK},
		{"no such KDF", with(p11.CKD_CPDIVERSIFY_KDF, ""), 16, nil, p11.CKR_MECHANISM_PARAM_INVALID},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := derive(m, a, c.p, c.length)
			wantCode(t, err, c.code)
			if !bytes.Equal(got, c.want) {
				t.Errorf("got %x; want %x", got, c.want)
			}
		})
	}
}

func concatenated(parts ...any) (all []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			all = append(all, byte(p))
		case string:
			all = append(all, p...)
		case []byte:
			all = append(all, p...)
		}
	}
	return all
}

func sum256(parts ...any) []byte { s := sha256.Sum256(concatenated(parts...)); return s[:] }
func sum512(parts ...any) []byte { s := sha512.Sum512(concatenated(parts...)); return s[:] }

// TestPeerPointForms: a token must take the raw point and may take the DER of
// it (PKCS #11 v3.2, section 6.3.17).
func TestPeerPointForms(t *testing.T) {
	m := lookup(t, p11.CKM_ECDH1_DERIVE)
	for _, curve := range []string{"secp224r1", "secp256r1", "secp384r1", "secp521r1"} {
		_, a, _, _ := generated(t, p11.CKM_EC_KEY_PAIR_GEN, ecParams(curveOIDs[curve]))
		b, _, bValues, _ := generated(t, p11.CKM_EC_KEY_PAIR_GEN, ecParams(curveOIDs[curve]))
		var want []byte
		for form, point := range pointForms(t, b, bValues.Bytes(p11.CKA_EC_POINT)) {
			got, err := derive(m, a, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: point}, 0)
			if err != nil {
				t.Errorf("%s, %s: %v", curve, form, err)
			}
			if want == nil {
				want = got
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %s: got %x; want %x", curve, form, got, want)
			}
		}
	}
}

func TestECDHRefusesEdwardsKeys(t *testing.T) {
	_, priv, values, _ := generated(t, p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, ecParams(curveOIDs["edwards25519"]))
	_, err := derive(lookup(t, p11.CKM_ECDH1_DERIVE), priv, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: values.Bytes(p11.CKA_EC_POINT)}, 0)
	if err == nil {
		t.Error("an Edwards key made a shared secret")
	}
}

// TestX25519RFC7748 is the exchange of RFC 7748, section 6.1.
func TestX25519RFC7748(t *testing.T) {
	alice := mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_EC_MONTGOMERY, ecParams(curveOIDs["curve25519"]).With(
		attr.NewBytes(p11.CKA_VALUE, unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")),
	))
	bob := unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
	want := unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
	got, err := derive(lookup(t, p11.CKM_ECDH1_DERIVE), alice, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: bob}, 0)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v; want %x", got, err, want)
	}
}
