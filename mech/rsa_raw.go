package mech

import (
	"crypto/rsa"

	"filippo.io/bigmod"

	"coffer/mech/internal/rsacrt"
)

// This file has the RSA primitives of PKCS #1, sections 5.1 and 5.2, which
// crypto/rsa does not export: by package rsacrt, or else by filippo.io/bigmod.
// That is the arithmetic of crypto/rsa, kept outside of it by the same author.
// Both take a time for the private operation that depends on the sizes only,
// and need no blinding.

// errNotBelowModulus reports an input that is no representative.
var errNotBelowModulus = rsacrt.ErrNotBelowModulus

// errRSAFault reports a private operation that went wrong; its result would
// give the key away.
var errRSAFault = rsacrt.ErrFault

// exp writes m^e mod n to dst. Both are as long as the modulus.
func (k *rsaPublicKey) exp(dst, m []byte) error {
	if k.kernels != nil {
		return k.kernels.Exp(dst, m)
	}
	out, err := rsaPublicOp(k.PublicKey, m)
	copy(dst, out)
	return err
}

// exp writes c^d mod n to dst. Both are as long as the modulus. After an error
// dst is as it was.
func (k *rsaPrivateKey) exp(dst, c []byte) error {
	if k.kernels != nil {
		return k.kernels.Exp(dst, c)
	}
	out, err := rsaPrivateOp(k.PrivateKey, c)
	copy(dst, out)
	clear(out)
	return err
}

// rsaPublicOp returns m^e mod n, as long as the modulus, which m is too.
func rsaPublicOp(key *rsa.PublicKey, m []byte) ([]byte, error) {
	n, err := bigmod.NewModulus(key.N.Bytes())
	if err != nil {
		return nil, err
	}
	x, err := bigmod.NewNat().SetBytes(m, n)
	if err != nil {
		return nil, errNotBelowModulus
	}
	return bigmod.NewNat().ExpShortVarTime(x, uint(key.E), n).Bytes(n), nil
}

// rsaPrivateOp returns c^d mod n, as long as the modulus, which c is too.
func rsaPrivateOp(key *rsa.PrivateKey, c []byte) ([]byte, error) {
	n, err := bigmod.NewModulus(key.N.Bytes())
	if err != nil {
		return nil, err
	}
	p, err := bigmod.NewModulus(key.Primes[0].Bytes())
	if err != nil {
		return nil, err
	}
	q, err := bigmod.NewModulus(key.Primes[1].Bytes())
	if err != nil {
		return nil, err
	}
	qInv, err := bigmod.NewNat().SetBytes(key.Precomputed.Qinv.FillBytes(make([]byte, p.Size())), p)
	if err != nil {
		return nil, err
	}
	x, err := bigmod.NewNat().SetBytes(c, n)
	if err != nil {
		return nil, errNotBelowModulus
	}
	// The exponents are given in the width of their moduli, so that the time
	// does not tell their lengths.
	dP := key.Precomputed.Dp.FillBytes(make([]byte, p.Size()))
	dQ := key.Precomputed.Dq.FillBytes(make([]byte, q.Size()))
	t := bigmod.NewNat()
	m := bigmod.NewNat().Exp(t.Mod(x, p), dP, p)  // m = c^dP mod p
	m2 := bigmod.NewNat().Exp(t.Mod(x, q), dQ, q) // m2 = c^dQ mod q
	m.Sub(t.Mod(m2, p), p)
	m.Mul(qInv, p)                           // m = (m - m2) / q mod p
	m.ExpandFor(n).Mul(t.Mod(q.Nat(), n), n) // m = m q
	m.Add(m2.ExpandFor(n), n)                // m = m q + m2
	check := bigmod.NewNat().ExpShortVarTime(m, uint(key.E), n)
	if check.Equal(x) != 1 {
		return nil, errRSAFault
	}
	return m.Bytes(n), nil
}
