package mech

import (
	"crypto/pbkdf2"
	"math"
	"slices"

	"coffer/p11"
	"coffer/p11/attr"
)

// pbkdf2Family has PBKDF2 (PKCS #11 v3.2, section 6.37.4; RFC 8018), which
// generates a key of any type out of a password.
var pbkdf2Family = Family{
	Name: "PBKDF2",
	Mechanisms: []Mechanism{{
		Type: p11.CKM_PKCS5_PBKD2, Keys: secretTypes, Size: anySecret, Params: p11.ParamPBKD2,
		Generate: generatePBKDF2,
	}},
}

// pbkdf2PRFs are the hashes of the numbers that the parameter has for HMACs.
var pbkdf2PRFs = map[uint64]p11.MechanismType{
	p11.CKP_PKCS5_PBKD2_HMAC_SHA1:       p11.CKM_SHA_1,
	p11.CKP_PKCS5_PBKD2_HMAC_SHA224:     p11.CKM_SHA224,
	p11.CKP_PKCS5_PBKD2_HMAC_SHA256:     p11.CKM_SHA256,
	p11.CKP_PKCS5_PBKD2_HMAC_SHA384:     p11.CKM_SHA384,
	p11.CKP_PKCS5_PBKD2_HMAC_SHA512:     p11.CKM_SHA512,
	p11.CKP_PKCS5_PBKD2_HMAC_SHA512_224: p11.CKM_SHA512_224,
	p11.CKP_PKCS5_PBKD2_HMAC_SHA512_256: p11.CKM_SHA512_256,
}

func generatePBKDF2(params p11.Params, want attr.Values) (attr.Values, error) {
	p, err := paramAs[p11.PBKD2Params](params)
	if err != nil {
		return nil, err
	}
	h, ok := hashByDigest(pbkdf2PRFs[p.PRF])
	switch {
	case !ok:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no pseudo-random function %d", p.PRF)
	case len(p.PRFData) > 0:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the pseudo-random function takes no data")
	case p.SaltSource != p11.CKZ_SALT_SPECIFIED:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no source %d of salt", p.SaltSource)
	case p.Iterations == 0 || p.Iterations > math.MaxInt32:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%d iterations are none, or too many", p.Iterations)
	}
	t, err := secretKeyType(want)
	if err != nil {
		return nil, err
	}
	n, err := generatedLength(t, want)
	if err != nil {
		return nil, err
	}
	value, err := pbkdf2.Key(h.New, string(p.Password), p.Salt, int(p.Iterations), n)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_FUNCTION_FAILED, "%w", err)
	}
	if t.Fix != nil {
		t.Fix(value)
	}
	return attr.Values{attr.NewBytes(p11.CKA_VALUE, value)}, nil
}

// secretKeyType returns the row of a template's CKA_KEY_TYPE.
func secretKeyType(want attr.Values) (*KeyType, error) {
	t, ok := want.KeyType()
	if !ok {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_KEY_TYPE is needed")
	}
	rows := secretKeyTypes()
	i := slices.IndexFunc(rows, func(row KeyType) bool { return row.Type == t })
	if i < 0 {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "%v is no type of a secret key", t)
	}
	return &rows[i], nil
}
