package mech_test

import (
	"bytes"
	"strings"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// digestsOfABC are the digests of "abc": the examples of FIPS 180-4, FIPS 202
// and RFC 7693, and for the shorter BLAKE2b those of Python's hashlib.
var digestsOfABC = map[p11.MechanismType]string{
	p11.CKM_SHA_1:    "a9993e364706816aba3e25717850c26c9cd0d89d",
	p11.CKM_SHA224:   "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
	p11.CKM_SHA256:   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	p11.CKM_SHA384:   "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
	p11.CKM_SHA512:   "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	p11.CKM_SHA3_224: "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
	p11.CKM_SHA3_256: "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
	p11.CKM_SHA3_384: "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25",
	p11.CKM_SHA3_512: "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",

	p11.CKM_SHA512_224:  "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa",
	p11.CKM_SHA512_256:  "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
	p11.CKM_BLAKE2B_160: "384264f676f39536840523f284921cdc68b6846b",
	p11.CKM_BLAKE2B_256: "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319",
	p11.CKM_BLAKE2B_384: "6f56a82c8e7ef526dfe182eb5212f7db9df1317e57815dbda46083fc30f54ee6c66ba83be64b302d7cba6ce15bb556f4",
	p11.CKM_BLAKE2B_512: "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
}

func testDigest(t *testing.T, m *mech.Mechanism) {
	start := func(_ mech.Key, p p11.Params) (mech.Op, error) { return m.Digest(p) }
	want, ok := digestsOfABC[m.Type]
	if !ok {
		t.Fatal("no vector")
	}
	if got, err := whole(t, start, nil, nil, []byte("abc")); err != nil || !bytes.Equal(got, unhex(want)) {
		t.Errorf("got %x, %v; want %s", got, err, want)
	}
	if got, err := cut(t, 1, start, nil, nil, []byte("abc")); err != nil || !bytes.Equal(got, unhex(want)) {
		t.Errorf("in parts: got %x, %v; want %s", got, err, want)
	}
}

// sha512TOfABC are the two that FIPS 180-4 names, which the standard library
// has beside.
var sha512TOfABC = map[uint64]p11.MechanismType{224: p11.CKM_SHA512_224, 256: p11.CKM_SHA512_256}

func testSHA512T(t *testing.T, m *mech.Mechanism) {
	start := func(_ mech.Key, p p11.Params) (mech.Op, error) { return m.Digest(p) }
	for bits, same := range sha512TOfABC {
		got, err := cut(t, 2, start, nil, p11.ULongParam(bits), []byte("abc"))
		if err != nil || !bytes.Equal(got, unhex(digestsOfABC[same])) {
			t.Errorf("SHA-512/%d: got %x, %v", bits, got, err)
		}
	}
	got, err := whole(t, start, nil, p11.ULongParam(13), []byte("abc"))
	if err != nil || len(got) != 2 || got[1]&7 != 0 {
		t.Errorf("SHA-512/13: got %x, %v; it has 13 bits", got, err)
	}
	for _, bits := range []uint64{0, 384, 512, 1 << 40} {
		if _, err := m.Digest(p11.ULongParam(bits)); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
			t.Errorf("SHA-512/%d: %v", bits, err)
		}
	}
}

