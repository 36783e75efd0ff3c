package main

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
)

// Bounds of what a parameter may point to. No client comes near them; they
// keep a stray length from being believed.
const (
	maxIV   = 1 << 20
	maxData = 64 << 20
)

// A parameter of one kind: how it is decoded, and whether it may be absent.
// The decoder gets the caller's memory, of the length that the caller says.
type parameter struct {
	decode   func(p unsafe.Pointer, n uint64) (p11.Params, error)
	optional bool
}

// parameters has a row for each kind but ParamNone.
var parameters = [p11.NumParamKinds]parameter{
	p11.ParamIV:             {decode: decodeIV},
	p11.OptionalIV:          {decode: decodeIV, optional: true},
	p11.ParamCTR:            {decode: decodeCTR},
	p11.ParamGCM:            {decode: decodeGCM},
	p11.ParamULong:          {decode: decodeULong},
	p11.ParamPSS:            {decode: decodePSS},
	p11.ParamOAEP:           {decode: decodeOAEP},
	p11.ParamRSAAESWrap:     {decode: decodeRSAAESWrap},
	p11.ParamECDH1:          {decode: decodeECDH1},
	p11.ParamECDHAESWrap:    {decode: decodeECDHAESWrap},
	p11.OptionalPublicValue: {decode: decodePublicValue, optional: true},
	p11.ParamX942DH1:        {decode: decodeX942DH1},
	p11.OptionalEdDSA:       {decode: decodeEdDSA, optional: true},
	p11.ParamHKDF:           {decode: decodeHKDF},

	p11.ParamCCM:              {decode: decodeCCM},
	p11.ParamChaCha20:         {decode: decodeChaCha20},
	p11.ParamChaCha20Poly1305: {decode: decodeChaCha20Poly1305},
	p11.ParamKeyHandle:        {decode: decodeKeyHandle},
	p11.ParamStringData:       {decode: decodeStringData},
	p11.ParamAESCBCData:       {decode: decodeAESCBCData},
	p11.ParamDESCBCData:       {decode: decodeDESCBCData},
	p11.ParamPBKD2:            {decode: decodePBKD2},
	p11.ParamKBKDF:            {decode: decodeKBKDF},
	p11.ParamKBKDFFeedback:    {decode: decodeKBKDFFeedback},
	p11.ParamTLS12Master:      {decode: decodeTLS12Master},
	p11.ParamTLS12Extended:    {decode: decodeTLS12Extended},
	p11.ParamTLSKDF:           {decode: decodeTLSKDF},
	p11.ParamTLSMAC:           {decode: decodeTLSMAC},
	p11.ParamIKEPRF:           {decode: decodeIKEPRF},
	p11.ParamIKE2PRFPlus:      {decode: decodeIKE2PRFPlus},
	p11.ParamIKE1PRF:          {decode: decodeIKE1PRF},
	p11.ParamIKE1Extended:     {decode: decodeIKE1Extended},
	p11.OptionalSignContext:   {decode: decodeSignContext, optional: true},
	p11.ParamHashSignContext:  {decode: decodeHashSignContext},
}

// decodeParams decodes the parameter of a mechanism. What it returns are
// copies, but for fields named Out….
func decodeParams(kind p11.ParamKind, p unsafe.Pointer, n uint64) (p11.Params, error) {
	if p == nil && n != 0 {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a parameter of %d bytes is NULL", n)
	}
	row := &parameters[kind]
	switch {
	case n == 0 && (kind == p11.ParamNone || row.optional):
		return nil, nil
	case kind == p11.ParamNone:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a parameter of %d bytes for a mechanism that takes none", n)
	case p == nil:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the mechanism needs a parameter")
	}
	return row.decode(p, n)
}

// load copies a C structure out of the caller's memory, which need not be
// aligned and may change meanwhile.
func load[T any](p unsafe.Pointer, n uint64) (v T, err error) {
	size := unsafe.Sizeof(v)
	if n != uint64(size) {
		return v, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the parameter has %d bytes, not %d", n, size)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&v)), size), unsafe.Slice((*byte)(p), size))
	return v, nil
}

// data copies what a parameter points to; nil if there is none.
func data(what string, p unsafe.Pointer, n C.CK_ULONG) ([]byte, error) {
	switch {
	case n == 0:
		return nil, nil
	case p == nil:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%s of %d bytes is NULL", what, n)
	case n > maxData:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%s of %d bytes is too long", what, n)
	}
	return append([]byte(nil), unsafe.Slice((*byte)(p), int(n))...), nil
}

func decodeIV(p unsafe.Pointer, n uint64) (p11.Params, error) {
	if n > maxIV {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "an IV of %d bytes is too long", n)
	}
	iv, err := data("the IV", p, C.CK_ULONG(n))
	if err != nil {
		return nil, err
	}
	return p11.IV(iv), nil
}

func decodeULong(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_ULONG](p, n)
	if err != nil {
		return nil, err
	}
	return p11.ULongParam(v), nil
}

func decodeCTR(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_AES_CTR_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.CTRParams{CounterBits: uint64(v.ulCounterBits)}
	for i, b := range v.cb {
		out.Counter[i] = byte(b)
	}
	return out, nil
}

// gcmShort is CK_GCM_PARAMS as version 2.20 printed it, without ulIvBits.
type gcmShort struct {
	pIv       unsafe.Pointer
	ulIvLen   C.CK_ULONG
	pAAD      unsafe.Pointer
	ulAADLen  C.CK_ULONG
	ulTagBits C.CK_ULONG
}

