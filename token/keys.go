package token

import (
	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token/object"
)

// GenerateKey makes a secret key (PKCS #11 v3.2, 5.18.1).
func (m *Module) GenerateKey(h p11.SessionHandle, mm *p11.Mechanism, template attr.Values) (p11.ObjectHandle, error) {
	s, err := m.session(h)
	if err != nil {
		return 0, err
	}
	row, err := m.row(s.token, mm, p11.CKF_GENERATE)
	if err != nil {
		return 0, err
	}
	draft, err := s.token.rules.factory.Generate(row, template, s.actor())
	if err != nil {
		return 0, err
	}
	if err := s.mayWrite(draft); err != nil {
		return 0, err
	}
	value, err := row.Generate(mm.Params, draft.Want())
	if err != nil {
		return 0, err
	}
	obj, err := draft.Finish(value)
	if err != nil {
		return 0, err
	}
	return one(m.create(s, obj))
}

// GenerateKeyPair makes a key pair: both halves or none (PKCS #11 v3.2,
// 5.18.2).
func (m *Module) GenerateKeyPair(h p11.SessionHandle, mm *p11.Mechanism, public, private attr.Values) (pub, priv p11.ObjectHandle, err error) {
	s, err := m.session(h)
	if err != nil {
		return 0, 0, err
	}
	row, err := m.row(s.token, mm, p11.CKF_GENERATE_KEY_PAIR)
	if err != nil {
		return 0, 0, err
	}
	pubDraft, privDraft, err := s.token.rules.factory.GeneratePair(row, public, private, s.actor())
	if err != nil {
		return 0, 0, err
	}
	// An RSA pair takes its time: find out before whether it may be stored.
	for _, d := range []*object.Draft{pubDraft, privDraft} {
		if err := s.mayWrite(d); err != nil {
			return 0, 0, err
		}
	}
	pubValues, privValues, err := row.GeneratePair(mm.Params, pubDraft.Want(), privDraft.Want())
	if err != nil {
		return 0, 0, err
	}
	b, err := privDraft.Finish(privValues) // first, since it wipes them
	if err != nil {
		return 0, 0, err
	}
	a, err := pubDraft.Finish(pubValues)
	if err != nil {
		b.Wipe()
		return 0, 0, err
	}
	handles, err := m.create(s, a, b)
	if err != nil {
		return 0, 0, err
	}
	return handles[0], handles[1], nil
}

// WrapKey encrypts a key under another (PKCS #11 v3.2, 5.18.3). What leaves
// the token here has to be extractable, and whatever the key's owner laid
// down about the wrapping key has to hold.
func (m *Module) WrapKey(h p11.SessionHandle, mm *p11.Mechanism, wrapping, key p11.ObjectHandle, out *p11.Out) error {
	s, err := m.session(h)
	if err != nil {
		return err
	}
	row, err := m.row(s.token, mm, p11.CKF_WRAP)
	if err != nil {
		return err
	}
	w, encoded, err := m.toWrap(s, row, wrapping, key)
	if err != nil {
		return err
	}
	defer w.Release()
	defer clear(encoded)
	n, err := row.WrapSize(w, mm.Params, len(encoded))
	if err != nil {
		return err
	}
	out.N = n
	if out.Buf == nil {
		return nil
	}
	if len(out.Buf) < n {
		return p11.CKR_BUFFER_TOO_SMALL
	}
	wrapped, err := row.Wrap(w, mm.Params, encoded)
	if err != nil {
		return err
	}
	out.N = copy(out.Buf, wrapped)
	return nil
}

// toWrap returns a wrapping key and the encoding of the key that it may wrap.
// The caller releases the one and wipes the other.
func (m *Module) toWrap(s *session, row *mech.Mechanism, wrapping, key p11.ObjectHandle) (*snapshot, []byte, error) {
	w, err := m.useNow(s, wrapping, use{row, p11.CKA_WRAP, p11.CKO_PUBLIC_KEY, wrappingCodes})
	if err != nil {
		return nil, nil, err
	}
	encoded, err := m.encodedFor(s, row, w, key)
	if err != nil {
		w.Release()
		return nil, nil, err
	}
	return w, encoded, nil
}

func (m *Module) encodedFor(s *session, row *mech.Mechanism, w *snapshot, key p11.ObjectHandle) ([]byte, error) {
	target, err := m.key(s, key)
	if err != nil {
		return nil, err
	}
	defer target.Release()
	if err := mayWrap(row, w.Object, target.Object); err != nil {
		return nil, err
	}
	return target.Encoded()
}

func mayWrap(row *mech.Mechanism, w, target *object.Object) error {
	switch target.Class() {
	case p11.CKO_PUBLIC_KEY:
		return p11.Errorf(p11.CKR_KEY_NOT_WRAPPABLE, "a public key is not wrapped; read its attributes")
	case p11.CKO_PRIVATE_KEY:
		if !wrapsPrivate(row) {
			return p11.Errorf(p11.CKR_KEY_NOT_WRAPPABLE, "%v does not wrap private keys", row.Type)
		}
	}
	return w.CheckWrap(target)
}

