package mech_test

import (
	"bytes"
	"crypto/aes"
	"testing"

	"golang.org/x/crypto/xts"

	"coffer/mech"
	"coffer/p11"
)

func testAESCCM(t *testing.T, m *mech.Mechanism) {
	// RFC 3610, section 8, packet vector 1; NIST SP 800-38C, appendix C, examples
	// 1 and 4, the second with 65536 bytes of additional data.
	long := make([]byte, 65536)
	for i := range long {
		long[i] = byte(i)
	}
	for _, v := range []struct {
		key, nonce string
		aad        []byte
		msg, ct    string
		tag        uint64
	}{
		{
			"c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000003020100a0a1a2a3a4a5", unhex("0001020304050607"),
			"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e", "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0", 8,
		},
		{
			"404142434445464748494a4b4c4d4e4f", "10111213141516", unhex("0001020304050607"),
			"20212223", "7162015b4dac255d", 4,
		},
		{
			"404142434445464748494a4b4c4d4e4f", "101112131415161718191a1b1c", long,
			"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
			"69915dad1e84c6376a68c2967e4dab615ae0fd1faec44cc484828529463ccf72b4ac6bec93e8598e7f0dadbcea5b", 14,
		},
	} {
		msg := unhex(v.msg)
		p := p11.CCMParams{DataLen: uint64(len(msg)), Nonce: unhex(v.nonce), AAD: v.aad, MACLen: v.tag}
		checkBoth(t, m, keyFor(m, unhex(v.key)), p, msg, unhex(v.ct))
	}
	eachWycheproof(t, "aes_ccm_test.json", func(t *testing.T, g group, v vector) {
		k := keyFor(m, v.Key)
		p := p11.CCMParams{DataLen: uint64(len(v.Msg)), Nonce: v.IV, AAD: v.AAD, MACLen: uint64(g.TagSize / 8)}
		if v.Result == "valid" {
			checkBoth(t, m, k, p, v.Msg, append(v.CT, v.Tag...))
			return
		}
		want := p11.CKR_ENCRYPTED_DATA_INVALID
		if !v.flagged("ModifiedTag") {
			want = p11.CKR_MECHANISM_PARAM_INVALID
		}
		p.DataLen = uint64(len(v.CT))
		if _, err := whole(t, m.Decrypt, k, p, append(v.CT, v.Tag...)); p11.Code(err) != want {
			t.Errorf("got %v, want %v", err, want)
		}
	})
}

// TestCCMKeepsToItsLength: more or less data than the parameter says is refused,
// in parts as well.
func TestCCMKeepsToItsLength(t *testing.T) {
	m := lookup(t, p11.CKM_AES_CCM)
	k, p := keyFor(m, sp800Key128), p11.CCMParams{DataLen: 20, Nonce: make([]byte, 12), MACLen: 16}
	for _, n := range []int{0, 19, 21, 64} {
		if _, err := whole(t, m.Encrypt, k, p, make([]byte, n)); p11.Code(err) != p11.CKR_DATA_LEN_RANGE {
			t.Errorf("encrypting %d bytes: %v", n, err)
		}
		if _, err := cut(t, 7, m.Encrypt, k, p, make([]byte, n)); p11.Code(err) != p11.CKR_DATA_LEN_RANGE {
			t.Errorf("encrypting %d bytes in parts: %v", n, err)
		}
		if _, err := whole(t, m.Decrypt, k, p, make([]byte, n+16)); p11.Code(err) != p11.CKR_ENCRYPTED_DATA_LEN_RANGE {
			t.Errorf("decrypting %d bytes: %v", n, err)
		}
	}
	// For wrapping it means nothing.
	for _, said := range []uint64{0, 5, 20} {
		p.DataLen = said
		wrapped, err := m.Wrap(k, p, sp800Plain[:32])
		if err != nil || len(wrapped) != 48 {
			t.Fatalf("wrapping with ulDataLen %d: %d bytes, %v", said, len(wrapped), err)
		}
		if got, err := m.Unwrap(k, p, wrapped); err != nil || !bytes.Equal(got, sp800Plain[:32]) {
			t.Errorf("unwrapping with ulDataLen %d: %x, %v", said, got, err)
		}
	}
}

