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

// Slots do not come and go by themselves: there is never an event. Waiting for
// one would be waiting for ever, which is not supported.
//
//export goC_WaitForSlotEvent
func goC_WaitForSlotEvent(flags C.CK_FLAGS, pSlot C.CK_SLOT_ID_PTR, pReserved C.CK_VOID_PTR) C.CK_RV {
	var err error = p11.CKR_FUNCTION_NOT_SUPPORTED
	switch {
	case module.Load() == nil:
		return notInitialized
	case pSlot == nil || pReserved != nil:
		err = p11.CKR_ARGUMENTS_BAD
	case flags&C.CKF_DONT_BLOCK != 0:
		err = p11.CKR_NO_EVENT
	}
	rv := code(err)
	if logged(rv) {
		report("C_WaitForSlotEvent", err, flagsField(flags))
	}
	return rv
}
