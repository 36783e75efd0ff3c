package mech

import (
	"coffer/p11"
	"coffer/p11/attr"
)

// hkdfFamily has HKDF and CKK_HKDF (PKCS #11 v3.2, section 6.62; RFC 5869).
var hkdfFamily = Family{
	Name:     "HKDF",
	KeyTypes: []KeyType{hkdfKeys},
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_HKDF_KEY_GEN, Keys: []p11.KeyType{p11.CKK_HKDF}, Size: anySecret,
			Generate: generateSecret(hkdfKeys),
		},
		{
			Type: p11.CKM_HKDF_DERIVE, Keys: hkdfBases, Size: anySecret, Params: p11.ParamHKDF,
			Derive: func(d Derivation) (Derived, error) {
				out, err := deriveHKDF(d)
				return Derived{Values: out}, err
			},
		},
		{
			Type: p11.CKM_HKDF_DATA, Keys: hkdfBases, Size: anySecret, Params: p11.ParamHKDF,
			Derive: func(d Derivation) (Derived, error) {
				out, err := deriveHKDF(d)
				return Derived{Values: out, Public: true}, err
			},
		},
	},
}

var (
	hkdfKeys  = freeSecret(p11.CKK_HKDF)
	hkdfBases = []p11.KeyType{p11.CKK_HKDF, p11.CKK_GENERIC_SECRET}
)

// deriveHKDF extracts, expands, or does both. The text wants base keys that
// are as long as the hash; clients extract from keys of any length (that is
// what extraction is for), so only RFC 5869's own demand is made: a key that
// is expanded at once is at least as long as the hash.
func deriveHKDF(d Derivation) (attr.Values, error) {
	p, err := paramAs[p11.HKDFParams](d.Params)
	if err != nil {
		return nil, err
	}
	if !p.Extract && !p.Expand {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "neither bExtract nor bExpand is set")
	}
	h, ok := hashByPRF(p.PRF)
	if !ok {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%v is no hash for HKDF", p.PRF)
	}
	size, err := hkdfLength(d.Length, p.Expand, h)
	if err != nil {
		return nil, err
	}
	secret, err := secretOf(d.Base)
	if err != nil {
		return nil, err
	}
	switch {
	case p.Extract:
		salt, err := hkdfSalt(p, d.Others)
		if err != nil {
			return nil, err
		}
		secret = hkdfExtract(h, secret, salt)
		if !p.Expand {
			return attr.Values{attr.NewBytes(p11.CKA_VALUE, secret)}, nil
		}
		defer clear(secret)
	case len(secret) < h.Size():
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a key of %d bytes cannot be expanded with %s; it needs %d", len(secret), h.Name, h.Size())
	}
	return attr.Values{attr.NewBytes(p11.CKA_VALUE, hkdfExpand(h, secret, p.Info, size))}, nil
}

// hkdfExtract and hkdfExpand are sections 2.2 and 2.3 of RFC 5869, over an HMAC
// that can be wiped. Without a salt the key is empty, which is as good as the
// zeros that the text has.
func hkdfExtract(h *hashAlg, secret, salt []byte) []byte {
	scrub()
	defer scrub()
	mac := newHMAC(h, salt)
	defer mac.wipe()
	mac.Write(secret)
	return mac.Sum(nil)
}

func hkdfExpand(h *hashAlg, key, info []byte, n int) []byte {
	mac := newHMAC(h, key)
	defer mac.wipe()
	out := make([]byte, 0, n+h.Size())
	for i := byte(1); len(out) < n; i++ {
		mac.Reset()
		mac.Write(out[max(len(out)-h.Size(), 0):])
		mac.Write(info)
		mac.Write([]byte{i})
		out = mac.Sum(out)
	}
	clear(out[n:])
	return out[:n:n]
}

// hkdfLength returns how long the new value is.
func hkdfLength(want int, expand bool, h *hashAlg) (int, error) {
	switch {
	case expand && want == 0:
		return 0, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN is needed to expand")
	case expand && (want < 0 || want > 255*h.Size()):
		return 0, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "HKDF with %s gives at most %d bytes, not %d", h.Name, 255*h.Size(), want)
	case !expand && want != 0 && want != h.Size():
		return 0, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "extraction with %s gives %d bytes, not %d", h.Name, h.Size(), want)
	}
	return want, nil
}

// hkdfSalt returns the salt, nil for none: RFC 5869 takes zeros then.
func hkdfSalt(p p11.HKDFParams, others []Key) ([]byte, error) {
	switch p.SaltType {
	case p11.CKF_HKDF_SALT_NULL:
		return nil, nil
	case p11.CKF_HKDF_SALT_DATA:
		return p.Salt, nil
	case p11.CKF_HKDF_SALT_KEY:
		if len(others) != 1 {
			return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no salt key")
		}
		return secretOf(others[0])
	default:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the salt type %#x is unknown", uint64(p.SaltType))
	}
}
