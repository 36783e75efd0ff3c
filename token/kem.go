package token

import (
	"coffer/p11"
	"coffer/p11/attr"
)

// EncapsulateKey makes a secret key and the ciphertext that carries it to the
// owner of the private key (PKCS #11 v3.2, 5.18.8). Asking for the length of
// the ciphertext and a buffer that is too small make no key.
func (m *Module) EncapsulateKey(h p11.SessionHandle, mm *p11.Mechanism, public p11.ObjectHandle, template attr.Values, ciphertext *p11.Out) (p11.ObjectHandle, error) {
	s, err := m.session(h)
	if err != nil {
		return 0, err
	}
	row, err := m.row(s.token, mm, p11.CKF_ENCAPSULATE)
	if err != nil {
		return 0, err
	}
	k, err := m.useNow(s, public, use{row: row, usage: p11.CKA_ENCAPSULATE, class: p11.CKO_PUBLIC_KEY})
	if err != nil {
		return 0, err
	}
	defer k.Release()
	draft, err := s.token.rules.factory.Encapsulate(template, s.actor())
	if err != nil {
		return 0, err
	}
	if err := s.mayWrite(draft); err != nil {
		return 0, err
	}
	if ciphertext.N, err = row.EncapsulateSize(k, mm.Params, draft.Length()); err != nil {
		return 0, err
	}
	switch {
	case ciphertext.Buf == nil:
		return 0, nil
	case len(ciphertext.Buf) < ciphertext.N:
		return 0, p11.CKR_BUFFER_TOO_SMALL
	}
	sealed, secret, err := row.Encapsulate(k, mm.Params, draft.Length())
	if err != nil {
		return 0, err
	}
	obj, err := draft.FinishSecret(secret)
	if err != nil {
		return 0, err
	}
	if err := k.CheckEncapsulate(obj); err != nil {
		obj.Wipe()
		return 0, err
	}
	// Before the key is there: the caller's memory may not be.
	ciphertext.N = copy(ciphertext.Buf, sealed)
	return one(m.create(s, obj))
}

// DecapsulateKey makes the secret key that a ciphertext carries (PKCS #11
// v3.2, 5.18.9). What is wrong with a ciphertext has the codes of a wrapped
// key. Several mechanisms make a key of any ciphertext of the right length, so
// as not to tell what was wrong with it.
func (m *Module) DecapsulateKey(h p11.SessionHandle, mm *p11.Mechanism, private p11.ObjectHandle, template attr.Values, ciphertext []byte) (p11.ObjectHandle, error) {
	s, err := m.session(h)
	if err != nil {
		return 0, err
	}
	row, err := m.row(s.token, mm, p11.CKF_DECAPSULATE)
	if err != nil {
		return 0, err
	}
	k, err := m.useNow(s, private, use{row, p11.CKA_DECAPSULATE, p11.CKO_PRIVATE_KEY, unwrappingCodes})
	if err != nil {
		return 0, err
	}
	defer k.Release()
	draft, err := s.token.rules.factory.Decapsulate(k.Object, template, s.actor())
	if err != nil {
		return 0, err
	}
	if err := s.mayWrite(draft); err != nil {
		return 0, err
	}
	secret, err := row.Decapsulate(k, mm.Params, ciphertext, draft.Length())
	if err != nil {
		return 0, decapsulationCode(err)
	}
	obj, err := draft.FinishSecret(secret)
	if err != nil {
		return 0, err
	}
	return one(m.create(s, obj))
}

// decapsulationCode gives what a mechanism says of a ciphertext and of the
// length of a secret the code that C_DecapsulateKey has for it.
func decapsulationCode(err error) error {
	switch p11.Code(err) {
	case p11.CKR_ENCRYPTED_DATA_INVALID:
		return p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "%w", err)
	case p11.CKR_ENCRYPTED_DATA_LEN_RANGE, p11.CKR_KEY_SIZE_RANGE:
		return p11.Errorf(p11.CKR_WRAPPED_KEY_LEN_RANGE, "%w", err)
	}
	return err
}
