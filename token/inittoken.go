package token

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store"
	"coffer/token/object"
	"coffer/token/seal"
)

// InitToken makes a token of the free slot, or initialises a token anew
// (PKCS #11 v3.2, 5.5.7). pin becomes the SO PIN of the free slot's token, and
// must be the SO PIN of one that exists. label is without padding.
//
// A token that is initialised anew gets a new master key, so that nothing of
// what was destroyed can be opened again, not even from an old copy of the
// store. Only objects whose CKA_DESTROYABLE is false survive; the user PIN
// does not.
func (m *Module) InitToken(id p11.SlotID, pin []byte, label string) error {
	sl, err := m.slot(id)
	if err != nil {
		return err
	}
	if pin == nil {
		return p11.Errorf(p11.CKR_ARGUMENTS_BAD, "the SO PIN is NULL, and the token has no PIN pad")
	}
	label = strings.TrimRight(label, " ")
	if len(label) > 32 || !utf8.ValidString(label) || strings.ContainsRune(label, 0) {
		return p11.Errorf(p11.CKR_ARGUMENTS_BAD, "a label is UTF-8 of at most 32 bytes without NUL")
	}
	if sl.token == nil {
		return m.initFree(id, pin, label)
	}
	return m.initAgain(sl.token, pin, label)
}

func (m *Module) newRecord(label string) *tokenRecord {
	r := &tokenRecord{Label: label}
	copy(r.ID[:], m.randomBytes(len(r.ID)))
	r.Serial = hex.EncodeToString(r.ID[:8])
	return r
}

func (m *Module) initFree(id p11.SlotID, pin []byte, label string) error {
	if err := checkPINLength(pin); err != nil {
		return err
	}
	rec := m.newRecord(label)
	master, err := seal.NewMaster()
	if err != nil {
		return err
	}
	defer master.Wipe()
	wrapped, err := master.WrapPIN(rec.ID, seal.SO, pin, m.cfg.Argon2)
	if err != nil {
		return err
	}
	m.slotMu.Lock()
	defer m.slotMu.Unlock()
	_, rev, _, err := m.nextSlot()
	if err != nil {
		return err
	}
	res, err := m.txn(store.Txn{
		If: []store.Cmp{{Key: slotKey(id), Mod: 0}, {Key: nextSlotKey, Mod: rev}},
		Then: []store.Op{
			store.Put(slotKey(id), rec.marshal()),
			store.Put(nextSlotKey, binary.BigEndian.AppendUint64(nil, uint64(id)+1)),
			store.Put(pinKey(rec.ID, seal.SO), wrapped),
		},
	})
	if err != nil {
		return err
	}
	if err := m.rescanLocked(); err != nil {
		return err
	}
	if !res.Done {
		return p11.Errorf(p11.CKR_TOKEN_NOT_RECOGNIZED, "slot %d was filled by another process; the free slot has another number now", id)
	}
	return nil
}

// take closes a token to new sessions of this application, if it has none.
func (t *token) take() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.sessions) > 0 {
		return p11.Errorf(p11.CKR_SESSION_EXISTS, "the token has %d open sessions", len(t.sessions))
	}
	if t.gone {
		return p11.Errorf(p11.CKR_DEVICE_REMOVED, "the token is being initialised or was deleted")
	}
	t.gone = true
	return nil
}

func (t *token) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone = false
}

func (m *Module) initAgain(t *token, pin []byte, label string) error {
	t.admin.Lock()
	defer t.admin.Unlock()
	if err := t.take(); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			t.give()
		}
	}()
	kv, ok, err := m.get(slotKey(t.slot))
	if err != nil {
		return err
	}
	if !ok {
		return p11.Errorf(p11.CKR_DEVICE_REMOVED, "the token in slot %d was deleted", t.slot)
	}
	old, err := m.openPIN(t, seal.SO, pin)
	if err != nil {
		return err
	}
	defer old.Wipe()
	rec := m.newRecord(label)
	master, err := seal.NewMaster()
	if err != nil {
		return err
	}
	defer master.Wipe()
	wrapped, err := master.WrapPIN(rec.ID, seal.SO, pin, m.cfg.Argon2)
	if err != nil {
		return err
	}
	// Until the slot names the new token nobody can see what lies under its
	// id, so the survivors may be copied in as many steps as it takes. The mark
	// keeps another process from taking them for orphans.
	if err := m.dropMarks(t.slot); err != nil {
		return err
	}
	mark := markKey(t.slot, rec.ID)
	marked, err := m.txn(store.Txn{Then: []store.Op{store.Put(mark, nil)}})
	if err != nil {
		return err
	}
	from := &token{id: t.id, slot: t.slot, user: loggedInSO, master: old}
	to := &token{id: rec.ID, slot: t.slot, user: loggedInSO, master: master}
	if err := m.copySurvivors(from, to); err != nil {
		return err
	}
	res, err := m.txn(store.Txn{
		If: []store.Cmp{{Key: slotKey(t.slot), Mod: kv.Mod}, {Key: mark, Mod: marked.Rev}},
		Then: []store.Op{
			store.Put(slotKey(t.slot), rec.marshal()),
			store.Put(pinKey(rec.ID, seal.SO), wrapped),
			store.Delete(store.Key(mark)),
		},
	})
	if err != nil {
		return err
	}
	if !res.Done {
		return p11.Errorf(p11.CKR_FUNCTION_FAILED, "initialising the token: %w", errLostRace)
	}
	done = true
	if err := m.rescan(); err != nil {
		return err
	}
	return m.purgeOrphans()
}

