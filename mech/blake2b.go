package mech

import (
	"hash"

	"golang.org/x/crypto/blake2b"

	"coffer/p11"
)

// blakeAlgs are the sizes of BLAKE2b that the standard has (PKCS #11 v3.2,
// sections 6.33 to 6.36; RFC 7693). They sign nothing and are no PRF of another
// mechanism. Their HMAC is that of RFC 2104, not BLAKE2b's own keyed mode.
var blakeAlgs = []hashAlg{
	{
		Name: "BLAKE2b-160", Length: 20, New: newBLAKE2b(20),
		Digest: p11.CKM_BLAKE2B_160, HMAC: p11.CKM_BLAKE2B_160_HMAC, HMACGeneral: p11.CKM_BLAKE2B_160_HMAC_GENERAL, HMACKeyGen: p11.CKM_BLAKE2B_160_KEY_GEN,
		KeyType: p11.CKK_BLAKE2B_160_HMAC, Derive: p11.CKM_BLAKE2B_160_KEY_DERIVE, Weak: Unapproved,
	},
	{
		Name: "BLAKE2b-256", Length: 32, New: newBLAKE2b(32),
		Digest: p11.CKM_BLAKE2B_256, HMAC: p11.CKM_BLAKE2B_256_HMAC, HMACGeneral: p11.CKM_BLAKE2B_256_HMAC_GENERAL, HMACKeyGen: p11.CKM_BLAKE2B_256_KEY_GEN,
		KeyType: p11.CKK_BLAKE2B_256_HMAC, Derive: p11.CKM_BLAKE2B_256_KEY_DERIVE, Weak: Unapproved,
	},
	{
		Name: "BLAKE2b-384", Length: 48, New: newBLAKE2b(48),
		Digest: p11.CKM_BLAKE2B_384, HMAC: p11.CKM_BLAKE2B_384_HMAC, HMACGeneral: p11.CKM_BLAKE2B_384_HMAC_GENERAL, HMACKeyGen: p11.CKM_BLAKE2B_384_KEY_GEN,
		KeyType: p11.CKK_BLAKE2B_384_HMAC, Derive: p11.CKM_BLAKE2B_384_KEY_DERIVE, Weak: Unapproved,
	},
	{
		Name: "BLAKE2b-512", Length: 64, New: newBLAKE2b(64),
		Digest: p11.CKM_BLAKE2B_512, HMAC: p11.CKM_BLAKE2B_512_HMAC, HMACGeneral: p11.CKM_BLAKE2B_512_HMAC_GENERAL, HMACKeyGen: p11.CKM_BLAKE2B_512_KEY_GEN,
		KeyType: p11.CKK_BLAKE2B_512_HMAC, Derive: p11.CKM_BLAKE2B_512_KEY_DERIVE, Weak: Unapproved,
	},
}

func newBLAKE2b(size int) func() hash.Hash {
	return func() hash.Hash {
		h, err := blake2b.New(size, nil)
		if err != nil {
			panic("mech: " + err.Error()) // only for a size or a key that it has not
		}
		return h
	}
}
