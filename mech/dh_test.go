package mech_test

import (
	"bytes"
	"crypto/sha1"
	"math/big"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// domainOf generates domain parameters.
func domainOf(t testing.TB, gen p11.MechanismType, p, q int) attr.Values {
	t.Helper()
	values, err := lookup(t, gen).Generate(nil, attr.Values{attr.NewULong(p11.CKA_PRIME_BITS, p), attr.NewULong(p11.CKA_SUBPRIME_BITS, q)})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func bigAttr(values attr.Values, t p11.AttributeType) *big.Int {
	return new(big.Int).SetBytes(values.Bytes(t))
}

// TestDHAgainstBigInt derives with pairs in groups of each origin and compares
// with math/big.
func TestDHAgainstBigInt(t *testing.T) {
	t.Parallel()
	m := lookup(t, p11.CKM_DH_PKCS_DERIVE)
	unknown := domainOf(t, p11.CKM_X9_42_DH_PARAMETER_GEN, 1024, 160).Without(p11.CKA_SUBPRIME)
	nonResidue := domainOf(t, p11.CKM_DH_PKCS_PARAMETER_GEN, 2048, 0).With(attr.NewBytes(p11.CKA_BASE, []byte{11}))
	if big.Jacobi(big.NewInt(11), bigAttr(nonResidue, p11.CKA_PRIME)) != -1 {
		t.Fatal("11 is a residue: take another base")
	}
	for name, domain := range map[string]attr.Values{
		"1024": domainOf(t, p11.CKM_DH_PKCS_PARAMETER_GEN, 1024, 0), "1536": domainOf(t, p11.CKM_DH_PKCS_PARAMETER_GEN, 1536, 0),
		"2048": domainOf(t, p11.CKM_DH_PKCS_PARAMETER_GEN, 2048, 0), "8192": domainOf(t, p11.CKM_DH_PKCS_PARAMETER_GEN, 8192, 0),
		"an unpublished prime": unknown, "a base that generates all": nonResidue,
	} {
		p, g := bigAttr(domain, p11.CKA_PRIME), bigAttr(domain, p11.CKA_BASE)
		_, a, _, aValues := generated(t, p11.CKM_DH_PKCS_KEY_PAIR_GEN, domain)
		_, b, bPublic, bValues := generated(t, p11.CKM_DH_PKCS_KEY_PAIR_GEN, domain)
		y := bigAttr(bPublic, p11.CKA_VALUE)
		if want := new(big.Int).Exp(g, bigAttr(bValues, p11.CKA_VALUE), p); y.Cmp(want) != 0 {
			t.Errorf("%s: the public value is %x; want %x", name, y, want)
		}
		z := new(big.Int).Exp(y, bigAttr(aValues, p11.CKA_VALUE), p).FillBytes(make([]byte, p.BitLen()/8))
		for _, n := range []int{0, 16, 48, len(z)} {
			want := z
			if n > 0 {
				want = z[len(z)-n:] // cut at the leading end
			}
			if got, err := derive(m, a, p11.PublicValue(y.Bytes()), n); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %d bytes: got %x, %v; want %x", name, n, got, err, want)
			}
		}
		for what, bad := range map[string]p11.Params{
			"0": p11.PublicValue{0}, "1": p11.PublicValue{1}, "p-1": p11.PublicValue(new(big.Int).Sub(p, big.NewInt(1)).Bytes()),
			"p": p11.PublicValue(p.Bytes()), "p+2": p11.PublicValue(new(big.Int).Add(p, big.NewInt(2)).Bytes()),
			"nothing": p11.PublicValue{}, "no parameter": nil,
		} {
			if _, err := derive(m, a, bad, 0); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
				t.Errorf("%s, the public value %s: %v", name, what, err)
			}
		}
		if _, err := derive(m, a, p11.PublicValue(y.Bytes()), len(z)+1); p11.Code(err) != p11.CKR_KEY_SIZE_RANGE {
			t.Errorf("%s, more than there is: %v", name, err)
		}
		if len(z) <= 256 {
			checkEncapsulates(t, m, b, nil, len(z))
		}
	}
}

