package main

// #include "pkcs11.h"
import "C"

import (
	"encoding/binary"
	"unsafe"

	"coffer/p11"
)

// decodeCCM takes a CK_CCM_PARAMS, or a CK_CCM_WRAP_PARAMS whose nonce is the
// caller's.
func decodeCCM(p unsafe.Pointer, n uint64) (p11.Params, error) {
	if n == C.sizeof_CK_CCM_WRAP_PARAMS {
		w, err := load[C.CK_CCM_WRAP_PARAMS](p, n)
		if err != nil {
			return nil, err
		}
		if w.nonceGenerator != C.CKG_NO_GENERATE {
			return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the token does not generate nonces for wrapping: CKG_NO_GENERATE is needed")
		}
		return ccm(C.CK_CCM_PARAMS{
			pNonce: w.pNonce, ulNonceLen: w.ulNonceLen, pAAD: w.pAAD, ulAADLen: w.ulAADLen, ulMACLen: w.ulMACLen,
		})
	}
	v, err := load[C.CK_CCM_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	return ccm(v)
}

func ccm(v C.CK_CCM_PARAMS) (p11.Params, error) {
	out := p11.CCMParams{DataLen: uint64(v.ulDataLen), MACLen: uint64(v.ulMACLen)}
	var err error
	if out.Nonce, err = nonce(unsafe.Pointer(v.pNonce), v.ulNonceLen); err != nil {
		return nil, err
	}
	if out.AAD, err = data("the additional data", unsafe.Pointer(v.pAAD), v.ulAADLen); err != nil {
		return nil, err
	}
	return out, nil
}

func nonce(p unsafe.Pointer, n C.CK_ULONG) ([]byte, error) {
	if n > maxIV {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a nonce of %d bytes is too long", n)
	}
	return data("the nonce", p, n)
}

func decodeChaCha20(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_CHACHA20_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	out := p11.ChaCha20Params{CounterBits: uint64(v.blockCounterBits)}
	if v.blockCounterBits != 32 && v.blockCounterBits != 64 {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the block counter has %d bits; it can have 32 or 64", v.blockCounterBits)
	}
	counter, err := data("the block counter", unsafe.Pointer(v.pBlockCounter), v.blockCounterBits/8)
	if err != nil {
		return nil, err
	}
	var wide [8]byte
	copy(wide[:], counter)
	out.Counter = binary.LittleEndian.Uint64(wide[:])
	if v.ulNonceBits%8 != 0 {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a nonce of %d bits is not of whole bytes", v.ulNonceBits)
	}
	if out.Nonce, err = nonce(unsafe.Pointer(v.pNonce), v.ulNonceBits/8); err != nil {
		return nil, err
	}
	return out, nil
}

// decodeChaCha20Poly1305 takes ulNonceLen in bits, as the text has it, or in
// bytes, as the name has it and many clients give it: no length is both.
func decodeChaCha20Poly1305(p unsafe.Pointer, n uint64) (p11.Params, error) {
	v, err := load[C.CK_SALSA20_CHACHA20_POLY1305_PARAMS](p, n)
	if err != nil {
		return nil, err
	}
	size, err := chachaNonceLen(v.ulNonceLen)
	if err != nil {
		return nil, err
	}
	var out p11.ChaCha20Poly1305Params
	if out.Nonce, err = nonce(unsafe.Pointer(v.pNonce), size); err != nil {
		return nil, err
	}
	if out.AAD, err = data("the additional data", unsafe.Pointer(v.pAAD), v.ulAADLen); err != nil {
		return nil, err
	}
	return out, nil
}

// chachaNonceLen returns the bytes of a nonce whose length is in bits or in
// bytes.
func chachaNonceLen(n C.CK_ULONG) (C.CK_ULONG, error) {
	switch {
	case n < 64:
		return n, nil
	case n%8 != 0:
		return 0, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a nonce of %d bits is not of whole bytes", n)
	}
	return n / 8, nil
}