func testAESGMAC(t *testing.T, m *mech.Mechanism) {
	eachWycheproof(t, "aes_gmac_test.json", func(t *testing.T, g group, v vector) {
		p := p11.GCMParams{IV: v.IV, TagBits: uint64(g.TagSize)}
		checkMAC(t, m, keyFor(m, v.Key), p, v.Msg, v.Tag, v.Result == "valid")
	})
}

var sp800IV = p11.IV(unhex("000102030405060708090a0b0c0d0e0f"))

// The examples of NIST SP 800-38A, sections F.3 and F.4.
func testAESOFB(t *testing.T, m *mech.Mechanism) {
	checkBoth(t, m, keyFor(m, sp800Key128), sp800IV, sp800Plain,
		unhex("3b3fd92eb72dad20333449f8e83cfb4a 7789508d16918f03f53c52dac54ed825 9740051e9c5fecf64344f7a82260edcc 304c6528f659c77866a510d9c1d6ae5e"))
	checkBoth(t, m, keyFor(m, sp800Key256), sp800IV, sp800Plain,
		unhex("dc7e84bfda79164b7ecd8486985d3860 4febdc6740d20b3ac88f6ad82a4fb08d 71ab47a086e86eedf39d1c5bba97c408 0126141d67f37be8538f5a8be740e484"))
}

func testAESCFB128(t *testing.T, m *mech.Mechanism) {
	checkBoth(t, m, keyFor(m, sp800Key128), sp800IV, sp800Plain,
		unhex("3b3fd92eb72dad20333449f8e83cfb4a c8a64537a0b3a93fcde3cdad9f1ce58b 26751f67a3cbb140b1808cf187a4f4df c04b05357c5d1c0eeac4c66f9ff7f2e6"))
	checkBoth(t, m, keyFor(m, sp800Key256), sp800IV, sp800Plain,
		unhex("dc7e84bfda79164b7ecd8486985d3860 39ffed143b28b1c832113c6331e5407b df10132415e54b92a13ed0a8267ae2f9 75a385741ab9cef82031623d55b1e471"))
}

// SP 800-38A has no example of segments of 64 bits: this was computed segment
// by segment with the ECB of OpenSSL 3.0.
func testAESCFB64(t *testing.T, m *mech.Mechanism) {
	checkBoth(t, m, keyFor(m, sp800Key128), sp800IV, sp800Plain,
		unhex("3b3fd92eb72dad20764bc8b40ee0de40f857ab76f3e7bc33332265ff0594b12e6c8bf2f3fc1ba87b2f124a56f7fe88d2341f1d0535f0d56e58287bbec2952b2a"))
}

func testAESCFB8(t *testing.T, m *mech.Mechanism) {
	checkBoth(t, m, keyFor(m, sp800Key128), sp800IV, sp800Plain[:18], unhex("3b79424c9c0dd436bace9e0ed4586a4f32b9"))
	checkBoth(t, m, keyFor(m, sp800Key256), sp800IV, sp800Plain[:18], unhex("dc1f1a8520a64db55fcc8ac554844e889700"))
}

func testAESCFB1(t *testing.T, m *mech.Mechanism) {
	checkBoth(t, m, keyFor(m, sp800Key128), sp800IV, sp800Plain[:2], unhex("68b3"))
	checkBoth(t, m, keyFor(m, sp800Key256), sp800IV, sp800Plain[:2], unhex("9029"))
}

