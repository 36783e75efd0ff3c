package mech

import (
	"slices"

	"coffer/p11"
	"coffer/p11/attr"
)

// secretTypes are all types of secret keys: what "any secret key" means.
var secretTypes = typesOf(secretKeyTypes())

func typesOf(rows []KeyType) (ts []p11.KeyType) {
	for i := range rows {
		ts = append(ts, rows[i].Type)
	}
	return ts
}

// secretKeyTypes are their rows.
func secretKeyTypes() []KeyType {
	return slices.Concat([]KeyType{genericSecret, aesKeys, xtsKeys, chachaKeys, polyKeys, des2Keys, des3Keys, hkdfKeys}, hmacKeyTypes())
}

// derivedLength returns how many of the available bytes the new key takes: all,
// unless the template or the key type says how many (PKCS #11 v3.2, section
// 6.20.5, and the same words in many others).
func derivedLength(d Derivation, available int) (int, error) {
	if d.Length > available {
		return 0, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a key of %d bytes was asked for, and there are only %d", d.Length, available)
	}
	if d.Length > 0 {
		return d.Length, nil
	}
	if t, ok := d.Want.KeyType(); ok && t != p11.CKK_GENERIC_SECRET {
		return 0, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN is needed to derive a key of type %v", t)
	}
	return available, nil
}

// derived returns the value of a new key.
func derived(value []byte) Derived {
	return Derived{Values: attr.Values{attr.NewBytes(p11.CKA_VALUE, value)}}
}
