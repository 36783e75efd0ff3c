package p11test

// #include "pkcs11.h"
import "C"

import (
	"encoding/binary"
	"unsafe"

	"coffer/p11"
)

// cipherParams and deriveParams encode what cshim decodes; they report whether
// the parameter is one of theirs.
func (a *arena) cipherParams(params p11.Params) (unsafe.Pointer, int, bool) {
	switch p := params.(type) {
	case p11.CCMParams:
		c := C.CK_CCM_PARAMS{ulDataLen: C.CK_ULONG(p.DataLen), ulMACLen: C.CK_ULONG(p.MACLen)}
		c.pNonce, c.ulNonceLen = a.bytes(p.Nonce)
		c.pAAD, c.ulAADLen = a.bytes(p.AAD)
		return given(put(a, c))
	case p11.ChaCha20Params:
		c := C.CK_CHACHA20_PARAMS{blockCounterBits: C.CK_ULONG(p.CounterBits)}
		c.pBlockCounter, _ = a.bytes(binary.LittleEndian.AppendUint64(nil, p.Counter))
		c.pNonce, c.ulNonceBits = a.bytes(p.Nonce)
		c.ulNonceBits *= 8
		return given(put(a, c))
	case p11.ChaCha20Poly1305Params:
		var c C.CK_SALSA20_CHACHA20_POLY1305_PARAMS
		c.pNonce, c.ulNonceLen = a.bytes(p.Nonce)
		c.ulNonceLen *= 8
		c.pAAD, c.ulAADLen = a.bytes(p.AAD)
		return given(put(a, c))
	}
	return nil, 0, false
}

func given(p unsafe.Pointer, n int) (unsafe.Pointer, int, bool) { return p, n, true }

func (a *arena) deriveParams(params p11.Params) (unsafe.Pointer, int, bool) {
	switch p := params.(type) {
	case p11.KeyHandle:
		return given(put(a, C.CK_OBJECT_HANDLE(p)))
	case p11.StringData:
		var c C.CK_KEY_DERIVATION_STRING_DATA
		c.pData, c.ulLen = a.bytes(p)
		return given(put(a, c))
	case p11.CBCDataParams:
		return given(a.cbcData(p))
	case p11.PBKD2Params:
		c := C.CK_PKCS5_PBKD2_PARAMS2{saltSource: C.CK_ULONG(p.SaltSource), iterations: C.CK_ULONG(p.Iterations), prf: C.CK_ULONG(p.PRF)}
		salt, n := a.bytes(p.Salt)
		c.pSaltSourceData, c.ulSaltSourceDataLen = C.CK_VOID_PTR(salt), n
		password, n := a.bytes(p.Password)
		c.pPassword, c.ulPasswordLen = C.CK_UTF8CHAR_PTR(password), n
		return given(put(a, c))
	case p11.KBKDFParams:
		return given(put(a, a.kbkdf(p)))
	case p11.KBKDFFeedbackParams:
		k := a.kbkdf(p.KBKDFParams)
		c := C.CK_SP800_108_FEEDBACK_KDF_PARAMS{prfType: k.prfType, ulNumberOfDataParams: k.ulNumberOfDataParams, pDataParams: k.pDataParams}
		c.pIV, c.ulIVLen = a.bytes(p.IV)
		return given(put(a, c))
	}
	return nil, 0, false
}

func (a *arena) cbcData(p p11.CBCDataParams) (unsafe.Pointer, int) {
	if len(p.IV) == 8 {
		var c C.CK_DES_CBC_ENCRYPT_DATA_PARAMS
		for i, b := range p.IV {
			c.iv[i] = C.CK_BYTE(b)
		}
		c.pData, c.length = a.bytes(p.Data)
		return put(a, c)
	}
	var c C.CK_AES_CBC_ENCRYPT_DATA_PARAMS
	for i, b := range p.IV {
		c.iv[i] = C.CK_BYTE(b)
	}
	c.pData, c.length = a.bytes(p.Data)
	return put(a, c)
}

func (a *arena) kbkdf(p p11.KBKDFParams) C.CK_SP800_108_KDF_PARAMS {
	c := C.CK_SP800_108_KDF_PARAMS{prfType: C.CK_ULONG(p.PRF), ulNumberOfDataParams: C.CK_ULONG(len(p.Data)), ulAdditionalDerivedKeys: C.CK_ULONG(p.Additional)}
	if len(p.Data) == 0 {
		return c
	}
	fields := a.alloc(len(p.Data) * C.sizeof_CK_PRF_DATA_PARAM)
	c.pDataParams = (*C.CK_PRF_DATA_PARAM)(fields)
	for i, d := range p.Data {
		f := (*C.CK_PRF_DATA_PARAM)(unsafe.Add(fields, i*C.sizeof_CK_PRF_DATA_PARAM))
		f._type = C.CK_ULONG(d.Type)
		var at unsafe.Pointer
		var n int
		switch {
		case d.Type == p11.CK_SP800_108_BYTE_ARRAY:
			at, n = a.copy(d.Bytes), len(d.Bytes)
		case d.Type == p11.CK_SP800_108_KEY_HANDLE:
			at, n = put(a, C.CK_OBJECT_HANDLE(d.Key))
		case d.Type == p11.CK_SP800_108_DKM_LENGTH:
			at, n = put(a, C.CK_SP800_108_DKM_LENGTH_FORMAT{
				dkmLengthMethod: C.CK_ULONG(d.LengthMethod), bLittleEndian: flag(d.LittleEndian), ulWidthInBits: C.CK_ULONG(d.WidthBits)})
		case d.Formatted:
			at, n = put(a, C.CK_SP800_108_COUNTER_FORMAT{bLittleEndian: flag(d.LittleEndian), ulWidthInBits: C.CK_ULONG(d.WidthBits)})
		}
		f.pValue, f.ulValueLen = C.CK_VOID_PTR(at), C.CK_ULONG(n)
	}
	return c
}

