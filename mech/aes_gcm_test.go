package mech_test

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// gcmExamples are the test cases 2, 4, 5 and 6 of McGrew and Viega, "The
// Galois/Counter Mode of Operation (GCM)", which NIST validates with.
var gcmExamples = []struct{ key, iv, aad, plain, cipher, tag string }{
	{
		"00000000000000000000000000000000", "000000000000000000000000", "",
		"00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78",
		"ab6e47d42cec13bdf53a67b21257bddf",
	},
	{
		"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", gcmAAD, gcmPlain,
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
		"5bc94fbc3221a5db94fae95ae7121a47",
	},
	{
		"feffe9928665731c6d6a8f9467308308", "cafebabefacedbad", gcmAAD, gcmPlain,
		"61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598",
		"3612d2e79e3b0785561be14aaca2fccb",
	},
	{
		"feffe9928665731c6d6a8f9467308308",
		"9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
		gcmAAD, gcmPlain,
		"8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5",
		"619cc5aefffe0bfa462af43c1699d050",
	},
}

const (
	gcmAAD   = "feedfacedeadbeeffeedfacedeadbeefabaddad2"
	gcmPlain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)

func testAESGCM(t *testing.T, m *mech.Mechanism) {
	for _, v := range gcmExamples {
		for tag := 12; tag <= 16; tag++ {
			p := p11.GCMParams{IV: unhex(v.iv), AAD: unhex(v.aad), TagBits: uint64(8 * tag)}
			checkBoth(t, m, keyFor(m, unhex(v.key)), p, unhex(v.plain), append(unhex(v.cipher), unhex(v.tag)[:tag]...))
		}
	}
	eachWycheproof(t, "aes_gcm_test.json", func(t *testing.T, g group, v vector) {
		k, p := keyFor(m, v.Key), p11.GCMParams{IV: v.IV, AAD: v.AAD, TagBits: uint64(g.TagSize)}
		if v.Result == "valid" {
			checkBoth(t, m, k, p, v.Msg, append(v.CT, v.Tag...))
			return
		}
		want := p11.CKR_ENCRYPTED_DATA_INVALID
		if len(v.IV) == 0 {
			want = p11.CKR_MECHANISM_PARAM_INVALID
		}
		if _, err := whole(t, m.Decrypt, k, p, append(v.CT, v.Tag...)); p11.Code(err) != want {
			t.Errorf("got %v, want %v", err, want)
		}
		if _, err := cut(t, 5, m.Decrypt, k, p, append(v.CT, v.Tag...)); p11.Code(err) != want {
			t.Errorf("in parts: got %v, want %v", err, want)
		}
	})
}

func TestGCMMakesTheIV(t *testing.T) {
	m := lookup(t, p11.CKM_AES_GCM)
	k := keyFor(m, sp800Key256)
	seen := map[string]bool{}
	for _, n := range []int{12, 12, 16, 32} {
		iv := make([]byte, n)
		op, err := m.Encrypt(k, p11.GCMParams{OutIV: iv, TagBits: 128})
		if err != nil {
			t.Fatal(err)
		}
		made := bytes.Clone(iv)
		if seen[string(made)] || bytes.Equal(made, make([]byte, n)) {
			t.Fatalf("the IV %x was made twice", made)
		}
		seen[string(made)] = true
		clear(iv) // the caller's memory is the caller's again after Init
		cipher := make([]byte, op.FinalSize(len(sp800Plain)).Max)
		if _, err := op.Final(cipher, sp800Plain); err != nil {
			t.Fatal(err)
		}
		got, err := whole(t, m.Decrypt, k, p11.GCMParams{IV: made, TagBits: 128}, cipher)
		if err != nil || !bytes.Equal(got, sp800Plain) {
			t.Fatalf("decrypting with the IV made: %x, %v", got, err)
		}
	}
	iv := make([]byte, 12)
	wrapped, err := m.Wrap(k, p11.GCMParams{OutIV: iv, TagBits: 128}, sp800Plain[:32])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Unwrap(k, p11.GCMParams{IV: iv, TagBits: 128}, wrapped); err != nil || !bytes.Equal(got, sp800Plain[:32]) {
		t.Fatalf("unwrapping with the IV made: %x, %v", got, err)
	}
	before := bytes.Clone(iv)
	if _, err := m.WrapSize(k, p11.GCMParams{OutIV: iv, TagBits: 128}, 32); err != nil || !bytes.Equal(iv, before) {
		t.Errorf("asking for the size made an IV, or failed: %v", err)
	}
	for name, err := range map[string]error{
		"decryption with an IV to make": second(m.Decrypt(k, p11.GCMParams{OutIV: iv, TagBits: 128})),
		"a short IV to make":            second(m.Encrypt(k, p11.GCMParams{OutIV: iv[:8], TagBits: 128})),
		"no IV":                         second(m.Encrypt(k, p11.GCMParams{TagBits: 128})),
		"an empty IV":                   second(m.Encrypt(k, p11.GCMParams{IV: []byte{}, TagBits: 128})),
		"a tag of 32 bits":              second(m.Encrypt(k, p11.GCMParams{IV: iv, TagBits: 32})),
		"a tag of 64 bits":              second(m.Decrypt(k, p11.GCMParams{IV: iv, TagBits: 64})),
	} {
		if p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestGCMDecryptionInPartsIsBounded: what is held back may not grow for ever.
func TestGCMDecryptionInPartsIsBounded(t *testing.T) {
	m := lookup(t, p11.CKM_AES_GCM)
	op, err := m.Decrypt(keyFor(m, sp800Key128), p11.GCMParams{IV: make([]byte, 12), TagBits: 128})
	if err != nil {
		t.Fatal(err)
	}
	defer op.Wipe()
	part := make([]byte, 16<<20)
	for range 4 {
		if _, err := op.Update(nil, part); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := op.Update(nil, part[:16]); err != nil {
		t.Errorf("the tag: %v", err)
	}
	if _, err := op.Update(nil, part[:1]); p11.Code(err) != p11.CKR_DATA_LEN_RANGE {
		t.Errorf("a byte more than 64 MiB and the tag: %v", err)
	}
}
