package mech

import (
	"crypto/rsa"

	"coffer/mech/internal/rsacrt"
)

// rsaKernels says whether RSA is done by package rsacrt where that can do it.
var rsaKernels = rsacrt.Available()

// An rsaPublicKey is the material of a public key.
type rsaPublicKey struct {
	*rsa.PublicKey
	kernels *rsacrt.Public // nil: the key is for crypto/rsa
}

func newRSAPublicKey(key *rsa.PublicKey) *rsaPublicKey {
	k := &rsaPublicKey{PublicKey: key}
	if rsaKernels {
		k.kernels = rsacrt.NewPublic(key)
	}
	return k
}

// An rsaPrivateKey is the material of a private key. Its values for the Chinese
// remainder theorem are there.
type rsaPrivateKey struct {
	*rsa.PrivateKey
	kernels *rsacrt.Private // nil: the key is for crypto/rsa
}

func newRSAPrivateKey(key *rsa.PrivateKey) *rsaPrivateKey {
	k := &rsaPrivateKey{PrivateKey: key}
	if rsaKernels {
		k.kernels = rsacrt.NewPrivate(key)
	}
	return k
}

// wipe clears what can be got at. crypto/rsa keeps another form of d, p and q,
// of which it shows nothing.
func (k *rsaPrivateKey) wipe() {
	wipeBig(k.D, k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv)
	wipeBig(k.Primes...)
	if k.kernels != nil {
		k.kernels.Wipe()
	}
}
