// Package p11test runs the same PKCS #11 cases through Go and through C.
//
// A Driver has the methods of token.Module. One driver is a token.Module over
// a store in memory; the other calls the built library through the function
// list that C_GetInterface gives, with every argument in C memory of exactly
// its length. A Host is a driver at an initialised token, with what cases need
// of it.
//
// It refuses to know what is right: that is for the cases to say.
package p11test

import (
	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token"
)

// A Driver is a Cryptoki application: what lies between C_Initialize and
// C_Finalize. The methods are those of token.Module and mean the same.
type Driver interface {
	GetInfo() (p11.Info, error)
	GetSlotList(tokenPresent, rescan bool) ([]p11.SlotID, error)
	GetSlotInfo(p11.SlotID) (p11.SlotInfo, error)
	GetTokenInfo(p11.SlotID) (p11.TokenInfo, error)
	GetMechanismList(p11.SlotID) ([]p11.MechanismType, error)
	GetMechanismInfo(p11.SlotID, p11.MechanismType) (p11.MechanismInfo, error)
	InitToken(id p11.SlotID, pin []byte, label string) error
	InitPIN(h p11.SessionHandle, pin []byte) error
	SetPIN(h p11.SessionHandle, old, pin []byte) error

	OpenSession(p11.SlotID, p11.Flags) (p11.SessionHandle, error)
	CloseSession(p11.SessionHandle) error
	CloseAllSessions(p11.SlotID) error
	GetSessionInfo(p11.SessionHandle) (p11.SessionInfo, error)
	SessionCancel(p11.SessionHandle, p11.Flags) error
	Login(h p11.SessionHandle, user p11.UserType, pin []byte) error
	LoginUser(h p11.SessionHandle, user p11.UserType, pin, name []byte) error
	Logout(p11.SessionHandle) error
	GetSessionValidationFlags(h p11.SessionHandle, kind uint64) (p11.Flags, error)
	GetOperationState(h p11.SessionHandle, out *p11.Out) error
	SetOperationState(h p11.SessionHandle, state []byte, cipherKey, macKey p11.ObjectHandle) error
	AsyncComplete(p11.SessionHandle) error
	AsyncGetID(p11.SessionHandle) error
	AsyncJoin(h p11.SessionHandle, id uint64) error
	WaitForSlotEvent(p11.Flags) (p11.SlotID, error)

	CreateObject(p11.SessionHandle, attr.Values) (p11.ObjectHandle, error)
	CopyObject(p11.SessionHandle, p11.ObjectHandle, attr.Values) (p11.ObjectHandle, error)
	DestroyObject(p11.SessionHandle, p11.ObjectHandle) error
	GetObjectSize(p11.SessionHandle, p11.ObjectHandle) (uint64, error)
	GetAttributeValue(p11.SessionHandle, p11.ObjectHandle, []token.Query) error
	SetAttributeValue(p11.SessionHandle, p11.ObjectHandle, attr.Values) error
	FindObjectsInit(p11.SessionHandle, attr.Values) error
	FindObjects(p11.SessionHandle, []p11.ObjectHandle) (int, error)
	FindObjectsFinal(p11.SessionHandle) error

	EncryptInit(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle) error
	Encrypt(h p11.SessionHandle, data []byte, out *p11.Out) error
	EncryptUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error
	EncryptFinal(h p11.SessionHandle, out *p11.Out) error
	DecryptInit(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle) error
	Decrypt(h p11.SessionHandle, data []byte, out *p11.Out) error
	DecryptUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error
	DecryptFinal(h p11.SessionHandle, out *p11.Out) error
	DigestInit(p11.SessionHandle, *p11.Mechanism) error
	Digest(h p11.SessionHandle, data []byte, out *p11.Out) error
	DigestUpdate(h p11.SessionHandle, part []byte) error
	DigestKey(p11.SessionHandle, p11.ObjectHandle) error
	DigestFinal(h p11.SessionHandle, out *p11.Out) error
	SignInit(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle) error
	Sign(h p11.SessionHandle, data []byte, out *p11.Out) error
	SignUpdate(h p11.SessionHandle, part []byte) error
	SignFinal(h p11.SessionHandle, out *p11.Out) error
	VerifyInit(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle) error
	Verify(h p11.SessionHandle, data, signature []byte) error
	VerifyUpdate(h p11.SessionHandle, part []byte) error
	VerifyFinal(h p11.SessionHandle, signature []byte) error
	SignRecoverInit(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle) error
	SignRecover(h p11.SessionHandle, data []byte, out *p11.Out) error
	VerifyRecoverInit(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle) error
	VerifyRecover(h p11.SessionHandle, signature []byte, out *p11.Out) error
	DigestEncryptUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error
	DecryptDigestUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error
	SignEncryptUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error
	DecryptVerifyUpdate(h p11.SessionHandle, part []byte, out *p11.Out) error

	GenerateKey(p11.SessionHandle, *p11.Mechanism, attr.Values) (p11.ObjectHandle, error)
	GenerateKeyPair(h p11.SessionHandle, m *p11.Mechanism, public, private attr.Values) (pub, priv p11.ObjectHandle, err error)
	WrapKey(h p11.SessionHandle, m *p11.Mechanism, wrapping, key p11.ObjectHandle, out *p11.Out) error
	UnwrapKey(h p11.SessionHandle, m *p11.Mechanism, unwrapping p11.ObjectHandle, wrapped []byte, template attr.Values) (p11.ObjectHandle, error)
	DeriveKey(h p11.SessionHandle, m *p11.Mechanism, base p11.ObjectHandle, template attr.Values) (p11.ObjectHandle, error)
	VerifySignatureInit(h p11.SessionHandle, m *p11.Mechanism, k p11.ObjectHandle, signature []byte) error
	VerifySignature(h p11.SessionHandle, data []byte) error
	VerifySignatureUpdate(h p11.SessionHandle, part []byte) error
	VerifySignatureFinal(h p11.SessionHandle) error
	WrapKeyAuthenticated(h p11.SessionHandle, m *p11.Mechanism, wrapping, key p11.ObjectHandle, aad []byte, out *p11.Out) error
	UnwrapKeyAuthenticated(h p11.SessionHandle, m *p11.Mechanism, unwrapping p11.ObjectHandle, wrapped []byte, template attr.Values, aad []byte) (p11.ObjectHandle, error)
	MessageEncryptInit(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle) error
	EncryptMessage(h p11.SessionHandle, p *p11.MessageParams, aad, plain []byte, out *p11.Out) error
	EncryptMessageBegin(h p11.SessionHandle, p *p11.MessageParams, aad []byte) error
	EncryptMessageNext(h p11.SessionHandle, p *p11.MessageParams, part []byte, out *p11.Out, flags p11.Flags) error
	MessageEncryptFinal(p11.SessionHandle) error
	MessageDecryptInit(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle) error
	DecryptMessage(h p11.SessionHandle, p *p11.MessageParams, aad, ciphertext []byte, out *p11.Out) error
	DecryptMessageBegin(h p11.SessionHandle, p *p11.MessageParams, aad []byte) error
	DecryptMessageNext(h p11.SessionHandle, p *p11.MessageParams, part []byte, out *p11.Out, flags p11.Flags) error
	MessageDecryptFinal(p11.SessionHandle) error
	MessageSignInit(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle) error
	SignMessage(h p11.SessionHandle, data []byte, out *p11.Out) error
	SignMessageBegin(p11.SessionHandle) error
	SignMessageNext(h p11.SessionHandle, part []byte, out *p11.Out) error
	MessageSignFinal(p11.SessionHandle) error
	MessageVerifyInit(p11.SessionHandle, *p11.Mechanism, p11.ObjectHandle) error
	VerifyMessage(h p11.SessionHandle, data, signature []byte) error
	VerifyMessageBegin(p11.SessionHandle) error
	VerifyMessageNext(h p11.SessionHandle, part, signature []byte) error
	MessageVerifyFinal(p11.SessionHandle) error
	EncapsulateKey(h p11.SessionHandle, m *p11.Mechanism, public p11.ObjectHandle, template attr.Values, ciphertext *p11.Out) (p11.ObjectHandle, error)
	DecapsulateKey(h p11.SessionHandle, m *p11.Mechanism, private p11.ObjectHandle, template attr.Values, ciphertext []byte) (p11.ObjectHandle, error)
	SeedRandom(h p11.SessionHandle, seed []byte) error
	GenerateRandom(h p11.SessionHandle, dst []byte) error

	// Close is C_Finalize.
	Close() error
}

var _ Driver = (*token.Module)(nil)
