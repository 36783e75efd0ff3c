package mech

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"

	"coffer/p11"
)

// A hashAlg is a hash function under all the numbers that the standard has
// for it. Every mechanism that is "with SHA-256" finds its hash here.
type hashAlg struct {
	Name   string
	Crypto crypto.Hash
	New    func() hash.Hash

	Digest      p11.MechanismType // CKM_SHA256
	HMAC        p11.MechanismType // CKM_SHA256_HMAC
	HMACGeneral p11.MechanismType // CKM_SHA256_HMAC_GENERAL
	HMACKeyGen  p11.MechanismType // CKM_SHA256_KEY_GEN
	KeyType     p11.KeyType       // CKK_SHA256_HMAC
	MGF         p11.MGF           // CKG_MGF1_SHA256
	KDF         p11.KDF           // CKD_SHA256_KDF, the one of ANSI X9.63
	Derive      p11.MechanismType // CKM_SHA256_KEY_DERIVATION

	// Weak is what a signature over the digest has against it, and with
	// Unapproved everything else that uses the hash.
	Weak Weaknesses

	// Length is that of the digest in bytes, where Crypto has no number for it.
	Length int
}

// Size is the length of the digest in bytes.
func (h *hashAlg) Size() int {
	if h.Crypto == 0 {
		return h.Length
	}
	return h.Crypto.Size()
}

// weakUnsigned is what speaks against the digest, a MAC or a derivation.
func (h *hashAlg) weakUnsigned() Weaknesses { return h.Weak & Unapproved }

// maxDigest is the length of the longest digest in bytes.
const maxDigest = 64

// hashAlgs are the hashes of FIPS 180-4 and FIPS 202. A number that is 0 is one
// that the standard does not have.
var hashAlgs = []hashAlg{
	{
		Name: "SHA-1", Crypto: crypto.SHA1, New: sha1.New,
		Digest: p11.CKM_SHA_1, HMAC: p11.CKM_SHA_1_HMAC, HMACGeneral: p11.CKM_SHA_1_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA_1_KEY_GEN,
		KeyType: p11.CKK_SHA_1_HMAC, MGF: p11.CKG_MGF1_SHA1, KDF: p11.CKD_SHA1_KDF,
		Derive: p11.CKM_SHA1_KEY_DERIVATION,
		Weak:   SHA1Signature,
	},
	{
		Name: "SHA-224", Crypto: crypto.SHA224, New: sha256.New224,
		Digest: p11.CKM_SHA224, HMAC: p11.CKM_SHA224_HMAC, HMACGeneral: p11.CKM_SHA224_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA224_KEY_GEN,
		KeyType: p11.CKK_SHA224_HMAC, MGF: p11.CKG_MGF1_SHA224, KDF: p11.CKD_SHA224_KDF,
		Derive: p11.CKM_SHA224_KEY_DERIVATION,
	},
	{
		Name: "SHA-256", Crypto: crypto.SHA256, New: sha256.New,
		Digest: p11.CKM_SHA256, HMAC: p11.CKM_SHA256_HMAC, HMACGeneral: p11.CKM_SHA256_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA256_KEY_GEN,
		KeyType: p11.CKK_SHA256_HMAC, MGF: p11.CKG_MGF1_SHA256, KDF: p11.CKD_SHA256_KDF,
		Derive: p11.CKM_SHA256_KEY_DERIVATION,
	},
	{
		Name: "SHA-384", Crypto: crypto.SHA384, New: sha512.New384,
		Digest: p11.CKM_SHA384, HMAC: p11.CKM_SHA384_HMAC, HMACGeneral: p11.CKM_SHA384_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA384_KEY_GEN,
		KeyType: p11.CKK_SHA384_HMAC, MGF: p11.CKG_MGF1_SHA384, KDF: p11.CKD_SHA384_KDF,
		Derive: p11.CKM_SHA384_KEY_DERIVATION,
	},
	{
		Name: "SHA-512", Crypto: crypto.SHA512, New: sha512.New,
		Digest: p11.CKM_SHA512, HMAC: p11.CKM_SHA512_HMAC, HMACGeneral: p11.CKM_SHA512_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA512_KEY_GEN,
		KeyType: p11.CKK_SHA512_HMAC, MGF: p11.CKG_MGF1_SHA512, KDF: p11.CKD_SHA512_KDF,
		Derive: p11.CKM_SHA512_KEY_DERIVATION,
	},
	{
		Name: "SHA-512/224", Crypto: crypto.SHA512_224, New: sha512.New512_224,
		Digest: p11.CKM_SHA512_224, HMAC: p11.CKM_SHA512_224_HMAC, HMACGeneral: p11.CKM_SHA512_224_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA512_224_KEY_GEN,
		KeyType: p11.CKK_SHA512_224_HMAC, Derive: p11.CKM_SHA512_224_KEY_DERIVATION,
	},
	{
		Name: "SHA-512/256", Crypto: crypto.SHA512_256, New: sha512.New512_256,
		Digest: p11.CKM_SHA512_256, HMAC: p11.CKM_SHA512_256_HMAC, HMACGeneral: p11.CKM_SHA512_256_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA512_256_KEY_GEN,
		KeyType: p11.CKK_SHA512_256_HMAC, Derive: p11.CKM_SHA512_256_KEY_DERIVATION,
	},
	{
		Name: "SHA3-224", Crypto: crypto.SHA3_224, New: func() hash.Hash { return sha3.New224() },
		Digest: p11.CKM_SHA3_224, HMAC: p11.CKM_SHA3_224_HMAC, HMACGeneral: p11.CKM_SHA3_224_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA3_224_KEY_GEN,
		KeyType: p11.CKK_SHA3_224_HMAC, MGF: p11.CKG_MGF1_SHA3_224, KDF: p11.CKD_SHA3_224_KDF,
		Derive: p11.CKM_SHA3_224_KEY_DERIVATION,
	},
	{
		Name: "SHA3-256", Crypto: crypto.SHA3_256, New: func() hash.Hash { return sha3.New256() },
		Digest: p11.CKM_SHA3_256, HMAC: p11.CKM_SHA3_256_HMAC, HMACGeneral: p11.CKM_SHA3_256_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA3_256_KEY_GEN,
		KeyType: p11.CKK_SHA3_256_HMAC, MGF: p11.CKG_MGF1_SHA3_256, KDF: p11.CKD_SHA3_256_KDF,
		Derive: p11.CKM_SHA3_256_KEY_DERIVATION,
	},
	{
		Name: "SHA3-384", Crypto: crypto.SHA3_384, New: func() hash.Hash { return sha3.New384() },
		Digest: p11.CKM_SHA3_384, HMAC: p11.CKM_SHA3_384_HMAC, HMACGeneral: p11.CKM_SHA3_384_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA3_384_KEY_GEN,
		KeyType: p11.CKK_SHA3_384_HMAC, MGF: p11.CKG_MGF1_SHA3_384, KDF: p11.CKD_SHA3_384_KDF,
		Derive: p11.CKM_SHA3_384_KEY_DERIVATION,
	},
	{
		Name: "SHA3-512", Crypto: crypto.SHA3_512, New: func() hash.Hash { return sha3.New512() },
		Digest: p11.CKM_SHA3_512, HMAC: p11.CKM_SHA3_512_HMAC, HMACGeneral: p11.CKM_SHA3_512_HMAC_GENERAL, HMACKeyGen: p11.CKM_SHA3_512_KEY_GEN,
		KeyType: p11.CKK_SHA3_512_HMAC, MGF: p11.CKG_MGF1_SHA3_512, KDF: p11.CKD_SHA3_512_KDF,
		Derive: p11.CKM_SHA3_512_KEY_DERIVATION,
	},
}

