package mech_test

import (
	"bytes"
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// vectors has, for each mechanism of secret keys, the test against answers
// from outside.
var vectors = map[p11.MechanismType]func(*testing.T, *mech.Mechanism){
	p11.CKM_AES_ECB:            testAESECB,
	p11.CKM_AES_CBC:            testAESCBC,
	p11.CKM_AES_CBC_PAD:        testAESCBCPad,
	p11.CKM_AES_CTR:            testAESCTR,
	p11.CKM_AES_GCM:            testAESGCM,
	p11.CKM_AES_CMAC:           testAESCMAC,
	p11.CKM_AES_CMAC_GENERAL:   testAESCMAC,
	p11.CKM_AES_KEY_WRAP:       testAESKeyWrap,
	p11.CKM_AES_KEY_WRAP_KWP:   testAESKeyWrapKWP,
	p11.CKM_AES_KEY_WRAP_PAD:   testAESKeyWrapKWP,
	p11.CKM_AES_KEY_WRAP_PKCS7: testAESKeyWrapPKCS7,
	p11.CKM_AES_CCM:            testAESCCM,
	p11.CKM_AES_GMAC:           testAESGMAC,
	p11.CKM_AES_OFB:            testAESOFB,
	p11.CKM_AES_CFB128:         testAESCFB128,
	p11.CKM_AES_CFB64:          testAESCFB64,
	p11.CKM_AES_CFB8:           testAESCFB8,
	p11.CKM_AES_CFB1:           testAESCFB1,
	p11.CKM_AES_CTS:            testAESCTS,
	p11.CKM_AES_XTS:            testAESXTS,
	p11.CKM_AES_MAC:            testAESMAC,
	p11.CKM_AES_MAC_GENERAL:    testAESMAC,
	p11.CKM_AES_XCBC_MAC:       testAESXCBC,
	p11.CKM_AES_XCBC_MAC_96:    testAESXCBC,

	p11.CKM_CHACHA20:          testChaCha20,
	p11.CKM_CHACHA20_POLY1305: testChaCha20Poly1305,
	p11.CKM_POLY1305:          testPoly1305,

	p11.CKM_DES3_ECB:          testDES3ECB,
	p11.CKM_DES3_CBC:          testDES3CBC,
	p11.CKM_DES3_CBC_PAD:      testDES3CBCPad,
	p11.CKM_DES3_MAC:          testDES3MAC,
	p11.CKM_DES3_MAC_GENERAL:  testDES3MAC,
	p11.CKM_DES3_CMAC:         testDES3CMAC,
	p11.CKM_DES3_CMAC_GENERAL: testDES3CMAC,

	p11.CKM_SHA512_T: testSHA512T,

	p11.CKM_HKDF_DERIVE:                         testHKDF,
	p11.CKM_HKDF_DATA:                           testHKDF,
	p11.CKM_SHA512_T_KEY_DERIVATION:             testSHA512TDerivation,
	p11.CKM_SHAKE_128_KEY_DERIVATION:            testSHAKEDerivation,
	p11.CKM_SHAKE_256_KEY_DERIVATION:            testSHAKEDerivation,
	p11.CKM_CONCATENATE_BASE_AND_KEY:            testConcatenateKeys,
	p11.CKM_CONCATENATE_BASE_AND_DATA:           testConcatenateBaseAndData,
	p11.CKM_CONCATENATE_DATA_AND_BASE:           testConcatenateDataAndBase,
	p11.CKM_XOR_BASE_AND_DATA:                   testXOR,
	p11.CKM_EXTRACT_KEY_FROM_KEY:                testExtract,
	p11.CKM_AES_ECB_ENCRYPT_DATA:                testEncryptData,
	p11.CKM_AES_CBC_ENCRYPT_DATA:                testEncryptData,
	p11.CKM_DES3_ECB_ENCRYPT_DATA:               testEncryptData,
	p11.CKM_DES3_CBC_ENCRYPT_DATA:               testEncryptData,
	p11.CKM_PKCS5_PBKD2:                         testPBKDF2,
	p11.CKM_SP800_108_COUNTER_KDF:               testKBKDFCounter,
	p11.CKM_SP800_108_FEEDBACK_KDF:              testKBKDFFeedback,
	p11.CKM_SP800_108_DOUBLE_PIPELINE_KDF:       testKBKDFPipeline,
	p11.CKM_TLS12_MASTER_KEY_DERIVE:             testTLSMaster,
	p11.CKM_TLS12_MASTER_KEY_DERIVE_DH:          testTLSMaster,
	p11.CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE:    testTLSExtended,
	p11.CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH: testTLSExtended,
	p11.CKM_TLS_KDF:                             testTLSKDF,
	p11.CKM_TLS12_KDF:                           testTLSKDF,
	p11.CKM_TLS_MAC:                             testTLSMAC,
	p11.CKM_TLS12_MAC:                           testTLSMAC,
	p11.CKM_IKE_PRF_DERIVE:                      testIKEPRF,
	p11.CKM_IKE2_PRF_PLUS_DERIVE:                testIKE2PRFPlus,
	p11.CKM_IKE1_PRF_DERIVE:                     testIKE1PRF,
	p11.CKM_IKE1_EXTENDED_DERIVE:                testIKE1Extended,
}

// pairVectorTests names the tests with answers from outside of the mechanisms of
// key pairs. They run by themselves.
var pairVectorTests = map[string]func(*testing.T){
	"CKM_RSA_PKCS":         TestRSADecryptionVectors,
	"CKM_RSA_PKCS_OAEP":    TestRSADecryptionVectors,
	"CKM_*_RSA_PKCS":       TestRSASignatureVectors,
	"CKM_*RSA_PKCS_PSS":    TestRSAPSSVectors,
	"CKM_RSA_X_509":        TestRSARawAgainstBigInt,
	"CKM_RSA_AES_KEY_WRAP": TestRSAAESKeyWrap,
	"CKM_ECDSA*":           TestECDSAVectors,
	"CKM_EC_*_EXTRA_BITS":  TestECDSAOnEveryCurve,
	"CKM_ECDH1_*DERIVE":    TestECDHVectors,
	"CKM_EDDSA":            TestEdDSAVectors,
	"CKM_DSA*":             TestDSAVectors,
	"CKM_DH_PKCS_DERIVE":   TestDHAgainstBigInt,
	"CKM_X9_42_DH_DERIVE":  TestX942AgainstRFC2631,
	"CKM_ECDH_*KEY_WRAP":   TestECDHAESKeyWrap,
	"CKM_ML_DSA":           TestMLDSAVectors,
	"CKM_ML_KEM":           TestMLKEMVectors,
	"CKM_SLH_DSA":          TestSLHDSAVerification,
	"CKM_HASH_SLH_DSA*":    TestSLHDSAVerification,
	"CKM_HASH_ML_DSA*":     TestHashMLDSA,
}

func hasPairVectors(t p11.MechanismType) bool {
	for pattern := range pairVectorTests {
		if ok, _ := path.Match(pattern, t.String()); ok {
			return true
		}
	}
	return false
}

// TestEveryMechanismHasVectors: of every family, whoever adds one.
func TestEveryMechanismHasVectors(t *testing.T) {
	for _, typ := range registry.Mechanisms() {
		m := lookup(t, typ)
		t.Run(typ.String(), func(t *testing.T) {
			test := vectors[typ]
			switch {
			case test != nil:
			case (m.Generate != nil || m.GeneratePair != nil) && m.Params == p11.ParamNone:
				t.Skip("the result is random; mechtest checks what can be said of it")
			case hasPairVectors(typ):
				t.Skip("a test of its own has them")
			case m.Digest != nil:
				test = testDigest
			case strings.Contains(typ.String(), "_HMAC"):
				test = testHMAC
			case strings.Contains(typ.String(), "_KEY_DERIV"):
				test = testHashDerivation
			default:
				t.Fatal("no test with vectors")
			}
			test(t, m)
		})
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
