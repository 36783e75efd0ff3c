package token

import (
	"errors"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store"
	"coffer/token/locked"
	"coffer/token/object"
	"coffer/token/policy"
	"coffer/token/seal"
)

// read opens a token object's record. The caller releases the snapshot.
func (m *Module) read(e *entry) (*snapshot, error) {
	newest := m.store.Newest()
	kv, ok, err := m.get(objectKey(e.token.id, e.id))
	if err != nil {
		return nil, e.unreadable(err)
	}
	if !ok {
		m.drop(e)
		return nil, p11.CKR_OBJECT_HANDLE_INVALID
	}
	snap, err := m.open(e.token, e.id, kv)
	if err == nil && snap.Private() != e.private {
		snap.Wipe()
		err = p11.Errorf(p11.CKR_DEVICE_ERROR, "object %v was put in place of another", e.id)
	}
	if err != nil {
		return nil, e.unreadable(err)
	}
	snap.checked.Store(int64(newest))
	if err := snap.Hold(); err != nil {
		return nil, err
	}
	e.keep(snap)
	return snap, nil
}

// unreadable says of which object it is that an error tells.
func (e *entry) unreadable(err error) error {
	if rv := p11.Code(err); rv == p11.CKR_DEVICE_ERROR {
		return p11.Errorf(rv, "object %v of the token in slot %d cannot be read: %w", e.id, e.token.slot, err)
	}
	return err
}

// open turns a record into an object. With the master key at hand nothing is
// used that it does not vouch for, but for public objects that were written
// while nobody was logged in. The caller owns the object.
func (m *Module) open(t *token, id object.ID, kv store.KV) (*snapshot, error) {
	var secret *locked.Secret
	verified := false
	head, public, sealed, err := seal.ReadPublic(t.id, seal.ObjectID(id), kv.Value)
	if err != nil {
		return nil, err
	}
	if master, _ := t.login(); sealed && master != nil {
		if head, public, secret, err = master.Open(t.id, seal.ObjectID(id), kv.Value); err != nil {
			return nil, err
		}
		defer secret.Wipe()
		verified = true
	}
	var obj *object.Object
	if sealed && !verified {
		obj, err = object.JoinLocked(id, p11.ObjectClass(head.Class), public, m.reg)
	} else {
		obj, err = object.Join(id, p11.ObjectClass(head.Class), public, secret.Bytes(), m.reg)
	}
	if err != nil {
		return nil, err
	}
	if !sealed && obj.Trusted() {
		obj.Wipe()
		return nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "object %v claims to be trusted without the SO's seal", id)
	}
	return &snapshot{Object: obj, rev: kv.Mod, generation: head.Generation, verified: verified || !sealed, keyed: verified}, nil
}

// seal makes an object's record. A public one without anything secret in it can be
// written while nobody is logged in; all others need the master key.
func (t *token) seal(obj *object.Object, generation uint64) ([]byte, error) {
	public, secret := obj.Split()
	defer clear(secret)
	h := seal.Header{Token: t.id, Object: seal.ObjectID(obj.ID()), Class: uint32(obj.Class()), Generation: generation}
	if master, _ := t.login(); master != nil {
		return master.Seal(h, public, secret)
	}
	if len(secret) > 0 || obj.Trusted() {
		return nil, p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "the object holds a secret, and only a logged-in user can seal it")
	}
	return seal.Plain(h, public)
}

// terms returns the index entries of an object. Those of a private object are
// blind: nothing but the master key can tell what they stand for.
func (t *token) terms(obj *object.Object) ([]seal.Term, error) {
	values := append(obj.Terms(), listed(obj.Private()))
	out := make([]seal.Term, 0, len(values))
	for _, v := range values {
		term, err := t.term(obj.Private(), v)
		if err != nil {
			return nil, err
		}
		out = append(out, term)
	}
	return out, nil
}

// listed is the index term that every object has: all private objects under
// one, all public ones under the other.
func listed(private bool) attr.Value { return attr.NewBool(p11.CKA_PRIVATE, private) }

func (t *token) term(private bool, v attr.Value) (seal.Term, error) {
	if !private {
		return seal.PublicTerm(t.id, uint64(v.Type), v.Raw), nil
	}
	master, _ := t.login()
	if master == nil {
		return seal.Term{}, p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "the user was logged out meanwhile")
	}
	return master.PrivateTerm(uint64(v.Type), v.Raw)
}

// putNew returns the transaction that creates token objects: all or none.
func (m *Module) putNew(t *token, objs ...*object.Object) (store.Txn, error) {
	tx := store.Txn{If: []store.Cmp{}}
	kv, ok, err := m.get(slotKey(t.slot))
	if err != nil {
		return tx, err
	}
	if !ok {
		return tx, p11.Errorf(p11.CKR_DEVICE_REMOVED, "the token in slot %d was deleted", t.slot)
	}
	if rec, err := unmarshalToken(kv.Value); err != nil || rec.ID != t.id {
		return tx, p11.Errorf(p11.CKR_DEVICE_REMOVED, "the token in slot %d was initialised again", t.slot)
	}
	tx.If = append(tx.If, store.Cmp{Key: slotKey(t.slot), Mod: kv.Mod})
	for _, obj := range objs {
		record, err := t.seal(obj, 1)
		if err != nil {
			return tx, err
		}
		key := objectKey(t.id, obj.ID())
		tx.If = append(tx.If, store.Cmp{Key: key, Mod: 0})
		tx.Then = append(tx.Then, store.Put(key, record))
		terms, err := t.terms(obj)
		if err != nil {
			return tx, err
		}
		for _, term := range terms {
			tx.Then = append(tx.Then, store.Put(termKey(t.id, term, obj.ID()), nil))
		}
	}
	return tx, nil
}

