package mech

import (
	"crypto/subtle"
	"slices"

	"coffer/p11"
)

// composeFamily has the simple derivations (PKCS #11 v3.2, section 6.43): of a
// key and another, of a key and data, and of a part of a key. Nothing one-way
// stands between the keys and what they make, and each says so by Shows.
var composeFamily = Family{
	Name: "simple derivation",
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_CONCATENATE_BASE_AND_KEY, Keys: secretTypes, Size: anySecret, Params: p11.ParamKeyHandle,
			Derive: concatenateKeys,
		},
		{
			Type: p11.CKM_CONCATENATE_BASE_AND_DATA, Keys: secretTypes, Size: anySecret, Params: p11.ParamStringData,
			Derive: concatenateBaseAndData,
		},
		{
			Type: p11.CKM_CONCATENATE_DATA_AND_BASE, Keys: secretTypes, Size: anySecret, Params: p11.ParamStringData,
			Derive: concatenateDataAndBase,
		},
		{
			Type: p11.CKM_XOR_BASE_AND_DATA, Keys: secretTypes, Size: anySecret, Params: p11.ParamStringData,
			Derive: xorBaseAndData,
		},
		{
			Type: p11.CKM_EXTRACT_KEY_FROM_KEY, Keys: secretTypes, Size: anySecret, Params: p11.ParamULong, Cuts: true,
			Derive: extractKey,
		},
	},
}

// shown returns a value that has base keys in it, as they are.
func shown(value []byte, how Shows) Derived {
	d := derived(value)
	d.Shows, d.Inherits = how, true
	return d
}

// concatenated takes the first bytes of the parts together. whole is how many
// of them have every base key whole, start where the first of a base key's is.
func concatenated(d Derivation, start, whole int, parts ...[]byte) (Derived, error) {
	all := slices.Concat(parts...)
	n, err := derivedLength(d, len(all))
	if err != nil {
		clear(all)
		return Derived{}, err
	}
	clear(all[n:])
	how := ShowsWith
	switch {
	case n >= whole:
	case start == 0 && n <= len(parts[0]):
		how = ShowsPart
	default:
		how = ShowsPartWith
	}
	return shown(all[:n:n], how), nil
}

func concatenateKeys(d Derivation) (Derived, error) {
	if _, err := paramAs[p11.KeyHandle](d.Params); err != nil {
		return Derived{}, err
	}
	base, err := secretOf(d.Base)
	if err != nil {
		return Derived{}, err
	}
	if len(d.Others) != 1 {
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no second key")
	}
	other, err := secretOf(d.Others[0])
	if err != nil {
		return Derived{}, err
	}
	return concatenated(d, 0, len(base)+len(other), base, other)
}

func concatenateBaseAndData(d Derivation) (Derived, error) {
	data, base, err := stringAndBase(d)
	if err != nil {
		return Derived{}, err
	}
	return concatenated(d, 0, len(base), base, data)
}

func concatenateDataAndBase(d Derivation) (Derived, error) {
	data, base, err := stringAndBase(d)
	if err != nil {
		return Derived{}, err
	}
	return concatenated(d, len(data), len(data)+len(base), data, base)
}

func xorBaseAndData(d Derivation) (Derived, error) {
	data, base, err := stringAndBase(d)
	if err != nil {
		return Derived{}, err
	}
	n, err := derivedLength(d, min(len(data), len(base)))
	if err != nil {
		return Derived{}, err
	}
	value := make([]byte, n)
	subtle.XORBytes(value, base, data[:n])
	return shown(value, ShowsPart), nil
}

func stringAndBase(d Derivation) (data, base []byte, err error) {
	p, err := paramAs[p11.StringData](d.Params)
	if err != nil {
		return nil, nil, err
	}
	if len(p) == 0 {
		return nil, nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no data")
	}
	base, err = secretOf(d.Base)
	return p, base, err
}

// extractKey takes bits of the base key from that with the parameter's number
// on, the first bit being the most significant of the first byte, and round
// from the last bit to the first.
func extractKey(d Derivation) (Derived, error) {
	first, err := paramAs[p11.ULongParam](d.Params)
	if err != nil {
		return Derived{}, err
	}
	base, err := secretOf(d.Base)
	if err != nil {
		return Derived{}, err
	}
	if first >= p11.ULongParam(8*len(base)) {
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a key of %d bytes has no bit %d", len(base), first)
	}
	if d.Length == 0 {
		return Derived{}, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN, or a key type that has only one length, is needed")
	}
	n, err := derivedLength(d, len(base))
	if err != nil {
		return Derived{}, err
	}
	value := make([]byte, n)
	at, shift := int(first/8), first%8
	for i := range value {
		this, next := base[(at+i)%len(base)], base[(at+i+1)%len(base)]
		value[i] = this<<shift | byte(uint16(next)>>(8-shift))
	}
	return shown(value, ShowsPart), nil
}
