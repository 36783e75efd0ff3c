package mech_test

import (
	"bytes"
	"crypto/sha256"
	"sync"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// pairHalf is one half of a generated pair.
type pairHalf struct {
	class    p11.ObjectClass
	typ      p11.KeyType
	material any
	bits     int
}

func (k pairHalf) Class() p11.ObjectClass { return k.class }
func (k pairHalf) Type() p11.KeyType      { return k.typ }
func (k pairHalf) Bits() int              { return k.bits }
func (k pairHalf) Material() (any, error) { return k.material, nil }

// TestOneECKeyInManyThreads: what one operation wipes at its end is not what
// another with the same key computes with. crypto/ecdsa's Bytes once gave both
// the same scalar.
func TestOneECKeyInManyThreads(t *testing.T) {
	t.Parallel()
	kind, err := registry.KeyType(p11.CKK_EC)
	if err != nil {
		t.Fatal(err)
	}
	sign, agree := lookup(t, p11.CKM_ECDSA), lookup(t, p11.CKM_ECDH1_DERIVE)
	for name, oid := range map[string]string{
		"P-224": "\x06\x05\x2b\x81\x04\x00\x21", "P-256": "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
		"P-384": "\x06\x05\x2b\x81\x04\x00\x22", "P-521": "\x06\x05\x2b\x81\x04\x00\x23", "secp256k1": "\x06\x05\x2b\x81\x04\x00\x0a",
	} {
		t.Run(name, func(t *testing.T) {
			pub, priv, err := lookup(t, p11.CKM_EC_KEY_PAIR_GEN).GeneratePair(nil, attr.Values{attr.NewString(p11.CKA_EC_PARAMS, oid)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			half := func(class p11.ObjectClass, values attr.Values) mech.Key {
				material, bits, err := kind.Parse(class, values)
				if err != nil {
					t.Fatal(err)
				}
				return pairHalf{class, p11.CKK_EC, material, bits}
			}
			public, private := half(p11.CKO_PUBLIC_KEY, pub), half(p11.CKO_PRIVATE_KEY, priv)
			shared := mech.Derivation{Base: private, Params: p11.ECDH1Params{KDF: p11.CKD_NULL, Public: pub.Bytes(p11.CKA_EC_POINT)}}
			first, err := agree.Derive(shared)
			if err != nil {
				t.Fatal(err)
			}
			want := first.Values.Bytes(p11.CKA_VALUE)
			var threads sync.WaitGroup
			for range 8 {
				threads.Go(func() {
					for i := range 40 {
						digest := sha256.Sum256([]byte{byte(i)})
						sig, err := whole(t, sign.Sign, private, nil, digest[:])
						if err != nil {
							t.Error(err)
							return
						}
						check, err := sign.Verify(public, nil)
						if err != nil {
							t.Error(err)
							return
						}
						if err := check.Verify(digest[:], sig); err != nil {
							t.Errorf("a signature of its own: %v", err)
							return
						}
						got, err := agree.Derive(shared)
						if err != nil || !bytes.Equal(got.Values.Bytes(p11.CKA_VALUE), want) {
							t.Errorf("another shared secret, or %v", err)
							return
						}
					}
				})
			}
			threads.Wait()
		})
	}
}