// checkEncapsulates: what the public half of k makes, k opens.
func checkEncapsulates(t *testing.T, m *mech.Mechanism, k *pairKey, p p11.Params, full int) {
	t.Helper()
	info, err := keyRow(t, k.typ).PublicKeyInfo(k.material)
	if err != nil {
		t.Fatal(err)
	}
	pub := publicOf(t, k, info)
	for _, n := range []int{16, full, 0} {
		if n == 0 && m.Type != p11.CKM_DH_PKCS_DERIVE {
			continue
		}
		ct, secret, err := m.Encapsulate(pub, p, n)
		if err != nil {
			t.Fatal(err)
		}
		if size, err := m.EncapsulateSize(pub, p, n); err != nil || size != len(ct) {
			t.Errorf("EncapsulateSize is %d, %v; the ciphertext has %d bytes", size, err, len(ct))
		}
		got, err := m.Decapsulate(k, p, ct, n)
		if err != nil || !bytes.Equal(got, secret) || n != 0 && len(secret) != n || n == 0 && len(secret) != full {
			t.Errorf("%d bytes: decapsulated %x, %v; encapsulated %x", n, got, err, secret)
		}
		_, err = m.Decapsulate(k, p, ct[1:], n)
		wantCode(t, err, p11.CKR_ENCRYPTED_DATA_LEN_RANGE)
		_, err = m.Decapsulate(k, p, make([]byte, len(ct)), n)
		wantCode(t, err, p11.CKR_ENCRYPTED_DATA_INVALID)
		again, _, err := m.Encapsulate(pub, p, n)
		if err != nil || bytes.Equal(again, ct) {
			t.Errorf("the same ciphertext again: %v", err)
		}
	}
}

// publicOf returns the public half of a key, by its SubjectPublicKeyInfo.
func publicOf(t *testing.T, k *pairKey, info []byte) *pairKey {
	t.Helper()
	values, ok := ffValuesOf(info, k.typ)
	if !ok {
		t.Fatalf("no SubjectPublicKeyInfo: %x", info)
	}
	return mustParseKey(t, p11.CKO_PUBLIC_KEY, k.typ, values)
}

// TestPublishedPrimes: both p and (p-1)/2 are prime; the digits of π and e are
// those that the RFCs print at the beginning.
func TestPublishedPrimes(t *testing.T) {
	t.Parallel()
	for bits, digits := range map[int]string{
		1024: "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74", 1536: "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74",
		2048: "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695", 3072: "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695",
		4096: "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695", 8192: "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695",
	} {
		domain := domainOf(t, p11.CKM_DH_PKCS_PARAMETER_GEN, bits, 0)
		p := bigAttr(domain, p11.CKA_PRIME)
		if p.BitLen() != bits || !bytes.HasPrefix(p.Bytes(), unhex(digits)) || !bytes.Equal(domain.Bytes(p11.CKA_BASE), []byte{2}) {
			t.Errorf("%d bits: the prime is %x", bits, p)
		}
		if bits <= 3072 && (!p.ProbablyPrime(1) || !new(big.Int).Rsh(p, 1).ProbablyPrime(1)) {
			t.Errorf("%d bits: no safe prime", bits)
		}
	}
}

