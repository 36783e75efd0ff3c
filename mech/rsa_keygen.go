package mech

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"math/big"

	"coffer/p11"
	"coffer/p11/attr"
)

// defaultRSAExponent is what the standard puts in place of a CKA_PUBLIC_EXPONENT
// that is not given (PKCS #11 v3.2, section 6.1.4).
const defaultRSAExponent = 65537

func generateRSA(_ p11.Params, public, _ attr.Values) (pub, priv attr.Values, err error) {
	if !public.Has(p11.CKA_MODULUS_BITS) {
		return nil, nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_MODULUS_BITS is needed to generate an RSA key pair")
	}
	bits, ok := public.ULong(p11.CKA_MODULUS_BITS)
	if !ok || bits > uint64(rsaNewSizes.Max) || !rsaNewSizes.Contains(int(bits)) {
		return nil, nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_MODULUS_BITS is %d, not %d to %d", bits, rsaNewSizes.Min, rsaNewSizes.Max)
	}
	exponent := public.Bytes(p11.CKA_PUBLIC_EXPONENT)
	if len(exponent) == 0 {
		exponent = big.NewInt(defaultRSAExponent).Bytes()
	}
	e := new(big.Int).SetBytes(exponent)
	if !isRSAExponent(e) {
		return nil, nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "CKA_PUBLIC_EXPONENT is not an odd number from 3 to 2^31-1")
	}
	key, err := newRSAKey(int(bits), int(e.Int64()))
	if err != nil {
		return nil, nil, err
	}
	pub = attr.Values{
		attr.NewULong(p11.CKA_MODULUS_BITS, bits),
		attr.NewBytes(p11.CKA_MODULUS, key.N.Bytes()),
		attr.NewBytes(p11.CKA_PUBLIC_EXPONENT, exponent),
	}
	priv = append(attr.Values{
		attr.NewBytes(p11.CKA_MODULUS, key.N.Bytes()),
		attr.NewBytes(p11.CKA_PUBLIC_EXPONENT, bytes.Clone(exponent)),
		attr.NewBytes(p11.CKA_PRIVATE_EXPONENT, key.D.Bytes()),
	}, rsaCRT(key)...)
	return pub, priv, nil
}

// newRSAKey generates a key. crypto/rsa does it for 65537 only; for another
// exponent the primes come from crypto/rand.Prime, whose arithmetic takes
// variable time.
func newRSAKey(bits, e int) (*rsa.PrivateKey, error) {
	if e == defaultRSAExponent {
		return rsa.GenerateKey(rand.Reader, bits)
	}
	one, exponent := big.NewInt(1), big.NewInt(int64(e))
	for {
		p, err := rsaPrime((bits+1)/2, exponent)
		if err != nil {
			return nil, err
		}
		q, err := rsaPrime(bits/2, exponent)
		if err != nil {
			return nil, err
		}
		key := &rsa.PrivateKey{
			PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: e},
			Primes:    []*big.Int{p, q},
		}
		// λ(N) = lcm(p-1, q-1), as FIPS 186-5, Appendix A.1.1 wants it.
		p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
		λ := new(big.Int).Mul(p1, q1)
		λ.Quo(λ, new(big.Int).GCD(nil, nil, p1, q1))
		key.D = new(big.Int).ModInverse(exponent, λ)
		key.Precompute()
		// What Validate refuses, primes too close or a small d, has a
		// probability of less than 2^-90.
		if key.N.BitLen() == bits && key.D != nil && key.Validate() == nil {
			return key, nil
		}
	}
}

// rsaPrime returns a prime p of so many bits, the two highest of them set, for
// which e has an inverse modulo p-1.
func rsaPrime(bits int, e *big.Int) (*big.Int, error) {
	one := big.NewInt(1)
	for {
		p, err := rand.Prime(rand.Reader, bits)
		if err != nil {
			return nil, err
		}
		if new(big.Int).GCD(nil, nil, e, new(big.Int).Sub(p, one)).Cmp(one) == 0 {
			return p, nil
		}
	}
}
