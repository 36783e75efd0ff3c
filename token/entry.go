package token

import (
	"slices"
	"sync"
	"sync/atomic"

	"coffer/p11"
	"coffer/store"
	"coffer/token/object"
)

// An entry is what an object handle leads to. Of a token object it holds the
// last snapshot that was read or written, if any; of a session object, the
// object itself.
type entry struct {
	handle  p11.ObjectHandle
	token   *token
	id      object.ID
	private bool
	owner   *session // the session that created a session object; nil for a token object
	builtin bool     // made by the module itself, in no store

	snap    atomic.Pointer[snapshot]
	dropped atomic.Bool // no handle leads here any more, and nothing is kept
}

// set puts a snapshot, or nil, in place of the one that was kept, and wipes
// that. It reports whether there was one.
func (e *entry) set(s *snapshot) bool {
	old := e.snap.Swap(s)
	if old != nil {
		old.Wipe()
	}
	return old != nil
}

// A snapshot is an object at a revision of the store. It is immutable. The
// entry that keeps it owns its object, and wipes it when it drops it; whoever
// else works with it holds it meanwhile.
type snapshot struct {
	*object.Object
	rev        store.Rev // of the record; 0 for a session object
	generation uint64
	// checked is the newest revision of the store at which this is known to be
	// the object's last state. Once the store has moved on, it is asked.
	checked atomic.Int64
	// verified says that the master key has vouched for the record. A public
	// object can be read before login, unverified; it is read again after.
	verified bool
	// keyed says that the object was opened or sealed with the master key. It
	// is forgotten when the key is: what was sealed is sealed again.
	keyed bool
}

// entries is the part of a token that knows its handles in this application.
type entries struct {
	mu       sync.Mutex
	byHandle map[p11.ObjectHandle]*entry
	byID     map[object.ID]*entry        // token objects only
	session  map[p11.ObjectHandle]*entry // session objects only: a search walks them
	kept     int                         // entries with a snapshot, roughly
	builtins []*entry
	// mechanisms are built-in too, and hidden: only a search for their class
	// finds them (PKCS #11 v2.40, 4.12.3), so that who lists a token sees keys.
	mechanisms []*entry
}

// maxSnapshots bounds how many opened objects of a token are kept: a client
// that lists a million keys must not leave them all decrypted in memory.
const maxSnapshots = 1 << 16

// entryFor returns the entry of a token object, making one if this
// application has not seen it yet.
func (m *Module) entryFor(t *token, id object.ID, private bool) *entry {
	t.entries.mu.Lock()
	defer t.entries.mu.Unlock()
	if e := t.entries.byID[id]; e != nil {
		return e
	}
	e := m.objects.add(func(h uint64) *entry {
		return &entry{handle: p11.ObjectHandle(h), token: t, id: id, private: private}
	})
	t.entries.put(e)
	return e
}

// addSessionObject makes the entry of a new session object.
func (m *Module) addSessionObject(s *session, obj *object.Object) *entry {
	t := s.token
	t.entries.mu.Lock()
	defer t.entries.mu.Unlock()
	e := m.objects.add(func(h uint64) *entry {
		e := &entry{handle: p11.ObjectHandle(h), token: t, id: obj.ID(), private: obj.Private(), owner: s}
		e.snap.Store(&snapshot{Object: obj, verified: true})
		return e
	})
	t.entries.put(e)
	// A session that is closed at this moment has destroyed its objects, but
	// for one that came too late.
	if m.sessions.get(uint64(s.handle)) != s {
		m.dropLocked(e)
	}
	return e
}

func (es *entries) put(e *entry) {
	if es.byHandle == nil {
		es.byHandle = map[p11.ObjectHandle]*entry{}
		es.byID = map[object.ID]*entry{}
		es.session = map[p11.ObjectHandle]*entry{}
	}
	es.byHandle[e.handle] = e
	if e.owner == nil {
		es.byID[e.id] = e
	} else {
		es.session[e.handle] = e
	}
}

