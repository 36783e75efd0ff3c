package mech_test

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// The key and the text of NIST SP 800-67, appendix B, which misspells it.
var (
	desKey  = unhex("0123456789abcdef 23456789abcdef01 456789abcdef0123")
	desText = []byte("The qufck brown fox jump")
)

func testDES3ECB(t *testing.T, m *mech.Mechanism) {
	checkBoth(t, m, keyFor(m, desKey), nil, desText, unhex("a826fd8ce53b855f cce21c8112256fe6 68d5c05dd9b6b900"))
	// Two parts are three of which the last is the first.
	three := append(bytes.Clone(desKey[:16]), desKey[:8]...)
	want, err := whole(t, m.Encrypt, keyFor(m, three), nil, desText)
	if err != nil {
		t.Fatal(err)
	}
	checkBoth(t, m, testKey{p11.CKK_DES2, desKey[:16]}, nil, desText, want)
}

var desIV = p11.IV(unhex("f69f2445df4f9b17"))

// The answers for CBC and its MAC are OpenSSL's (3.0, des-ede3-cbc).
func testDES3CBC(t *testing.T, m *mech.Mechanism) {
	checkBoth(t, m, keyFor(m, desKey), desIV, sp800Plain[:32], unhex("2079c3d53aa763e193b79e2569ab5262516570481f25b50f73c0bda85c8e0da7"))
}

func testDES3CBCPad(t *testing.T, m *mech.Mechanism) {
	checkBoth(t, m, keyFor(m, desKey), desIV, sp800Plain[:20], unhex("2079c3d53aa763e193b79e2569ab5262bffd3dfb1213ee51"))
	for _, bad := range []string{"", "2079c3d53aa763e193b79e2569ab5262bffd3dfb1213ee", "2079c3d53aa763e193b79e2569ab5263bffd3dfb1213ee51"} {
		_, err := whole(t, m.Decrypt, keyFor(m, desKey), desIV, unhex(bad))
		if code := p11.Code(err); code != p11.CKR_ENCRYPTED_DATA_LEN_RANGE && code != p11.CKR_ENCRYPTED_DATA_INVALID {
			t.Errorf("decrypting %q: %v", bad, err)
		}
	}
}

func testDES3MAC(t *testing.T, m *mech.Mechanism) {
	n, p := 4, p11.Params(nil)
	if m.Params == p11.ParamULong {
		n, p = 8, p11.ULongParam(8)
	}
	checkMAC(t, m, keyFor(m, desKey), p, sp800Plain[:20], unhex("90c96c6b060f46ed")[:n], true)
	checkMAC(t, m, keyFor(m, desKey), p, sp800Plain[:21], unhex("90c96c6b060f46ed")[:n], false)
}

// testDES3CMAC has the examples of NIST SP 800-38B, appendix D.4 and D.5.
func testDES3CMAC(t *testing.T, m *mech.Mechanism) {
	p := p11.Params(nil)
	if m.Params == p11.ParamULong {
		p = p11.ULongParam(8)
	}
	three := keyFor(m, unhex("8aa83bf8cbda1062 0bc1bf19fbb6cd58 bc313d4a371ca8b5"))
	two := testKey{p11.CKK_DES2, unhex("4cf15134a2850dd5 8a3d10ba80570d38")}
	for n, want := range map[int][2]string{
		0:  {"b7a688e122ffaf95", "bd2ebf9a3ba00361"},
		8:  {"8e8f293136283797", "4ff2ab813c53ce83"},
		20: {"743ddbe0ce2dc2ed", "62dd1b471902bd4e"},
		32: {"33e6b1092400eae5", "31b1e431dabc4eb8"},
	} {
		checkMAC(t, m, three, p, sp800Plain[:n], unhex(want[0]), true)
		checkMAC(t, m, two, p, sp800Plain[:n], unhex(want[1]), true)
	}
}

// TestDESKeysHaveOddParity, whatever makes them.
func TestDESKeysHaveOddParity(t *testing.T) {
	for _, typ := range []p11.KeyType{p11.CKK_DES2, p11.CKK_DES3} {
		row := keyRow(t, typ)
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		row.Fix(all)
		for i, b := range all {
			ones := 0
			for ; b > 0; b >>= 1 {
				ones += int(b & 1)
			}
			if ones%2 != 1 || all[i]|1 != byte(i)|1 {
				t.Fatalf("%#x became %#x", i, all[i])
			}
		}
	}
}
