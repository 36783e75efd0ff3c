package token

import (
	"coffer/mech"
	"coffer/p11"
)

// Message-based signing (PKCS #11 v3.2, 5.14 and 5.16), with every mechanism
// that signs. No mechanism has a parameter for the single message. The states
// are those of message-based encryption.

// startSigned is the begin of the purposes that sign and verify: it tries the
// parameter out, so that it is Init that refuses it.
func startSigned[T interface{ Wipe() }](of func(*mech.Mechanism) func(mech.Key, p11.Params) (T, error)) func(*operation, *mech.Mechanism, mech.Key, p11.Params) error {
	return func(o *operation, row *mech.Mechanism, k mech.Key, params p11.Params) error {
		op, err := of(row)(k, params)
		if err != nil {
			return err
		}
		op.Wipe()
		o.messages = &messages{params: params}
		return nil
	}
}

// MessageSignInit begins a process of signing (PKCS #11 v3.2, 5.14.1).
func (m *Module) MessageSignInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.begin(h, messageSign, mm, key)
}

// finishSignature applies the convention of 5.2 to the end of a signature.
func (o *operation) finishSignature(op mech.Op, data []byte, out *p11.Out) (done bool, err error) {
	size := op.FinalSize(len(data))
	if done, err := fits(out, size.Max); done {
		return false, err
	}
	if o.needsLogin {
		return true, needsLogin()
	}
	dst := out.Buf[:size.Max:size.Max]
	out.N, err = op.Final(dst, apart(dst, data))
	return true, err
}

// SignMessage signs a message in one part.
func (m *Module) SignMessage(h p11.SessionHandle, data []byte, out *p11.Out) error {
	return m.inProcess(h, messageSign, func(o *operation) error {
		op, err := o.row.Sign(o.key, o.messages.params)
		if err != nil {
			return err
		}
		defer op.Wipe()
		done, err := o.finishSignature(op, data, out)
		if done {
			o.endMessage()
		}
		return err
	})
}

// inParts refuses a message in parts to a mechanism that takes its data whole.
func (o *operation) inParts() error {
	if o.row.SinglePart {
		return p11.Errorf(p11.CKR_FUNCTION_NOT_SUPPORTED, "the mechanism takes its input in one part")
	}
	return nil
}

// SignMessageBegin begins a message in parts.
func (m *Module) SignMessageBegin(h p11.SessionHandle) error {
	return m.inProcess(h, messageSign, func(o *operation) error {
		if err := o.inParts(); err != nil {
			return err
		}
		op, err := o.row.Sign(o.key, o.messages.params)
		if err != nil {
			return err
		}
		o.messages.one = operation{phase: ready, row: o.row, op: op}
		o.messages.running = true
		return nil
	})
}

// SignMessageNext takes a further part; with a place for the signature, the
// last one.
func (m *Module) SignMessageNext(h p11.SessionHandle, data []byte, out *p11.Out) error {
	return m.inMessage(h, messageSign, func(o *operation) error {
		if out != nil {
			done, err := o.finishSignature(o.messages.one.op, data, out)
			if done {
				o.endMessage()
			}
			return err
		}
		if o.needsLogin {
			return needsLogin()
		}
		return o.messages.one.feed(data)
	})
}

// MessageSignFinal ends a process of signing.
func (m *Module) MessageSignFinal(h p11.SessionHandle) error { return m.endProcess(h, messageSign) }

// MessageVerifyInit begins a process of verification (PKCS #11 v3.2, 5.16.1).
func (m *Module) MessageVerifyInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.begin(h, messageVerify, mm, key)
}

// VerifyMessage verifies a message in one part.
func (m *Module) VerifyMessage(h p11.SessionHandle, data, signature []byte) error {
	return m.inProcess(h, messageVerify, func(o *operation) error {
		check, err := o.row.Verify(o.key, o.messages.params)
		if err != nil {
			return err
		}
		defer check.Wipe()
		return check.Verify(data, signature)
	})
}

// VerifyMessageBegin begins a message in parts.
func (m *Module) VerifyMessageBegin(h p11.SessionHandle) error {
	return m.inProcess(h, messageVerify, func(o *operation) error {
		if err := o.inParts(); err != nil {
			return err
		}
		check, err := o.row.Verify(o.key, o.messages.params)
		if err != nil {
			return err
		}
		o.messages.one = operation{phase: ready, row: o.row, check: check}
		o.messages.running = true
		return nil
	})
}

// VerifyMessageNext takes a further part; with a signature, which may be
// empty but not nil, the last one.
func (m *Module) VerifyMessageNext(h p11.SessionHandle, data, signature []byte) error {
	return m.inMessage(h, messageVerify, func(o *operation) error {
		if signature == nil {
			return o.messages.one.feed(data)
		}
		err := o.messages.one.check.Verify(data, signature)
		o.endMessage()
		return err
	})
}

// MessageVerifyFinal ends a process of verification.
func (m *Module) MessageVerifyFinal(h p11.SessionHandle) error { return m.endProcess(h, messageVerify) }
