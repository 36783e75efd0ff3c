package mech_test

import (
	"bytes"
	"strings"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// deriveFrom derives n bytes of a key of the type given.
func deriveFrom(m *mech.Mechanism, base mech.Key, p p11.Params, n int, others ...mech.Key) (mech.Derived, error) {
	return m.Derive(mech.Derivation{Base: base, Params: p, Length: n, Others: others, Want: attr.Values{
		attr.NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY), attr.NewULong(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET),
	}})
}

// checkDerives checks a known value, and that a shorter key is its beginning
// where prefix says so.
func checkDerives(t *testing.T, m *mech.Mechanism, base mech.Key, p p11.Params, n int, want []byte, others ...mech.Key) mech.Derived {
	t.Helper()
	got, err := deriveFrom(m, base, p, n, others...)
	if err != nil || !bytes.Equal(got.Values.Bytes(p11.CKA_VALUE), want) {
		t.Fatalf("%d bytes: got %x, %v; want %x", n, got.Values.Bytes(p11.CKA_VALUE), err, want)
	}
	return got
}

func secret(value []byte) mech.Key { return testKey{p11.CKK_GENERIC_SECRET, value} }

// testHashDerivation takes the digests of "abc" that the digests are tested
// with.
func testHashDerivation(t *testing.T, m *mech.Mechanism) {
	name := strings.NewReplacer("_KEY_DERIVATION", "", "_KEY_DERIVE", "", "SHA1", "SHA_1").Replace(m.Type.String())
	want := unhex(digestsOfABC[digestNamed(t, name)])
	checkDerives(t, m, secret([]byte("abc")), nil, 0, want)
	checkDerives(t, m, secret([]byte("abc")), nil, 16, want[:16])
	if _, err := deriveFrom(m, secret([]byte("abc")), nil, len(want)+1); p11.Code(err) != p11.CKR_KEY_SIZE_RANGE {
		t.Errorf("a key longer than the digest: %v", err)
	}
}

func testSHA512TDerivation(t *testing.T, m *mech.Mechanism) {
	for bits, same := range sha512TOfABC {
		checkDerives(t, m, secret([]byte("abc")), p11.ULongParam(bits), 0, unhex(digestsOfABC[same]))
	}
}

// testSHAKEDerivation: the output for "abc" is that of Python's hashlib.
func testSHAKEDerivation(t *testing.T, m *mech.Mechanism) {
	standard, want := 32, unhex("5881092dd818bf5cf8a3ddb793fbcba74097d5c526a6d35f97b83351940f2cc844c50af32acd3f2c")
	if m.Type == p11.CKM_SHAKE_256_KEY_DERIVATION {
		standard, want = 64, unhex("483366601360a8771c6863080cc4114d8db44530f8f1e1ee4f94ea37e78b5739d5a15bef186a5386c75744c0527e1faa9f8726e462a12a4feb06bd8801e751e41385141204f3")
	}
	checkDerives(t, m, secret([]byte("abc")), nil, 0, want[:standard])
	checkDerives(t, m, secret([]byte("abc")), nil, 5, want[:5])
	checkDerives(t, m, secret([]byte("abc")), nil, len(want), want)
}

// The examples of the simple derivations are the text's own (PKCS #11 v3.2,
// section 6.43).
func testConcatenateKeys(t *testing.T, m *mech.Mechanism) {
	base, other := secret(unhex("01234567")), secret(unhex("89abcdef"))
	got := checkDerives(t, m, base, p11.KeyHandle(1), 0, unhex("0123456789abcdef"), other)
	checkShows(t, got, mech.ShowsWith)
	checkShows(t, checkDerives(t, m, base, p11.KeyHandle(1), 5, unhex("0123456789"), other), mech.ShowsPartWith)
	checkShows(t, checkDerives(t, m, base, p11.KeyHandle(1), 3, unhex("012345"), other), mech.ShowsPart)
	if _, err := deriveFrom(m, base, p11.KeyHandle(1), 9, other); p11.Code(err) != p11.CKR_KEY_SIZE_RANGE {
		t.Errorf("more than there is: %v", err)
	}
}

func testConcatenateBaseAndData(t *testing.T, m *mech.Mechanism) {
	base, data := secret(unhex("01234567")), p11.StringData(unhex("89abcdef"))
	checkShows(t, checkDerives(t, m, base, data, 0, unhex("0123456789abcdef")), mech.ShowsWith)
	checkShows(t, checkDerives(t, m, base, data, 5, unhex("0123456789")), mech.ShowsWith)
	checkShows(t, checkDerives(t, m, base, data, 3, unhex("012345")), mech.ShowsPart)
}