// testAESCTS has the examples of RFC 3962, appendix B, whose last two blocks
// are the other way round than in CBC-CS1.
func testAESCTS(t *testing.T, m *mech.Mechanism) {
	k, iv := keyFor(m, []byte("chicken teriyaki")), p11.IV(make([]byte, 16))
	text := "I would like the General Gau's Chicken, please, and wonton soup."
	for n, cs3 := range map[int]string{
		17: "c6353568f2bf8cb4d8a580362da7ff7f97",
		31: "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5",
		32: "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584",
		47: "97687268d6ecccc0c07b25e25ecfe584b3fffd940c16a18c1b5549d2f838029e39312523a78662d5be7fcbcc98ebf5",
		48: "97687268d6ecccc0c07b25e25ecfe5849dad8bbb96c4cdc03bc103e1a194bbd839312523a78662d5be7fcbcc98ebf5a8",
		64: "97687268d6ecccc0c07b25e25ecfe58439312523a78662d5be7fcbcc98ebf5a84807efe836ee89a526730dbc2f7bc8409dad8bbb96c4cdc03bc103e1a194bbd8",
	} {
		c := unhex(cs3)
		at := (n - 1) / 16 * 16 // where the last block, which may be short, begins
		cs1 := append(append(bytes.Clone(c[:at-16]), c[at:]...), c[at-16:at]...)
		checkBoth(t, m, k, iv, []byte(text[:n]), cs1)
	}
	// A single block is CBC.
	checkBoth(t, m, keyFor(m, sp800Key128), sp800IV, sp800Plain[:16], unhex("7649abac8119b246cee98e9b12e9197d"))
}