// TestX942AgainstRFC2631: the keys of section 2.1.6 are made of a shared
// secret of 20 bytes, here of a whole one by the same hash; the agreement is
// compared with math/big.
func TestX942AgainstRFC2631(t *testing.T) {
	t.Parallel()
	m := lookup(t, p11.CKM_X9_42_DH_DERIVE)
	domain := domainOf(t, p11.CKM_X9_42_DH_PARAMETER_GEN, 1024, 160)
	p := bigAttr(domain, p11.CKA_PRIME)
	_, a, aPublic, aValues := generated(t, p11.CKM_X9_42_DH_KEY_PAIR_GEN, domain)
	_, b, bPublic, _ := generated(t, p11.CKM_X9_42_DH_KEY_PAIR_GEN, domain)
	y := bPublic.Bytes(p11.CKA_VALUE)
	z := new(big.Int).Exp(new(big.Int).SetBytes(y), bigAttr(aValues, p11.CKA_VALUE), p).FillBytes(make([]byte, 128))
	info := unhex("301d3013060b2a864886f70d0109100306040400000001a2060404000000c0")
	second := bytes.Replace(info, []byte{0, 0, 0, 1}, []byte{0, 0, 0, 2}, 1)
	for _, c := range []struct {
		name string
		p    p11.X942DH1Params
		n    int
		want []byte
	}{
		{"the secret itself", p11.X942DH1Params{KDF: p11.CKD_NULL}, 0, z},
		{"its end", p11.X942DH1Params{KDF: p11.CKD_NULL}, 24, z[104:]},
		{"ASN.1", p11.X942DH1Params{KDF: p11.CKD_SHA1_KDF_ASN1, OtherInfo: info}, 24, slices.Concat(sum1(z, info), sum1(z, second))[:24]},
		{"concatenation", p11.X942DH1Params{KDF: p11.CKD_SHA1_KDF_CONCATENATE, OtherInfo: []byte("info")}, 30,
			slices.Concat(sum1(z, []byte{0, 0, 0, 1}, []byte("info")), sum1(z, []byte{0, 0, 0, 2}, []byte("info")))[:30]},
	} {
		c.p.Public = y
		if got, err := derive(m, a, c.p, c.n); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: got %x, %v; want %x", c.name, got, err, c.want)
		}
	}
	// The text's own numbers, by the same two lines of SHA-1 that were compared above.
	zz := unhex("000102030405060708090a0b0c0d0e0f10111213")
	if got := slices.Concat(sum1(zz, info), sum1(zz, second))[:24]; !bytes.Equal(got, unhex("a09661392376f7044d9052a397883246b67f5f1ef63eb5fb")) {
		t.Errorf("RFC 2631 has another key: %x", got)
	}
	outside := bPublic.With(attr.NewBytes(p11.CKA_VALUE, []byte{2}))
	_, err := parseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_X9_42_DH, outside)
	wantCode(t, err, p11.CKR_PUBLIC_KEY_INVALID)
	for name, bad := range map[string]p11.X942DH1Params{
		"a value outside of the group": {KDF: p11.CKD_NULL, Public: []byte{2}},
		"no value":                     {KDF: p11.CKD_NULL},
		"info with CKD_NULL":           {KDF: p11.CKD_NULL, OtherInfo: info, Public: y},
		"another counter":              {KDF: p11.CKD_SHA1_KDF_ASN1, OtherInfo: second, Public: y},
		"no DER":                       {KDF: p11.CKD_SHA1_KDF_ASN1, OtherInfo: info[1:], Public: y},
		"another function":             {KDF: p11.CKD_SHA256_KDF, Public: y},
	} {
		if _, err := derive(m, a, bad, 20); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
			t.Errorf("%s: %v", name, err)
		}
	}
	checkEncapsulates(t, m, b, p11.X942DH1Params{KDF: p11.CKD_SHA1_KDF_CONCATENATE}, 40)
	_, err = m.Decapsulate(b, p11.X942DH1Params{KDF: p11.CKD_NULL, Public: aPublic.Bytes(p11.CKA_VALUE)}, make([]byte, 128), 16)
	wantCode(t, err, p11.CKR_MECHANISM_PARAM_INVALID)
}

