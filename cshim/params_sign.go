package main

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
)

func signContext(hedge C.CK_HEDGE_TYPE, context C.CK_BYTE_PTR, n C.CK_ULONG) (out p11.SignContext, err error) {
	out.Hedge = uint64(hedge)
	out.Context, err = data("the context", unsafe.Pointer(context), n)
	return out, err
}

func decodeSignContext(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_SIGN_ADDITIONAL_CONTEXT](p, n)
	if err != nil {
		return nil, err
	}
	out, err := signContext(v.hedgeVariant, v.pContext, v.ulContextLen)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func decodeHashSignContext(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_HASH_SIGN_ADDITIONAL_CONTEXT](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.HashSignContext{Hash: p11.MechanismType(v.hash)}
	if out.SignContext, err = signContext(v.hedgeVariant, v.pContext, v.ulContextLen); err != nil {
		return nil, err
	}
	return out, nil
}
