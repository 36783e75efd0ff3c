package main

// #include "pkcs11.h"
import "C"

import "coffer/p11"

// A call that waits holds no lock of this package: C_Finalize, in another
// thread, ends it.
//
//export goC_WaitForSlotEvent
func goC_WaitForSlotEvent(flags C.CK_FLAGS, pSlot C.CK_SLOT_ID_PTR, pReserved C.CK_VOID_PTR) (rv C.CK_RV) {
	defer guard("C_WaitForSlotEvent", 0, &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	var err error = p11.CKR_ARGUMENTS_BAD
	var slot p11.SlotID
	if pSlot != nil && pReserved == nil {
		slot, err = m.WaitForSlotEvent(p11.Flags(flags))
	}
	if rv = code(err); rv == ok {
		*pSlot = C.CK_SLOT_ID(slot)
	}
	if logged(rv) {
		report("C_WaitForSlotEvent", err, flagsField(flags), resultField("slot", uint64(slot)))
	}
	return rv
}
