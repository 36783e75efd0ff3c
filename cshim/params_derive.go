package main

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
)

func decodeKeyHandle(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_OBJECT_HANDLE](p, n)
	if err != nil {
		return nil, err
	}
	return p11.KeyHandle(v), nil
}

func decodeStringData(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_KEY_DERIVATION_STRING_DATA](p, n)
	if err != nil {
		return nil, err
	}
	b, err := data("the data", unsafe.Pointer(v.pData), v.ulLen)
	if err != nil {
		return nil, err
	}
	return p11.StringData(b), nil
}

func decodeAESCBCData(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_AES_CBC_ENCRYPT_DATA_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	return cbcData(bytesOf(v.iv[:]), unsafe.Pointer(v.pData), v.length)
}

func decodeDESCBCData(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_DES_CBC_ENCRYPT_DATA_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	return cbcData(bytesOf(v.iv[:]), unsafe.Pointer(v.pData), v.length)
}

func bytesOf(c []C.CK_BYTE) []byte {
	b := make([]byte, len(c))
	for i, v := range c {
		b[i] = byte(v)
	}
	return b
}

func cbcData(iv []byte, p unsafe.Pointer, n C.CK_ULONG) (p11.Params, error) {
	b, err := data("the data", p, n)
	if err != nil {
		return nil, err
	}
	return p11.CBCDataParams{IV: iv, Data: b}, nil
}

// maxPassword is the longest password of PBKDF2, and the lowest address that a
// process can have memory at (vm.mmap_min_addr).
const maxPassword = 1 << 16

// decodePBKD2 takes a CK_PKCS5_PBKD2_PARAMS2 and the older
// CK_PKCS5_PBKD2_PARAMS, which is of the same size and has a pointer where the
// other has the length of the password. No length is as great as a pointer;
// what is behind the pointer is read with the kernel's help, so that a stray
// length cannot crash the host.
func decodePBKD2(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_PKCS5_PBKD2_PARAMS2](p, n)
	if err != nil {
		return nil, err
	}
	if v.ulPasswordLen >= maxPassword {
		length, ok := readWord(uintptr(v.ulPasswordLen))
		if !ok || length >= maxPassword {
			return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the length of the password is neither a length nor a pointer to one")
		}
		v.ulPasswordLen = C.CK_ULONG(length)
	}
	out := p11.PBKD2Params{SaltSource: uint64(v.saltSource), Iterations: uint64(v.iterations), PRF: uint64(v.prf)}
	if out.Salt, err = data("the salt", unsafe.Pointer(v.pSaltSourceData), v.ulSaltSourceDataLen); err != nil {
		return nil, err
	}
	if out.PRFData, err = data("the function's data", unsafe.Pointer(v.pPrfData), v.ulPrfDataLen); err != nil {
		return nil, err
	}
	if out.Password, err = data("the password", unsafe.Pointer(v.pPassword), v.ulPasswordLen); err != nil {
		return nil, err
	}
	return out, nil
}

// maxFields bounds the data fields of a KBKDF parameter.
const maxFields = 1 << 10

func decodeKBKDF(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_SP800_108_KDF_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out, err := kbkdf(v)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func decodeKBKDFFeedback(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_SP800_108_FEEDBACK_KDF_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	inner, err := kbkdf(C.CK_SP800_108_KDF_PARAMS{
		prfType: v.prfType, ulNumberOfDataParams: v.ulNumberOfDataParams, pDataParams: v.pDataParams,
		ulAdditionalDerivedKeys: v.ulAdditionalDerivedKeys, pAdditionalDerivedKeys: v.pAdditionalDerivedKeys,
	})
	if err != nil {
		return nil, err
	}
	out := p11.KBKDFFeedbackParams{KBKDFParams: inner}
	if out.IV, err = data("the IV", unsafe.Pointer(v.pIV), v.ulIVLen); err != nil {
		return nil, err
	}
	return out, nil
}

func kbkdf(v C.CK_SP800_108_KDF_PARAMS) (out p11.KBKDFParams, err error) {
	out = p11.KBKDFParams{PRF: p11.MechanismType(v.prfType), Additional: uint64(v.ulAdditionalDerivedKeys)}
	switch {
	case v.ulNumberOfDataParams > maxFields:
		return out, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%d data fields are too many", v.ulNumberOfDataParams)
	case v.ulNumberOfDataParams > 0 && v.pDataParams == nil:
		return out, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%d data fields are NULL", v.ulNumberOfDataParams)
	}
	for i := range int(v.ulNumberOfDataParams) {
		at := unsafe.Add(unsafe.Pointer(v.pDataParams), i*C.sizeof_CK_PRF_DATA_PARAM)
		c, err := load[C.CK_PRF_DATA_PARAM](at, C.sizeof_CK_PRF_DATA_PARAM)
		if err != nil {
			return out, err
		}
		field, err := kbkdfField(c)
		if err != nil {
			return out, err
		}
		out.Data = append(out.Data, field)
	}
	return out, nil
}

func kbkdfField(c C.CK_PRF_DATA_PARAM) (p11.KBKDFData, error) {
	out := p11.KBKDFData{Type: uint64(c._type)}
	n := uint64(c.ulValueLen)
	if n > 0 && c.pValue == nil {
		return out, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a data field of %d bytes is NULL", n)
	}
	var err error
	switch {
	case out.Type == p11.CK_SP800_108_BYTE_ARRAY:
		out.Bytes, err = data("a data field", unsafe.Pointer(c.pValue), c.ulValueLen)
	case out.Type == p11.CK_SP800_108_KEY_HANDLE:
		var h C.CK_OBJECT_HANDLE
		h, err = load[C.CK_OBJECT_HANDLE](unsafe.Pointer(c.pValue), n)
		out.Key = p11.ObjectHandle(h)
	case n == 0: // the iteration variable where it is no counter
	case out.Type == p11.CK_SP800_108_DKM_LENGTH:
		var f C.CK_SP800_108_DKM_LENGTH_FORMAT
		f, err = load[C.CK_SP800_108_DKM_LENGTH_FORMAT](unsafe.Pointer(c.pValue), n)
		out.Formatted, out.LittleEndian, out.WidthBits, out.LengthMethod = true, f.bLittleEndian != 0, uint64(f.ulWidthInBits), uint64(f.dkmLengthMethod)
	default:
		var f C.CK_SP800_108_COUNTER_FORMAT
		f, err = load[C.CK_SP800_108_COUNTER_FORMAT](unsafe.Pointer(c.pValue), n)
		out.Formatted, out.LittleEndian, out.WidthBits = true, f.bLittleEndian != 0, uint64(f.ulWidthInBits)
	}
	return out, err
}
