package main

// #include "pkcs11.h"
import "C"

import (
	"strings"
	"unsafe"

	"coffer/p11"
)

const labelLength = 32 // of the label of C_InitToken: blank padded, without a terminator

//export goC_InitToken
func goC_InitToken(slotID C.CK_SLOT_ID, pPin C.CK_UTF8CHAR_PTR, ulPinLen C.CK_ULONG, pLabel C.CK_UTF8CHAR_PTR) (rv C.CK_RV) {
	defer guard("C_InitToken", 0, &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	var a arguments
	pin := a.in(pPin, ulPinLen)
	a.result(pLabel != nil)
	err := a.err
	label := ""
	if err == nil {
		label = strings.TrimRight(string(unsafe.Slice((*byte)(unsafe.Pointer(pLabel)), labelLength)), " ")
		err = m.InitToken(p11.SlotID(slotID), pin, label)
	}
	rv = code(err)
	if logged(rv) {
		report("C_InitToken", err, numberField("slot", uint64(slotID)), secretField("pin"), textField("label", label))
	}
	return rv
}

// Cryptoki calls the Notify function for CKN_SURRENDER and CKN_OTP_CHANGED
// only, neither of which happens here: it is not kept, and the library never
// calls back (PKCS #11 v3.2, 5.16).
//
//export goC_OpenSession
func goC_OpenSession(slotID C.CK_SLOT_ID, flags C.CK_FLAGS, pApplication C.CK_VOID_PTR, Notify C.CK_NOTIFY, phSession C.CK_SESSION_HANDLE_PTR) (rv C.CK_RV) {
	defer guard("C_OpenSession", 0, &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	var err error = p11.CKR_ARGUMENTS_BAD
	var session p11.SessionHandle
	if phSession != nil {
		session, err = m.OpenSession(p11.SlotID(slotID), p11.Flags(flags))
	}
	if rv = code(err); rv == ok {
		*phSession = C.CK_SESSION_HANDLE(session)
	}
	if logged(rv) {
		report("C_OpenSession", err, numberField("slot", uint64(slotID)), flagsField(flags), resultField("session", uint64(session)))
	}
	return rv
}