// protocolParams does the same for those of TLS and IKE.
func (a *arena) protocolParams(params p11.Params) (unsafe.Pointer, int, bool) {
	switch p := params.(type) {
	case p11.TLS12MasterParams:
		c := C.CK_TLS12_MASTER_KEY_DERIVE_PARAMS{prfHashMechanism: C.CK_ULONG(p.PRF), RandomInfo: a.randoms(p.ClientRandom, p.ServerRandom)}
		c.pVersion = a.version(p.OutVersion)
		return given(put(a, c))
	case p11.TLS12ExtendedParams:
		c := C.CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS{prfHashMechanism: C.CK_ULONG(p.PRF)}
		c.pSessionHash, c.ulSessionHashLen = a.bytes(p.SessionHash)
		c.pVersion = a.version(p.OutVersion)
		return given(put(a, c))
	case p11.TLSKDFParams:
		c := C.CK_TLS_KDF_PARAMS{prfMechanism: C.CK_ULONG(p.PRF), RandomInfo: a.randoms(p.ClientRandom, p.ServerRandom)}
		c.pLabel, c.ulLabelLength = a.bytes(p.Label)
		c.pContextData, c.ulContextDataLength = a.bytes(p.Context)
		return given(put(a, c))
	case p11.TLSMACParams:
		return given(put(a, C.CK_TLS_MAC_PARAMS{prfHashMechanism: C.CK_ULONG(p.PRF), ulMacLength: C.CK_ULONG(p.Length), ulServerOrClient: C.CK_ULONG(p.Side)}))
	case p11.IKEPRFParams:
		c := C.CK_IKE_PRF_DERIVE_PARAMS{prfMechanism: C.CK_ULONG(p.PRF), bDataAsKey: flag(p.DataAsKey), bRekey: flag(p.Rekey), hNewKey: C.CK_OBJECT_HANDLE(p.NewKey)}
		c.pNi, c.ulNiLen = a.bytes(p.Ni)
		c.pNr, c.ulNrLen = a.bytes(p.Nr)
		return given(put(a, c))
	case p11.IKE2PRFPlusParams:
		c := C.CK_IKE2_PRF_PLUS_DERIVE_PARAMS{prfMechanism: C.CK_ULONG(p.PRF), bHasSeedKey: flag(p.HasSeedKey), hSeedKey: C.CK_OBJECT_HANDLE(p.SeedKey)}
		c.pSeedData, c.ulSeedDataLen = a.bytes(p.Seed)
		return given(put(a, c))
	case p11.IKE1PRFParams:
		c := C.CK_IKE1_PRF_DERIVE_PARAMS{
			prfMechanism: C.CK_ULONG(p.PRF), bHasPrevKey: flag(p.HasPrevKey), keyNumber: C.CK_BYTE(p.KeyNumber),
			hKeygxy: C.CK_OBJECT_HANDLE(p.SharedKey), hPrevKey: C.CK_OBJECT_HANDLE(p.PrevKey)}
		c.pCKYi, c.ulCKYiLen = a.bytes(p.CKYi)
		c.pCKYr, c.ulCKYrLen = a.bytes(p.CKYr)
		return given(put(a, c))
	case p11.IKE1ExtendedParams:
		c := C.CK_IKE1_EXTENDED_DERIVE_PARAMS{prfMechanism: C.CK_ULONG(p.PRF), bHasKeygxy: flag(p.HasSharedKey), hKeygxy: C.CK_OBJECT_HANDLE(p.SharedKey)}
		c.pExtraData, c.ulExtraDataLen = a.bytes(p.Extra)
		return given(put(a, c))
	}
	return nil, 0, false
}

func (a *arena) randoms(client, server []byte) (c C.CK_SSL3_RANDOM_DATA) {
	c.pClientRandom, c.ulClientRandomLen = a.bytes(client)
	c.pServerRandom, c.ulServerRandomLen = a.bytes(server)
	return c
}

func (a *arena) version(out []byte) *C.CK_VERSION {
	if out == nil {
		return nil
	}
	return (*C.CK_VERSION)(a.shared(out))
}
