package token

import (
	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token/object"
)

// WrapKeyAuthenticated encrypts a key under another with associated data, the
// tag and the IV going to the parameter (PKCS #11 v3.2, 5.18.6). What may be
// wrapped with what is as with C_WrapKey.
//
// Each call is a process of its own for the IV generators. So those that count
// are refused: they would begin at the same IV each time.
func (m *Module) WrapKeyAuthenticated(h p11.SessionHandle, mm *p11.Mechanism, wrapping, key p11.ObjectHandle, aad []byte, out *p11.Out) error {
	s, err := m.session(h)
	if err != nil {
		return err
	}
	row, err := m.sealingRow(s.token, mm, p11.CKF_WRAP)
	if err != nil {
		return err
	}
	w, encoded, err := m.toWrap(s, row, wrapping, key)
	if err != nil {
		return err
	}
	defer w.Release()
	defer clear(encoded)
	p, cipher, err := wrappingMessage(row, w, mm.Params, len(encoded))
	if err != nil {
		return recoded(err, p11.CKR_DATA_LEN_RANGE, p11.CKR_KEY_SIZE_RANGE)
	}
	defer cipher.Wipe()
	if done, err := fits(out, len(encoded)); done {
		return err
	}
	if p.Generator == p11.CKG_GENERATE_COUNTER || p.Generator == p11.CKG_GENERATE_COUNTER_XOR {
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a counter would give the same IV in each call: let the IV be generated otherwise, or give it")
	}
	var n nonces
	nonce, err := n.next(&p)
	if err != nil {
		return err
	}
	if err := cipher.Seal(out.Buf[:out.N:out.N], p.Tag, nonce, encoded, aad); err != nil {
		return err
	}
	tellIV(&p, nonce)
	return nil
}

// sealingRow returns the row of a mechanism for messages, if the token's policy
// lets it wrap or unwrap. Whether it has CKF_WRAP, which is about C_WrapKey,
// does not matter.
func (m *Module) sealingRow(t *token, mm *p11.Mechanism, f p11.Flags) (*mech.Mechanism, error) {
	row, err := m.row(t, mm, p11.CKF_MESSAGE_ENCRYPT|p11.CKF_MESSAGE_DECRYPT)
	if err != nil {
		return nil, err
	}
	return row, t.rules.Mechanism(row, f, mm.Params)
}

// wrappingMessage sets a wrapping key up for a wrapped key of n bytes. What the
// parameter says of that length is ignored (PKCS #11 v3.2, 6.13.5).
func wrappingMessage(row *mech.Mechanism, k mech.Key, params p11.Params, n int) (p p11.MessageParams, cipher mech.MessageCipher, err error) {
	p, ok := params.(p11.MessageParams)
	if !ok || p.Kind != row.MessageKind {
		return p, nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%v needs a parameter for a message here", row.Type)
	}
	if err := hasTag(&p); err != nil {
		return p, nil, err
	}
	if cipher, err = row.Messages(k); err != nil {
		return p, nil, err
	}
	if err := cipher.Check(len(p.IV), p.TagLen, uint64(n)); err != nil {
		cipher.Wipe()
		return p, nil, err
	}
	return p, cipher, nil
}

// UnwrapKeyAuthenticated decrypts a key that WrapKeyAuthenticated encrypted and
// makes it an object (PKCS #11 v3.2, 5.18.7). Whatever was changed, the answer
// is CKR_WRAPPED_KEY_INVALID.
func (m *Module) UnwrapKeyAuthenticated(h p11.SessionHandle, mm *p11.Mechanism, unwrapping p11.ObjectHandle, wrapped []byte, template attr.Values, aad []byte) (p11.ObjectHandle, error) {
	s, err := m.session(h)
	if err != nil {
		return 0, err
	}
	row, err := m.sealingRow(s.token, mm, p11.CKF_UNWRAP)
	if err != nil {
		return 0, err
	}
	return m.unwrap(s, row, unwrapping, template, func(u mech.Key, draft *object.Draft) ([]byte, finisher, error) {
		p, cipher, err := wrappingMessage(row, u, mm.Params, len(wrapped))
		if err != nil {
			return nil, nil, recoded(err, p11.CKR_DATA_LEN_RANGE, p11.CKR_WRAPPED_KEY_INVALID)
		}
		defer cipher.Wipe()
		encoded := make([]byte, len(wrapped))
		if err := cipher.Open(encoded, append([]byte(nil), p.IV...), wrapped, p.Tag, aad); err != nil {
			return nil, nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the tag is wrong")
		}
		return encoded, draft.FinishEncoded, nil
	})
}