// keep stores a snapshot that was read, and forgets others if there are too
// many.
func (e *entry) keep(s *snapshot) {
	had := e.set(s)
	e.forget(s)
	if had || e.owner != nil {
		return
	}
	es := &e.token.entries
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.kept++; es.kept <= maxSnapshots {
		return
	}
	es.kept = 0
	for _, o := range es.byHandle {
		if o.owner == nil && o != e && !o.builtin {
			o.set(nil)
		}
	}
}

// exchange puts s in place of old, the last state of a session object, unless
// there is another meanwhile: a change that was made of an older state would
// undo what has been done since, and open a key again that was closed for good.
func (e *entry) exchange(old, s *snapshot) bool {
	if !e.snap.CompareAndSwap(old, s) {
		return false
	}
	old.Wipe()
	e.forget(s)
	return true
}

// forget drops s, which was put into e just now, if nothing may be kept.
func (e *entry) forget(s *snapshot) {
	// A logout or a destruction at this moment has forgotten what was kept, but
	// for this.
	if master, who := e.token.login(); e.dropped.Load() || e.private && who != loggedInUser || s.keyed && master == nil {
		e.set(nil)
	}
}

// profiles are those that every token conforms to (PKCS #11 Profiles v3.2):
// the Baseline Provider's, and HKDF TLS.
var profiles = []p11.ProfileID{p11.CKP_BASELINE_PROVIDER, p11.CKP_HKDF_TLS_TOKEN}

// builtins returns the objects that the module itself puts on a token.
func (m *Module) builtins(t *token) []*entry {
	t.entries.mu.Lock()
	defer t.entries.mu.Unlock()
	if t.entries.builtins == nil {
		for _, p := range profiles {
			t.entries.builtins = append(t.entries.builtins, m.builtin(t, object.NewProfile(p)))
		}
		if v := validation(); v != nil {
			t.entries.builtins = append(t.entries.builtins, m.builtin(t, v))
		}
	}
	return slices.Clone(t.entries.builtins)
}

func (m *Module) builtin(t *token, obj *object.Object) *entry {
	return m.objects.add(func(h uint64) *entry {
		e := &entry{handle: p11.ObjectHandle(h), token: t, id: obj.ID(), builtin: true}
		e.snap.Store(&snapshot{Object: obj, verified: true})
		return e
	})
}

// mechanisms returns an object for each mechanism that the token's policy
// leaves, made when they are first asked for.
func (m *Module) mechanisms(t *token) []*entry {
	t.entries.mu.Lock()
	defer t.entries.mu.Unlock()
	if t.entries.mechanisms == nil {
		for _, mt := range t.rules.Mechanisms() {
			t.entries.mechanisms = append(t.entries.mechanisms, m.builtin(t, object.NewMechanism(mt)))
		}
	}
	return slices.Clone(t.entries.mechanisms)
}

// dropEntries forgets the handles of a token's objects that drop picks.
func (m *Module) dropEntries(t *token, drop func(*entry) bool) {
	t.entries.mu.Lock()
	defer t.entries.mu.Unlock()
	for _, e := range t.entries.byHandle {
		if drop(e) {
			m.dropLocked(e)
		}
	}
}

// dropSessionObjects forgets those of one session.
func (m *Module) dropSessionObjects(s *session) {
	es := &s.token.entries
	es.mu.Lock()
	defer es.mu.Unlock()
	for _, e := range es.session {
		if e.owner == s {
			m.dropLocked(e)
		}
	}
}

// drop forgets one handle.
func (m *Module) drop(e *entry) {
	e.token.entries.mu.Lock()
	defer e.token.entries.mu.Unlock()
	m.dropLocked(e)
}

