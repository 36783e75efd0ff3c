package main

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
)

// randoms copies a CK_SSL3_RANDOM_DATA.
func randoms(v C.CK_SSL3_RANDOM_DATA) (client, server []byte, err error) {
	if client, err = data("the client's random", unsafe.Pointer(v.pClientRandom), v.ulClientRandomLen); err != nil {
		return nil, nil, err
	}
	server, err = data("the server's random", unsafe.Pointer(v.pServerRandom), v.ulServerRandomLen)
	return client, server, err
}

// versionOf is the caller's CK_VERSION, nil if there is none.
func versionOf(p *C.CK_VERSION) []byte {
	if p == nil {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), C.sizeof_CK_VERSION)
}

func decodeTLS12Master(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_TLS12_MASTER_KEY_DERIVE_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.TLS12MasterParams{PRF: p11.MechanismType(v.prfHashMechanism), OutVersion: versionOf(v.pVersion)}
	if out.ClientRandom, out.ServerRandom, err = randoms(v.RandomInfo); err != nil {
		return nil, err
	}
	return out, nil
}

func decodeTLS12Extended(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.TLS12ExtendedParams{PRF: p11.MechanismType(v.prfHashMechanism), OutVersion: versionOf(v.pVersion)}
	if out.SessionHash, err = data("the session hash", unsafe.Pointer(v.pSessionHash), v.ulSessionHashLen); err != nil {
		return nil, err
	}
	return out, nil
}

// decodeTLSKDF: an empty context is not the same as none (RFC 5705, section 4).
func decodeTLSKDF(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_TLS_KDF_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.TLSKDFParams{PRF: p11.MechanismType(v.prfMechanism)}
	if out.Label, err = data("the label", unsafe.Pointer(v.pLabel), v.ulLabelLength); err != nil {
		return nil, err
	}
	if out.ClientRandom, out.ServerRandom, err = randoms(v.RandomInfo); err != nil {
		return nil, err
	}
	if out.Context, err = data("the context", unsafe.Pointer(v.pContextData), v.ulContextDataLength); err != nil {
		return nil, err
	}
	if v.pContextData != nil && out.Context == nil {
		out.Context = []byte{}
	}
	return out, nil
}

func decodeTLSMAC(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_TLS_MAC_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	return p11.TLSMACParams{PRF: p11.MechanismType(v.prfHashMechanism), Length: uint64(v.ulMacLength), Side: uint64(v.ulServerOrClient)}, nil
}

func decodeIKEPRF(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_IKE_PRF_DERIVE_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.IKEPRFParams{
		PRF: p11.MechanismType(v.prfMechanism), DataAsKey: v.bDataAsKey != 0, Rekey: v.bRekey != 0, NewKey: p11.ObjectHandle(v.hNewKey),
	}
	if out.Ni, err = data("the initiator's nonce", unsafe.Pointer(v.pNi), v.ulNiLen); err != nil {
		return nil, err
	}
	if out.Nr, err = data("the responder's nonce", unsafe.Pointer(v.pNr), v.ulNrLen); err != nil {
		return nil, err
	}
	return out, nil
}

func decodeIKE2PRFPlus(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_IKE2_PRF_PLUS_DERIVE_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.IKE2PRFPlusParams{PRF: p11.MechanismType(v.prfMechanism), HasSeedKey: v.bHasSeedKey != 0, SeedKey: p11.ObjectHandle(v.hSeedKey)}
	if out.Seed, err = data("the seed", unsafe.Pointer(v.pSeedData), v.ulSeedDataLen); err != nil {
		return nil, err
	}
	return out, nil
}

func decodeIKE1PRF(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_IKE1_PRF_DERIVE_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.IKE1PRFParams{
		PRF: p11.MechanismType(v.prfMechanism), HasPrevKey: v.bHasPrevKey != 0,
		SharedKey: p11.ObjectHandle(v.hKeygxy), PrevKey: p11.ObjectHandle(v.hPrevKey), KeyNumber: byte(v.keyNumber),
	}
	if out.CKYi, err = data("the initiator's cookie", unsafe.Pointer(v.pCKYi), v.ulCKYiLen); err != nil {
		return nil, err
	}
	if out.CKYr, err = data("the responder's cookie", unsafe.Pointer(v.pCKYr), v.ulCKYrLen); err != nil {
		return nil, err
	}
	return out, nil
}

func decodeIKE1Extended(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_IKE1_EXTENDED_DERIVE_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.IKE1ExtendedParams{PRF: p11.MechanismType(v.prfMechanism), HasSharedKey: v.bHasKeygxy != 0, SharedKey: p11.ObjectHandle(v.hKeygxy)}
	if out.Extra, err = data("the extra data", unsafe.Pointer(v.pExtraData), v.ulExtraDataLen); err != nil {
		return nil, err
	}
	return out, nil
}