// UnwrapKey decrypts a wrapped key and makes it an object (PKCS #11 v3.2,
// 5.18.4).
func (m *Module) UnwrapKey(h p11.SessionHandle, mm *p11.Mechanism, unwrapping p11.ObjectHandle, wrapped []byte, template attr.Values) (p11.ObjectHandle, error) {
	s, err := m.session(h)
	if err != nil {
		return 0, err
	}
	row, err := m.row(s.token, mm, p11.CKF_UNWRAP)
	if err != nil {
		return 0, err
	}
	return m.unwrap(s, row, unwrapping, template, func(u mech.Key, draft *object.Draft) ([]byte, finisher, error) {
		if n := draft.Length(); n != 0 && row.UnwrapUntold != nil && draft.Class() == p11.CKO_SECRET_KEY {
			encoded, err := row.UnwrapUntold(u, mm.Params, wrapped, n)
			return encoded, draft.FinishUntold, err
		}
		encoded, err := row.Unwrap(u, mm.Params, wrapped)
		return encoded, draft.FinishEncoded, err
	})
}

// A finisher makes the object of what was unwrapped.
type finisher = func(encoded []byte) (*object.Object, error)

// unwrap makes the object of a wrapped key that open decrypts with the
// unwrapping key. It wipes what open returns.
func (m *Module) unwrap(s *session, row *mech.Mechanism, unwrapping p11.ObjectHandle, template attr.Values, open func(mech.Key, *object.Draft) ([]byte, finisher, error)) (p11.ObjectHandle, error) {
	u, err := m.useNow(s, unwrapping, use{row, p11.CKA_UNWRAP, p11.CKO_PRIVATE_KEY, unwrappingCodes})
	if err != nil {
		return 0, err
	}
	defer u.Release()
	draft, err := s.token.rules.factory.Unwrap(u.Object, template, s.actor())
	if err != nil {
		return 0, err
	}
	if err := s.mayWrite(draft); err != nil {
		return 0, err
	}
	if draft.Class() == p11.CKO_PRIVATE_KEY && !wrapsPrivate(row) {
		return 0, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "%v does not unwrap private keys", row.Type)
	}
	encoded, finish, err := open(u, draft)
	if err != nil {
		return 0, err
	}
	defer clear(encoded)
	obj, err := finish(encoded)
	if err != nil {
		return 0, err
	}
	return one(m.create(s, obj))
}

// wrapsPrivate says whether a mechanism wraps private keys: those for messages,
// which C_WrapKeyAuthenticated has, wrap all.
func wrapsPrivate(row *mech.Mechanism) bool { return row.WrapsPrivate || row.Messages != nil }

// DeriveKey makes a key of another (PKCS #11 v3.2, 5.18.5).
func (m *Module) DeriveKey(h p11.SessionHandle, mm *p11.Mechanism, base p11.ObjectHandle, template attr.Values) (p11.ObjectHandle, error) {
	s, err := m.session(h)
	if err != nil {
		return 0, err
	}
	row, err := m.row(s.token, mm, p11.CKF_DERIVE)
	if err != nil {
		return 0, err
	}
	derives := use{row: row, usage: p11.CKA_DERIVE, class: p11.CKO_PRIVATE_KEY}
	k, err := m.useNow(s, base, derives)
	if err != nil {
		return 0, err
	}
	defer k.Release()
	d := mech.Derivation{Base: k, Params: mm.Params}
	var others []*object.Object
	if p, ok := mm.Params.(p11.KeyHandles); ok {
		for _, h := range p.KeyHandles() {
			// A further key is as secret as the first: it has to permit derivation too.
			other, err := m.key(s, h)
			if err != nil {
				return 0, err
			}
			defer other.Release()
			if !other.Permits(p11.CKA_DERIVE) || other.AlwaysAuthenticate() || !other.AllowsMechanism(row.Type) {
				return 0, p11.Errorf(p11.CKR_KEY_FUNCTION_NOT_PERMITTED, "a key that the parameter names does not permit %v", row.Type)
			}
			if err := s.token.rules.Key(other, p11.CKF_DERIVE, p11.CKR_KEY_SIZE_RANGE); err != nil {
				return 0, err
			}
			d.Others = append(d.Others, other)
			others = append(others, other.Object)
		}
	}
	draft, err := s.token.rules.factory.Derive(k.Object, others, template, s.actor())
	if err != nil {
		return 0, err
	}
	if err := s.mayWrite(draft); err != nil {
		return 0, err
	}
	d.Want, d.Length = draft.Want(), draft.Length()
	derived, err := row.Derive(d)
	if err != nil {
		return 0, err
	}
	obj, err := draft.FinishDerived(derived)
	if err != nil {
		return 0, err
	}
	return one(m.create(s, obj))
}
