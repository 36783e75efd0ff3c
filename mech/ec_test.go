package mech_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
	"coffer/p11/attr"
)

// octetString returns the DER OCTET STRING of b.
func octetString(b []byte) []byte {
	var bb cryptobyte.Builder
	bb.AddASN1OctetString(b)
	return bb.BytesOrPanic()
}

// bitString returns the DER BIT STRING of b.
func bitString(b []byte) []byte {
	var bb cryptobyte.Builder
	bb.AddASN1BitString(b)
	return bb.BytesOrPanic()
}

// pointForms returns the public key of k, of which point is the CKA_EC_POINT,
// in every form that is accepted.
func pointForms(t *testing.T, k *pairKey, point []byte) map[string][]byte {
	t.Helper()
	raw, err := publicPoint(k)
	if err != nil {
		t.Fatal(err)
	}
	compressed := append([]byte{2 | raw[len(raw)-1]&1}, raw[1:1+len(raw)/2]...)
	if !bytes.Equal(point, octetString(raw)) {
		t.Errorf("CKA_EC_POINT is %x, not the OCTET STRING of %x", point, raw)
	}
	return map[string][]byte{
		"DER": point, "raw": raw, "compressed": compressed, "compressed DER": octetString(compressed), "BIT STRING": bitString(raw),
	}
}

// publicPoint returns the uncompressed point of a public key.
func publicPoint(k *pairKey) ([]byte, error) {
	return k.material.(interface{ Bytes() ([]byte, error) }).Bytes()
}

func TestECPointForms(t *testing.T) {
	for name, oid := range curveOIDs {
		if !strings.HasPrefix(name, "sec") && !strings.HasPrefix(name, "brain") {
			continue
		}
		k, _, values, _ := generated(t, p11.CKM_EC_KEY_PAIR_GEN, ecParams(oid))
		der := values.Bytes(p11.CKA_EC_POINT)
		for form, point := range pointForms(t, k, der) {
			given := ecParams(oid).With(attr.NewBytes(p11.CKA_EC_POINT, point))
			got, err := parseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_EC, given)
			if err != nil {
				t.Errorf("%s, %s: %v", name, form, err)
				continue
			}
			want, _ := publicPoint(k)
			if got, err := publicPoint(got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %s: got %x, %v; want %x", name, form, got, err, want)
			}
			more, err := keyRow(t, p11.CKK_EC).Complete(p11.CKO_PUBLIC_KEY, given, got.material)
			if err != nil || !bytes.Equal(given.With(more...).Bytes(p11.CKA_EC_POINT), der) {
				t.Errorf("%s, %s: the completed CKA_EC_POINT is not the DER of the point: %v", name, form, err)
			}
		}
	}
}

