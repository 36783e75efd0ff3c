package p11test

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
)

func (d *cDriver) GetSessionValidationFlags(h p11.SessionHandle, kind uint64) (p11.Flags, error) {
	var a arena
	defer a.free()
	flags := a.ulong(12345)
	err := d.do("C_GetSessionValidationFlags", a.words([]any{h, kind, unsafe.Pointer(flags)})...)
	a.back()
	if err != nil {
		return 0, err
	}
	return p11.Flags(*flags), nil
}

func (d *cDriver) AsyncComplete(h p11.SessionHandle) error {
	var a arena
	result := a.alloc(C.sizeof_CK_ASYNC_DATA)
	return d.async(&a, "C_AsyncComplete", h, unsafe.Pointer(result))
}

func (d *cDriver) AsyncGetID(h p11.SessionHandle) error {
	var a arena
	return d.async(&a, "C_AsyncGetID", h, unsafe.Pointer(a.ulong(0)))
}

func (d *cDriver) AsyncJoin(h p11.SessionHandle, id uint64) error {
	var a arena
	return d.async(&a, "C_AsyncJoin", h, id, make([]byte, 16))
}

// async calls a function about a pending C_Sign.
func (d *cDriver) async(a *arena, name string, h p11.SessionHandle, rest ...any) error {
	defer a.free()
	called := a.copy([]byte("C_Sign\x00"))
	err := d.do(name, append([]word{word(h), at(called)}, a.words(rest)...)...)
	a.back()
	return err
}

func (d *cDriver) WaitForSlotEvent(flags p11.Flags) (p11.SlotID, error) {
	var a arena
	defer a.free()
	slot := a.ulong(0)
	err := d.do("C_WaitForSlotEvent", word(flags), at(unsafe.Pointer(slot)), 0)
	a.back()
	return p11.SlotID(*slot), err
}

func (d *cDriver) GetOperationState(h p11.SessionHandle, o *p11.Out) error {
	return d.output("C_GetOperationState", o, h)
}

func (d *cDriver) SetOperationState(h p11.SessionHandle, state []byte, cipherKey, macKey p11.ObjectHandle) error {
	return d.code("C_SetOperationState", h, state, cipherKey, macKey)
}
