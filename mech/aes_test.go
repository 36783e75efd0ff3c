package mech_test

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// The key and the plaintext of the examples of NIST SP 800-38A, appendix F,
// which RFC 4493 uses too.
var (
	sp800Key128 = unhex("2b7e151628aed2a6abf7158809cf4f3c")
	sp800Key256 = unhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
	sp800Plain  = unhex("6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51" +
		"30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710")
)

func testAESECB(t *testing.T, m *mech.Mechanism) {
	checkBoth(t, m, keyFor(m, sp800Key128), nil, sp800Plain,
		unhex("3ad77bb40d7a3660a89ecaf32466ef97 f5d3d58503b9699de785895a96fdbaaf 43b1cd7f598ece23881b00e3ed030688 7b0c785e27e8ad3f8223207104725dd4"))
	checkBoth(t, m, keyFor(m, sp800Key256), nil, sp800Plain,
		unhex("f3eed1bdb5d2a03c064b5a7e3db181f8 591ccb10d410ed26dc5ba74a31362870 b6ed21b99ca6f4f9f153e7b1beafed1d 23304b7a39f9f3ff067d8d8f9e24ecc7"))
}

func testAESCBC(t *testing.T, m *mech.Mechanism) {
	iv := p11.IV(unhex("000102030405060708090a0b0c0d0e0f"))
	checkBoth(t, m, keyFor(m, sp800Key128), iv, sp800Plain,
		unhex("7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2 73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7"))
	checkBoth(t, m, keyFor(m, sp800Key256), iv, sp800Plain,
		unhex("f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d 39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b"))
}

func testAESCBCPad(t *testing.T, m *mech.Mechanism) {
	eachWycheproof(t, "aes_cbc_pkcs5_test.json", func(t *testing.T, _ group, v vector) {
		k, p := keyFor(m, v.Key), p11.IV(v.IV)
		if v.Result == "valid" {
			checkBoth(t, m, k, p, v.Msg, v.CT)
			return
		}
		_, err := whole(t, m.Decrypt, k, p, v.CT)
		if code := p11.Code(err); code != p11.CKR_ENCRYPTED_DATA_INVALID && code != p11.CKR_ENCRYPTED_DATA_LEN_RANGE {
			t.Errorf("got %v", err)
		}
	})
}

