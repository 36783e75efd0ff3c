package mech_test

import (
	"bytes"
	"crypto/mlkem"
	"testing"

	"coffer/p11"
)

var mlkemSets = []struct {
	name string
	id   uint64
}{{"512", p11.CKP_ML_KEM_512}, {"768", p11.CKP_ML_KEM_768}, {"1024", p11.CKP_ML_KEM_1024}}

func TestMLKEMVectors(t *testing.T) {
	t.Parallel()
	m := lookup(t, p11.CKM_ML_KEM)
	for _, s := range mlkemSets {
		file := "mlkem_" + s.name
		eachSetVector(t, file+"_keygen_seed", func(t *testing.T, _ *setGroup, v *setVector) {
			k := mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_ML_KEM, setValues(s.id, v.Seed, v.DK)) // which compares them
			pub := mustParseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_ML_KEM, setValues(s.id, nil, v.EK))
			sameInfo(t, k, pub)
			mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_ML_KEM, setValues(s.id, nil, v.DK))
		})
		// Of a seed, or of an expanded key.
		decapsulates := func(t *testing.T, _ *setGroup, v *setVector) {
			k, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_ML_KEM, setValues(s.id, v.Seed, v.DK))
			if err != nil {
				wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
				if v.Result != "invalid" {
					t.Error("a valid key")
				}
				return
			}
			if len(v.EK) > 0 {
				sameInfo(t, k, mustParseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_ML_KEM, setValues(s.id, nil, v.EK)))
			}
			got, err := m.Decapsulate(k, nil, v.C, 0)
			if v.Result == "invalid" {
				wantCode(t, err, p11.CKR_ENCRYPTED_DATA_LEN_RANGE)
				return
			}
			if err != nil || !bytes.Equal(got, v.K) {
				t.Errorf("got %x, %v; want %x", got, err, v.K)
			}
		}
		eachSetVector(t, file, decapsulates)
		eachSetVector(t, file+"_semi_expanded_decaps", decapsulates)
		eachSetVector(t, file+"_encaps", func(t *testing.T, _ *setGroup, v *setVector) {
			k, err := parseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_ML_KEM, setValues(s.id, nil, v.EK))
			if v.Result == "invalid" {
				if code := p11.Code(err); code != p11.CKR_PUBLIC_KEY_INVALID && code != p11.CKR_ATTRIBUTE_VALUE_INVALID {
					t.Errorf("an invalid key: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// The randomness of the vector cannot be had.
			if c, secret, err := m.Encapsulate(k, nil, 0); err != nil || len(c) != len(v.C) || len(secret) != len(v.K) {
				t.Errorf("a ciphertext of %d bytes and a secret of %d: %v", len(c), len(secret), err)
			}
		})
	}
}

// sameInfo checks that two keys have the same public half.
func sameInfo(t *testing.T, a, b *pairKey) {
	t.Helper()
	row := keyRow(t, a.typ)
	x, errA := row.PublicKeyInfo(a.material)
	y, errB := row.PublicKeyInfo(b.material)
	if errA != nil || errB != nil || !bytes.Equal(x, y) {
		t.Errorf("two public keys: %v, %v", errA, errB)
	}
}

// TestMLKEMAgainstGo: what one encapsulates, the other decapsulates.
func TestMLKEMAgainstGo(t *testing.T) {
	m := lookup(t, p11.CKM_ML_KEM)
	for name, s := range map[string]struct {
		id  uint64
		new func([]byte) (decapsulator, []byte, error)
	}{
		"768": {p11.CKP_ML_KEM_768, func(seed []byte) (decapsulator, []byte, error) {
			k, err := mlkem.NewDecapsulationKey768(seed)
			return k, k.EncapsulationKey().Bytes(), err
		}},
		"1024": {p11.CKP_ML_KEM_1024, func(seed []byte) (decapsulator, []byte, error) {
			k, err := mlkem.NewDecapsulationKey1024(seed)
			return k, k.EncapsulationKey().Bytes(), err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			seed := random(64)
			theirs, ek, err := s.new(seed)
			if err != nil {
				t.Fatal(err)
			}
			priv := mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_ML_KEM, setValues(s.id, seed, nil))
			pub := mustParseKey(t, p11.CKO_PUBLIC_KEY, p11.CKK_ML_KEM, setValues(s.id, nil, ek))
			sameInfo(t, priv, pub)
			c, secret, err := m.Encapsulate(pub, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := theirs.Decapsulate(c); err != nil || !bytes.Equal(got, secret) {
				t.Errorf("they decapsulate %x, %v; want %x", got, err, secret)
			}
			// A wrong ciphertext gives the same other secret to both.
			c[5] ^= 1
			want, err := theirs.Decapsulate(c)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := m.Decapsulate(priv, nil, c, 0); err != nil || !bytes.Equal(got, want) || bytes.Equal(got, secret) {
				t.Errorf("of a wrong ciphertext %x, %v; want %x", got, err, want)
			}
		})
	}
}

type decapsulator interface {
	Decapsulate(ciphertext []byte) ([]byte, error)
}

// TestMLKEMExpandedKeysAreChecked: FIPS 203 wants the hash looked at; what the
// hash does not show is found by trying the key.
func TestMLKEMExpandedKeysAreChecked(t *testing.T) {
	for _, s := range mlkemSets {
		_, _, _, made := generated(t, p11.CKM_ML_KEM_KEY_PAIR_GEN, setValues(s.id, nil, nil))
		dk := made.Bytes(p11.CKA_VALUE)
		ek := (len(dk) - 96) / 2 // dk is s ‖ t ‖ ρ ‖ hash ‖ z, s as long as t
		for what, at := range map[string]int{
			"the secret": 0, "its middle": ek / 2, "the public key": ek, "ρ": len(dk) - 65, "the hash": len(dk) - 64, "its end": len(dk) - 33,
		} {
			bad := bytes.Clone(dk)
			bad[at] ^= 1
			_, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_ML_KEM, setValues(s.id, nil, bad))
			if p11.Code(err) != p11.CKR_ATTRIBUTE_VALUE_INVALID {
				t.Errorf("ML-KEM-%s, %s: %v", s.name, what, err)
			}
		}
		// A coefficient of q and more.
		bad := bytes.Clone(dk)
		bad[0], bad[1] = 0xff, bad[1]|0x0f
		_, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_ML_KEM, setValues(s.id, nil, bad))
		wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
	}
}
