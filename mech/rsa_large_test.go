package mech_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// TestRSAOf16384Bits uses the largest key that there can be. Its primes are
// known to everybody, the two published ones of 8192 bits, as making others
// would take minutes.
func TestRSAOf16384Bits(t *testing.T) {
	primes := mech.PublishedPrimes(8192)
	if len(primes) != 2 {
		t.Fatalf("there are %d published primes of 8192 bits", len(primes))
	}
	one, e := big.NewInt(1), big.NewInt(65537)
	n := new(big.Int).Mul(primes[0], primes[1])
	phi := new(big.Int).Mul(new(big.Int).Sub(primes[0], one), new(big.Int).Sub(primes[1], one))
	d := new(big.Int).ModInverse(e, phi)
	if n.BitLen() != 16384 || d == nil {
		t.Fatal("the primes make no key")
	}
	public := attr.Values{attr.NewBytes(p11.CKA_MODULUS, n.Bytes()), attr.NewBytes(p11.CKA_PUBLIC_EXPONENT, e.Bytes())}
	private := public.With(attr.NewBytes(p11.CKA_PRIVATE_EXPONENT, d.Bytes()),
		attr.NewBytes(p11.CKA_PRIME_1, primes[0].Bytes()), attr.NewBytes(p11.CKA_PRIME_2, primes[1].Bytes()))
	own, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_RSA, private)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := parseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_RSA, public)
	if err != nil {
		t.Fatal(err)
	}
	row := lookup(t, p11.CKM_SHA256_RSA_PKCS)
	message := []byte("signed with the largest key")
	op, err := row.Sign(own, nil)
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, op.FinalSize(len(message)).Max)
	if k, err := op.Final(sig, message); err != nil || k != 2048 {
		t.Fatalf("a signature of %d bytes: %v", k, err)
	}
	digest := sha256.Sum256(message)
	if err := rsa.VerifyPKCS1v15(&rsa.PublicKey{N: n, E: 65537}, crypto.SHA256, digest[:], sig); err != nil {
		t.Error("crypto/rsa does not verify it")
	}
	verify := func() error {
		v, err := row.Verify(theirs, nil)
		if err != nil {
			t.Fatal(err)
		}
		return v.Verify(message, sig)
	}
	if err := verify(); err != nil {
		t.Error(err)
	}
	sig[2047] ^= 1
	wantCode(t, verify(), p11.CKR_SIGNATURE_INVALID)

	oaep := lookup(t, p11.CKM_RSA_PKCS_OAEP)
	params := p11.OAEPParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256}
	enc, err := oaep.Encrypt(theirs, params)
	if err != nil {
		t.Fatal(err)
	}
	box := make([]byte, 2048)
	if _, err := enc.Final(box, message); err != nil {
		t.Fatal(err)
	}
	dec, err := oaep.Decrypt(own, params)
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, dec.FinalSize(len(box)).Max)
	if k, err := dec.Final(plain, box); err != nil || !bytes.Equal(plain[:k], message) {
		t.Errorf("OAEP gives %q back: %v", plain[:k], err)
	}
	_, _, err = lookup(t, p11.CKM_RSA_PKCS_KEY_PAIR_GEN).GeneratePair(nil, attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, 16384)}, nil)
	wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID) // to use, not to make
}
