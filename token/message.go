package token

import (
	"coffer/mech"
	"coffer/p11"
)

// Message-based encryption (PKCS #11 v3.2, 5.9 and 5.11): a process under one
// key, and in it messages, each at once or in parts.
//
//	idle --Init--> process --EncryptMessage--> process
//	               process --Begin--> message --Next--> message --last Next--> process
//	               process --Final--> idle
//
// An error ends the message, if there is one, and never the process; a buffer
// that is too small and a question for the length end neither, and use up no
// IV. Within a message only Next is allowed: EncryptMessage, Begin and Final
// are answered with CKR_OPERATION_ACTIVE and change nothing. A NULL mechanism
// and C_SessionCancel end the process with the message in it.
//
// Of a message that is decrypted in parts no plaintext is given out before the
// tag is checked: every Next but the last puts out nothing, the last one all.
// That holds up to maxHeldMessage bytes, beyond which the message is refused.

// maxHeldMessage is the most that the decryption of a message in parts holds
// back, in bytes.
const maxHeldMessage = 64 << 20

// messages is what an operation of a message purpose has besides its key.
type messages struct {
	cipher mech.MessageCipher // of encryption and decryption
	nonces nonces

	running bool // between Begin and the last Next
	tag     int  // the length of the tag, as it was said at Begin
	size    uint64
	stream  mech.MessageStream // of an encryption
	nonce   []byte             // of a decryption
	aad     []byte
	held    []byte // ciphertext

	params p11.Params // of signatures
	one    operation  // the signature or verification in parts
}

// startMessages is the begin of the purposes that encrypt and decrypt.
func startMessages(o *operation, row *mech.Mechanism, k mech.Key, _ p11.Params) error {
	cipher, err := row.Messages(k)
	o.messages = &messages{cipher: cipher}
	return err
}

// wipe ends everything.
func (g *messages) wipe() {
	g.endMessage()
	if g.cipher != nil {
		g.cipher.Wipe()
		g.cipher = nil
	}
}

func (g *messages) endMessage() {
	if g.stream != nil {
		g.stream.Wipe()
	}
	g.one.end()
	g.running, g.stream, g.nonce, g.aad, g.held = false, nil, nil, nil, nil
}

// endMessage ends the message of an operation, and with it what
// CKU_CONTEXT_SPECIFIC has permitted.
func (o *operation) endMessage() {
	o.messages.endMessage()
	o.needsLogin = o.key.AlwaysAuthenticate()
}

// inProcess runs f on a process in the state that a call needs.
func (m *Module) inProcess(h p11.SessionHandle, p purpose, f func(o *operation) error) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o := &s.ops[p]
	switch {
	case o.phase == idle:
		return p11.CKR_OPERATION_NOT_INITIALIZED
	case o.messages.running:
		return p11.Errorf(p11.CKR_OPERATION_ACTIVE, "a message has been begun in parts")
	}
	return f(o)
}

// inMessage runs f on a message that has been begun. An error ends it, but for
// a buffer that is too small.
func (m *Module) inMessage(h p11.SessionHandle, p purpose, f func(o *operation) error) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o := &s.ops[p]
	if o.phase == idle || !o.messages.running {
		return p11.CKR_OPERATION_NOT_INITIALIZED
	}
	err = f(o)
	if err != nil && p11.Code(err) != p11.CKR_BUFFER_TOO_SMALL {
		o.endMessage()
	}
	return err
}

// EncryptedMessages returns how the parameters lie in memory of the messages
// that a session encrypts, DecryptedMessages of those that it decrypts:
// MessageNone if it does not.
func (m *Module) EncryptedMessages(h p11.SessionHandle) p11.MessageKind {
	return m.messageKind(h, messageEncrypt)
}

// DecryptedMessages is EncryptedMessages for decryption.
func (m *Module) DecryptedMessages(h p11.SessionHandle) p11.MessageKind {
	return m.messageKind(h, messageDecrypt)
}

func (m *Module) messageKind(h p11.SessionHandle, p purpose) p11.MessageKind {
	s, err := m.lockSession(h)
	if err != nil {
		return p11.MessageNone
	}
	defer s.mu.Unlock()
	if o := &s.ops[p]; o.phase != idle {
		return o.row.MessageKind
	}
	return p11.MessageNone
}

// messageCheck looks at the parameter of a message of size bytes.
func (o *operation) messageCheck(p *p11.MessageParams, size uint64) error {
	if p.Kind != o.row.MessageKind {
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the parameter is not one of %v", o.row.Type)
	}
	return o.messages.cipher.Check(len(p.IV), p.TagLen, size)
}