func TestECRefusals(t *testing.T) {
	p256 := curveOIDs["secp256r1"]
	k, _, _, privValues := generated(t, p11.CKM_EC_KEY_PAIR_GEN, ecParams(p256))
	raw, _ := k.material.(*ecdsa.PublicKey).Bytes()
	off := bytes.Clone(raw)
	off[64] ^= 1
	order := elliptic.P256().Params().N.Bytes()
	public := func(point []byte) attr.Values { return ecParams(p256).With(attr.NewBytes(p11.CKA_EC_POINT, point)) }
	private := func(d []byte) attr.Values { return ecParams(p256).With(attr.NewBytes(p11.CKA_VALUE, d)) }
	d := privValues.Bytes(p11.CKA_VALUE)
	for _, c := range []struct {
		name   string
		class  p11.ObjectClass
		values attr.Values
		want   p11.RV
	}{
		{"a point off the curve", p11.CKO_PUBLIC_KEY, public(off), p11.CKR_PUBLIC_KEY_INVALID},
		{"a point off the curve, DER", p11.CKO_PUBLIC_KEY, public(octetString(off)), p11.CKR_PUBLIC_KEY_INVALID},
		{"the point at infinity", p11.CKO_PUBLIC_KEY, public([]byte{0}), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"the hybrid form", p11.CKO_PUBLIC_KEY, public(append([]byte{6}, raw[1:]...)), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"bytes after the OCTET STRING", p11.CKO_PUBLIC_KEY, public(append(octetString(raw), 0)), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"no point", p11.CKO_PUBLIC_KEY, ecParams(p256), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"another curve", p11.CKO_PUBLIC_KEY, ecParams("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x01"), p11.CKR_CURVE_NOT_SUPPORTED},
		{"another curve by name", p11.CKO_PUBLIC_KEY, ecParams("\x13\x09secp192r1"), p11.CKR_CURVE_NOT_SUPPORTED},
		{"an Edwards curve", p11.CKO_PUBLIC_KEY, ecParams(curveOIDs["edwards25519"]), p11.CKR_CURVE_NOT_SUPPORTED},
		{"explicit parameters", p11.CKO_PUBLIC_KEY, ecParams("\x30\x03\x02\x01\x01"), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"implicitlyCA", p11.CKO_PUBLIC_KEY, ecParams("\x05\x00"), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"bytes after the curve", p11.CKO_PUBLIC_KEY, ecParams(p256 + "\x00"), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"no parameters", p11.CKO_PRIVATE_KEY, attr.Values{attr.NewBytes(p11.CKA_VALUE, d)}, p11.CKR_DOMAIN_PARAMS_INVALID},
		{"a private value of 0", p11.CKO_PRIVATE_KEY, private([]byte{0}), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a private value of n", p11.CKO_PRIVATE_KEY, private(order), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a long private value", p11.CKO_PRIVATE_KEY, private(append([]byte{1}, d...)), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a private value with zeros before it", p11.CKO_PRIVATE_KEY, private(append([]byte{0, 0}, d...)), p11.CKR_OK},
		{"a short private value", p11.CKO_PRIVATE_KEY, private([]byte{7}), p11.CKR_OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseKey(t, c.class, p11.CKK_EC, c.values)
			wantCode(t, err, c.want)
		})
	}
	for _, g := range []struct {
		mechanism p11.MechanismType
		curve     string
		want      p11.RV
	}{
		{p11.CKM_EC_KEY_PAIR_GEN, curveOIDs["edwards25519"], p11.CKR_CURVE_NOT_SUPPORTED},
		{p11.CKM_EC_KEY_PAIR_GEN, "\x05\x00", p11.CKR_DOMAIN_PARAMS_INVALID},
		{p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, p256, p11.CKR_CURVE_NOT_SUPPORTED},
		{p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, curveOIDs["edwards25519"], p11.CKR_CURVE_NOT_SUPPORTED},
	} {
		_, _, err := lookup(t, g.mechanism).GeneratePair(nil, ecParams(g.curve), nil)
		wantCode(t, err, g.want)
	}
}

func TestCurveNames(t *testing.T) {
	for _, c := range []struct {
		mechanism p11.MechanismType
		params    string
		bits      int
	}{
		{p11.CKM_EC_KEY_PAIR_GEN, "\x13\x0aprime256v1", 256},
		{p11.CKM_EC_KEY_PAIR_GEN, "\x13\x09secp384r1", 384},
		{p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, "\x13\x0cedwards25519", 255}, // the sample of the standard; pkcs11-tool of OpenSC 0.23
		{p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, "\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01", 255},
		{p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, "\x13\x0aedwards448", 448},
		{p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "\x13\x0acurve25519", 255},
		{p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "\x13\x0bcurve25519", 255}, // pkcs11-tool of OpenSC 0.23, whose length is wrong
		{p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "\x06\x0a\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01", 255},
	} {
		pub, priv, pubValues, privValues := generated(t, c.mechanism, ecParams(c.params))
		if pub.bits != c.bits || priv.bits != c.bits {
			t.Errorf("%q: %d and %d bits; want %d", c.params, pub.bits, priv.bits, c.bits)
		}
		if a, b := pubValues.Bytes(p11.CKA_EC_PARAMS), privValues.Bytes(p11.CKA_EC_PARAMS); string(a) != c.params || string(b) != c.params {
			t.Errorf("CKA_EC_PARAMS %q became %q and %q", c.params, a, b)
		}
	}
}

