package mech

import "coffer/p11"

// wrapWith makes a Wrap of an Encrypt, which refuses a length by
// CKR_DATA_LEN_RANGE.
func wrapWith(encrypt func(Key, p11.Params) (Op, error)) func(Key, p11.Params, []byte) ([]byte, error) {
	return func(k Key, p p11.Params, encoded []byte) ([]byte, error) {
		op, err := encrypt(k, p)
		if err != nil {
			return nil, err
		}
		defer op.Wipe()
		out := make([]byte, op.FinalSize(len(encoded)).Max)
		n, err := op.Final(out, encoded)
		if err != nil {
			return nil, recode(err, p11.CKR_DATA_LEN_RANGE, p11.CKR_KEY_SIZE_RANGE)
		}
		return out[:n], nil
	}
}

// unwrapWith makes an Unwrap of a Decrypt, which refuses by
// CKR_ENCRYPTED_DATA_LEN_RANGE and CKR_ENCRYPTED_DATA_INVALID.
func unwrapWith(decrypt func(Key, p11.Params) (Op, error)) func(Key, p11.Params, []byte) ([]byte, error) {
	return func(k Key, p p11.Params, wrapped []byte) ([]byte, error) {
		op, err := decrypt(k, p)
		if err != nil {
			return nil, err
		}
		defer op.Wipe()
		out := make([]byte, op.FinalSize(len(wrapped)).Max)
		n, err := op.Final(out, wrapped)
		if err != nil {
			clear(out)
			err = recode(err, p11.CKR_ENCRYPTED_DATA_LEN_RANGE, p11.CKR_WRAPPED_KEY_LEN_RANGE)
			return nil, recode(err, p11.CKR_ENCRYPTED_DATA_INVALID, p11.CKR_WRAPPED_KEY_INVALID)
		}
		clear(out[n:])
		return out[:n], nil
	}
}

// recode returns err under the code to if its code is from.
func recode(err error, from, to p11.RV) error {
	if p11.Code(err) != from {
		return err
	}
	return p11.Errorf(to, "%w", err)
}

// wrapSize makes a WrapSize of a length that depends on nothing but the
// length of the key.
func wrapSize(length func(n int) (int, error)) func(Key, p11.Params, int) (int, error) {
	return func(_ Key, _ p11.Params, n int) (int, error) {
		out, err := length(n)
		return out, recode(err, p11.CKR_DATA_LEN_RANGE, p11.CKR_KEY_SIZE_RANGE)
	}
}
