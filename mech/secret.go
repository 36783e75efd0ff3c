package mech

import (
	"crypto/rand"
	"slices"

	"coffer/p11"
	"coffer/p11/attr"
)

// maxSecret is the length in bytes of the longest secret of a type that the
// standard does not bound: generic secrets, HMAC and HKDF keys.
const maxSecret = 64 << 10

// anySecret is the size of those keys in the bytes that most mechanisms count.
var anySecret = KeySize{Min: 1, Max: maxSecret, Unit: Bytes}

// genericFamily has CKK_GENERIC_SECRET (PKCS #11 v3.2, section 6.8).
var genericFamily = Family{
	Name:     "generic secret",
	KeyTypes: []KeyType{genericSecret},
	Mechanisms: []Mechanism{{
		Type: p11.CKM_GENERIC_SECRET_KEY_GEN,
		Keys: []p11.KeyType{p11.CKK_GENERIC_SECRET},
		// Here alone the standard counts the bits of a secret.
		Size:     KeySize{Min: 8, Max: 8 * maxSecret, Unit: Bits},
		Generate: generateSecret(genericSecret),
	}},
}

var genericSecret = freeSecret(p11.CKK_GENERIC_SECRET)

// freeSecret is the row of a type of secret key that may have any length.
func freeSecret(t p11.KeyType) KeyType {
	return KeyType{Type: t, Secret: true, MaxLength: maxSecret}
}

// secretOf returns the value of a secret key, which the caller must not change.
func secretOf(k Key) ([]byte, error) {
	b, err := materialOf[[]byte](k)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the key is empty")
	}
	return b, nil
}

// generateSecret returns a constructor of random keys of a type whose length
// is CKA_VALUE_LEN of the template, unless the type has only one.
func generateSecret(t KeyType) func(p11.Params, attr.Values) (attr.Values, error) {
	return func(_ p11.Params, want attr.Values) (attr.Values, error) {
		n, err := generatedLength(&t, want)
		if err != nil {
			return nil, err
		}
		value := make([]byte, n)
		rand.Read(value)
		if t.Fix != nil {
			t.Fix(value)
		}
		return attr.Values{attr.NewBytes(p11.CKA_VALUE, value)}, nil
	}
}

// generatedLength returns the length of a new key of type t.
func generatedLength(t *KeyType, want attr.Values) (int, error) {
	if !want.Has(p11.CKA_VALUE_LEN) {
		if len(t.Lengths) == 1 {
			return t.Lengths[0], nil
		}
		return 0, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN is needed to generate a key of type %v", t.Type)
	}
	n, ok := want.ULong(p11.CKA_VALUE_LEN)
	if !ok || n == 0 || n > uint64(t.MaxLength) || len(t.Lengths) > 0 && !slices.Contains(t.Lengths, int(n)) {
		return 0, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "a key of type %v cannot have CKA_VALUE_LEN %d", t.Type, n)
	}
	return int(n), nil
}
