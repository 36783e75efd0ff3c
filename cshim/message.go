package main

// #include "pkcs11.h"
import "C"

import "coffer/p11"

// goC_SignMessageNext is by hand for pulSignatureLen: NULL says that there is
// more to come.
//
//export goC_SignMessageNext
func goC_SignMessageNext(hSession C.CK_SESSION_HANDLE, pParameter C.CK_VOID_PTR, ulParameterLen C.CK_ULONG, pData C.CK_BYTE_PTR, ulDataLen C.CK_ULONG, pSignature C.CK_BYTE_PTR, pulSignatureLen C.CK_ULONG_PTR) (rv C.CK_RV) {
	defer guard("C_SignMessageNext", p11.SessionHandle(hSession), &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	var a arguments
	a.noParameter(ulParameterLen)
	data := a.in(pData, ulDataLen)
	var signature p11.Out
	out := &signature
	if pulSignatureLen == nil {
		out = nil
	} else {
		signature = a.out(pSignature, pulSignatureLen)
	}
	err := a.err
	if err == nil {
		err = m.SignMessageNext(p11.SessionHandle(hSession), data, out)
	} else {
		err = refuse(m, p11.SessionHandle(hSession), "C_SignMessageNext", err)
	}
	err = m.Late(p11.SessionHandle(hSession), err)
	rv = code(err)
	if pulSignatureLen != nil {
		storeLength(rv, pulSignatureLen, signature.N)
	}
	if logged(rv) {
		report("C_SignMessageNext", err, numberField("session", uint64(hSession)), inField("data", pData, ulDataLen), outField("signature", signature.Buf == nil, len(signature.Buf), signature.N))
	}
	return rv
}