func TestFiniteFieldRefusals(t *testing.T) {
	t.Parallel()
	dh := domainOf(t, p11.CKM_DH_PKCS_PARAMETER_GEN, 2048, 0)
	dsa := domainOf(t, p11.CKM_DSA_PARAMETER_GEN, 1024, 160)
	p, q := bigAttr(dh, p11.CKA_PRIME), bigAttr(dsa, p11.CKA_SUBPRIME)
	number := func(t p11.AttributeType, n *big.Int) attr.Value { return attr.NewBytes(t, n.Bytes()) }
	plus := func(n *big.Int, d int64) *big.Int { return new(big.Int).Add(n, big.NewInt(d)) }
	x := attr.NewBytes(p11.CKA_VALUE, []byte{7, 7, 7})
	for _, c := range []struct {
		name   string
		typ    p11.KeyType
		class  p11.ObjectClass
		values attr.Values
		want   p11.RV
	}{
		{"a private key", p11.CKK_DH, p11.CKO_PRIVATE_KEY, dh.With(x), p11.CKR_OK},
		{"a composite", p11.CKK_DH, p11.CKO_PRIVATE_KEY, dh.With(x, number(p11.CKA_PRIME, plus(p, 2))), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"an even prime", p11.CKK_DH, p11.CKO_PRIVATE_KEY, dh.With(x, number(p11.CKA_PRIME, plus(p, 1))), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"a short prime", p11.CKK_DH, p11.CKO_PRIVATE_KEY, dh.With(x, number(p11.CKA_PRIME, big.NewInt(65537))), p11.CKR_KEY_SIZE_RANGE},
		{"a long prime", p11.CKK_DH, p11.CKO_PRIVATE_KEY, dh.With(x, number(p11.CKA_PRIME, new(big.Int).Lsh(p, 7000))), p11.CKR_KEY_SIZE_RANGE},
		{"no base", p11.CKK_DH, p11.CKO_PRIVATE_KEY, dh.Without(p11.CKA_BASE).With(x), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"the base 1", p11.CKK_DH, p11.CKO_PRIVATE_KEY, dh.With(x, number(p11.CKA_BASE, big.NewInt(1))), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"the base p-1", p11.CKK_DH, p11.CKO_PRIVATE_KEY, dh.With(x, number(p11.CKA_BASE, plus(p, -1))), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"the private value 0", p11.CKK_DH, p11.CKO_PRIVATE_KEY, dh.With(attr.NewBytes(p11.CKA_VALUE, []byte{0})), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"the private value p", p11.CKK_DH, p11.CKO_PRIVATE_KEY, dh.With(number(p11.CKA_VALUE, p)), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"the public value 1", p11.CKK_DH, p11.CKO_PUBLIC_KEY, dh.With(number(p11.CKA_VALUE, big.NewInt(1))), p11.CKR_PUBLIC_KEY_INVALID},
		{"the public value p-1", p11.CKK_DH, p11.CKO_PUBLIC_KEY, dh.With(number(p11.CKA_VALUE, plus(p, -1))), p11.CKR_PUBLIC_KEY_INVALID},
		{"a public value that is no residue", p11.CKK_DH, p11.CKO_PUBLIC_KEY, dh.With(number(p11.CKA_VALUE, plus(p, -2))), p11.CKR_PUBLIC_KEY_INVALID},
		{"a public value of the group", p11.CKK_DH, p11.CKO_PUBLIC_KEY, dh.With(number(p11.CKA_VALUE, big.NewInt(4))), p11.CKR_OK},

		{"a private key", p11.CKK_DSA, p11.CKO_PRIVATE_KEY, dsa.With(x), p11.CKR_OK},
		{"the private value q", p11.CKK_DSA, p11.CKO_PRIVATE_KEY, dsa.With(number(p11.CKA_VALUE, q)), p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"no order", p11.CKK_DSA, p11.CKO_PRIVATE_KEY, dsa.Without(p11.CKA_SUBPRIME).With(x), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"another order", p11.CKK_DSA, p11.CKO_PRIVATE_KEY, dsa.With(x, number(p11.CKA_SUBPRIME, plus(q, 2))), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"an odd length of the order", p11.CKK_DSA, p11.CKO_PRIVATE_KEY, dsa.With(x, number(p11.CKA_SUBPRIME, new(big.Int).Rsh(q, 3))), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"a base of another order", p11.CKK_DSA, p11.CKO_PRIVATE_KEY, dsa.With(x, number(p11.CKA_BASE, big.NewInt(2))), p11.CKR_DOMAIN_PARAMS_INVALID},
		{"a public value outside of the group", p11.CKK_DSA, p11.CKO_PUBLIC_KEY, dsa.With(number(p11.CKA_VALUE, big.NewInt(2))), p11.CKR_PUBLIC_KEY_INVALID},
	} {
		_, err := parseKey(t, c.class, c.typ, c.values)
		if p11.Code(err) != c.want {
			t.Errorf("%v, %s: got %v; want %v", c.typ, c.name, err, c.want)
		}
	}
	gen := lookup(t, p11.CKM_DH_PKCS_KEY_PAIR_GEN)
	for bits, want := range map[uint64]p11.RV{0: p11.CKR_ATTRIBUTE_VALUE_INVALID, 159: p11.CKR_ATTRIBUTE_VALUE_INVALID, 2048: p11.CKR_ATTRIBUTE_VALUE_INVALID, 160: p11.CKR_OK, 161: p11.CKR_OK, 2047: p11.CKR_OK} {
		_, priv, err := gen.GeneratePair(nil, dh, attr.Values{attr.NewULong(p11.CKA_VALUE_BITS, bits)})
		if p11.Code(err) != want {
			t.Errorf("CKA_VALUE_BITS %d: %v; want %v", bits, err, want)
		}
		if n := bigAttr(priv, p11.CKA_VALUE).BitLen(); n > int(bits) {
			t.Errorf("CKA_VALUE_BITS %d: a private value of %d bits", bits, n)
		}
	}
}

