package main

// #include "pkcs11.h"
import "C"

import "coffer/p11"

// The functions of asynchronous sessions, of which there are none: the name
// that says which call is meant, and the memory for its result, are not looked
// at but for being there.

//export goC_AsyncComplete
func goC_AsyncComplete(hSession C.CK_SESSION_HANDLE, pFunctionName C.CK_UTF8CHAR_PTR, pResult C.CK_ASYNC_DATA_PTR) (rv C.CK_RV) {
	defer guard("C_AsyncComplete", p11.SessionHandle(hSession), &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	err := m.AsyncComplete(p11.SessionHandle(hSession))
	return asyncAnswer("C_AsyncComplete", hSession, pFunctionName, err)
}

//export goC_AsyncGetID
func goC_AsyncGetID(hSession C.CK_SESSION_HANDLE, pFunctionName C.CK_UTF8CHAR_PTR, pulID C.CK_ULONG_PTR) (rv C.CK_RV) {
	defer guard("C_AsyncGetID", p11.SessionHandle(hSession), &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	err := m.AsyncGetID(p11.SessionHandle(hSession))
	if pulID == nil && p11.Code(err) != p11.CKR_SESSION_HANDLE_INVALID {
		err = p11.CKR_ARGUMENTS_BAD
	}
	return asyncAnswer("C_AsyncGetID", hSession, pFunctionName, err)
}

//export goC_AsyncJoin
func goC_AsyncJoin(hSession C.CK_SESSION_HANDLE, pFunctionName C.CK_UTF8CHAR_PTR, ulID C.CK_ULONG, pData C.CK_BYTE_PTR, ulData C.CK_ULONG) (rv C.CK_RV) {
	defer guard("C_AsyncJoin", p11.SessionHandle(hSession), &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	err := m.AsyncJoin(p11.SessionHandle(hSession), uint64(ulID))
	return asyncAnswer("C_AsyncJoin", hSession, pFunctionName, err)
}

func asyncAnswer(function string, h C.CK_SESSION_HANDLE, name C.CK_UTF8CHAR_PTR, err error) C.CK_RV {
	if name == nil && p11.Code(err) != p11.CKR_SESSION_HANDLE_INVALID {
		err = p11.CKR_ARGUMENTS_BAD
	}
	rv := code(err)
	if logged(rv) {
		report(function, err, numberField("session", uint64(h)))
	}
	return rv
}