func testAESXTS(t *testing.T, m *mech.Mechanism) {
	// IEEE 1619-2007, annex B, vectors 1, 2 and 15.
	for _, v := range []struct{ key, unit, plain, cipher string }{
		{
			"0000000000000000000000000000000000000000000000000000000000000000", "00",
			"0000000000000000000000000000000000000000000000000000000000000000",
			"917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e",
		},
		{
			"1111111111111111111111111111111122222222222222222222222222222222", "3333333333",
			"4444444444444444444444444444444444444444444444444444444444444444",
			"c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0",
		},
		{
			"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0", "9a78563412",
			"000102030405060708090a0b0c0d0e0f10", "6c1625db4671522d3d7599601de7ca09ed",
		},
	} {
		checkBoth(t, m, keyFor(m, unhex(v.key)), dataUnit(unhex(v.unit)), unhex(v.plain), unhex(v.cipher))
	}
	eachWycheproof(t, "aes_xts_test.json", func(t *testing.T, g group, v vector) {
		if len(v.Msg) < 16 || len(v.Key) == 48 {
			t.Skip("no data unit is under one block, and neither IEEE 1619 nor PKCS #11 has keys of 192 bits")
		}
		checkBoth(t, m, keyFor(m, v.Key), dataUnit(v.IV), v.Msg, v.CT)
	})
	// Whole blocks as golang.org/x/crypto has them.
	key := append(bytes.Clone(sp800Key256), unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")...)
	c, err := xts.NewCipher(aes.NewCipher, key)
	if err != nil {
		t.Fatal(err)
	}
	plain := bytes.Repeat(sp800Plain, 16)
	want := make([]byte, len(plain))
	c.Encrypt(want, plain, 0x123456789abcdef0)
	checkBoth(t, m, keyFor(m, key), dataUnit(unhex("f0debc9a78563412")), plain, want)
}

// dataUnit is a sequence number, the least significant byte first.
func dataUnit(number []byte) p11.IV {
	return append(bytes.Clone(number), make([]byte, 16-len(number))...)
}

func TestXTSDataUnitIsBounded(t *testing.T) {
	m := lookup(t, p11.CKM_AES_XTS)
	op, err := m.Encrypt(keyFor(m, append(sp800Key128, sp800IV...)), dataUnit(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer op.Wipe()
	part := make([]byte, 1<<24)
	if _, err := op.Update(part, part); err != nil {
		t.Fatal(err)
	}
	if _, err := op.Update(part[:1], part[:1]); p11.Code(err) != p11.CKR_DATA_LEN_RANGE {
		t.Errorf("a byte more than SP 800-38E allows: %v", err)
	}
}

// testAESMAC takes the last block of the CBC examples of SP 800-38A, whose
// initialisation vector is XORed to the first block here; and a MAC of data
// that is padded, by OpenSSL 3.0.
func testAESMAC(t *testing.T, m *mech.Mechanism) {
	first := bytes.Clone(sp800Plain)
	for i, b := range sp800IV {
		first[i] ^= b
	}
	n, p := 8, p11.Params(nil)
	if m.Params == p11.ParamULong {
		n, p = 16, p11.ULongParam(16)
	}
	checkMAC(t, m, keyFor(m, sp800Key128), p, first, unhex("3ff1caa1681fac09120eca307586e1a7")[:n], true)
	checkMAC(t, m, keyFor(m, sp800Key256), p, first, unhex("b2eb05e2c39be9fcda6c19078c6a9d1b")[:n], true)
	checkMAC(t, m, keyFor(m, sp800Key128), p, sp800Plain[:20], unhex("6e88a8636087aac6a0507cfa4d958581")[:n], true)
	checkMAC(t, m, keyFor(m, sp800Key128), p, sp800Plain[:20], unhex("6e88a8636087aac7a0507cfa4d958581")[:n], false)
}

// testAESXCBC has the test cases of RFC 3566, section 4.6.
func testAESXCBC(t *testing.T, m *mech.Mechanism) {
	n := 16
	if m.Type == p11.CKM_AES_XCBC_MAC_96 {
		n = 12
	}
	k := keyFor(m, sp800IV)
	data := unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021")
	for size, mac := range map[int]string{
		0: "75f0251d528ac01c4573dfd584d79f29", 3: "5b376580ae2f19afe7219ceef172756f", 16: "d2a246fa349b68a79998a4394ff7a263",
		20: "47f51b4564966215b8985c63055ed308", 32: "f54f0ec8d2b9f3d36807734bd5283fd4", 34: "becbb3bccdb518a30677d5481fb6b4d8",
	} {
		checkMAC(t, m, k, nil, data[:size], unhex(mac)[:n], true)
	}
	checkMAC(t, m, k, nil, make([]byte, 1000), unhex("f0dafee895db30253761103b5d84528f")[:n], true)
	checkMAC(t, m, k, nil, make([]byte, 1000), unhex("f0dafee895db30253761103c5d84528f")[:n], false)
}

// testAESKeyWrapPKCS7: nobody has published an example. It is CKM_AES_KEY_WRAP,
// which has vectors of its own, of what is padded as RFC 5652 says.
func testAESKeyWrapPKCS7(t *testing.T, m *mech.Mechanism) {
	kw := lookup(t, p11.CKM_AES_KEY_WRAP)
	for n := range 65 {
		plain := sp800Plain[:min(n, 64)]
		padded := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(8 - n%8)}, 8-n%8)...)
		want, wantErr := whole(t, kw.Encrypt, keyFor(kw, sp800Key256), nil, padded)
		if wantErr != nil {
			if _, err := whole(t, m.Encrypt, keyFor(m, sp800Key256), nil, plain); p11.Code(err) != p11.CKR_DATA_LEN_RANGE {
				t.Errorf("%d bytes: %v", n, err)
			}
			continue
		}
		checkBoth(t, m, keyFor(m, sp800Key256), nil, plain, want)
		wrong := bytes.Clone(padded)
		wrong[len(wrong)-1] = 9
		bad, err := whole(t, kw.Encrypt, keyFor(kw, sp800Key256), nil, wrong)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Unwrap(keyFor(m, sp800Key256), nil, bad); p11.Code(err) != p11.CKR_WRAPPED_KEY_INVALID {
			t.Errorf("padding of 9 in a semiblock: %v", err)
		}
	}
}