func (m *Module) dropLocked(e *entry) {
	es := &e.token.entries
	m.objects.remove(uint64(e.handle))
	delete(es.byHandle, e.handle)
	if e.owner != nil {
		delete(es.session, e.handle)
	} else if es.byID[e.id] == e {
		delete(es.byID, e.id)
	}
	e.dropped.Store(true)
	e.set(nil)
}

// forget makes the token objects whose snapshots drop picks be read again.
func (m *Module) forget(t *token, drop func(*snapshot) bool) {
	t.entries.mu.Lock()
	defer t.entries.mu.Unlock()
	for _, e := range t.entries.byHandle {
		if s := e.snap.Load(); s != nil && e.owner == nil && drop(s) {
			e.set(nil)
		}
	}
}

// keyed picks what cannot be had any more when nobody is logged in.
func keyed(s *snapshot) bool { return s.keyed }

// unverified picks what was read without the master key.
func unverified(s *snapshot) bool { return !s.verified }

// sessionObjects returns the session objects of a token that who may see.
func (t *token) sessionObjects(who loginState) []*entry {
	t.entries.mu.Lock()
	defer t.entries.mu.Unlock()
	var out []*entry
	for _, e := range t.entries.session {
		if !e.private || who == loggedInUser {
			out = append(out, e)
		}
	}
	return out
}

// object returns what a handle leads to, as session s may see it: objects of
// its own token, and private ones only with the user logged in. Everything
// else is as if absent. The caller releases the snapshot.
func (m *Module) object(s *session, h p11.ObjectHandle) (*snapshot, *entry, error) {
	e := m.objects.get(uint64(h))
	if e == nil || e.token != s.token {
		return nil, nil, p11.CKR_OBJECT_HANDLE_INVALID
	}
	if e.private {
		if _, who := s.token.login(); who != loggedInUser {
			return nil, nil, p11.CKR_OBJECT_HANDLE_INVALID
		}
	}
	for snap := e.snap.Load(); snap != nil; snap = e.snap.Load() {
		current, err := m.isCurrent(e, snap)
		if err != nil {
			return nil, nil, err
		}
		if !current {
			break
		}
		if snap.Hold() == nil {
			return snap, e, nil
		}
		// It was dropped at this moment, for another one or for none.
	}
	if e.owner != nil { // destroyed meanwhile
		return nil, nil, p11.CKR_OBJECT_HANDLE_INVALID
	}
	snap, err := m.read(e)
	return snap, e, err
}

// isCurrent says whether a snapshot is still the object's last state. While
// nothing is written to the store that is one load; after that the store is
// asked once for the record's revision. So what another process changes or
// destroys is seen at the next use.
func (m *Module) isCurrent(e *entry, s *snapshot) (bool, error) {
	if e.owner != nil || e.builtin {
		return true, nil
	}
	newest := m.store.Newest()
	if s.checked.Load() == int64(newest) {
		return true, nil
	}
	page, err := m.store.Range(m.ctx, store.RangeRequest{Span: store.Key(objectKey(e.token.id, e.id)), Only: store.KeysOnly})
	if err != nil {
		return false, deviceError(err)
	}
	if len(page.KVs) == 0 || page.KVs[0].Mod != s.rev {
		return false, nil
	}
	s.checked.Store(int64(newest))
	return true, nil
}

// key returns a key object, for functions that take one, which release it.
func (m *Module) key(s *session, h p11.ObjectHandle) (*snapshot, error) {
	snap, _, err := m.keyEntry(s, h, p11.CKR_KEY_HANDLE_INVALID)
	return snap, err
}

func (m *Module) keyEntry(s *session, h p11.ObjectHandle, invalid p11.RV) (*snapshot, *entry, error) {
	snap, e, err := m.object(s, h)
	if err != nil {
		if p11.Code(err) == p11.CKR_OBJECT_HANDLE_INVALID {
			return nil, nil, invalid
		}
		return nil, nil, err
	}
	if !snap.IsKey() {
		snap.Release()
		return nil, nil, p11.Errorf(invalid, "the object is not a key")
	}
	return snap, e, nil
}