// copySurvivors seals the objects that cannot be destroyed for the new token.
func (m *Module) copySurvivors(from, to *token) error {
	req := store.RangeRequest{Span: store.Prefix(tokenPrefix("o/", from.id)), Limit: pageOfIDs}
	for more := true; more; {
		page, err := m.store.Range(m.ctx, req)
		if err != nil {
			return deviceError(err)
		}
		for _, kv := range page.KVs {
			id, ok := idOf(kv.Key)
			if !ok {
				continue
			}
			snap, err := m.open(from, id, kv)
			if err != nil {
				m.log.Error("an object is lost with its token", "object", id.String(), "error", err)
				continue
			}
			if !snap.Destroyable() {
				err = m.copyRecord(to, snap)
			}
			snap.Wipe()
			if err != nil {
				return err
			}
		}
		req, more = req.Next(page)
	}
	return nil
}

func (m *Module) copyRecord(to *token, snap *snapshot) error {
	record, err := to.seal(snap.Object, snap.generation+1)
	if err != nil {
		return err
	}
	tx := store.Txn{Then: []store.Op{store.Put(objectKey(to.id, snap.ID()), record)}}
	terms, err := to.terms(snap.Object)
	if err != nil {
		return err
	}
	for _, term := range terms {
		tx.Then = append(tx.Then, store.Put(termKey(to.id, term, snap.ID()), nil))
	}
	_, err = m.txn(tx)
	return err
}

// DeleteToken removes the token of a slot with all its objects, for good. The
// slot's number is not used again. It is an act of the SO, who shows the PIN;
// PKCS #11 has no function for it.
func (m *Module) DeleteToken(id p11.SlotID, pin []byte) error {
	t, err := m.initialised(id)
	if err != nil {
		return err
	}
	t.admin.Lock()
	defer t.admin.Unlock()
	if err := t.take(); err != nil {
		return err
	}
	master, err := m.openPIN(t, seal.SO, pin)
	if err != nil {
		t.give()
		return err
	}
	master.Wipe()
	kv, ok, err := m.get(slotKey(id))
	if err != nil {
		t.give()
		return err
	}
	if ok {
		if rec, err := unmarshalToken(kv.Value); err == nil && rec.ID == t.id {
			res, err := m.txn(store.Txn{
				If:   []store.Cmp{{Key: slotKey(id), Mod: kv.Mod}},
				Then: []store.Op{store.Delete(store.Key(slotKey(id)))},
			})
			if err == nil && !res.Done {
				err = p11.Errorf(p11.CKR_FUNCTION_FAILED, "deleting the token: %w", errLostRace)
			}
			if err != nil {
				t.give()
				return err
			}
		}
	}
	if err := m.rescan(); err != nil {
		return err
	}
	return m.purgeOrphans()
}

// TrustKey sets CKA_TRUSTED of a key by its CKA_UNIQUE_ID, for the SO that is
// logged in. Through C_SetAttributeValue the SO can trust public objects only,
// because the standard hides private ones from him; the wrapping keys of
// CKA_WRAP_WITH_TRUSTED are usually private.
func (m *Module) TrustKey(h p11.SessionHandle, uniqueID string, trusted bool) error {
	s, err := m.session(h)
	if err != nil {
		return err
	}
	if _, who := s.token.login(); who != loggedInSO {
		return p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "only the SO can trust a key")
	}
	id, ok := object.ParseID([]byte(uniqueID))
	if !ok {
		return p11.Errorf(p11.CKR_OBJECT_HANDLE_INVALID, "%q is not a CKA_UNIQUE_ID: 32 hexadecimal digits", uniqueID)
	}
	change := attr.Values{attr.NewBool(p11.CKA_TRUSTED, trusted)}
	for range raceRetries {
		kv, ok, err := m.get(objectKey(s.token.id, id))
		if err != nil {
			return err
		}
		if !ok {
			return p11.Errorf(p11.CKR_OBJECT_HANDLE_INVALID, "the token has no object %s", uniqueID)
		}
		if err := m.trust(s.token, id, kv, change); err != errLostRace {
			return err
		}
	}
	return p11.Errorf(p11.CKR_FUNCTION_FAILED, "%w, again and again", errLostRace)
}

func (m *Module) trust(t *token, id object.ID, kv store.KV, change attr.Values) error {
	old, err := m.open(t, id, kv)
	if err != nil {
		return err
	}
	defer old.Wipe()
	obj, err := t.rules.factory.Set(old.Object, change, object.Actor{SO: true})
	if err != nil {
		return err
	}
	return m.replace(m.entryFor(t, id, obj.Private()), old, obj)
}