func testAESCTR(t *testing.T, m *mech.Mechanism) {
	p := p11.CTRParams{CounterBits: 128, Counter: [16]byte(unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"))}
	checkBoth(t, m, keyFor(m, sp800Key128), p, sp800Plain,
		unhex("874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff 5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee"))
	checkBoth(t, m, keyFor(m, sp800Key256), p, sp800Plain,
		unhex("601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5 2b0930daa23de94ce87017ba2d84988d dfc9c58db67aada613c2dd08457941a6"))
}

// TestCounterMayNotOverflow has the standard's own example: two bits that start
// as 1 allow three blocks (PKCS #11 v3.2, section 6.11.3).
func TestCounterMayNotOverflow(t *testing.T) {
	m := lookup(t, p11.CKM_AES_CTR)
	k := keyFor(m, sp800Key128)
	ones := [16]byte(bytes.Repeat([]byte{0xff}, 16))
	for _, c := range []struct {
		name    string
		bits    uint64
		counter [16]byte
		blocks  int // that are allowed, -1 for no limit within reach
	}{
		{"two bits from 1", 2, [16]byte{15: 1}, 3},
		{"two bits from 0", 2, [16]byte{15: 4}, 4},
		{"two bits from 3", 2, ones, 1},
		{"8 bits from 0", 8, [16]byte{}, 256},
		{"64 bits at their end", 64, ones, 1},
		{"65 bits at their end", 65, ones, 1},
		{"128 bits at their end", 128, ones, 1},
		{"64 bits from 0", 64, [16]byte{}, -1},
		{"128 bits from 0", 128, [16]byte{}, -1},
		{"127 bits, the low 64 at their end", 127, [16]byte{8: 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := p11.CTRParams{CounterBits: c.bits, Counter: c.counter}
			if c.blocks < 0 {
				if _, err := whole(t, m.Encrypt, k, p, make([]byte, 5000)); err != nil {
					t.Fatal(err)
				}
				return
			}
			if _, err := whole(t, m.Encrypt, k, p, make([]byte, 16*c.blocks)); err != nil {
				t.Errorf("%d blocks: %v", c.blocks, err)
			}
			for _, start := range []func(mech.Key, p11.Params) (mech.Op, error){m.Encrypt, m.Decrypt} {
				if _, err := whole(t, start, k, p, make([]byte, 16*c.blocks+1)); p11.Code(err) != p11.CKR_DATA_LEN_RANGE {
					t.Errorf("a byte more than %d blocks: %v", c.blocks, err)
				}
				if _, err := cut(t, 15, start, k, p, make([]byte, 16*c.blocks+1)); p11.Code(err) != p11.CKR_DATA_LEN_RANGE {
					t.Errorf("a byte more than %d blocks, in parts: %v", c.blocks, err)
				}
			}
		})
	}
}

func testAESCMAC(t *testing.T, m *mech.Mechanism) {
	var full, half p11.Params
	if m.Params == p11.ParamULong {
		full, half = p11.ULongParam(16), p11.ULongParam(8)
	}
	k := keyFor(m, sp800Key128)
	for n, want := range map[int]string{ // RFC 4493, section 4
		0:  "bb1d6929e95937287fa37d129b756746",
		16: "070a16b46b4d4144f79bdd9dd04a287c",
		40: "dfa66747de9ae63030ca32611497c827",
		64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		checkMAC(t, m, k, full, sp800Plain[:n], unhex(want), true)
		if half != nil {
			checkMAC(t, m, k, half, sp800Plain[:n], unhex(want)[:8], true)
		}
	}
	eachWycheproof(t, "aes_cmac_test.json", func(t *testing.T, g group, v vector) {
		if len(v.Key) != 16 && len(v.Key) != 24 && len(v.Key) != 32 {
			if _, err := m.Sign(keyFor(m, v.Key), full); p11.Code(err) != p11.CKR_KEY_SIZE_RANGE {
				t.Errorf("a key of %d bytes: %v", len(v.Key), err)
			}
			return
		}
		checkMAC(t, m, keyFor(m, v.Key), full, v.Msg, v.Tag, v.Result == "valid")
	})
}

func testAESKeyWrap(t *testing.T, m *mech.Mechanism) {
	for _, v := range []struct{ kek, key, want string }{ // RFC 3394, sections 4.1, 4.3 and 4.6
		{"000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
			"1fa68b0a8112b447 aef34bd8fb5a7b82 9d3e862371d2cfe5"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "00112233445566778899aabbccddeeff",
			"64e8c3f9ce0f5ba2 63e9777905818a2a 93c8191e7d6e8ae7"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
			"00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
			"28c9f404c4b810f4 cbccb35cfb87f826 3f5786e2d80ed326 cbc7f0e71a99f43b fb988b9b7a02dd21"},
	} {
		checkWrapped(t, m, keyFor(m, unhex(v.kek)), nil, unhex(v.key), unhex(v.want))
	}
	wycheproofWrap(t, m, "aes_wrap_test.json")

	// An initial value of the caller's is one that unwrapping needs too.
	k, iv := keyFor(m, sp800Key128), p11.IV("12345678")
	wrapped, err := m.Wrap(k, iv, sp800Plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Unwrap(k, iv, wrapped); err != nil || !bytes.Equal(got, sp800Plain) {
		t.Errorf("with the caller's initial value: %x, %v", got, err)
	}
	if _, err := m.Unwrap(k, nil, wrapped); p11.Code(err) != p11.CKR_WRAPPED_KEY_INVALID {
		t.Errorf("without it: %v", err)
	}
	if _, err := m.Wrap(k, nil, make([]byte, 20)); p11.Code(err) != p11.CKR_KEY_SIZE_RANGE {
		t.Errorf("a key of 20 bytes: %v", err)
	}
}

func testAESKeyWrapKWP(t *testing.T, m *mech.Mechanism) {
	k := keyFor(m, unhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")) // RFC 5649, section 6
	checkWrapped(t, m, k, nil, unhex("c37b7e6492584340 bed1220780894115 5068f738"),
		unhex("138bdeaa9b8fa7fc 61f97742e72248ee 5ae6ae5360d1ae6a 5f54f373fa543b6a"))
	checkWrapped(t, m, k, nil, unhex("466f7250617369"), unhex("afbeb0f07dfbf541 9200f2ccb50bb24f"))
	wycheproofWrap(t, m, "aes_kwp_test.json")

	iv := p11.IV("1234")
	wrapped, err := m.Wrap(k, iv, sp800Plain[:20])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Unwrap(k, iv, wrapped); err != nil || !bytes.Equal(got, sp800Plain[:20]) {
		t.Errorf("with the caller's initial value: %x, %v", got, err)
	}
	if _, err := m.Unwrap(k, nil, wrapped); p11.Code(err) != p11.CKR_WRAPPED_KEY_INVALID {
		t.Errorf("without it: %v", err)
	}
}

// checkWrapped checks a known wrapping, by all four functions.
func checkWrapped(t *testing.T, m *mech.Mechanism, k mech.Key, p p11.Params, key, wrapped []byte) {
	t.Helper()
	checkBoth(t, m, k, p, key, wrapped)
	if got, err := m.Wrap(k, p, key); err != nil || !bytes.Equal(got, wrapped) {
		t.Fatalf("wrapping: got %x, %v; want %x", got, err, wrapped)
	}
	if got, err := m.Unwrap(k, p, wrapped); err != nil || !bytes.Equal(got, key) {
		t.Fatalf("unwrapping: got %x, %v; want %x", got, err, key)
	}
}

func wycheproofWrap(t *testing.T, m *mech.Mechanism, file string) {
	eachWycheproof(t, file, func(t *testing.T, _ group, v vector) {
		k := keyFor(m, v.Key)
		switch v.Result {
		case "valid":
			checkWrapped(t, m, k, nil, v.Msg, v.CT)
		default: // "acceptable" are keys of 8 bytes, which RFC 3394 has not
			_, err := m.Unwrap(k, nil, v.CT)
			if code := p11.Code(err); code != p11.CKR_WRAPPED_KEY_INVALID && code != p11.CKR_WRAPPED_KEY_LEN_RANGE {
				t.Errorf("unwrapping: got %v", err)
			}
			_, err = whole(t, m.Decrypt, k, nil, v.CT)
			if code := p11.Code(err); code != p11.CKR_ENCRYPTED_DATA_INVALID && code != p11.CKR_ENCRYPTED_DATA_LEN_RANGE {
				t.Errorf("decrypting: got %v", err)
			}
		}
	})
}

func lookup(t testing.TB, typ p11.MechanismType) *mech.Mechanism {
	t.Helper()
	m, err := mech.NewRegistry(mech.All()...).Lookup(typ)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
