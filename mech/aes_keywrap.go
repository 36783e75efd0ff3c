package mech

import (
	"crypto/cipher"
	"errors"

	"coffer/p11"
)

// AES key wrap (PKCS #11 v3.2, section 6.16). CKM_AES_KEY_WRAP takes lengths
// that RFC 3394 takes, multiples of 8 from 16 on; a key of another length is
// refused with CKR_KEY_SIZE_RANGE, as in SoftHSM, rather than padded with
// zeros that nothing authenticates as padding. CKM_AES_KEY_WRAP_PKCS7 takes all
// that padding brings to such a length: from 8 bytes on.
func encryptKW(k Key, p p11.Params) (Op, error)  { return newKeyWrapOp(k, p, kwIV, kwSeal) }
func decryptKW(k Key, p p11.Params) (Op, error)  { return newKeyWrapOp(k, p, kwIV, kwOpen) }
func encryptKWP(k Key, p p11.Params) (Op, error) { return newKeyWrapOp(k, p, kwpAIV, kwpSeal) }
func decryptKWP(k Key, p p11.Params) (Op, error) { return newKeyWrapOp(k, p, kwpAIV, kwpOpen) }

func encryptKWPKCS7(k Key, p p11.Params) (Op, error) { return newKeyWrapOp(k, p, kwIV, kwPKCS7Seal) }
func decryptKWPKCS7(k Key, p p11.Params) (Op, error) { return newKeyWrapOp(k, p, kwIV, kwPKCS7Open) }

// A keyWrapForm is one direction of one of the two algorithms.
type keyWrapForm struct {
	size func(n int) Size
	run  func(b cipher.Block, iv, dst, src []byte) (int, error)
	// What the errors of kw.go mean in this direction.
	length, integrity p11.RV
}

var (
	kwSeal  = &keyWrapForm{exactly(kwSize), kwWrap, p11.CKR_DATA_LEN_RANGE, p11.CKR_GENERAL_ERROR}
	kwpSeal = &keyWrapForm{exactly(kwpSize), kwpWrap, p11.CKR_DATA_LEN_RANGE, p11.CKR_GENERAL_ERROR}
	kwOpen  = &keyWrapForm{
		func(n int) Size { return Size{Max: max(n-semiblock, 0), Exact: true} },
		into(kwUnwrap), p11.CKR_ENCRYPTED_DATA_LEN_RANGE, p11.CKR_ENCRYPTED_DATA_INVALID,
	}
	kwpOpen = &keyWrapForm{
		func(n int) Size { return Size{Max: max(n-semiblock, 0)} },
		into(kwpUnwrap), p11.CKR_ENCRYPTED_DATA_LEN_RANGE, p11.CKR_ENCRYPTED_DATA_INVALID,
	}
	kwPKCS7Seal = &keyWrapForm{exactly(kwPKCS7Size), kwPKCS7Wrap, p11.CKR_DATA_LEN_RANGE, p11.CKR_GENERAL_ERROR}
	kwPKCS7Open = &keyWrapForm{
		func(n int) Size { return Size{Max: max(n-semiblock-1, 0)} },
		into(kwPKCS7Unwrap), p11.CKR_ENCRYPTED_DATA_LEN_RANGE, p11.CKR_ENCRYPTED_DATA_INVALID,
	}
)

// exactly makes a Size of a length that may be refused.
func exactly(size func(int) (int, error)) func(int) Size {
	return func(n int) Size {
		out, err := size(n)
		return Size{Max: out, Exact: err == nil}
	}
}

// into writes what unwrap returns to dst, and only if it succeeds.
func into(unwrap func(cipher.Block, []byte, []byte) ([]byte, error)) func(cipher.Block, []byte, []byte, []byte) (int, error) {
	return func(b cipher.Block, iv, dst, src []byte) (int, error) {
		plain, err := unwrap(b, iv, src)
		if err != nil {
			return 0, err
		}
		n := copy(dst, plain)
		clear(plain)
		return n, nil
	}
}

// kwLength and its like are the lengths of wrapped keys.
func kwLength(n int) (int, error) {
	out, err := kwSize(n)
	return out, kwSeal.code(err)
}

func kwpLength(n int) (int, error) {
	out, err := kwpSize(n)
	return out, kwpSeal.code(err)
}

func kwPKCS7Length(n int) (int, error) {
	out, err := kwPKCS7Size(n)
	return out, kwPKCS7Seal.code(err)
}

func (f *keyWrapForm) code(err error) error {
	switch {
	case errors.Is(err, errWrapLength):
		return p11.Errorf(f.length, "%w", err)
	case errors.Is(err, errWrapIntegrity):
		return p11.Errorf(f.integrity, "%w", err)
	default:
		return err
	}
}

// keyWrapOp takes its input in one part.
type keyWrapOp struct {
	block cipher.Block
	iv    []byte
	form  *keyWrapForm
}

func newKeyWrapOp(k Key, p p11.Params, standard []byte, form *keyWrapForm) (Op, error) {
	iv, err := ivParamOr(p, standard)
	if err != nil {
		return nil, err
	}
	block, err := aesOf(k)
	if err != nil {
		return nil, err
	}
	return &keyWrapOp{block, iv, form}, nil
}

func (o *keyWrapOp) Update([]byte, []byte) (int, error) {
	return 0, p11.Errorf(p11.CKR_FUNCTION_NOT_SUPPORTED, "key wrap takes its input in one part")
}

func (o *keyWrapOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *keyWrapOp) Final(dst, src []byte) (int, error) {
	n, err := o.form.run(o.block, o.iv, dst, src)
	return n, o.form.code(err)
}

func (o *keyWrapOp) FinalSize(n int) Size { return o.form.size(n) }

func (o *keyWrapOp) Wipe() {
	if o.block != nil {
		erase(o.block)
	}
	o.block = nil
}
