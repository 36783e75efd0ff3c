package mech

import (
	"hash"

	"coffer/p11"
)

// ikeFamily has the derivations of IKE, versions 1 and 2 (PKCS #11 v3.2,
// section 6.64; RFC 2409, RFC 7296). Where the template has no key type the
// new key is a generic secret, which every pseudo-random function of HMAC
// takes; the text wants the function's own type for one of the four.
var ikeFamily = Family{
	Name: "IKE",
	Mechanisms: []Mechanism{
		{Type: p11.CKM_IKE_PRF_DERIVE, Keys: prfBases, Size: anySecret, Params: p11.ParamIKEPRF, Derive: deriveIKE},
		{Type: p11.CKM_IKE2_PRF_PLUS_DERIVE, Keys: prfBases, Size: anySecret, Params: p11.ParamIKE2PRFPlus, Derive: deriveIKE2Plus},
		{Type: p11.CKM_IKE1_PRF_DERIVE, Keys: prfBases, Size: anySecret, Params: p11.ParamIKE1PRF, Derive: deriveIKE1},
		{Type: p11.CKM_IKE1_EXTENDED_DERIVE, Keys: prfBases, Size: anySecret, Params: p11.ParamIKE1Extended, Cuts: true, Derive: deriveIKE1Extended},
	},
}

// deriveIKE makes SKEYSEED, or SKEYID, in one of three ways.
func deriveIKE(d Derivation) (Derived, error) {
	p, err := paramAs[p11.IKEPRFParams](d.Params)
	if err != nil {
		return Derived{}, err
	}
	f, err := prfOf(p.PRF)
	if err != nil {
		return Derived{}, err
	}
	switch {
	case p.DataAsKey && p.Rekey:
		return Derived{}, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "bDataAsKey and bRekey exclude each other")
	case len(p.Ni) == 0 || len(p.Nr) == 0:
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a nonce is missing")
	case d.Length != 0 && d.Length != f.size:
		return Derived{}, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the pseudo-random function gives %d bytes, not %d", f.size, d.Length)
	}
	if p.DataAsKey {
		return deriveIKEUnderNonces(d, f, p)
	}
	newKey, err := ikeKey(p.Rekey, d.Others)
	if err != nil {
		return Derived{}, err
	}
	h, err := f.under(d.Base)
	if err != nil {
		return Derived{}, err
	}
	defer wipeHash(h)
	return derived(sumOf(nil, h, newKey, p.Ni, p.Nr)), nil
}

// deriveIKEUnderNonces has the nonces for the key and the base key for the
// data.
func deriveIKEUnderNonces(d Derivation, f prf, p p11.IKEPRFParams) (Derived, error) {
	base, err := secretOf(d.Base)
	if err != nil {
		return Derived{}, err
	}
	h, err := f.keyed(append(append([]byte(nil), p.Ni...), p.Nr...))
	if err != nil {
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the nonces are no key for the pseudo-random function: %w", err)
	}
	defer wipeHash(h)
	return derived(sumOf(nil, h, base)), nil
}

// ikeKey returns the value of the first of others if it should be there.
func ikeKey(there bool, others []Key) ([]byte, error) {
	if !there {
		return nil, nil
	}
	if len(others) == 0 {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a key that the parameter names is missing")
	}
	return secretOf(others[0])
}

// deriveIKE2Plus is prf+ (RFC 7296, section 2.13), which the text misprints
// from T3 on.
func deriveIKE2Plus(d Derivation) (Derived, error) {
	p, err := paramAs[p11.IKE2PRFPlusParams](d.Params)
	if err != nil {
		return Derived{}, err
	}
	f, err := prfOf(p.PRF)
	if err != nil {
		return Derived{}, err
	}
	if err := ikeLength(d, f); err != nil {
		return Derived{}, err
	}
	seed, err := ikeKey(p.HasSeedKey, d.Others)
	if err != nil {
		return Derived{}, err
	}
	h, err := f.under(d.Base)
	if err != nil {
		return Derived{}, err
	}
	defer wipeHash(h)
	return derived(feedBack(h, d.Length, func(last []byte, i byte) [][]byte { return [][]byte{last, seed, p.Seed, {i}} })), nil
}

