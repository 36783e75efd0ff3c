package mech_test

import (
	"bytes"
	"crypto/fips140"
	"math/big"
	"runtime"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// TestRSAWithoutKernels runs the tests of RSA as on a processor that package
// rsacrt does nothing for. It is not parallel, so that no other test makes its
// keys meanwhile.
func TestRSAWithoutKernels(t *testing.T) {
	halves := rsaOnce.halves
	was := mech.SetRSAKernels(false)
	rsaOnce.halves = nil
	defer func() {
		mech.SetRSAKernels(was)
		rsaOnce.halves = halves
	}()
	t.Run("all", func(t *testing.T) {
		if mech.RSAHasKernels(rsaPair(t).private.material) || mech.RSAHasKernels(rsaPair(t).public.material) {
			t.Fatal("the kernels are used")
		}
		for name, test := range map[string]func(*testing.T){
			"without CRT":    TestRSAWithoutCRT,
			"any data":       TestRSAPKCSTakesAnyData,
			"lengths":        TestRSADataLengths,
			"PSS":            TestRSAPSSByCryptoRSA,
			"raw":            TestRSARawAgainstBigInt,
			"AES key wrap":   TestRSAAESKeyWrap,
			"wrap lengths":   TestRSAWrapLengths,
			"verify vectors": TestRSASignatureVectors,
			"sign vectors":   TestRSASigningVectors,
			"PSS vectors":    TestRSAPSSVectors,
			"decrypt":        TestRSADecryptionVectors,
		} {
			t.Run(name, test)
		}
	})
}

// TestRSAKernelsAreUsed tells a processor that has none from an error that
// makes them go unused.
func TestRSAKernelsAreUsed(t *testing.T) {
	if runtime.GOARCH != "amd64" || fips140.Enabled() {
		t.Skip("there are no kernels for this processor, or FIPS mode is on")
	}
	p := rsaPair(t)
	if !mech.RSAHasKernels(p.private.material) || !mech.RSAHasKernels(p.public.material) {
		t.Skip("this processor has no ADX")
	}
	// Keys of primes too different in length are left to crypto/rsa.
	for _, k := range []*pairKey{p.private, unlikePrimes(t)} {
		data := []byte("data")
		sig := sign(t, lookup(t, p11.CKM_RSA_PKCS), k, nil, data)
		key := rsaKeyOf(k)
		em := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
		if !bytes.HasSuffix(em, append([]byte{0xff, 0}, data...)) {
			t.Errorf("the signature is of %x", em)
		}
	}
	if mech.RSAHasKernels(unlikePrimes(t).material) {
		t.Error("the kernels are used for primes of unlike length")
	}
}

// unlikePrimes returns a key whose primes have 400 and 704 bits.
func unlikePrimes(t *testing.T) *pairKey {
	t.Helper()
	three := big.NewInt(3)
	p, q := nextPrime(new(big.Int).Lsh(three, 398)), nextPrime(new(big.Int).Lsh(three, 702))
	n := new(big.Int).Mul(p, q)
	one := big.NewInt(1)
	d := new(big.Int).ModInverse(big.NewInt(65537), new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)))
	return mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_RSA, attr.Values{
		attr.NewBytes(p11.CKA_MODULUS, n.Bytes()),
		attr.NewBytes(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		attr.NewBytes(p11.CKA_PRIVATE_EXPONENT, d.Bytes()),
		attr.NewBytes(p11.CKA_PRIME_1, p.Bytes()),
		attr.NewBytes(p11.CKA_PRIME_2, q.Bytes()),
	})
}

func nextPrime(x *big.Int) *big.Int {
	x = new(big.Int).SetBit(x, 0, 1)
	for !x.ProbablyPrime(20) {
		x.Add(x, big.NewInt(2))
	}
	return x
}
