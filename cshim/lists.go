package main

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
)

// list stores a list by the convention of PKCS #11 v3.2, 5.2, counted in
// elements: NULL asks for the count, and a list that is too short is told it.
func list[To, From ~uint64](items []From, p *To, n *C.CK_ULONG) error {
	room := *n
	*n = C.CK_ULONG(len(items))
	if p == nil {
		return nil
	}
	if room < *n {
		return p11.CKR_BUFFER_TOO_SMALL
	}
	dst := unsafe.Slice(p, len(items))
	for i, v := range items {
		dst[i] = To(v)
	}
	return nil
}

//export goC_GetSlotList
func goC_GetSlotList(tokenPresent C.CK_BBOOL, pSlotList C.CK_SLOT_ID_PTR, pulCount C.CK_ULONG_PTR) (rv C.CK_RV) {
	defer guard("C_GetSlotList", 0, &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	var err error = p11.CKR_ARGUMENTS_BAD
	var slots []p11.SlotID
	if pulCount != nil {
		slots, err = m.GetSlotList(tokenPresent != 0, pSlotList == nil)
	}
	if err == nil {
		err = list(slots, pSlotList, pulCount)
	}
	rv = code(err)
	if logged(rv) {
		report("C_GetSlotList", err, resultField("slots", uint64(len(slots))))
	}
	return rv
}

//export goC_GetMechanismList
func goC_GetMechanismList(slotID C.CK_SLOT_ID, pMechanismList C.CK_MECHANISM_TYPE_PTR, pulCount C.CK_ULONG_PTR) (rv C.CK_RV) {
	defer guard("C_GetMechanismList", 0, &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	var err error = p11.CKR_ARGUMENTS_BAD
	var types []p11.MechanismType
	if pulCount != nil {
		types, err = m.GetMechanismList(p11.SlotID(slotID))
	}
	if err == nil {
		err = list(types, pMechanismList, pulCount)
	}
	rv = code(err)
	if logged(rv) {
		report("C_GetMechanismList", err, numberField("slot", uint64(slotID)), resultField("mechanisms", uint64(len(types))))
	}
	return rv
}

// maxHandles bounds what one C_FindObjects is asked for, as maxLength does.
const maxHandles = maxLength / 8

//export goC_FindObjects
func goC_FindObjects(hSession C.CK_SESSION_HANDLE, phObject C.CK_OBJECT_HANDLE_PTR, ulMaxObjectCount C.CK_ULONG, pulObjectCount C.CK_ULONG_PTR) (rv C.CK_RV) {
	defer guard("C_FindObjects", p11.SessionHandle(hSession), &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	var err error
	n := 0
	if pulObjectCount == nil || phObject == nil && ulMaxObjectCount != 0 {
		err = refuse(m, p11.SessionHandle(hSession), "C_FindObjects", p11.CKR_ARGUMENTS_BAD)
	} else {
		// A p11.ObjectHandle is a CK_OBJECT_HANDLE: the handles go straight into the caller's memory.
		handles := unsafe.Slice((*p11.ObjectHandle)(unsafe.Pointer(phObject)), int(min(ulMaxObjectCount, maxHandles)))
		n, err = m.FindObjects(p11.SessionHandle(hSession), handles)
	}
	if rv = code(err); rv == ok {
		*pulObjectCount = C.CK_ULONG(n)
	}
	if logged(rv) {
		report("C_FindObjects", err, numberField("session", uint64(hSession)), numberField("max", uint64(ulMaxObjectCount)), resultField("objects", uint64(n)))
	}
	return rv
}