// hmacExamples are test cases 1, 2, 5 and 6 of RFC 4231 and cases 1, 2 and 5
// of RFC 2202. Case 5 is cut. Those of BLAKE2b were made with Python's hmac.
var hmacExamples = []struct {
	hash            string
	key, data, want string
}{
	{"SHA_1", strings.Repeat("\x0b", 20), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
	{"SHA_1", "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
	{"SHA_1", strings.Repeat("\x0c", 20), "Test With Truncation", "4c1a03424b55e07fe7f27be1"},
	{"SHA224", strings.Repeat("\x0b", 20), "Hi There", "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22"},
	{"SHA224", "Jefe", "what do ya want for nothing?", "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"},
	{"SHA224", strings.Repeat("\x0c", 20), "Test With Truncation", "0e2aea68a90c8d37c988bcdb9fca6fa8"},
	{"SHA256", strings.Repeat("\x0b", 20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"SHA256", "Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{"SHA256", strings.Repeat("\x0c", 20), "Test With Truncation", "a3b6167473100ee06e0c796c2955552b"},
	{"SHA256", strings.Repeat("\xaa", 131), "Test Using Larger Than Block-Size Key - Hash Key First", "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{"SHA384", strings.Repeat("\x0b", 20), "Hi There", "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6"},
	{"SHA384", "Jefe", "what do ya want for nothing?", "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
	{"SHA384", strings.Repeat("\x0c", 20), "Test With Truncation", "3abf34c3503b2a23a46efc619baef897"},
	{"SHA512", strings.Repeat("\x0b", 20), "Hi There", "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
	{"SHA512", "Jefe", "what do ya want for nothing?", "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	{"SHA512", strings.Repeat("\x0c", 20), "Test With Truncation", "415fad6271580a531d4179bc891d87a6"},
	{"BLAKE2B_160", "Jefe", "what do ya want for nothing?", "c4728ccc2f7600f89d9a480514910b9f5daf3dd6"},
	{"BLAKE2B_256", "Jefe", "what do ya want for nothing?", "3cf096eeeb2202a250db168c4823a44ef4618ebabb225789386fed316131e3a0"},
	{"BLAKE2B_384", "Jefe", "what do ya want for nothing?", "e87f61624bc6c1db706a1efcc98e7e98c0ab8fea0978dbd87e2852406fdd313c87968c5b825847f3c04d975b8b88598d"},
	{"BLAKE2B_512", "Jefe", "what do ya want for nothing?", "6ff884f8ddc2a6586b3c98a4cd6ebdf14ec10204b6710073eb5865ade37a2643b8807c1335d107ecdb9ffeaeb6828c4625ba172c66379efcd222c2de11727ab4"},
}

func testHMAC(t *testing.T, m *mech.Mechanism) {
	name, general := strings.CutSuffix(strings.TrimPrefix(m.Type.String(), "CKM_"), "_GENERAL")
	hash := strings.TrimSuffix(name, "_HMAC")
	op, err := mech.NewRegistry(mech.All()...).Lookup(digestNamed(t, "CKM_"+hash))
	if err != nil {
		t.Fatal(err)
	}
	digest, _ := op.Digest(nil)
	full := digest.FinalSize(0).Max
	// param returns the parameter for a MAC of n bytes, if m makes such MACs.
	param := func(n int) (p p11.Params, ok bool) {
		if general {
			return p11.ULongParam(n), true
		}
		return nil, n == full
	}
	for _, v := range hmacExamples {
		want := unhex(v.want)
		if p, ok := param(len(want)); ok && v.hash == hash {
			checkMAC(t, m, keyFor(m, []byte(v.key)), p, []byte(v.data), want, true)
		}
	}
	if strings.HasPrefix(hash, "BLAKE2B") {
		return // Project Wycheproof has none
	}
	// hmac_sha3_256_test.json for SHA3_256, hmac_sha1_test.json for SHA_1.
	file := "hmac_" + strings.ToLower(strings.Replace(hash, "SHA_1", "SHA1", 1)) + "_test.json"
	eachWycheproof(t, file, func(t *testing.T, g group, v vector) {
		if p, ok := param(g.TagSize / 8); ok {
			checkMAC(t, m, keyFor(m, v.Key), p, v.Msg, v.Tag, v.Result == "valid")
		}
	})
}

func digestNamed(t *testing.T, name string) p11.MechanismType {
	t.Helper()
	for typ := range digestsOfABC {
		if typ.String() == name {
			return typ
		}
	}
	t.Fatalf("there is no digest %s", name)
	return 0
}

// hkdfExamples are test cases 1, 3 and 4 of RFC 5869.
var hkdfExamples = []struct {
	prf                       p11.MechanismType
	ikm, salt, info, prk, okm string
}{
	{
		p11.CKM_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
		"077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
	},
	{
		p11.CKM_SHA256_HMAC, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		"19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
		"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
	},
	{
		p11.CKM_SHA_1, "0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
		"9b6c18c432a7bf8f0e71c8eb88f4b30baa2ba243",
		"085a01ea1b10f36933068b56efa5ad81a4f14b822f5b091568a9cdd4f155fda2c22e422478d305f3f896",
	},
}

func testHKDF(t *testing.T, m *mech.Mechanism) {
	for _, v := range hkdfExamples {
		salt := saltKinds(m, unhex(v.salt))
		for name, s := range salt {
			extract := p11.HKDFParams{Extract: true, PRF: v.prf, SaltType: s.typ, Salt: s.data}
			checkDerived(t, m, name+", extract", unhex(v.ikm), extract, s.keys, 0, unhex(v.prk))
			both := extract
			both.Expand, both.Info = true, unhex(v.info)
			checkDerived(t, m, name+", both", unhex(v.ikm), both, s.keys, len(unhex(v.okm)), unhex(v.okm))
		}
		expand := p11.HKDFParams{Expand: true, PRF: v.prf, Info: unhex(v.info)}
		checkDerived(t, m, "expand", unhex(v.prk), expand, nil, len(unhex(v.okm)), unhex(v.okm))
	}
	for file, prf := range map[string]p11.MechanismType{
		"hkdf_sha1_test.json": p11.CKM_SHA_1, "hkdf_sha256_test.json": p11.CKM_SHA256,
		"hkdf_sha384_test.json": p11.CKM_SHA384, "hkdf_sha512_test.json": p11.CKM_SHA512,
	} {
		eachWycheproof(t, file, func(t *testing.T, _ group, v vector) {
			p := p11.HKDFParams{Extract: true, Expand: true, PRF: prf, SaltType: p11.CKF_HKDF_SALT_DATA, Salt: v.Salt, Info: v.Info}
			if v.Result == "valid" {
				checkDerived(t, m, "both", v.IKM, p, nil, v.Size, v.OKM)
				return
			}
			_, err := m.Derive(mech.Derivation{Base: keyFor(m, v.IKM), Params: p, Length: v.Size})
			if p11.Code(err) != p11.CKR_KEY_SIZE_RANGE {
				t.Errorf("%d bytes: %v", v.Size, err)
			}
		})
	}
}

type saltKind struct {
	typ  p11.Flags
	data []byte
	keys []mech.Key
}

// saltKinds returns the ways to give a salt.
func saltKinds(m *mech.Mechanism, salt []byte) map[string]saltKind {
	if len(salt) == 0 {
		return map[string]saltKind{"no salt": {typ: p11.CKF_HKDF_SALT_NULL}, "empty salt": {typ: p11.CKF_HKDF_SALT_DATA}}
	}
	return map[string]saltKind{
		"salt":     {typ: p11.CKF_HKDF_SALT_DATA, data: salt},
		"salt key": {typ: p11.CKF_HKDF_SALT_KEY, keys: []mech.Key{keyFor(m, salt)}},
	}
}

func checkDerived(t *testing.T, m *mech.Mechanism, name string, base []byte, p p11.HKDFParams, others []mech.Key, n int, want []byte) {
	t.Helper()
	got, err := m.Derive(mech.Derivation{Base: keyFor(m, base), Params: p, Others: others, Length: n, Want: attr.Values{}})
	if err != nil || !bytes.Equal(got.Values.Bytes(p11.CKA_VALUE), want) {
		t.Fatalf("%s: got %x, %v; want %x", name, got.Values.Bytes(p11.CKA_VALUE), err, want)
	}
	if got.Public != (m.Type == p11.CKM_HKDF_DATA) {
		t.Errorf("%s: the value is public: %v", name, got.Public)
	}
}
