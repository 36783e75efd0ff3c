package p11test

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
	"coffer/p11/attr"
)

// code calls a function with bytes, a mechanism and a template among its
// arguments, each in the place that it has in C.
func (d *cDriver) code(name string, args ...any) error {
	var a arena
	defer a.free()
	err := d.do(name, a.words(args)...)
	a.back()
	return err
}

// words lays out arguments: of bytes and of a template the pointer and the
// length.
func (a *arena) words(args []any) []word {
	var out []word
	for _, arg := range args {
		switch v := arg.(type) {
		case p11.SessionHandle:
			out = append(out, word(v))
		case p11.ObjectHandle:
			out = append(out, word(v))
		case p11.SlotID:
			out = append(out, word(v))
		case p11.Flags:
			out = append(out, word(v))
		case p11.UserType:
			out = append(out, word(v))
		case uint64:
			out = append(out, word(v))
		case []byte:
			p, n := a.in(v)
			out = append(out, p, n)
		case attr.Values:
			p, n := a.template(v)
			out = append(out, p, n)
		case *p11.Mechanism:
			out = append(out, a.mechanism(v))
		case *p11.MessageParams:
			if v == nil {
				out = append(out, 0, 0)
				continue
			}
			p, n := a.message(v)
			out = append(out, p, n)
		case unsafe.Pointer:
			out = append(out, at(v))
		default:
			panic("p11test: an argument of an unknown kind")
		}
	}
	return out
}

// output calls a function whose last argument is an output.
func (d *cDriver) output(name string, o *p11.Out, args ...any) error {
	return d.outputThen(name, o, nil, args...)
}

// outputThen is output for a function with arguments behind the output.
func (d *cDriver) outputThen(name string, o *p11.Out, behind []any, args ...any) error {
	var a arena
	defer a.free()
	words := a.words(args)
	length := a.ulong(len(o.Buf))
	words = append(words, at(a.shared(o.Buf)), at(unsafe.Pointer(length)))
	err := d.do(name, append(words, a.words(behind)...)...)
	a.back()
	if rv := p11.Code(err); rv == p11.CKR_OK || rv == p11.CKR_BUFFER_TOO_SMALL {
		o.N = int(*length)
	}
	return err
}

// handle calls a function whose last argument is a handle that it makes.
func (d *cDriver) handle(name string, args ...any) (p11.ObjectHandle, error) {
	var a arena
	defer a.free()
	h := a.ulong(0)
	err := d.do(name, append(a.words(args), at(unsafe.Pointer(h)))...)
	a.back()
	if err != nil && *h != 0 {
		d.t.Errorf("%s made a handle and answers %v", name, err)
	}
	return p11.ObjectHandle(*h), err
}

func (d *cDriver) InitPIN(h p11.SessionHandle, pin []byte) error { return d.code("C_InitPIN", h, pin) }
func (d *cDriver) SetPIN(h p11.SessionHandle, old, pin []byte) error {
	return d.code("C_SetPIN", h, old, pin)
}
func (d *cDriver) CloseSession(h p11.SessionHandle) error { return d.code("C_CloseSession", h) }
func (d *cDriver) CloseAllSessions(id p11.SlotID) error   { return d.code("C_CloseAllSessions", id) }
func (d *cDriver) SessionCancel(h p11.SessionHandle, f p11.Flags) error {
	return d.code("C_SessionCancel", h, f)
}
func (d *cDriver) Login(h p11.SessionHandle, user p11.UserType, pin []byte) error {
	return d.code("C_Login", h, user, pin)
}
func (d *cDriver) LoginUser(h p11.SessionHandle, user p11.UserType, pin, name []byte) error {
	return d.code("C_LoginUser", h, user, pin, name)
}
func (d *cDriver) Logout(h p11.SessionHandle) error { return d.code("C_Logout", h) }

func (d *cDriver) CreateObject(h p11.SessionHandle, t attr.Values) (p11.ObjectHandle, error) {
	return d.handle("C_CreateObject", h, t)
}
func (d *cDriver) CopyObject(h p11.SessionHandle, o p11.ObjectHandle, t attr.Values) (p11.ObjectHandle, error) {
	return d.handle("C_CopyObject", h, o, t)
}
func (d *cDriver) DestroyObject(h p11.SessionHandle, o p11.ObjectHandle) error {
	return d.code("C_DestroyObject", h, o)
}
func (d *cDriver) SetAttributeValue(h p11.SessionHandle, o p11.ObjectHandle, t attr.Values) error {
	return d.code("C_SetAttributeValue", h, o, t)
}
func (d *cDriver) FindObjectsInit(h p11.SessionHandle, t attr.Values) error {
	return d.code("C_FindObjectsInit", h, t)
}
func (d *cDriver) FindObjectsFinal(h p11.SessionHandle) error { return d.code("C_FindObjectsFinal", h) }

