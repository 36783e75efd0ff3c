package mech

import "coffer/p11"

// paramAs returns p as the parameter type of the mechanism.
func paramAs[T any](p p11.Params) (T, error) {
	t, ok := p.(T)
	if !ok {
		return t, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the mechanism takes a parameter of type %T, not %T", t, p)
	}
	return t, nil
}

// ivParam returns an initialisation vector of exactly size bytes.
func ivParam(p p11.Params, size int) ([]byte, error) {
	iv, err := paramAs[p11.IV](p)
	if err != nil {
		return nil, err
	}
	if len(iv) != size {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the initialisation vector has %d bytes, not %d", len(iv), size)
	}
	return iv, nil
}

// ivParamOr is ivParam for mechanisms that have an initial value of their own
// when the caller gives none.
func ivParamOr(p p11.Params, standard []byte) ([]byte, error) {
	if p == nil {
		return standard, nil
	}
	return ivParam(p, len(standard))
}

// macLength returns the length that a CK_MAC_GENERAL_PARAMS asks for, of a MAC
// that has full bytes.
func macLength(p p11.Params, full int) (int, error) {
	n, err := paramAs[p11.ULongParam](p)
	if err != nil {
		return 0, err
	}
	if n == 0 || n > p11.ULongParam(full) {
		return 0, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a MAC of %d bytes was asked for; it has 1 to %d", n, full)
	}
	return int(n), nil
}