// TestShortECDSASignature: SunPKCS11 of Java 17 takes equally many zeros off r
// and s, which the standard allows (section 6.3.1) and SoftHSM refuses.
func TestShortECDSASignature(t *testing.T) {
	pub, priv, _, _ := generated(t, p11.CKM_EC_KEY_PAIR_GEN, ecParams(curveOIDs["secp521r1"]))
	m := lookup(t, p11.CKM_ECDSA)
	digest := sha256.Sum256([]byte("message"))
	shortened := false
	for range 200 {
		sig := sign(t, m, priv, nil, digest[:])
		r, s := sig[:66], sig[66:]
		n := 0
		for r[n] == 0 && s[n] == 0 {
			n++
		}
		if err := verify(m, pub, nil, digest[:], slices.Concat(r[n:], s[n:])); err != nil {
			t.Fatalf("without %d leading zeros: %v", n, err)
		}
		if shortened = n > 0; shortened {
			break
		}
	}
	if !shortened {
		t.Error("no signature had leading zeros")
	}
	sig := sign(t, m, priv, nil, digest[:])
	for _, bad := range [][]byte{nil, sig[:1], sig[1:], append(sig, 0, 0)} {
		wantCode(t, verify(m, pub, nil, digest[:], bad), p11.CKR_SIGNATURE_LEN_RANGE)
	}
	wantCode(t, verify(m, pub, nil, digest[:], sig[:64]), p11.CKR_SIGNATURE_INVALID)
	wantCode(t, verify(m, pub, nil, digest[:], []byte{0, 0}), p11.CKR_SIGNATURE_INVALID)
}

// TestECDSADigestLengths: the digest is taken whole, its leading bits are used.
func TestECDSADigestLengths(t *testing.T) {
	pub, priv, _, _ := generated(t, p11.CKM_EC_KEY_PAIR_GEN, ecParams(curveOIDs["secp256r1"]))
	m := lookup(t, p11.CKM_ECDSA)
	for _, n := range []int{1, 20, 32, 64, 128} {
		digest := bytes.Repeat([]byte{0x5a}, n)
		sig := sign(t, m, priv, nil, digest)
		if err := verify(m, pub, nil, digest, sig); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if n >= 32 {
			if err := verify(m, pub, nil, digest[:32], sig); err != nil {
				t.Errorf("%d bytes are not cut to 32: %v", n, err)
			}
		}
	}
}

// TestECPKCS8IsTolerant reads what other implementations write.
func TestECPKCS8IsTolerant(t *testing.T) {
	_, priv, _, values := generated(t, p11.CKM_EC_KEY_PAIR_GEN, ecParams(curveOIDs["secp256r1"]))
	kt := keyRow(t, p11.CKK_EC)
	der, err := kt.MarshalPKCS8(priv.material)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x509.ParsePKCS8PrivateKey(der); err != nil {
		t.Errorf("crypto/x509 refuses it: %v", err)
	}
	d := values.Bytes(p11.CKA_VALUE)
	oid := []byte("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01")
	curve := []byte(curveOIDs["secp256r1"])
	type add = func(*cryptobyte.Builder)
	build := func(algorithm []byte, inner, after add) []byte {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(0)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(algorithm) })
			b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1(asn1.SEQUENCE, inner) })
			after(b)
		})
		return b.BytesOrPanic()
	}
	nothing := func(*cryptobyte.Builder) {}
	bare := func(b *cryptobyte.Builder) { b.AddASN1Int64(1); b.AddASN1OctetString(d) }
	for name, der := range map[string][]byte{
		"as marshalled":           der,
		"without the public key":  build(slices.Concat(oid, curve), bare, nothing),
		"with attributes":         build(slices.Concat(oid, curve), bare, func(b *cryptobyte.Builder) { b.AddBytes([]byte{0xa0, 2, 0x30, 0}) }),
		"with zeros after it":     append(bytes.Clone(der), 0, 0, 0),
		"with parameters inside":  build(slices.Concat(oid, curve), func(b *cryptobyte.Builder) { bare(b); innerCurve(b, curve) }, nothing),
		"with parameters only so": build(oid, func(b *cryptobyte.Builder) { bare(b); innerCurve(b, curve) }, nothing),
		"with a long private value": build(slices.Concat(oid, curve), func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1OctetString(append([]byte{0}, d...))
		}, nothing),
	} {
		got, err := kt.UnmarshalPKCS8(der)
		if err != nil || !bytes.Equal(got.Bytes(p11.CKA_VALUE), d) || !bytes.Equal(got.Bytes(p11.CKA_EC_PARAMS), curve) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, ed, _, _ := generated(t, p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, ecParams(curveOIDs["edwards25519"]))
	other, err := keyRow(t, p11.CKK_EC_EDWARDS).MarshalPKCS8(ed.material)
	if err != nil {
		t.Fatal(err)
	}
	_, err = kt.UnmarshalPKCS8(other)
	wantCode(t, err, p11.CKR_WRAPPED_KEY_INVALID)
}

func innerCurve(b *cryptobyte.Builder, curve []byte) {
	b.AddASN1(asn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(curve) })
}