func decodeGCM(p unsafe.Pointer, n uint64) (p11.Params, error) {
	var v C.CK_GCM_PARAMS
	var err error
	if n == uint64(unsafe.Sizeof(gcmShort{})) {
		var short gcmShort
		if short, err = load[gcmShort](p, n); err != nil {
			return nil, err
		}
		v = C.CK_GCM_PARAMS{
			pIv: (*C.CK_BYTE)(short.pIv), ulIvLen: short.ulIvLen,
			pAAD: (*C.CK_BYTE)(short.pAAD), ulAADLen: short.ulAADLen,
			ulTagBits: short.ulTagBits,
		}
	} else if v, err = load[C.CK_GCM_PARAMS](p, n); err != nil {
		return nil, err
	}
	out := p11.GCMParams{TagBits: uint64(v.ulTagBits)}
	switch {
	case v.ulIvLen > maxIV:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "an IV of %d bytes is too long", v.ulIvLen)
	case v.ulIvLen == 0 && v.pIv != nil && v.ulIvBits != 0:
		if v.ulIvBits%8 != 0 || v.ulIvBits > 8*maxIV {
			return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "an IV of %d bits cannot be made", v.ulIvBits)
		}
		out.OutIV = unsafe.Slice((*byte)(unsafe.Pointer(v.pIv)), int(v.ulIvBits/8))
	default:
		if out.IV, err = data("the IV", unsafe.Pointer(v.pIv), v.ulIvLen); err != nil {
			return nil, err
		}
	}
	if out.AAD, err = data("the additional data", unsafe.Pointer(v.pAAD), v.ulAADLen); err != nil {
		return nil, err
	}
	return out, nil
}

func decodePSS(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_RSA_PKCS_PSS_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	return p11.PSSParams{Hash: p11.MechanismType(v.hashAlg), MGF: p11.MGF(v.mgf), SaltLen: uint64(v.sLen)}, nil
}

func decodeOAEP(p unsafe.Pointer, n uint64) (p11.Params, error) {
	out, err := oaep(p, n)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func oaep(p unsafe.Pointer, n uint64) (out p11.OAEPParams, err error) {
	v, err := load[C.CK_RSA_PKCS_OAEP_PARAMS](p, n)
	if err != nil {
		return out, err
	}
	out = p11.OAEPParams{Hash: p11.MechanismType(v.hashAlg), MGF: p11.MGF(v.mgf), Source: uint64(v.source)}
	out.Label, err = data("the label", unsafe.Pointer(v.pSourceData), v.ulSourceDataLen)
	return out, err
}

func decodeRSAAESWrap(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_RSA_AES_KEY_WRAP_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	if v.pOAEPParams == nil {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the OAEP parameters are NULL")
	}
	out := p11.RSAAESWrapParams{AESKeyBits: uint64(v.ulAESKeyBits)}
	if out.OAEP, err = oaep(unsafe.Pointer(v.pOAEPParams), C.sizeof_CK_RSA_PKCS_OAEP_PARAMS); err != nil {
		return nil, err
	}
	return out, nil
}

func decodeECDH1(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_ECDH1_DERIVE_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.ECDH1Params{KDF: p11.KDF(v.kdf)}
	if out.Shared, err = data("the shared info", unsafe.Pointer(v.pSharedData), v.ulSharedDataLen); err != nil {
		return nil, err
	}
	if out.Public, err = data("the public point", unsafe.Pointer(v.pPublicData), v.ulPublicDataLen); err != nil {
		return nil, err
	}
	return out, nil
}

func decodeECDHAESWrap(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_ECDH_AES_KEY_WRAP_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.ECDHAESWrapParams{AESKeyBits: uint64(v.ulAESKeyBits), KDF: p11.KDF(v.kdf)}
	if out.Shared, err = data("the shared info", unsafe.Pointer(v.pSharedData), v.ulSharedDataLen); err != nil {
		return nil, err
	}
	return out, nil
}

func decodePublicValue(p unsafe.Pointer, n uint64) (p11.Params, error) {
	if n > maxIV {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a public value of %d bytes is too long", n)
	}
	y, err := data("the public value", p, C.CK_ULONG(n))
	if err != nil {
		return nil, err
	}
	return p11.PublicValue(y), nil
}

func decodeX942DH1(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_X9_42_DH1_DERIVE_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.X942DH1Params{KDF: p11.KDF(v.kdf)}
	if out.OtherInfo, err = data("the other info", unsafe.Pointer(v.pOtherInfo), v.ulOtherInfoLen); err != nil {
		return nil, err
	}
	if out.Public, err = data("the public value", unsafe.Pointer(v.pPublicData), v.ulPublicDataLen); err != nil {
		return nil, err
	}
	return out, nil
}

func decodeEdDSA(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_EDDSA_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.EdDSAParams{Prehash: v.phFlag != 0}
	if out.Context, err = data("the context", unsafe.Pointer(v.pContextData), v.ulContextDataLen); err != nil {
		return nil, err
	}
	return out, nil
}

func decodeHKDF(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_HKDF_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.HKDFParams{
		Extract:  v.bExtract != 0,
		Expand:   v.bExpand != 0,
		PRF:      p11.MechanismType(v.prfHashMechanism),
		SaltType: p11.Flags(v.ulSaltType),
		SaltKey:  p11.ObjectHandle(v.hSaltKey),
	}
	if out.SaltType == p11.CKF_HKDF_SALT_DATA { // else the fields of the salt have no meaning
		if out.Salt, err = data("the salt", unsafe.Pointer(v.pSalt), v.ulSaltLen); err != nil {
			return nil, err
		}
	}
	if out.Info, err = data("the info", unsafe.Pointer(v.pInfo), v.ulInfoLen); err != nil {
		return nil, err
	}
	return out, nil
}
