package main

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
	"coffer/p11/attr"
)

const sizeofAttribute = C.sizeof_CK_ATTRIBUTE

// wipe clears the copies of values that can be secret, when the call is over:
// the module has made its own.
func wipe(template attr.Values) {
	for _, v := range template {
		if attr.Hidden(v.Type) {
			clear(v.Raw)
		}
	}
}

// decodeTemplate copies the n CK_ATTRIBUTEs at p, with all that they point to:
// a caller may free or change its memory as soon as the call returns. An
// attribute whose value is itself a template becomes the encoding of package
// attr.
func decodeTemplate(p unsafe.Pointer, n uint64) (attr.Values, error) {
	return decodeNested(p, n, 0)
}

func decodeNested(p unsafe.Pointer, n uint64, depth int) (attr.Values, error) {
	switch {
	case n == 0:
		return nil, nil
	case p == nil:
		return nil, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "a template of %d attributes is NULL", n)
	case n > attr.MaxCount:
		return nil, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "a template of %d attributes, the most is %d", n, attr.MaxCount)
	}
	raw := unsafe.Slice((*C.CK_ATTRIBUTE)(p), int(n))
	values := make(attr.Values, 0, n)
	room := uint64(attr.MaxBytes)
	for i := range raw {
		a := raw[i] // once: the length that is checked is the length that is used
		t, size := p11.AttributeType(a._type), uint64(a.ulValueLen)
		switch {
		case size > room:
			return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "%v: a value of %d bytes is too long", t, size)
		case a.pValue == nil && size != 0:
			return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "%v: a value of %d bytes is NULL", t, size)
		}
		room -= size
		value := make([]byte, size)
		copy(value, unsafe.Slice((*byte)(a.pValue), int(size)))
		if attr.KindOf(t) == attr.Template {
			if depth > 0 || size%sizeofAttribute != 0 {
				return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "%v: not an array of attributes, or one inside another", t)
			}
			inner, err := decodeNested(unsafe.Pointer(a.pValue), size/sizeofAttribute, depth+1)
			if err != nil {
				return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "%v: %w", t, err)
			}
			value = attr.Encode(inner)
		}
		values = append(values, attr.Value{Type: t, Raw: value})
	}
	return values, nil
}
