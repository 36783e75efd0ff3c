package p11test

// #include "pkcs11.h"
import "C"

import (
	"fmt"
	"unsafe"

	"coffer/p11"
)

// mechanism is the pointer to a mechanism.
func (a *arena) mechanism(m *p11.Mechanism) word {
	if m == nil {
		return 0
	}
	c := (*C.CK_MECHANISM)(a.alloc(C.sizeof_CK_MECHANISM))
	c.mechanism = C.CK_MECHANISM_TYPE(m.Type)
	p, n := a.params(m.Params)
	c.pParameter, c.ulParameterLen = C.CK_VOID_PTR(p), C.CK_ULONG(n)
	return at(unsafe.Pointer(c))
}

// put stores a structure in C memory.
func put[T any](a *arena, v T) (unsafe.Pointer, int) {
	n := int(unsafe.Sizeof(v))
	p := a.alloc(n)
	*(*T)(p) = v
	return p, n
}

func (a *arena) bytes(b []byte) (C.CK_BYTE_PTR, C.CK_ULONG) {
	return C.CK_BYTE_PTR(a.copy(b)), C.CK_ULONG(len(b))
}

// params encodes what cshim decodes.
func (a *arena) params(params p11.Params) (unsafe.Pointer, int) {
	switch p := params.(type) {
	case nil:
		return nil, 0
	case p11.MessageParams:
		return a.messageParams(&p)
	case p11.IV:
		return a.copy(p), len(p)
	case p11.ULongParam:
		return put(a, C.CK_ULONG(p))
	case p11.CTRParams:
		c := C.CK_AES_CTR_PARAMS{ulCounterBits: C.CK_ULONG(p.CounterBits)}
		for i, b := range p.Counter {
			c.cb[i] = C.CK_BYTE(b)
		}
		return put(a, c)
	case p11.GCMParams:
		c := C.CK_GCM_PARAMS{ulTagBits: C.CK_ULONG(p.TagBits)}
		c.pIv, c.ulIvLen = a.bytes(p.IV)
		c.ulIvBits = 8 * c.ulIvLen
		if p.OutIV != nil {
			c.pIv, c.ulIvBits = C.CK_BYTE_PTR(a.shared(p.OutIV)), C.CK_ULONG(8*len(p.OutIV))
		}
		c.pAAD, c.ulAADLen = a.bytes(p.AAD)
		return put(a, c)
	case p11.PSSParams:
		return put(a, C.CK_RSA_PKCS_PSS_PARAMS{
			hashAlg: C.CK_MECHANISM_TYPE(p.Hash), mgf: C.CK_RSA_PKCS_MGF_TYPE(p.MGF), sLen: C.CK_ULONG(p.SaltLen)})
	case p11.OAEPParams:
		return put(a, a.oaep(p))
	case p11.RSAAESWrapParams:
		inner, _ := put(a, a.oaep(p.OAEP))
		return put(a, C.CK_RSA_AES_KEY_WRAP_PARAMS{
			ulAESKeyBits: C.CK_ULONG(p.AESKeyBits), pOAEPParams: (*C.CK_RSA_PKCS_OAEP_PARAMS)(inner)})
	case p11.ECDH1Params:
		c := C.CK_ECDH1_DERIVE_PARAMS{kdf: C.CK_EC_KDF_TYPE(p.KDF)}
		c.pSharedData, c.ulSharedDataLen = a.bytes(p.Shared)
		c.pPublicData, c.ulPublicDataLen = a.bytes(p.Public)
		return put(a, c)
	case p11.ECDHAESWrapParams:
		c := C.CK_ECDH_AES_KEY_WRAP_PARAMS{ulAESKeyBits: C.CK_ULONG(p.AESKeyBits), kdf: C.CK_EC_KDF_TYPE(p.KDF)}
		c.pSharedData, c.ulSharedDataLen = a.bytes(p.Shared)
		return put(a, c)
	case p11.PublicValue:
		b, n := a.bytes(p)
		return unsafe.Pointer(b), int(n)
	case p11.X942DH1Params:
		c := C.CK_X9_42_DH1_DERIVE_PARAMS{kdf: C.CK_X9_42_DH_KDF_TYPE(p.KDF)}
		c.pOtherInfo, c.ulOtherInfoLen = a.bytes(p.OtherInfo)
		c.pPublicData, c.ulPublicDataLen = a.bytes(p.Public)
		return put(a, c)
	case p11.EdDSAParams:
		c := C.CK_EDDSA_PARAMS{phFlag: flag(p.Prehash)}
		c.pContextData, c.ulContextDataLen = a.bytes(p.Context)
		return put(a, c)
	case p11.SignContext:
		c := C.CK_SIGN_ADDITIONAL_CONTEXT{hedgeVariant: C.CK_HEDGE_TYPE(p.Hedge)}
		c.pContext, c.ulContextLen = a.bytes(p.Context)
		return put(a, c)
	case p11.HashSignContext:
		c := C.CK_HASH_SIGN_ADDITIONAL_CONTEXT{hedgeVariant: C.CK_HEDGE_TYPE(p.Hedge), hash: C.CK_MECHANISM_TYPE(p.Hash)}
		c.pContext, c.ulContextLen = a.bytes(p.Context)
		return put(a, c)
	case p11.HKDFParams:
		c := C.CK_HKDF_PARAMS{
			bExtract: flag(p.Extract), bExpand: flag(p.Expand), prfHashMechanism: C.CK_MECHANISM_TYPE(p.PRF),
			ulSaltType: C.CK_ULONG(p.SaltType), hSaltKey: C.CK_OBJECT_HANDLE(p.SaltKey)}
		c.pSalt, c.ulSaltLen = a.bytes(p.Salt)
		c.pInfo, c.ulInfoLen = a.bytes(p.Info)
		return put(a, c)
	default:
		for _, encode := range []func(p11.Params) (unsafe.Pointer, int, bool){a.cipherParams, a.deriveParams, a.protocolParams} {
			if c, n, ok := encode(params); ok {
				return c, n
			}
		}
		panic(fmt.Sprintf("p11test: teach the C driver how a %T lies in memory", p))
	}
}

func (a *arena) oaep(p p11.OAEPParams) C.CK_RSA_PKCS_OAEP_PARAMS {
	c := C.CK_RSA_PKCS_OAEP_PARAMS{
		hashAlg: C.CK_MECHANISM_TYPE(p.Hash), mgf: C.CK_RSA_PKCS_MGF_TYPE(p.MGF), source: C.CK_RSA_PKCS_OAEP_SOURCE_TYPE(p.Source)}
	label, n := a.bytes(p.Label)
	c.pSourceData, c.ulSourceDataLen = C.CK_VOID_PTR(label), n
	return c
}

func flag(b bool) C.CK_BBOOL {
	if b {
		return C.CK_TRUE
	}
	return C.CK_FALSE
}
