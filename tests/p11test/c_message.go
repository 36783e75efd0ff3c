package p11test

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
	"coffer/p11/attr"
)

// messageParams lays out the parameter of a message: its IV and its tag are
// written back.
func (a *arena) messageParams(p *p11.MessageParams) (unsafe.Pointer, int) {
	iv, tag := C.CK_BYTE_PTR(a.shared(p.IV)), C.CK_BYTE_PTR(a.shared(p.Tag))
	n := C.CK_ULONG(len(p.IV))
	switch p.Kind {
	case p11.MessageGCM:
		return put(a, C.CK_GCM_MESSAGE_PARAMS{pIv: iv, ulIvLen: n, ulIvFixedBits: C.CK_ULONG(p.FixedBits),
			ivGenerator: C.CK_GENERATOR_FUNCTION(p.Generator), pTag: tag, ulTagBits: C.CK_ULONG(8 * p.TagLen)})
	case p11.MessageCCM:
		return put(a, C.CK_CCM_MESSAGE_PARAMS{ulDataLen: C.CK_ULONG(p.DataLen), pNonce: iv, ulNonceLen: n, ulNonceFixedBits: C.CK_ULONG(p.FixedBits),
			nonceGenerator: C.CK_GENERATOR_FUNCTION(p.Generator), pMAC: tag, ulMACLen: C.CK_ULONG(p.TagLen)})
	case p11.MessageChaCha20Poly1305:
		return put(a, C.CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS{pNonce: iv, ulNonceLen: 8 * n, pTag: tag})
	}
	return nil, 0
}

// message is the pointer and the length of the parameter of a message.
func (a *arena) message(p *p11.MessageParams) (pointer, n word) {
	c, size := a.messageParams(p)
	return at(c), word(size)
}

func (d *cDriver) VerifySignatureInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle, sig []byte) error {
	return d.code("C_VerifySignatureInit", h, m, k, sig)
}
func (d *cDriver) VerifySignature(h p11.SessionHandle, b []byte) error {
	return d.code("C_VerifySignature", h, b)
}
func (d *cDriver) VerifySignatureUpdate(h p11.SessionHandle, b []byte) error {
	return d.code("C_VerifySignatureUpdate", h, b)
}
func (d *cDriver) VerifySignatureFinal(h p11.SessionHandle) error {
	return d.code("C_VerifySignatureFinal", h)
}

func (d *cDriver) WrapKeyAuthenticated(h p11.SessionHandle, m *p11.Mechanism, w, k p11.ObjectHandle, aad []byte, o *p11.Out) error {
	return d.output("C_WrapKeyAuthenticated", o, h, m, w, k, aad)
}
func (d *cDriver) UnwrapKeyAuthenticated(h p11.SessionHandle, m *p11.Mechanism, u p11.ObjectHandle, wrapped []byte, t attr.Values, aad []byte) (p11.ObjectHandle, error) {
	return d.handle("C_UnwrapKeyAuthenticated", h, m, u, wrapped, t, aad)
}

func (d *cDriver) MessageEncryptInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle) error {
	return d.code("C_MessageEncryptInit", h, m, k)
}
func (d *cDriver) EncryptMessage(h p11.SessionHandle, p *p11.MessageParams, aad, b []byte, o *p11.Out) error {
	return d.output("C_EncryptMessage", o, h, p, aad, b)
}
func (d *cDriver) EncryptMessageBegin(h p11.SessionHandle, p *p11.MessageParams, aad []byte) error {
	return d.code("C_EncryptMessageBegin", h, p, aad)
}
func (d *cDriver) EncryptMessageNext(h p11.SessionHandle, p *p11.MessageParams, b []byte, o *p11.Out, f p11.Flags) error {
	return d.outputThen("C_EncryptMessageNext", o, []any{f}, h, p, b)
}
func (d *cDriver) MessageEncryptFinal(h p11.SessionHandle) error {
	return d.code("C_MessageEncryptFinal", h)
}
func (d *cDriver) MessageDecryptInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle) error {
	return d.code("C_MessageDecryptInit", h, m, k)
}
func (d *cDriver) DecryptMessage(h p11.SessionHandle, p *p11.MessageParams, aad, b []byte, o *p11.Out) error {
	return d.output("C_DecryptMessage", o, h, p, aad, b)
}
func (d *cDriver) DecryptMessageBegin(h p11.SessionHandle, p *p11.MessageParams, aad []byte) error {
	return d.code("C_DecryptMessageBegin", h, p, aad)
}
func (d *cDriver) DecryptMessageNext(h p11.SessionHandle, p *p11.MessageParams, b []byte, o *p11.Out, f p11.Flags) error {
	return d.outputThen("C_DecryptMessageNext", o, []any{f}, h, p, b)
}
func (d *cDriver) MessageDecryptFinal(h p11.SessionHandle) error {
	return d.code("C_MessageDecryptFinal", h)
}

var none *p11.MessageParams

func (d *cDriver) MessageSignInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle) error {
	return d.code("C_MessageSignInit", h, m, k)
}
func (d *cDriver) SignMessage(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_SignMessage", o, h, none, b)
}
func (d *cDriver) SignMessageBegin(h p11.SessionHandle) error {
	return d.code("C_SignMessageBegin", h, none)
}
func (d *cDriver) SignMessageNext(h p11.SessionHandle, b []byte, o *p11.Out) error {
	if o == nil {
		return d.code("C_SignMessageNext", h, none, b, unsafe.Pointer(nil), unsafe.Pointer(nil))
	}
	return d.output("C_SignMessageNext", o, h, none, b)
}
func (d *cDriver) MessageSignFinal(h p11.SessionHandle) error { return d.code("C_MessageSignFinal", h) }
func (d *cDriver) MessageVerifyInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle) error {
	return d.code("C_MessageVerifyInit", h, m, k)
}
func (d *cDriver) VerifyMessage(h p11.SessionHandle, b, sig []byte) error {
	return d.code("C_VerifyMessage", h, none, b, sig)
}
func (d *cDriver) VerifyMessageBegin(h p11.SessionHandle) error {
	return d.code("C_VerifyMessageBegin", h, none)
}
func (d *cDriver) VerifyMessageNext(h p11.SessionHandle, b, sig []byte) error {
	return d.code("C_VerifyMessageNext", h, none, b, sig)
}
func (d *cDriver) MessageVerifyFinal(h p11.SessionHandle) error {
	return d.code("C_MessageVerifyFinal", h)
}
