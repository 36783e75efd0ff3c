package main

// #include "pkcs11.h"
import "C"

import (
	"coffer/p11"
)

// pad fills dst with s, which is cut if it is too long, and blanks: the text
// fields of the standard's structures have no terminator.
func pad(dst []C.CK_UTF8CHAR, s string) {
	for i := range dst {
		if i < len(s) {
			dst[i] = C.CK_UTF8CHAR(s[i])
		} else {
			dst[i] = ' '
		}
	}
}

func version(v p11.Version) C.CK_VERSION {
	return C.CK_VERSION{major: C.CK_BYTE(v.Major), minor: C.CK_BYTE(v.Minor)}
}

//export goC_GetInfo
func goC_GetInfo(pInfo C.CK_INFO_PTR) (rv C.CK_RV) {
	defer guard("C_GetInfo", 0, &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	info, err := p11.Info{}, error(p11.CKR_ARGUMENTS_BAD)
	if pInfo != nil {
		info, err = m.GetInfo()
	}
	if rv = code(err); rv == ok {
		*pInfo = C.CK_INFO{
			cryptokiVersion: version(info.Cryptoki),
			libraryVersion:  version(info.Library),
		}
		pad(pInfo.manufacturerID[:], info.Manufacturer)
		pad(pInfo.libraryDescription[:], info.Description)
	}
	if logged(rv) {
		report("C_GetInfo", err)
	}
	return rv
}

//export goC_GetSlotInfo
func goC_GetSlotInfo(slotID C.CK_SLOT_ID, pInfo C.CK_SLOT_INFO_PTR) (rv C.CK_RV) {
	defer guard("C_GetSlotInfo", 0, &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	info, err := p11.SlotInfo{}, error(p11.CKR_ARGUMENTS_BAD)
	if pInfo != nil {
		info, err = m.GetSlotInfo(p11.SlotID(slotID))
	}
	if rv = code(err); rv == ok {
		*pInfo = C.CK_SLOT_INFO{
			flags:           C.CK_FLAGS(info.Flags),
			hardwareVersion: version(info.Hardware),
			firmwareVersion: version(info.Firmware),
		}
		pad(pInfo.slotDescription[:], info.Description)
		pad(pInfo.manufacturerID[:], info.Manufacturer)
	}
	if logged(rv) {
		report("C_GetSlotInfo", err, numberField("slot", uint64(slotID)))
	}
	return rv
}

//export goC_GetTokenInfo
func goC_GetTokenInfo(slotID C.CK_SLOT_ID, pInfo C.CK_TOKEN_INFO_PTR) (rv C.CK_RV) {
	defer guard("C_GetTokenInfo", 0, &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	info, err := p11.TokenInfo{}, error(p11.CKR_ARGUMENTS_BAD)
	if pInfo != nil {
		info, err = m.GetTokenInfo(p11.SlotID(slotID))
	}
	if rv = code(err); rv == ok {
		*pInfo = C.CK_TOKEN_INFO{
			flags:                C.CK_FLAGS(info.Flags),
			ulMaxSessionCount:    C.CK_ULONG(info.MaxSessions),
			ulSessionCount:       C.CK_ULONG(info.Sessions),
			ulMaxRwSessionCount:  C.CK_ULONG(info.MaxRWSessions),
			ulRwSessionCount:     C.CK_ULONG(info.RWSessions),
			ulMaxPinLen:          C.CK_ULONG(info.MaxPIN),
			ulMinPinLen:          C.CK_ULONG(info.MinPIN),
			ulTotalPublicMemory:  C.CK_ULONG(info.TotalPublic),
			ulFreePublicMemory:   C.CK_ULONG(info.FreePublic),
			ulTotalPrivateMemory: C.CK_ULONG(info.TotalPrivate),
			ulFreePrivateMemory:  C.CK_ULONG(info.FreePrivate),
			hardwareVersion:      version(info.Hardware),
			firmwareVersion:      version(info.Firmware),
		}
		pad(pInfo.label[:], info.Label)
		pad(pInfo.manufacturerID[:], info.Manufacturer)
		pad(pInfo.model[:], info.Model)
		pad(pInfo.serialNumber[:], info.Serial)
		pad(pInfo.utcTime[:], info.UTCTime)
	}
	if logged(rv) {
		report("C_GetTokenInfo", err, numberField("slot", uint64(slotID)))
	}
	return rv
}

//export goC_GetMechanismInfo
func goC_GetMechanismInfo(slotID C.CK_SLOT_ID, typ C.CK_MECHANISM_TYPE, pInfo C.CK_MECHANISM_INFO_PTR) (rv C.CK_RV) {
	defer guard("C_GetMechanismInfo", 0, &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	info, err := p11.MechanismInfo{}, error(p11.CKR_ARGUMENTS_BAD)
	if pInfo != nil {
		info, err = m.GetMechanismInfo(p11.SlotID(slotID), p11.MechanismType(typ))
	}
	if rv = code(err); rv == ok {
		*pInfo = C.CK_MECHANISM_INFO{
			ulMinKeySize: C.CK_ULONG(info.MinKeySize),
			ulMaxKeySize: C.CK_ULONG(info.MaxKeySize),
			flags:        C.CK_FLAGS(info.Flags),
		}
	}
	if logged(rv) {
		report("C_GetMechanismInfo", err, numberField("slot", uint64(slotID)), typeField(p11.MechanismType(typ)))
	}
	return rv
}

//export goC_GetSessionInfo
func goC_GetSessionInfo(hSession C.CK_SESSION_HANDLE, pInfo C.CK_SESSION_INFO_PTR) (rv C.CK_RV) {
	defer guard("C_GetSessionInfo", p11.SessionHandle(hSession), &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	info, err := m.GetSessionInfo(p11.SessionHandle(hSession))
	if err == nil && pInfo == nil {
		err = p11.CKR_ARGUMENTS_BAD
	}
	if rv = code(err); rv == ok {
		*pInfo = C.CK_SESSION_INFO{
			slotID:        C.CK_SLOT_ID(info.Slot),
			state:         C.CK_STATE(info.State),
			flags:         C.CK_FLAGS(info.Flags),
			ulDeviceError: C.CK_ULONG(info.DeviceError),
		}
	}
	if logged(rv) {
		report("C_GetSessionInfo", err, numberField("session", uint64(hSession)))
	}
	return rv
}
