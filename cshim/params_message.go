package main

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
	"coffer/token"
)

// messageDecoders has a decoder for each kind but MessageNone. What they return
// aliases the caller's memory: the IV and the tag are written back to it.
var messageDecoders = [p11.NumMessageKinds]func(p unsafe.Pointer, n uint64) (p11.MessageParams, error){
	p11.MessageGCM:              decodeGCMMessage,
	p11.MessageCCM:              decodeCCMMessage,
	p11.MessageChaCha20Poly1305: decodeChaChaMessage,
}

// decodeMessage decodes the parameter of one message.
func decodeMessage(kind p11.MessageKind, p unsafe.Pointer, n uint64) (out p11.MessageParams, err error) {
	if p == nil {
		return out, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "each message needs a parameter")
	}
	out, err = messageDecoders[kind](p, n)
	out.Kind = kind
	return out, err
}

// inout aliases what a parameter points to.
func inout(what string, p *C.CK_BYTE, n C.CK_ULONG) ([]byte, error) {
	switch {
	case p == nil && n != 0:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%s of %d bytes is NULL", what, n)
	case n > maxIV:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%s of %d bytes is too long", what, n)
	}
	return unsafe.Slice((*byte)(p), int(n)), nil
}

// tag aliases the place of a tag of so many bits, if there is one.
func (out *messageTag) tag(p *C.CK_BYTE, bits C.CK_ULONG) error {
	if bits%8 != 0 || bits > 8*64 {
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a tag of %d bits", bits)
	}
	out.TagLen = int(bits / 8)
	if p != nil {
		out.Tag = unsafe.Slice((*byte)(p), out.TagLen)
	}
	return nil
}

type messageTag p11.MessageParams

func decodeGCMMessage(p unsafe.Pointer, n uint64) (out p11.MessageParams, err error) {
	v, err := load[C.CK_GCM_MESSAGE_PARAMS](p, n)
	if err != nil {
		return out, err
	}
	out.FixedBits, out.Generator = uint64(v.ulIvFixedBits), p11.Generator(v.ivGenerator)
	if out.IV, err = inout("the IV", v.pIv, v.ulIvLen); err != nil {
		return out, err
	}
	return out, (*messageTag)(&out).tag(v.pTag, v.ulTagBits)
}

func decodeCCMMessage(p unsafe.Pointer, n uint64) (out p11.MessageParams, err error) {
	v, err := load[C.CK_CCM_MESSAGE_PARAMS](p, n)
	if err != nil {
		return out, err
	}
	out.FixedBits, out.Generator, out.DataLen = uint64(v.ulNonceFixedBits), p11.Generator(v.nonceGenerator), uint64(v.ulDataLen)
	if out.IV, err = inout("the nonce", v.pNonce, v.ulNonceLen); err != nil {
		return out, err
	}
	if v.ulMACLen > 64 {
		return out, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a MAC of %d bytes", v.ulMACLen)
	}
	return out, (*messageTag)(&out).tag(v.pMAC, 8*v.ulMACLen)
}

// decodeChaChaMessage takes ulNonceLen in bits or in bytes, as
// decodeChaCha20Poly1305 does.
func decodeChaChaMessage(p unsafe.Pointer, n uint64) (out p11.MessageParams, err error) {
	v, err := load[C.CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS](p, n)
	if err != nil {
		return out, err
	}
	size, err := chachaNonceLen(v.ulNonceLen)
	if err != nil {
		return out, err
	}
	if out.IV, err = inout("the nonce", v.pNonce, size); err != nil {
		return out, err
	}
	return out, (*messageTag)(&out).tag(v.pTag, 128)
}

// message decodes the parameter of a message of the kind that the session's
// process has. Without one, the module says so.
func (a *arguments) message(kind p11.MessageKind, p C.CK_VOID_PTR, n C.CK_ULONG) (out p11.MessageParams) {
	if kind == p11.MessageNone {
		return out
	}
	out, err := decodeMessage(kind, unsafe.Pointer(p), uint64(n))
	if err != nil {
		a.fail(err)
	}
	return out
}

// noParameter refuses a parameter where no mechanism has one.
func (a *arguments) noParameter(n C.CK_ULONG) {
	if n != 0 {
		a.fail(p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a parameter of %d bytes: no signature mechanism has one for the message", n))
	}
}

// messageMechanism decodes a mechanism for C_MessageEncryptInit and
// C_MessageDecryptInit. Its parameter is that of a message, or none; nothing in
// it counts before there is a message.
func (a *arguments) messageMechanism(m *token.Module, p *C.CK_MECHANISM, dst *p11.Mechanism) *p11.Mechanism {
	return a.withMessage(m, p, dst, func(p11.MessageParams, C.CK_ULONG) error { return nil })
}

// wrappingMechanism decodes a mechanism for C_WrapKeyAuthenticated and its
// counterpart, with the parameter of a message.
func (a *arguments) wrappingMechanism(m *token.Module, p *C.CK_MECHANISM, dst *p11.Mechanism) *p11.Mechanism {
	if p == nil {
		a.fail(p11.CKR_ARGUMENTS_BAD)
	}
	return a.withMessage(m, p, dst, func(params p11.MessageParams, n C.CK_ULONG) error {
		if n == 0 {
			return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the mechanism needs the parameter of a message")
		}
		dst.Params = params
		return nil
	})
}

func (a *arguments) withMessage(m *token.Module, p *C.CK_MECHANISM, dst *p11.Mechanism, use func(p11.MessageParams, C.CK_ULONG) error) *p11.Mechanism {
	if p == nil {
		return nil
	}
	dst.Type = p11.MechanismType(p.mechanism)
	kind := m.MessageKind(dst.Type)
	if kind == p11.MessageNone {
		return dst // the module says what is wrong
	}
	var params p11.MessageParams
	var err error
	if p.pParameter != nil || p.ulParameterLen != 0 {
		params, err = decodeMessage(kind, unsafe.Pointer(p.pParameter), uint64(p.ulParameterLen))
	}
	if err == nil {
		err = use(params, p.ulParameterLen)
	}
	if err != nil {
		a.fail(err)
	}
	return dst
}