// allHashes are those of hashAlgs, and the others that digest, make MACs and
// derive keys.
func allHashes() (hs []*hashAlg) {
	for i := range hashAlgs {
		hs = append(hs, &hashAlgs[i])
	}
	for i := range blakeAlgs {
		hs = append(hs, &blakeAlgs[i])
	}
	return hs
}

// hashWhere returns the first of hashAlgs whose number, by the function given,
// is n.
func hashWhere[N ~uint64](number func(*hashAlg) N, n N) (*hashAlg, bool) {
	for i := range hashAlgs {
		if h := &hashAlgs[i]; n != 0 && number(h) == n {
			return h, true
		}
	}
	return nil, false
}

// hashByDigest returns the hash whose digest mechanism is t.
func hashByDigest(t p11.MechanismType) (*hashAlg, bool) {
	return hashWhere(func(h *hashAlg) p11.MechanismType { return h.Digest }, t)
}

// hashByHMAC returns the hash whose HMAC mechanism is t.
func hashByHMAC(t p11.MechanismType) (*hashAlg, bool) {
	return hashWhere(func(h *hashAlg) p11.MechanismType { return h.HMAC }, t)
}

// hashByPRF returns the hash whose digest or HMAC mechanism is t.
func hashByPRF(t p11.MechanismType) (*hashAlg, bool) {
	if h, ok := hashByDigest(t); ok {
		return h, true
	}
	return hashByHMAC(t)
}

// hashByMGF returns the hash of the mask generation function g.
func hashByMGF(g p11.MGF) (*hashAlg, bool) {
	return hashWhere(func(h *hashAlg) p11.MGF { return h.MGF }, g)
}

// hashByKDF returns the hash of the ANSI X9.63 key derivation function k.
func hashByKDF(k p11.KDF) (*hashAlg, bool) {
	return hashWhere(func(h *hashAlg) p11.KDF { return h.KDF }, k)
}
