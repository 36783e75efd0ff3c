package token

import (
	"errors"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token/object"
)

// raceRetries is how often a change of an object is tried again when another
// process changed the object at the same time.
const raceRetries = 8

func (s *session) actor() object.Actor {
	_, who := s.token.login()
	return object.Actor{User: who == loggedInUser, SO: who == loggedInSO}
}

// CreateObject makes an object of a template (PKCS #11 v3.2, 5.7.1).
func (m *Module) CreateObject(h p11.SessionHandle, template attr.Values) (p11.ObjectHandle, error) {
	s, err := m.session(h)
	if err != nil {
		return 0, err
	}
	obj, err := s.token.rules.factory.Create(template, s.actor())
	if err != nil {
		return 0, err
	}
	return one(m.create(s, obj))
}

func one(handles []p11.ObjectHandle, err error) (p11.ObjectHandle, error) {
	if err != nil {
		return 0, err
	}
	return handles[0], nil
}

// CopyObject makes a copy of an object, changed by a template (PKCS #11 v3.2,
// 5.7.2). NSS copies with no template at all.
func (m *Module) CopyObject(h p11.SessionHandle, source p11.ObjectHandle, template attr.Values) (p11.ObjectHandle, error) {
	s, err := m.session(h)
	if err != nil {
		return 0, err
	}
	old, _, err := m.object(s, source)
	if err != nil {
		return 0, err
	}
	defer old.Release()
	obj, err := s.token.rules.factory.Copy(old.Object, template, s.actor())
	if err != nil {
		return 0, err
	}
	if err := s.token.rules.Change(old.Object, obj); err != nil {
		obj.Wipe()
		return 0, err
	}
	return one(m.create(s, obj))
}

// change reads an object, hands it to f, and does so again if another process
// or thread changed it before f was done.
func (m *Module) change(h p11.SessionHandle, o p11.ObjectHandle, f func(*session, *entry, *snapshot) error) error {
	s, err := m.session(h)
	if err != nil {
		return err
	}
	for lost := 0; lost < raceRetries; {
		switch err := m.changeOnce(s, o, f); {
		case errors.Is(err, errLostRace):
			lost++
		case !errors.Is(err, errLostHere):
			return err
		}
	}
	return p11.Errorf(p11.CKR_FUNCTION_FAILED, "%w, again and again", errLostRace)
}

func (m *Module) changeOnce(s *session, o p11.ObjectHandle, f func(*session, *entry, *snapshot) error) error {
	snap, e, err := m.object(s, o)
	if err != nil {
		return err
	}
	defer snap.Release()
	if e.builtin {
		return p11.Errorf(p11.CKR_ACTION_PROHIBITED, "the object is the module's own")
	}
	if err := s.mayWrite(snap.Object); err != nil {
		return err
	}
	return f(s, e, snap)
}

// DestroyObject destroys an object (PKCS #11 v3.2, 5.7.3).
func (m *Module) DestroyObject(h p11.SessionHandle, o p11.ObjectHandle) error {
	return m.change(h, o, func(_ *session, e *entry, old *snapshot) error {
		if !old.Destroyable() {
			return p11.Errorf(p11.CKR_ACTION_PROHIBITED, "CKA_DESTROYABLE of the object is false")
		}
		return m.destroy(e, old)
	})
}

// SetAttributeValue changes attributes of an object: all that the template
// says, or nothing (PKCS #11 v3.2, 5.7.6).
func (m *Module) SetAttributeValue(h p11.SessionHandle, o p11.ObjectHandle, template attr.Values) error {
	return m.change(h, o, func(s *session, e *entry, old *snapshot) error {
		obj, err := s.token.rules.factory.Set(old.Object, template, s.actor())
		if err != nil {
			return err
		}
		return m.replace(e, old, obj)
	})
}

// GetObjectSize returns about how many bytes of storage the object takes
// (PKCS #11 v3.2, 5.7.4).
func (m *Module) GetObjectSize(h p11.SessionHandle, o p11.ObjectHandle) (uint64, error) {
	s, err := m.session(h)
	if err != nil {
		return 0, err
	}
	snap, _, err := m.object(s, o)
	if err != nil {
		return 0, err
	}
	defer snap.Release()
	return uint64(snap.Size()), nil
}

// A Query is one entry of the template of C_GetAttributeValue.
type Query struct {
	Type p11.AttributeType
	// Buf is the caller's memory for the value; with Ask, which stands for
	// pValue NULL, only the length is wanted.
	Buf []byte
	Ask bool
	// N is set to the length of the value in bytes, or to -1, which stands for
	// CK_UNAVAILABLE_INFORMATION.
	N int
	// Inner has the entries behind Buf if the attribute is an array of
	// attributes. N then counts entries. Their types are set.
	Inner []Query
}

// GetAttributeValue reads attributes. Every entry is answered; if some cannot
// be, their N is -1 and the code of one of them is returned (PKCS #11 v3.2,
// 5.7.5). GnuTLS, Java and Node ask for many at once, knowing that some will
// be missing.
func (m *Module) GetAttributeValue(h p11.SessionHandle, o p11.ObjectHandle, queries []Query) error {
	s, err := m.session(h)
	if err != nil {
		return err
	}
	snap, _, err := m.object(s, o)
	if err != nil {
		return err
	}
	defer snap.Release()
	var first error
	for i := range queries {
		if err := snap.answer(s.token, &queries[i]); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (s *snapshot) answer(t *token, q *Query) error {
	raw, err := s.Read(q.Type)
	if err == nil {
		err = t.rules.Shows(s.Object, q.Type)
	}
	if err != nil {
		q.N = -1
		return err
	}
	if attr.KindOf(q.Type) == attr.Template {
		return answerTemplate(q, raw)
	}
	return q.put(raw)
}

func (q *Query) put(raw []byte) error {
	if !q.Ask && len(q.Buf) < len(raw) {
		q.N = -1
		return p11.CKR_BUFFER_TOO_SMALL
	}
	if !q.Ask {
		copy(q.Buf, raw)
	}
	q.N = len(raw)
	return nil
}

func answerTemplate(q *Query, raw []byte) error {
	values, err := attr.Decode(raw)
	if err != nil {
		q.N = -1
		return err
	}
	q.N = len(values)
	if q.Ask {
		return nil
	}
	if len(q.Inner) < len(values) {
		q.N = -1
		return p11.CKR_BUFFER_TOO_SMALL
	}
	var first error
	for i, v := range values {
		q.Inner[i].Type = v.Type
		if err := q.Inner[i].put(v.Raw); err != nil && first == nil {
			first = err
		}
	}
	return first
}
