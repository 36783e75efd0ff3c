package vectors

import (
	"crypto"
	_ "crypto/sha1"
	"crypto/sha3"
	_ "crypto/sha512"

	"coffer/p11"
)

// A hash has, under its name in the vectors, what PKCS #11 calls things that
// are made with it; 0 where it has no name.
type hash struct {
	digest, hmac, general p11.MechanismType
	ecdsa, pkcs1, pss     p11.MechanismType
	dsa                   p11.MechanismType
	mgf                   p11.MGF
	of                    crypto.Hash
	size                  int // bytes
}

var hashes = map[string]hash{
	"SHA-1":       {p11.CKM_SHA_1, p11.CKM_SHA_1_HMAC, p11.CKM_SHA_1_HMAC_GENERAL, p11.CKM_ECDSA_SHA1, p11.CKM_SHA1_RSA_PKCS, p11.CKM_SHA1_RSA_PKCS_PSS, p11.CKM_DSA_SHA1, p11.CKG_MGF1_SHA1, crypto.SHA1, 20},
	"SHA-224":     {p11.CKM_SHA224, p11.CKM_SHA224_HMAC, p11.CKM_SHA224_HMAC_GENERAL, p11.CKM_ECDSA_SHA224, p11.CKM_SHA224_RSA_PKCS, p11.CKM_SHA224_RSA_PKCS_PSS, p11.CKM_DSA_SHA224, p11.CKG_MGF1_SHA224, crypto.SHA224, 28},
	"SHA-256":     {p11.CKM_SHA256, p11.CKM_SHA256_HMAC, p11.CKM_SHA256_HMAC_GENERAL, p11.CKM_ECDSA_SHA256, p11.CKM_SHA256_RSA_PKCS, p11.CKM_SHA256_RSA_PKCS_PSS, p11.CKM_DSA_SHA256, p11.CKG_MGF1_SHA256, crypto.SHA256, 32},
	"SHA-384":     {p11.CKM_SHA384, p11.CKM_SHA384_HMAC, p11.CKM_SHA384_HMAC_GENERAL, p11.CKM_ECDSA_SHA384, p11.CKM_SHA384_RSA_PKCS, p11.CKM_SHA384_RSA_PKCS_PSS, p11.CKM_DSA_SHA384, p11.CKG_MGF1_SHA384, crypto.SHA384, 48},
	"SHA-512":     {p11.CKM_SHA512, p11.CKM_SHA512_HMAC, p11.CKM_SHA512_HMAC_GENERAL, p11.CKM_ECDSA_SHA512, p11.CKM_SHA512_RSA_PKCS, p11.CKM_SHA512_RSA_PKCS_PSS, p11.CKM_DSA_SHA512, p11.CKG_MGF1_SHA512, crypto.SHA512, 64},
	"SHA-512/224": {digest: p11.CKM_SHA512_224, hmac: p11.CKM_SHA512_224_HMAC, general: p11.CKM_SHA512_224_HMAC_GENERAL, of: crypto.SHA512_224, size: 28},
	"SHA-512/256": {digest: p11.CKM_SHA512_256, hmac: p11.CKM_SHA512_256_HMAC, general: p11.CKM_SHA512_256_HMAC_GENERAL, of: crypto.SHA512_256, size: 32},
	"SHA3-224":    {p11.CKM_SHA3_224, p11.CKM_SHA3_224_HMAC, p11.CKM_SHA3_224_HMAC_GENERAL, p11.CKM_ECDSA_SHA3_224, p11.CKM_SHA3_224_RSA_PKCS, p11.CKM_SHA3_224_RSA_PKCS_PSS, p11.CKM_DSA_SHA3_224, p11.CKG_MGF1_SHA3_224, crypto.SHA3_224, 28},
	"SHA3-256":    {p11.CKM_SHA3_256, p11.CKM_SHA3_256_HMAC, p11.CKM_SHA3_256_HMAC_GENERAL, p11.CKM_ECDSA_SHA3_256, p11.CKM_SHA3_256_RSA_PKCS, p11.CKM_SHA3_256_RSA_PKCS_PSS, p11.CKM_DSA_SHA3_256, p11.CKG_MGF1_SHA3_256, crypto.SHA3_256, 32},
	"SHA3-384":    {p11.CKM_SHA3_384, p11.CKM_SHA3_384_HMAC, p11.CKM_SHA3_384_HMAC_GENERAL, p11.CKM_ECDSA_SHA3_384, p11.CKM_SHA3_384_RSA_PKCS, p11.CKM_SHA3_384_RSA_PKCS_PSS, p11.CKM_DSA_SHA3_384, p11.CKG_MGF1_SHA3_384, crypto.SHA3_384, 48},
	"SHA3-512":    {p11.CKM_SHA3_512, p11.CKM_SHA3_512_HMAC, p11.CKM_SHA3_512_HMAC_GENERAL, p11.CKM_ECDSA_SHA3_512, p11.CKM_SHA3_512_RSA_PKCS, p11.CKM_SHA3_512_RSA_PKCS_PSS, p11.CKM_DSA_SHA3_512, p11.CKG_MGF1_SHA3_512, crypto.SHA3_512, 64},
}

// sum is the digest of data by a hash of the vectors that the token need not
// have.
func sum(name string, data []byte) []byte {
	switch name {
	case "SHAKE128":
		return sha3.SumSHAKE128(data, 32)
	case "SHAKE256":
		return sha3.SumSHAKE256(data, 64)
	}
	h := hashes[name].of.New()
	h.Write(data)
	return h.Sum(nil)
}
