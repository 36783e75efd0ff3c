package mech

import (
	"crypto/rsa"
	"math/big"
)

// RSAKeyOf returns the key inside the material of a private key.
func RSAKeyOf(material any) *rsa.PrivateKey { return material.(*rsaPrivateKey).PrivateKey }

// RSAMaterial returns the material of a public key.
func RSAMaterial(key *rsa.PublicKey) any { return newRSAPublicKey(key) }

// RSAHasKernels reports whether the key is for package rsacrt.
func RSAHasKernels(material any) bool {
	switch key := material.(type) {
	case *rsaPublicKey:
		return key.kernels != nil
	case *rsaPrivateKey:
		return key.kernels != nil
	}
	panic("no RSA key")
}

// SetRSAKernels has the keys that are made from now on use package rsacrt or
// not, and returns what was before.
func SetRSAKernels(on bool) (was bool) {
	was, rsaKernels = rsaKernels, on
	return was
}

// PublishedPrimes returns the published primes of so many bits.
func PublishedPrimes(bits int) (ps []*big.Int) {
	for _, p := range publishedPrimes() {
		if p.BitLen() == bits {
			ps = append(ps, p)
		}
	}
	return ps
}
