package mech_test

import (
	"testing"

	"coffer/mech"
	"coffer/mech/mechtest"
	"coffer/p11"
)

// saved are the functions of mechanisms whose operations can be saved, by
// example; none of those that would use a nonce twice.
var saved = map[p11.MechanismType]p11.Flags{
	p11.CKM_SHA_1: p11.CKF_DIGEST, p11.CKM_SHA256: p11.CKF_DIGEST, p11.CKM_SHA512: p11.CKF_DIGEST, p11.CKM_SHA512_256: p11.CKF_DIGEST,
	p11.CKM_SHA512_T: p11.CKF_DIGEST, p11.CKM_SHA3_256: p11.CKF_DIGEST, p11.CKM_BLAKE2B_256: p11.CKF_DIGEST,
	p11.CKM_SHA256_HMAC: macs, p11.CKM_SHA3_512_HMAC_GENERAL: macs, p11.CKM_AES_CMAC: macs, p11.CKM_AES_MAC_GENERAL: macs, p11.CKM_AES_XCBC_MAC: macs, p11.CKM_DES3_CMAC: macs,
	p11.CKM_SHA256_RSA_PKCS: macs, p11.CKM_SHA256_RSA_PKCS_PSS: macs, p11.CKM_ECDSA_SHA256: macs,
	p11.CKM_AES_ECB: ciphers, p11.CKM_AES_CBC: ciphers, p11.CKM_AES_CBC_PAD: ciphers, p11.CKM_AES_CTS: ciphers, p11.CKM_DES3_CBC_PAD: ciphers,
	p11.CKM_AES_CTR: ciphers, p11.CKM_AES_OFB: ciphers, p11.CKM_AES_CFB8: ciphers, p11.CKM_AES_CFB64: ciphers, p11.CKM_AES_CFB1: ciphers, p11.CKM_CHACHA20: ciphers,

	p11.CKM_AES_GCM: 0, p11.CKM_AES_CCM: 0, p11.CKM_CHACHA20_POLY1305: 0, p11.CKM_AES_GMAC: 0, p11.CKM_POLY1305: 0,
	p11.CKM_RSA_PKCS: 0, p11.CKM_ECDSA: 0,
}

const (
	macs    = p11.CKF_SIGN | p11.CKF_VERIFY
	ciphers = p11.CKF_ENCRYPT | p11.CKF_DECRYPT
)

func TestWhatCanBeSaved(t *testing.T) {
	t.Parallel()
	reg := mech.NewRegistry(mech.All()...)
	for typ, want := range saved {
		row, err := reg.Lookup(typ)
		if err != nil {
			t.Fatal(err)
		}
		if got := mechtest.Savers(t, reg, row); got != want {
			t.Errorf("%v: %#x can be saved, want %#x", typ, uint64(got), uint64(want))
		}
	}
}