// create makes new objects and returns their handles, in order. Either all
// come into being or none does. They are the entries' from then on; those that
// do not come into being are wiped.
func (m *Module) create(s *session, objs ...*object.Object) ([]p11.ObjectHandle, error) {
	handles, err := m.add(s, objs)
	if err != nil {
		for _, obj := range objs {
			obj.Wipe()
		}
	}
	return handles, err
}

func (m *Module) add(s *session, objs []*object.Object) ([]p11.ObjectHandle, error) {
	var durable []*object.Object
	views := make([]policy.Object, len(objs))
	for i, obj := range objs {
		if err := s.mayWrite(obj); err != nil {
			return nil, err
		}
		views[i] = obj
		if obj.Token() {
			durable = append(durable, obj)
		}
	}
	if err := s.token.rules.New(views...); err != nil {
		return nil, err
	}
	rev, err := m.putAll(s.token, durable)
	if err != nil {
		return nil, err
	}
	master, _ := s.token.login()
	handles := make([]p11.ObjectHandle, len(objs))
	for i, obj := range objs {
		var e *entry
		if obj.Token() {
			e = m.entryFor(s.token, obj.ID(), obj.Private())
			e.keep(&snapshot{Object: obj, rev: rev, generation: 1, verified: true, keyed: master != nil})
		} else {
			e = m.addSessionObject(s, obj)
		}
		handles[i] = e.handle
	}
	return handles, nil
}

// putAll writes new token objects. What it competes with is a change of the
// token's own record, such as a PIN's: as long as the token is the same, that
// is no reason not to make an object.
func (m *Module) putAll(t *token, objs []*object.Object) (store.Rev, error) {
	if len(objs) == 0 {
		return 0, nil
	}
	for range raceRetries {
		tx, err := m.putNew(t, objs...)
		if err != nil {
			return 0, err
		}
		res, err := m.txn(tx)
		if err != nil {
			return 0, tooLarge(err)
		}
		if res.Done {
			return res.Rev, nil
		}
	}
	return 0, p11.Errorf(p11.CKR_FUNCTION_FAILED, "creating the object: %w, again and again", errLostRace)
}

func tooLarge(err error) error {
	if errors.Is(err, store.ErrTooLarge) {
		return p11.Errorf(p11.CKR_DEVICE_MEMORY, "the object is too large for the store: %w", err)
	}
	return err
}

// placed is an object, or the draft of one.
type placed interface {
	Token() bool
	Private() bool
}

// mayWrite says whether the session may create, change or destroy obj: a
// token object asks for an R/W session, a private one for the user (PKCS #11
// v3.2, 5.6, table of access to objects).
func (s *session) mayWrite(obj placed) error {
	if obj.Token() && !s.rw {
		return p11.Errorf(p11.CKR_SESSION_READ_ONLY, "a token object is not written in an R/O session")
	}
	if obj.Private() {
		if _, who := s.token.login(); who != loggedInUser {
			return p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "a private object is the user's, and the user is not logged in")
		}
	}
	return nil
}

// replace writes a changed object over the one that old is a snapshot of. It
// is the entry's from then on, or wiped.
func (m *Module) replace(e *entry, old *snapshot, obj *object.Object) error {
	err := e.token.rules.Change(old.Object, obj)
	if err == nil {
		err = m.write(e, old, obj)
	}
	if err != nil {
		obj.Wipe()
	}
	return err
}

func (m *Module) write(e *entry, old *snapshot, obj *object.Object) error {
	if e.owner != nil {
		if !e.exchange(old, &snapshot{Object: obj, verified: true}) {
			return errLostHere
		}
		return nil
	}
	t := e.token
	if !old.verified {
		return p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "the object is sealed, and only a logged-in user can change it")
	}
	record, err := t.seal(obj, old.generation+1)
	if err != nil {
		return err
	}
	before, err := t.terms(old.Object)
	if err != nil {
		return err
	}
	after, err := t.terms(obj)
	if err != nil {
		return err
	}
	key := objectKey(t.id, e.id)
	tx := store.Txn{
		If:   []store.Cmp{{Key: key, Mod: old.rev}},
		Then: []store.Op{store.Put(key, record)},
	}
	had := map[seal.Term]bool{}
	for _, term := range before {
		had[term] = true
	}
	for _, term := range after {
		if !had[term] {
			tx.Then = append(tx.Then, store.Put(termKey(t.id, term, e.id), nil))
		}
		delete(had, term)
	}
	for term := range had {
		tx.Then = append(tx.Then, store.Delete(store.Key(termKey(t.id, term, e.id))))
	}
	res, err := m.txn(tx)
	if err != nil {
		return tooLarge(err)
	}
	if !res.Done {
		e.set(nil)
		return errLostRace
	}
	master, _ := t.login()
	e.keep(&snapshot{Object: obj, rev: res.Rev, generation: old.generation + 1, verified: true, keyed: master != nil})
	return nil
}

// destroy removes an object with its index entries.
func (m *Module) destroy(e *entry, old *snapshot) error {
	if e.owner == nil {
		t := e.token
		key := objectKey(t.id, e.id)
		tx := store.Txn{
			If:   []store.Cmp{{Key: key, Mod: old.rev}},
			Then: []store.Op{store.Delete(store.Key(key))},
		}
		terms, err := t.terms(old.Object)
		if err != nil {
			return err
		}
		for _, term := range terms {
			tx.Then = append(tx.Then, store.Delete(store.Key(termKey(t.id, term, e.id))))
		}
		res, err := m.txn(tx)
		if err != nil {
			return err
		}
		if !res.Done {
			e.set(nil)
			return errLostRace
		}
	}
	m.drop(e)
	return nil
}
