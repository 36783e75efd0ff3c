package token

import (
	"bytes"
	"errors"
	"fmt"

	"coffer/p11"
	"coffer/store"
	"coffer/token/object"
	"coffer/token/seal"
)

// A Finding is something that CheckStore found wrong.
type Finding struct {
	Slot    p11.SlotID
	Object  string // CKA_UNIQUE_ID, or empty if it is not about one object
	Problem string // a sentence
	// Mended says that CheckStore put it right. Only the index is ever mended:
	// it can be made anew from the objects.
	Mended bool
}

// CheckStore reads everything in the store and reports what is wrong with it.
// Of tokens where the user or the SO is logged in, every record is opened and
// every index entry compared with the objects; of others, what can be seen
// without the master key: that each record is whole by its outside, and that
// what public objects are indexed by is right.
//
// With repair, index entries that are missing are written. Nothing else is
// changed, and nothing is ever removed: an entry that leads nowhere may be all
// that tells of an object whose record a damaged file hides.
func (m *Module) CheckStore(repair bool) ([]Finding, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	var found []Finding
	err := m.eachSlot(func(id p11.SlotID, rec *tokenRecord, err error) error {
		if err != nil {
			found = append(found, Finding{Slot: id, Problem: err.Error()})
			return nil
		}
		c := &checker{m: m, slot: id, t: m.tokenOf(rec.ID, id), repair: repair}
		err = c.token(rec)
		found = append(found, c.found...)
		return err
	})
	return found, err
}

// tokenOf returns this application's view of a token, with its login, or one
// without.
func (m *Module) tokenOf(t seal.TokenID, id p11.SlotID) *token {
	for _, s := range *m.slots.Load() {
		if s.token != nil && s.token.id == t {
			return s.token
		}
	}
	return &token{id: t, slot: id}
}

// A checker looks at one token.
type checker struct {
	m      *Module
	slot   p11.SlotID
	t      *token
	repair bool
	found  []Finding
}

func (c *checker) report(id *object.ID, mended bool, format string, args ...any) {
	f := Finding{Slot: c.slot, Problem: fmt.Sprintf(format, args...), Mended: mended}
	if id != nil {
		f.Object = id.String()
	}
	c.found = append(c.found, f)
}

func (c *checker) token(rec *tokenRecord) error {
	for _, r := range []seal.Role{seal.SO, seal.User} {
		kv, ok, err := c.m.get(pinKey(rec.ID, r))
		switch {
		case errors.Is(err, store.ErrCorrupt):
			c.report(nil, false, "the %v PIN's record: %v", r, err)
		case err != nil:
			return err
		case !ok && (r == seal.SO || rec.UserPIN):
			c.report(nil, false, "the %v PIN's record is missing: nobody can log in by it any more", r)
		case ok:
			if err := seal.CheckPIN(r, kv.Value); err != nil {
				c.report(nil, false, "the %v PIN's record: %v", r, err)
			}
		}
		if _, _, err := c.m.failures(c.t, r); err != nil && p11.Code(err) == p11.CKR_DEVICE_ERROR {
			c.report(nil, false, "%v", err)
		}
	}
	objects, err := c.objects()
	if err != nil {
		return err
	}
	return c.index(objects)
}

// objects checks every record, and the entries that the index should have for
// it, and returns which objects there are.
func (c *checker) objects() (map[object.ID]bool, error) {
	all := map[object.ID]bool{}
	w := walk{
		m: c.m, width: objectKeyWidth,
		good: func(kv store.KV) error {
			id, ok := idOf(kv.Key)
			if !ok || !bytes.Equal(kv.Key, objectKey(c.t.id, id)) {
				c.report(nil, false, "the store has a key of unknown shape among the objects: %x", kv.Key)
				return nil
			}
			all[id] = true
			return c.object(id, kv)
		},
		damaged: func(key []byte, err error) error {
			id, _ := idOf(key)
			all[id] = true
			c.report(&id, false, "%v", err)
			return nil
		},
	}
	return all, w.span(store.Prefix(tokenPrefix("o/", c.t.id)))
}

func (c *checker) object(id object.ID, kv store.KV) error {
	_, _, sealed, err := seal.ReadPublic(c.t.id, seal.ObjectID(id), kv.Value)
	if err != nil {
		c.report(&id, false, "%v", err)
		return nil
	}
	snap, err := c.m.open(c.t, id, kv)
	if master, _ := c.t.login(); err != nil && sealed && master == nil && p11.Code(err) == p11.CKR_USER_NOT_LOGGED_IN {
		return nil // a private object, whose inside is not ours to see
	}
	if err != nil {
		c.report(&id, false, "%v", err)
		return nil
	}
	defer snap.Wipe()
	terms, err := c.t.terms(snap.Object)
	if p11.Code(err) == p11.CKR_USER_NOT_LOGGED_IN {
		return nil
	}
	if err != nil {
		return err
	}
	tx := store.Txn{If: []store.Cmp{{Key: kv.Key, Mod: kv.Mod}}}
	for _, term := range terms {
		key := termKey(c.t.id, term, id)
		_, ok, err := c.m.get(key)
		if err != nil && !errors.Is(err, store.ErrCorrupt) { // index reports those
			return err
		}
		if !ok && err == nil {
			tx.Then = append(tx.Then, store.Put(key, nil))
		}
	}
	if len(tx.Then) == 0 {
		return nil
	}
	mended := false
	if c.repair {
		res, err := c.m.txn(tx)
		if err != nil {
			return err
		}
		mended = res.Done
	}
	c.report(&id, mended, "%d index entries are missing: searches do not find it", len(tx.Then))
	return nil
}

// index checks that every entry leads to an object.
func (c *checker) index(objects map[object.ID]bool) error {
	var lost []object.ID
	entries := map[object.ID]int{} // of those
	w := walk{
		m: c.m, width: termKeyWidth, only: store.KeysOnly,
		good: func(kv store.KV) error {
			id, ok := idOf(kv.Key)
			if ok && len(kv.Key) == termKeyWidth && objects[id] {
				return nil
			}
			if entries[id]++; entries[id] == 1 {
				lost = append(lost, id)
			}
			return nil
		},
		damaged: func(key []byte, err error) error {
			id, _ := idOf(key)
			c.report(&id, false, "an index entry of it: %v", err)
			return nil
		},
	}
	if err := w.span(store.Prefix(tokenPrefix("x/", c.t.id))); err != nil {
		return err
	}
	for _, id := range lost {
		// The object may have been made since the records were read.
		_, ok, err := c.m.get(objectKey(c.t.id, id))
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			return err
		}
		if !ok {
			c.report(&id, false, "%d index entries lead to it, and its record is not there: it may be lost", entries[id])
		}
	}
	return nil
}