// wholeMessage is messageCheck for a message that is there.
func (o *operation) wholeMessage(p *p11.MessageParams, n int) error {
	if err := o.messageCheck(p, uint64(n)); err != nil {
		return err
	}
	if err := saysLength(p, uint64(n)); err != nil {
		return err
	}
	return hasTag(p)
}

func saysLength(p *p11.MessageParams, n uint64) error {
	if p.Kind == p11.MessageCCM && p.DataLen != n {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "the parameter says that the data has %d bytes, but %d came", p.DataLen, n)
	}
	return nil
}

func hasTag(p *p11.MessageParams) error {
	if p.Tag == nil {
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no place for the tag")
	}
	return nil
}

// fits applies the convention of PKCS #11 v3.2, 5.2, to an output of n bytes:
// done says that the call is answered.
func fits(out *p11.Out, n int) (done bool, err error) {
	out.N = n
	if out.Buf != nil && len(out.Buf) < n {
		return true, p11.CKR_BUFFER_TOO_SMALL
	}
	return out.Buf == nil, nil
}

// MessageEncryptInit begins a process of encryption (PKCS #11 v3.2, 5.9.1).
// The parameter of the mechanism is not looked at: each message has its own.
func (m *Module) MessageEncryptInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.begin(h, messageEncrypt, mm, key)
}

// EncryptMessage encrypts a message in one part.
func (m *Module) EncryptMessage(h p11.SessionHandle, p *p11.MessageParams, aad, src []byte, out *p11.Out) error {
	return m.inProcess(h, messageEncrypt, func(o *operation) error {
		if err := o.wholeMessage(p, len(src)); err != nil {
			return err
		}
		if done, err := fits(out, len(src)); done {
			return err
		}
		nonce, err := o.messages.nonces.next(p)
		if err != nil {
			return err
		}
		dst := out.Buf[:len(src):len(src)]
		if err := o.messages.cipher.Seal(dst, p.Tag, nonce, apart(dst, src), aad); err != nil {
			return err
		}
		tellIV(p, nonce)
		return nil
	})
}

// tellIV gives the caller an IV that was made.
func tellIV(p *p11.MessageParams, nonce []byte) {
	if p.Generator != p11.CKG_NO_GENERATE {
		copy(p.IV, nonce)
	}
}

// EncryptMessageBegin begins a message in parts.
func (m *Module) EncryptMessageBegin(h p11.SessionHandle, p *p11.MessageParams, aad []byte) error {
	return m.inProcess(h, messageEncrypt, func(o *operation) error {
		if err := o.messageCheck(p, p.DataLen); err != nil {
			return err
		}
		g := o.messages
		nonce, err := g.nonces.next(p)
		if err != nil {
			return err
		}
		if g.stream, err = g.cipher.Begin(nonce, aad, p.TagLen, p.DataLen); err != nil {
			g.stream = nil
			return err
		}
		g.running, g.tag = true, p.TagLen
		tellIV(p, nonce)
		return nil
	})
}

// nextPart looks at what comes with a part of a message.
func (o *operation) nextPart(p *p11.MessageParams, flags p11.Flags) (last bool, err error) {
	switch {
	case flags&^p11.CKF_END_OF_MESSAGE != 0:
		return false, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "there are no flags %#x", uint64(flags))
	case p.Kind != o.row.MessageKind || p.TagLen != o.messages.tag:
		return false, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the parameter is not that with which the message was begun")
	case flags == 0:
		return false, nil
	}
	return true, hasTag(p)
}

// EncryptMessageNext encrypts a further part, the last one with
// CKF_END_OF_MESSAGE.
func (m *Module) EncryptMessageNext(h p11.SessionHandle, p *p11.MessageParams, src []byte, out *p11.Out, flags p11.Flags) error {
	return m.inMessage(h, messageEncrypt, func(o *operation) error {
		last, err := o.nextPart(p, flags)
		if err != nil {
			return err
		}
		if done, err := fits(out, len(src)); done {
			return err
		}
		dst := out.Buf[:len(src):len(src)]
		if err := o.messages.stream.Encrypt(dst, apart(dst, src)); err != nil || !last {
			return err
		}
		err = o.messages.stream.Tag(p.Tag)
		o.endMessage()
		return err
	})
}