// ikeLength checks the length of a key of several blocks.
func ikeLength(d Derivation, f prf) error {
	if d.Length == 0 {
		return p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN is needed")
	}
	if d.Length > 255*f.size {
		return p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the pseudo-random function gives at most %d bytes, not %d", 255*f.size, d.Length)
	}
	return nil
}

// feedBack returns n bytes of blocks each of which is made of the one before.
func feedBack(h hash.Hash, n int, parts func(last []byte, i byte) [][]byte) []byte {
	out := make([]byte, 0, n+h.Size())
	var last []byte
	for i := byte(1); len(out) < n; i++ {
		out = sumOf(out, h, parts(last, i)...)
		last = out[len(out)-h.Size():]
	}
	clear(out[n:])
	return out[:n:n]
}

// deriveIKE1 makes SKEYID_d, SKEYID_a and SKEYID_e (RFC 2409, section 5).
func deriveIKE1(d Derivation) (Derived, error) {
	p, err := paramAs[p11.IKE1PRFParams](d.Params)
	if err != nil {
		return Derived{}, err
	}
	f, err := prfOf(p.PRF)
	if err != nil {
		return Derived{}, err
	}
	n := d.Length
	switch {
	case n > f.size:
		return Derived{}, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the pseudo-random function gives %d bytes, not %d", f.size, n)
	case n == 0:
		n = f.size
	}
	shared, err := ikeKey(true, d.Others)
	if err != nil {
		return Derived{}, err
	}
	previous, err := ikeKey(p.HasPrevKey, d.Others[1:])
	if err != nil {
		return Derived{}, err
	}
	h, err := f.under(d.Base)
	if err != nil {
		return Derived{}, err
	}
	defer wipeHash(h)
	value := sumOf(nil, h, previous, shared, p.CKYi, p.CKYr, []byte{p.KeyNumber})
	clear(value[n:])
	return derived(value[:n:n]), nil
}

// deriveIKE1Extended makes keys longer than the function's output (RFC 2409,
// appendix B) and those of the quick mode (section 5.5). A key that is not
// longer, made of nothing else, is the beginning of the base key; with extra
// data it is not, though the text forgets that.
func deriveIKE1Extended(d Derivation) (Derived, error) {
	p, err := paramAs[p11.IKE1ExtendedParams](d.Params)
	if err != nil {
		return Derived{}, err
	}
	f, err := prfOf(p.PRF)
	if err != nil {
		return Derived{}, err
	}
	if err := ikeLength(d, f); err != nil {
		return Derived{}, err
	}
	shared, err := ikeKey(p.HasSharedKey, d.Others)
	if err != nil {
		return Derived{}, err
	}
	h, err := f.under(d.Base)
	if err != nil {
		return Derived{}, err
	}
	defer wipeHash(h)
	if alone := !p.HasSharedKey && len(p.Extra) == 0; alone && d.Length <= f.size {
		return cutKey(d)
	} else if alone {
		return derived(feedBack(h, d.Length, func(last []byte, i byte) [][]byte {
			if i == 1 {
				return [][]byte{{0}}
			}
			return [][]byte{last}
		})), nil
	}
	return derived(feedBack(h, d.Length, func(last []byte, _ byte) [][]byte { return [][]byte{last, shared, p.Extra} })), nil
}

// cutKey takes the first bytes of the base key.
func cutKey(d Derivation) (Derived, error) {
	base, err := secretOf(d.Base)
	if err != nil {
		return Derived{}, err
	}
	n, err := derivedLength(d, len(base))
	if err != nil {
		return Derived{}, err
	}
	return shown(append([]byte(nil), base[:n]...), ShowsPart), nil
}