func (d *cDriver) EncryptInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle) error {
	return d.code("C_EncryptInit", h, m, k)
}
func (d *cDriver) Encrypt(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_Encrypt", o, h, b)
}
func (d *cDriver) EncryptUpdate(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_EncryptUpdate", o, h, b)
}
func (d *cDriver) EncryptFinal(h p11.SessionHandle, o *p11.Out) error {
	return d.output("C_EncryptFinal", o, h)
}
func (d *cDriver) DecryptInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle) error {
	return d.code("C_DecryptInit", h, m, k)
}
func (d *cDriver) Decrypt(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_Decrypt", o, h, b)
}
func (d *cDriver) DecryptUpdate(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_DecryptUpdate", o, h, b)
}
func (d *cDriver) DecryptFinal(h p11.SessionHandle, o *p11.Out) error {
	return d.output("C_DecryptFinal", o, h)
}
func (d *cDriver) DigestInit(h p11.SessionHandle, m *p11.Mechanism) error {
	return d.code("C_DigestInit", h, m)
}
func (d *cDriver) Digest(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_Digest", o, h, b)
}
func (d *cDriver) DigestUpdate(h p11.SessionHandle, b []byte) error {
	return d.code("C_DigestUpdate", h, b)
}
func (d *cDriver) DigestKey(h p11.SessionHandle, k p11.ObjectHandle) error {
	return d.code("C_DigestKey", h, k)
}
func (d *cDriver) DigestFinal(h p11.SessionHandle, o *p11.Out) error {
	return d.output("C_DigestFinal", o, h)
}
func (d *cDriver) SignInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle) error {
	return d.code("C_SignInit", h, m, k)
}
func (d *cDriver) Sign(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_Sign", o, h, b)
}
func (d *cDriver) SignUpdate(h p11.SessionHandle, b []byte) error {
	return d.code("C_SignUpdate", h, b)
}
func (d *cDriver) SignFinal(h p11.SessionHandle, o *p11.Out) error {
	return d.output("C_SignFinal", o, h)
}
func (d *cDriver) VerifyInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle) error {
	return d.code("C_VerifyInit", h, m, k)
}
func (d *cDriver) Verify(h p11.SessionHandle, b, sig []byte) error {
	return d.code("C_Verify", h, b, sig)
}
func (d *cDriver) VerifyUpdate(h p11.SessionHandle, b []byte) error {
	return d.code("C_VerifyUpdate", h, b)
}
func (d *cDriver) VerifyFinal(h p11.SessionHandle, sig []byte) error {
	return d.code("C_VerifyFinal", h, sig)
}
func (d *cDriver) SignRecoverInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle) error {
	return d.code("C_SignRecoverInit", h, m, k)
}
func (d *cDriver) SignRecover(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_SignRecover", o, h, b)
}
func (d *cDriver) VerifyRecoverInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle) error {
	return d.code("C_VerifyRecoverInit", h, m, k)
}
func (d *cDriver) VerifyRecover(h p11.SessionHandle, sig []byte, o *p11.Out) error {
	return d.output("C_VerifyRecover", o, h, sig)
}
func (d *cDriver) DigestEncryptUpdate(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_DigestEncryptUpdate", o, h, b)
}
func (d *cDriver) DecryptDigestUpdate(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_DecryptDigestUpdate", o, h, b)
}
func (d *cDriver) SignEncryptUpdate(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_SignEncryptUpdate", o, h, b)
}
func (d *cDriver) DecryptVerifyUpdate(h p11.SessionHandle, b []byte, o *p11.Out) error {
	return d.output("C_DecryptVerifyUpdate", o, h, b)
}

func (d *cDriver) GenerateKey(h p11.SessionHandle, m *p11.Mechanism, t attr.Values) (p11.ObjectHandle, error) {
	return d.handle("C_GenerateKey", h, m, t)
}
func (d *cDriver) GenerateKeyPair(h p11.SessionHandle, m *p11.Mechanism, public, private attr.Values) (p11.ObjectHandle, p11.ObjectHandle, error) {
	var a arena
	defer a.free()
	pub, priv := a.ulong(0), a.ulong(0)
	err := d.do("C_GenerateKeyPair", a.words([]any{h, m, public, private, unsafe.Pointer(pub), unsafe.Pointer(priv)})...)
	a.back()
	return p11.ObjectHandle(*pub), p11.ObjectHandle(*priv), err
}
func (d *cDriver) WrapKey(h p11.SessionHandle, m *p11.Mechanism, w, k p11.ObjectHandle, o *p11.Out) error {
	return d.output("C_WrapKey", o, h, m, w, k)
}
func (d *cDriver) UnwrapKey(h p11.SessionHandle, m *p11.Mechanism, u p11.ObjectHandle, wrapped []byte, t attr.Values) (p11.ObjectHandle, error) {
	return d.handle("C_UnwrapKey", h, m, u, wrapped, t)
}
func (d *cDriver) DeriveKey(h p11.SessionHandle, m *p11.Mechanism, base p11.ObjectHandle, t attr.Values) (p11.ObjectHandle, error) {
	return d.handle("C_DeriveKey", h, m, base, t)
}
func (d *cDriver) SeedRandom(h p11.SessionHandle, seed []byte) error {
	return d.code("C_SeedRandom", h, seed)
}