// MessageEncryptFinal ends a process of encryption.
func (m *Module) MessageEncryptFinal(h p11.SessionHandle) error {
	return m.endProcess(h, messageEncrypt)
}

func (m *Module) endProcess(h p11.SessionHandle, p purpose) error {
	return m.inProcess(h, p, func(o *operation) error {
		o.end()
		return nil
	})
}

// MessageDecryptInit begins a process of decryption (PKCS #11 v3.2, 5.11.1).
func (m *Module) MessageDecryptInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.begin(h, messageDecrypt, mm, key)
}

// encrypted gives what is wrong with the length of a message the code that it
// has for a ciphertext.
func encrypted(err error) error {
	return recoded(err, p11.CKR_DATA_LEN_RANGE, p11.CKR_ENCRYPTED_DATA_LEN_RANGE)
}

// recoded returns err under the code to if its code is from.
func recoded(err error, from, to p11.RV) error {
	if p11.Code(err) != from {
		return err
	}
	return p11.Errorf(to, "%w", err)
}

// DecryptMessage decrypts a message in one part.
func (m *Module) DecryptMessage(h p11.SessionHandle, p *p11.MessageParams, aad, src []byte, out *p11.Out) error {
	return m.inProcess(h, messageDecrypt, func(o *operation) error {
		if err := o.wholeMessage(p, len(src)); err != nil {
			return encrypted(err)
		}
		if done, err := fits(out, len(src)); done {
			return err
		}
		g := o.messages
		g.nonces.given = append(g.nonces.given[:0], p.IV...)
		dst := out.Buf[:len(src):len(src)]
		return g.cipher.Open(dst, g.nonces.given, apart(dst, src), p.Tag, aad)
	})
}

// DecryptMessageBegin begins a message in parts.
func (m *Module) DecryptMessageBegin(h p11.SessionHandle, p *p11.MessageParams, aad []byte) error {
	return m.inProcess(h, messageDecrypt, func(o *operation) error {
		if err := o.messageCheck(p, p.DataLen); err != nil {
			return encrypted(err)
		}
		g := o.messages
		g.nonce, g.aad = append([]byte{}, p.IV...), append([]byte{}, aad...)
		g.running, g.tag, g.size = true, p.TagLen, p.DataLen
		return nil
	})
}

// DecryptMessageNext takes a further part of a ciphertext, the last one with
// CKF_END_OF_MESSAGE, which gives the plaintext.
func (m *Module) DecryptMessageNext(h p11.SessionHandle, p *p11.MessageParams, src []byte, out *p11.Out, flags p11.Flags) error {
	return m.inMessage(h, messageDecrypt, func(o *operation) error {
		last, err := o.nextPart(p, flags)
		if err != nil {
			return err
		}
		g := o.messages
		if len(g.held) > 0 || !last {
			if len(src) > maxHeldMessage-len(g.held) {
				return p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "decryption in parts takes at most %d bytes, as none is released before the tag is checked", maxHeldMessage)
			}
		}
		n := 0
		if last {
			n = len(g.held) + len(src)
		}
		if done, err := fits(out, n); done {
			return err
		}
		if !last {
			g.held = append(g.held, src...)
			return nil
		}
		if len(g.held) > 0 {
			g.held = append(g.held, src...)
			src = g.held
		}
		if err := g.cipher.Check(len(g.nonce), g.tag, uint64(n)); err != nil {
			return encrypted(err)
		}
		if o.row.MessageKind == p11.MessageCCM && g.size != uint64(n) {
			return p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "the parameter says that the data has %d bytes, but %d came", g.size, n)
		}
		dst := out.Buf[:n:n]
		err = g.cipher.Open(dst, g.nonce, apart(dst, src), p.Tag, g.aad)
		o.endMessage()
		return err
	})
}

// MessageDecryptFinal ends a process of decryption.
func (m *Module) MessageDecryptFinal(h p11.SessionHandle) error {
	return m.endProcess(h, messageDecrypt)
}

// endsMessage are the functions whose bad arguments end the message that they
// go on with.
var endsMessage = map[string]purpose{
	"C_EncryptMessageNext": messageEncrypt, "C_DecryptMessageNext": messageDecrypt,
	"C_SignMessageNext": messageSign, "C_VerifyMessageNext": messageVerify,
}

// messageFailed ends the message that a call with bad arguments goes on with.
func (s *session) messageFailed(function string) {
	p, ok := endsMessage[function]
	if !ok {
		return
	}
	if o := &s.ops[p]; o.phase != idle && o.messages.running {
		o.endMessage()
	}
}
