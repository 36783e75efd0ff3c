package main

// #include "pkcs11.h"
import "C"

import "coffer/p11"

// The functions of the days of parallel sessions answer
// CKR_FUNCTION_NOT_PARALLEL and nothing else (PKCS #11 v3.2, 5.20); the tests of
// opencryptoki want it for session 0 too.

//export goC_GetFunctionStatus
func goC_GetFunctionStatus(hSession C.CK_SESSION_HANDLE) C.CK_RV {
	return notParallel()
}

//export goC_CancelFunction
func goC_CancelFunction(hSession C.CK_SESSION_HANDLE) C.CK_RV {
	return notParallel()
}

func notParallel() C.CK_RV {
	if module.Load() == nil {
		return notInitialized
	}
	return C.CK_RV(p11.CKR_FUNCTION_NOT_PARALLEL)
}
