package mech_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// secretVectors has, for each mechanism of the secret-key families, the test
// against answers from outside.
var secretVectors = map[p11.MechanismType]func(*testing.T, *mech.Mechanism){
	p11.CKM_AES_ECB:          testAESECB,
	p11.CKM_AES_CBC:          testAESCBC,
	p11.CKM_AES_CBC_PAD:      testAESCBCPad,
	p11.CKM_AES_CTR:          testAESCTR,
	p11.CKM_AES_GCM:          testAESGCM,
	p11.CKM_AES_CMAC:         testAESCMAC,
	p11.CKM_AES_CMAC_GENERAL: testAESCMAC,
	p11.CKM_AES_KEY_WRAP:     testAESKeyWrap,
	p11.CKM_AES_KEY_WRAP_KWP: testAESKeyWrapKWP,
	p11.CKM_AES_KEY_WRAP_PAD: testAESKeyWrapKWP,
	p11.CKM_HKDF_DERIVE:      testHKDF,
	p11.CKM_HKDF_DATA:        testHKDF,
}

// secretFamilies are the families that secretVectors is about.
var secretFamilies = []string{"AES", "digest", "generic secret", "HKDF", "HMAC"}

func TestVectorsOfSecretKeyMechanisms(t *testing.T) {
	for _, f := range mech.All() {
		if !slices.Contains(secretFamilies, f.Name) {
			continue
		}
		for i := range f.Mechanisms {
			m := &f.Mechanisms[i]
			t.Run(m.Type.String(), func(t *testing.T) {
				if m.Generate != nil {
					t.Skip("the result is random; mechtest checks its length and that no two agree")
				}
				test := secretVectors[m.Type]
				switch {
				case test != nil:
				case m.Digest != nil:
					test = testDigest
				case strings.Contains(m.Type.String(), "_HMAC"):
					test = testHMAC
				default:
					t.Fatal("no test with vectors")
				}
				test(t, m)
			})
		}
	}
}

// testKey is a secret key of the value given.
type testKey struct {
	typ   p11.KeyType
	value []byte
}

func (k testKey) Class() p11.ObjectClass { return p11.CKO_SECRET_KEY }
func (k testKey) Type() p11.KeyType      { return k.typ }
func (k testKey) Bits() int              { return 8 * len(k.value) }
func (k testKey) Material() (any, error) { return k.value, nil }

// keyFor returns a key of the first type that m takes.
func keyFor(m *mech.Mechanism, value []byte) mech.Key { return testKey{m.Keys[0], value} }

// unhex reads hexadecimal digits; blanks do not count.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// whole runs an operation in one part.
func whole(t *testing.T, start func(mech.Key, p11.Params) (mech.Op, error), k mech.Key, p p11.Params, in []byte) ([]byte, error) {
	t.Helper()
	op, err := start(k, p)
	if err != nil {
		return nil, err
	}
	defer op.Wipe()
	out := make([]byte, op.FinalSize(len(in)).Max)
	n, err := op.Final(out, in)
	return out[:n], err
}

// cut runs an operation in parts of at most n bytes.
func cut(t *testing.T, n int, start func(mech.Key, p11.Params) (mech.Op, error), k mech.Key, p p11.Params, in []byte) ([]byte, error) {
	t.Helper()
	op, err := start(k, p)
	if err != nil {
		return nil, err
	}
	defer op.Wipe()
	var all []byte
	for part := range slices.Chunk(in, n) {
		out := make([]byte, op.UpdateSize(len(part)).Max)
		n, err := op.Update(out, part)
		if err != nil {
			return nil, err
		}
		all = append(all, out[:n]...)
	}
	out := make([]byte, op.FinalSize(0).Max)
	m, err := op.Final(out, nil)
	return append(all, out[:m]...), err
}

// checkBoth checks a known pair of plaintext and ciphertext, whole and, where
// the mechanism allows, in parts.
func checkBoth(t *testing.T, m *mech.Mechanism, k mech.Key, p p11.Params, plain, cipher []byte) {
	t.Helper()
	for _, c := range []struct {
		name     string
		start    func(mech.Key, p11.Params) (mech.Op, error)
		in, want []byte
	}{{"encrypting", m.Encrypt, plain, cipher}, {"decrypting", m.Decrypt, cipher, plain}} {
		got, err := whole(t, c.start, k, p, c.in)
		if err != nil || !bytes.Equal(got, c.want) {
			t.Fatalf("%s: got %x, %v; want %x", c.name, got, err, c.want)
		}
		if m.SinglePart {
			continue
		}
		got, err = cut(t, 7, c.start, k, p, c.in)
		if err != nil || !bytes.Equal(got, c.want) {
			t.Fatalf("%s in parts: got %x, %v; want %x", c.name, got, err, c.want)
		}
	}
}

// checkMAC checks a known MAC, or that a wrong one is refused.
func checkMAC(t *testing.T, m *mech.Mechanism, k mech.Key, p p11.Params, data, mac []byte, right bool) {
	t.Helper()
	got, err := whole(t, m.Sign, k, p, data)
	if err != nil || bytes.Equal(got, mac) != right {
		t.Fatalf("signing: got %x, %v; %x is right: %v", got, err, mac, right)
	}
	op, err := m.Verify(k, p)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Wipe()
	if err := op.Verify(data, mac); (err == nil) != right {
		t.Fatalf("verifying: %v; right: %v", err, right)
	}
}
