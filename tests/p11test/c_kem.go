package p11test

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
	"coffer/p11/attr"
)

func (d *cDriver) EncapsulateKey(h p11.SessionHandle, m *p11.Mechanism, public p11.ObjectHandle, t attr.Values, o *p11.Out) (p11.ObjectHandle, error) {
	var a arena
	defer a.free()
	const untouched = 0x5eed
	key, length := a.ulong(untouched), a.ulong(len(o.Buf))
	words := a.words([]any{h, m, public, t})
	err := d.do("C_EncapsulateKey", append(words, at(a.shared(o.Buf)), at(unsafe.Pointer(length)), at(unsafe.Pointer(key)))...)
	a.back()
	if rv := p11.Code(err); rv == p11.CKR_OK || rv == p11.CKR_BUFFER_TOO_SMALL {
		o.N = int(*length)
	}
	if err != nil || o.Buf == nil {
		if *key != untouched {
			d.t.Errorf("C_EncapsulateKey gives out the handle %d where it makes no key", *key)
		}
		return 0, err
	}
	return p11.ObjectHandle(*key), nil
}

func (d *cDriver) DecapsulateKey(h p11.SessionHandle, m *p11.Mechanism, private p11.ObjectHandle, t attr.Values, ciphertext []byte) (p11.ObjectHandle, error) {
	return d.handle("C_DecapsulateKey", h, m, private, t, ciphertext)
}
