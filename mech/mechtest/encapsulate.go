package mechtest

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// secretSizes are the lengths of the secrets to encapsulate, 0 for the
// mechanism's own.
var secretSizes = []int{0, 1, 16, 24, 32, 48, 64, 256, 1 << 40}

// encapsulation checks Encapsulate, EncapsulateSize and Decapsulate with one
// parameter.
func (s *suite) encapsulation(t *testing.T, m *mech.Mechanism, k *keyPair, p p11.Params) bool {
	t.Helper()
	accepted := 0
	for _, n := range secretSizes {
		ciphertext, secret, err := m.Encapsulate(k.public, p, n)
		if err != nil {
			checkRefusal(t, err)
			if _, sizeErr := m.EncapsulateSize(k.public, p, n); p11.Code(sizeErr) != p11.Code(err) {
				t.Fatalf("encapsulating %d bytes: %v; asking for the size: %v", n, err, sizeErr)
			}
			if _, err := m.Decapsulate(k.private, p, random(32), n); err == nil {
				t.Fatalf("%d bytes can be decapsulated but not encapsulated", n)
			}
			continue
		}
		accepted++
		if size, err := m.EncapsulateSize(k.public, p, n); err != nil || size != len(ciphertext) {
			t.Fatalf("EncapsulateSize is %d, %v; the ciphertext has %d bytes", size, err, len(ciphertext))
		}
		if len(secret) == 0 || n != 0 && len(secret) != n {
			t.Fatalf("the secret has %d bytes, not %d", len(secret), n)
		}
		given := bytes.Clone(ciphertext)
		got, err := m.Decapsulate(k.private, p, given, n)
		if !bytes.Equal(given, ciphertext) {
			t.Fatal("Decapsulate changed the ciphertext")
		}
		if err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("%d bytes: decapsulated %x, %v; encapsulated %x", n, got, err, secret)
		}
		again, other, err := m.Encapsulate(k.public, p, n)
		if err != nil || bytes.Equal(again, ciphertext) || n != 1 && bytes.Equal(other, secret) {
			t.Fatalf("encapsulating twice gives the same, or %v", err)
		}
		if n != 1 { // or a wrong secret is right by chance
			s.wrongCiphertexts(t, m, k, p, n, ciphertext, secret)
		}
	}
	return accepted > 0
}

// wrongCiphertexts checks that nothing but the ciphertext and the key gives
// the secret, and that the length of a ciphertext is refused if it is wrong.
func (s *suite) wrongCiphertexts(t *testing.T, m *mech.Mechanism, k *keyPair, p p11.Params, n int, ciphertext, secret []byte) {
	t.Helper()
	for _, bad := range [][]byte{nil, ciphertext[:1], ciphertext[:len(ciphertext)-1], append(bytes.Clone(ciphertext), 0)} {
		if _, err := m.Decapsulate(k.private, p, bad, n); p11.Code(err) != p11.CKR_ENCRYPTED_DATA_LEN_RANGE {
			t.Fatalf("a ciphertext of %d bytes instead of %d: %v; want CKR_ENCRYPTED_DATA_LEN_RANGE", len(bad), len(ciphertext), err)
		}
	}
	not := func(what string, key *key, c []byte) {
		t.Helper()
		got, err := m.Decapsulate(key, p, c, n)
		switch {
		case err == nil && bytes.Equal(got, secret):
			t.Fatalf("%s gives the secret", what)
		case err == nil && len(got) != len(secret):
			t.Fatalf("%s gives %d bytes, not %d", what, len(got), len(secret))
		case err != nil:
			code := p11.Code(err)
			// Of another key the secret inside may have another length.
			if code != p11.CKR_ENCRYPTED_DATA_INVALID && code != p11.CKR_ENCRYPTED_DATA_LEN_RANGE {
				t.Fatalf("%s: %v; want CKR_ENCRYPTED_DATA_INVALID", what, err)
			}
		}
		once, onceErr := m.Decapsulate(key, p, c, n)
		if p11.Code(onceErr) != p11.Code(err) || !bytes.Equal(once, got) {
			t.Fatalf("%s gives another secret each time, which tells that it is wrong", what)
		}
	}
	for _, i := range []int{0, 1, len(ciphertext) / 2, len(ciphertext) - 1} {
		flipped := bytes.Clone(ciphertext)
		flipped[i] ^= 1
		not("a flipped bit", k.private, flipped)
	}
	not("zeros", k.private, make([]byte, len(ciphertext)))
	not("ones", k.private, bytes.Repeat([]byte{0xff}, len(ciphertext)))
	not("another key", s.other(t, k).private, ciphertext)
}

// other returns a second pair like k.
func (s *suite) other(t *testing.T, k *keyPair) *keyPair {
	t.Helper()
	if k.other != nil {
		return k.other
	}
	kt := k.public.typ
	row, err := s.registry.KeyType(kt)
	if err != nil {
		t.Fatal(err)
	}
	if k.other, err = generatePair(row, s.generator(t, kt), k.template); err != nil {
		t.Fatal(err)
	}
	return k.other
}
