package token

import (
	"bytes"

	"coffer/p11"
)

// maxSignature bounds a signature that is kept while the data comes in. None
// of any mechanism is as long.
const maxSignature = 1 << 20

// VerifySignatureInit begins a verification of a signature that is given
// first (PKCS #11 v3.2, 5.15.9). It is an operation of its own, beside that of
// C_VerifyInit; CKF_VERIFY cancels both.
func (m *Module) VerifySignatureInit(h p11.SessionHandle, mm *p11.Mechanism, key p11.ObjectHandle, signature []byte) error {
	return m.beginWith(h, verifySignature, mm, key, func(o *operation) error {
		if len(signature) > maxSignature {
			return p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "no signature has %d bytes", len(signature))
		}
		o.signature = bytes.Clone(signature)
		return nil
	})
}

// VerifySignature verifies in one part.
func (m *Module) VerifySignature(h p11.SessionHandle, data []byte) error {
	return m.compareGiven(h, oneShot, data)
}

// VerifySignatureUpdate adds a part to what is verified.
func (m *Module) VerifySignatureUpdate(h p11.SessionHandle, part []byte) error {
	return m.feedPart(h, verifySignature, part)
}

// VerifySignatureFinal finishes a multi-part verification.
func (m *Module) VerifySignatureFinal(h p11.SessionHandle) error {
	return m.compareGiven(h, lastOne, nil)
}

// compareGiven is compare with the signature of Init.
func (m *Module) compareGiven(h p11.SessionHandle, how ending, src []byte) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o, err := s.active(verifySignature, how)
	if err != nil {
		return err
	}
	defer o.end()
	return o.check.Verify(src, o.signature)
}