func testConcatenateDataAndBase(t *testing.T, m *mech.Mechanism) {
	base, data := secret(unhex("01234567")), p11.StringData(unhex("89abcdef"))
	checkShows(t, checkDerives(t, m, base, data, 0, unhex("89abcdef01234567")), mech.ShowsWith)
	checkShows(t, checkDerives(t, m, base, data, 5, unhex("89abcdef01")), mech.ShowsPartWith)
}

func testXOR(t *testing.T, m *mech.Mechanism) {
	base, data := secret(unhex("01234567")), p11.StringData(unhex("89abcdef"))
	checkShows(t, checkDerives(t, m, base, data, 0, unhex("88888888")), mech.ShowsPart)
	checkDerives(t, m, secret(unhex("0123456789")), data, 0, unhex("88888888"))
	checkDerives(t, m, base, data[:2], 0, unhex("8888"))
	checkDerives(t, m, base, data, 1, unhex("88"))
}

func testExtract(t *testing.T, m *mech.Mechanism) {
	base := secret(unhex("329f84a9"))
	checkShows(t, checkDerives(t, m, base, p11.ULongParam(21), 2, unhex("9526")), mech.ShowsPart)
	checkDerives(t, m, base, p11.ULongParam(0), 4, unhex("329f84a9"))
	checkDerives(t, m, base, p11.ULongParam(8), 4, unhex("9f84a932"))
	checkDerives(t, m, base, p11.ULongParam(31), 1, unhex("99"))
	for _, c := range []struct {
		first p11.ULongParam
		n     int
		want  p11.RV
	}{{32, 1, p11.CKR_MECHANISM_PARAM_INVALID}, {1<<64 - 1, 1, p11.CKR_MECHANISM_PARAM_INVALID}, {0, 5, p11.CKR_KEY_SIZE_RANGE}, {0, 0, p11.CKR_TEMPLATE_INCOMPLETE}} {
		if _, err := deriveFrom(m, base, c.first, c.n); p11.Code(err) != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func checkShows(t *testing.T, d mech.Derived, want mech.Shows) {
	t.Helper()
	if d.Shows != want || !d.Inherits {
		t.Errorf("it shows %d and inherits %v; want %d", d.Shows, d.Inherits, want)
	}
}

// testEncryptData: the new key is a known ciphertext.
func testEncryptData(t *testing.T, m *mech.Mechanism) {
	var k mech.Key
	var p, part p11.Params
	var cipher []byte
	switch m.Type {
	case p11.CKM_AES_ECB_ENCRYPT_DATA:
		k, p, part = keyFor(m, sp800Key128), p11.StringData(sp800Plain[:32]), p11.StringData(sp800Plain[:15])
		cipher = unhex("3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf")
	case p11.CKM_AES_CBC_ENCRYPT_DATA:
		k, p, part = keyFor(m, sp800Key128), p11.CBCDataParams{IV: sp800IV, Data: sp800Plain[:32]}, p11.CBCDataParams{IV: sp800IV, Data: sp800Plain[:17]}
		cipher = unhex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2")
	case p11.CKM_DES3_ECB_ENCRYPT_DATA:
		k, p, part = keyFor(m, desKey), p11.StringData(desText), p11.StringData(desText[:12])
		cipher = unhex("a826fd8ce53b855f cce21c8112256fe6 68d5c05dd9b6b900")
	case p11.CKM_DES3_CBC_ENCRYPT_DATA:
		k, p, part = keyFor(m, desKey), p11.CBCDataParams{IV: desIV, Data: sp800Plain[:32]}, p11.CBCDataParams{IV: desIV}
		cipher = unhex("2079c3d53aa763e193b79e2569ab5262516570481f25b50f73c0bda85c8e0da7")
	}
	checkDerives(t, m, k, p, 0, cipher)
	checkDerives(t, m, k, p, 16, cipher[:16])
	if _, err := deriveFrom(m, k, p, len(cipher)+1); p11.Code(err) != p11.CKR_DATA_LEN_RANGE {
		t.Errorf("a key longer than the data: %v", err)
	}
	if _, err := deriveFrom(m, k, part, 8); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
		t.Errorf("data that is not of whole blocks: %v", err)
	}
}

// TestDerivedTypesNeedALength: a type that may have several lengths and no
// CKA_VALUE_LEN is an error (PKCS #11 v3.2, section 6.20.5).
func TestDerivedTypesNeedALength(t *testing.T) {
	m := lookup(t, p11.CKM_SHA256_KEY_DERIVATION)
	for typ, want := range map[p11.KeyType]p11.RV{p11.CKK_AES: p11.CKR_TEMPLATE_INCOMPLETE, p11.CKK_GENERIC_SECRET: p11.CKR_OK} {
		_, err := m.Derive(mech.Derivation{Base: secret([]byte("abc")), Want: attr.Values{attr.NewULong(p11.CKA_KEY_TYPE, typ)}})
		if p11.Code(err) != want {
			t.Errorf("%v: %v", typ, err)
		}
	}
}

func testPBKDF2(t *testing.T, m *mech.Mechanism) {
	generate := func(p p11.PBKD2Params, n int) ([]byte, error) {
		values, err := m.Generate(p, attr.Values{attr.NewULong(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET), attr.NewULong(p11.CKA_VALUE_LEN, n)})
		return values.Bytes(p11.CKA_VALUE), err
	}
	p := p11.PBKD2Params{SaltSource: p11.CKZ_SALT_SPECIFIED, Salt: []byte("salt"), Iterations: 4096, Password: []byte("password")}
	// RFC 6070 for SHA-1; Python's hashlib for the two that Wycheproof lacks.
	for prf, want := range map[uint64]string{
		p11.CKP_PKCS5_PBKD2_HMAC_SHA1:       "4b007901b765489abead49d926f721d065a429c1",
		p11.CKP_PKCS5_PBKD2_HMAC_SHA512_224: "ed54af699cc307e08965098bda5ff4e41ea1931f46da771c1ea9128e52f91ade4a6c07e288a25f75",
		p11.CKP_PKCS5_PBKD2_HMAC_SHA512_256: "f2fbe5f8ec3618bb145279a8c6a8dfa476c282a3ed53d8c257d51ce021d3877d3b50c84a7f9158d4",
	} {
		p.PRF = prf
		if got, err := generate(p, len(want)/2); err != nil || !bytes.Equal(got, unhex(want)) {
			t.Errorf("function %d: got %x, %v", prf, got, err)
		}
	}
	for file, prf := range map[string]uint64{
		"pbkdf2_hmacsha1_test.json": p11.CKP_PKCS5_PBKD2_HMAC_SHA1, "pbkdf2_hmacsha224_test.json": p11.CKP_PKCS5_PBKD2_HMAC_SHA224,
		"pbkdf2_hmacsha256_test.json": p11.CKP_PKCS5_PBKD2_HMAC_SHA256, "pbkdf2_hmacsha384_test.json": p11.CKP_PKCS5_PBKD2_HMAC_SHA384,
		"pbkdf2_hmacsha512_test.json": p11.CKP_PKCS5_PBKD2_HMAC_SHA512,
	} {
		eachWycheproof(t, file, func(t *testing.T, _ group, v vector) {
			if v.IterationCount > 5000 {
				t.Skip("the count would cost more than it shows")
			}
			p := p11.PBKD2Params{SaltSource: p11.CKZ_SALT_SPECIFIED, Salt: v.Salt, Iterations: uint64(v.IterationCount), PRF: prf, Password: v.Password}
			if got, err := generate(p, v.DKLen); err != nil || !bytes.Equal(got, v.DK) {
				t.Errorf("got %x, %v; want %x", got, err, v.DK)
			}
		})
	}
	p.PRF = p11.CKP_PKCS5_PBKD2_HMAC_SHA256
	for name, change := range map[string]func(*p11.PBKD2Params){
		"no iterations":       func(p *p11.PBKD2Params) { p.Iterations = 0 },
		"2^63 iterations":     func(p *p11.PBKD2Params) { p.Iterations = 1 << 63 },
		"another salt source": func(p *p11.PBKD2Params) { p.SaltSource = 0 },
		"GOST":                func(p *p11.PBKD2Params) { p.PRF = p11.CKP_PKCS5_PBKD2_HMAC_GOSTR3411 },
		"data of the PRF":     func(p *p11.PBKD2Params) { p.PRFData = []byte{1} },
	} {
		bad := p
		change(&bad)
		if _, err := generate(bad, 16); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := m.Generate(p, nil); p11.Code(err) != p11.CKR_TEMPLATE_INCOMPLETE {
		t.Errorf("an empty template: %v", err)
	}
	values, err := m.Generate(p, attr.Values{attr.NewULong(p11.CKA_KEY_TYPE, p11.CKK_DES3)})
	if des := values.Bytes(p11.CKA_VALUE); err != nil || len(des) != 24 {
		t.Errorf("a type of one length needs no CKA_VALUE_LEN: %x, %v", des, err)
	}
}
