package mech

import (
	"crypto/aes"
	"crypto/des"
	"hash"
	"slices"

	"coffer/p11"
)

// A prf is a pseudo-random function that derivations are made of: a MAC, named
// by its mechanism.
type prf struct {
	size  int // of its output in bytes
	types []p11.KeyType
	keyed func(key []byte) (hash.Hash, error)
}

// hmacPRF is HMAC with h. The keys that it takes are those of CKM_…_HMAC.
func hmacPRF(h *hashAlg) prf {
	return prf{h.Size(), []p11.KeyType{h.KeyType, p11.CKK_GENERIC_SECRET}, func(key []byte) (hash.Hash, error) { return newHMAC(h, key), nil }}
}

// prfOf returns the function of a mechanism type.
func prfOf(t p11.MechanismType) (prf, error) {
	if h, ok := hashByHMAC(t); ok {
		return hmacPRF(h), nil
	}
	if f, ok := cipherPRFs[t]; ok {
		return f, nil
	}
	return prf{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%v is no pseudo-random function here", t)
}

var cipherPRFs = map[p11.MechanismType]prf{
	p11.CKM_AES_CMAC:  {aes.BlockSize, aesOnly, keyedCMAC},
	p11.CKM_DES3_CMAC: {des.BlockSize, desEither, keyedDESCMAC},
}

// prfBases are the types of the keys that one of the functions takes.
var prfBases = slices.Concat([]p11.KeyType{p11.CKK_GENERIC_SECRET, p11.CKK_AES, p11.CKK_DES3, p11.CKK_DES2}, hmacPRFTypes())

func hmacPRFTypes() (ts []p11.KeyType) {
	for i := range hashAlgs {
		ts = append(ts, hashAlgs[i].KeyType)
	}
	return ts
}

// under returns the function under a key of one of its types.
func (f prf) under(k Key) (hash.Hash, error) {
	key, err := secretOf(k)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(f.types, k.Type()) {
		return nil, p11.Errorf(p11.CKR_KEY_TYPE_INCONSISTENT, "the pseudo-random function does not take a key of type %v", k.Type())
	}
	return f.keyed(key)
}

// sumOf appends the function's value of the parts.
func sumOf(to []byte, h hash.Hash, parts ...[]byte) []byte {
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(to)
}