var dsaByHash = map[string]p11.MechanismType{"SHA-224": p11.CKM_DSA_SHA224, "SHA-256": p11.CKM_DSA_SHA256}

func sum1(parts ...[]byte) []byte { s := sha1.Sum(slices.Concat(parts...)); return s[:] }

// ffValuesOf reads a SubjectPublicKeyInfo as the type orders its domain.
func ffValuesOf(info []byte, typ p11.KeyType) (attr.Values, bool) {
	order := map[p11.KeyType][]p11.AttributeType{
		p11.CKK_DH:       {p11.CKA_PRIME, p11.CKA_BASE},
		p11.CKK_X9_42_DH: {p11.CKA_PRIME, p11.CKA_BASE, p11.CKA_SUBPRIME},
		p11.CKK_DSA:      {p11.CKA_PRIME, p11.CKA_SUBPRIME, p11.CKA_BASE},
	}[typ]
	s := cryptobyte.String(info)
	var seq, alg, domain cryptobyte.String
	var key []byte
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&alg, asn1.SEQUENCE) || !alg.SkipASN1(asn1.OBJECT_IDENTIFIER) ||
		!alg.ReadASN1(&domain, asn1.SEQUENCE) || !seq.ReadASN1BitStringAsBytes(&key) || !seq.Empty() || len(order) == 0 {
		return nil, false
	}
	var values attr.Values
	for _, a := range order {
		var n []byte
		if !domain.ReadASN1Integer(&n) {
			return nil, false
		}
		values = append(values, attr.NewBytes(a, n))
	}
	inner := cryptobyte.String(key)
	var y []byte
	if !inner.ReadASN1Integer(&y) || !domain.Empty() {
		return nil, false
	}
	return append(values, attr.NewBytes(p11.CKA_VALUE, y)), true
}

func TestDSAVectors(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"dsa_2048_224_sha224_p1363", "dsa_3072_256_sha256_p1363"} {
		keys := map[string]*pairKey{} // parsing tests for primes
		eachPairVector(t, file, func(t *testing.T, g *pairGroup, v *pairVector) {
			k := keys[string(g.PublicKey.Y)]
			if k == nil {
				k = mustParseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_DSA, attr.Values{
					attr.NewBytes(p11.CKA_PRIME, g.PublicKey.P), attr.NewBytes(p11.CKA_SUBPRIME, g.PublicKey.Q),
					attr.NewBytes(p11.CKA_BASE, g.PublicKey.G), attr.NewBytes(p11.CKA_VALUE, g.PublicKey.Y),
				})
				keys[string(g.PublicKey.Y)] = k
			}
			checkVerdict(t, v, verify(lookup(t, dsaByHash[g.Sha]), k, nil, v.Msg, v.Sig))
		})
	}
}

// TestDSASigns: what is signed here, crypto/dsa verifies; and the nonce is
// another each time.
func TestDSASigns(t *testing.T) {
	t.Parallel()
	m := lookup(t, p11.CKM_DSA)
	pub, priv, _, _ := generated(t, p11.CKM_DSA_KEY_PAIR_GEN, domainOf(t, p11.CKM_DSA_PARAMETER_GEN, 1024, 160))
	for _, n := range []int{1, 20, 32, 64} {
		digest := bytes.Repeat([]byte{0xf5}, n)
		sig := sign(t, m, priv, nil, digest)
		if err := verify(m, pub, nil, digest, sig); err != nil || len(sig) != 40 {
			t.Errorf("a digest of %d bytes: %v", n, err)
		}
		if again := sign(t, m, priv, nil, digest); bytes.Equal(again[:20], sig[:20]) {
			t.Error("the same nonce again")
		}
		sig[39] ^= 1
		wantCode(t, verify(m, pub, nil, digest, sig), p11.CKR_SIGNATURE_INVALID)
		wantCode(t, verify(m, pub, nil, digest, sig[:39]), p11.CKR_SIGNATURE_LEN_RANGE)
	}
}
