package token

import (
	"cmp"
	"errors"
	"slices"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store"
	"coffer/token/object"
	"coffer/token/seal"
)

// A search is one C_FindObjectsInit. It reads the index as it was at one
// revision, page by page, as C_FindObjects asks for more.
type search struct {
	template attr.Values
	indexed  attr.Values // the part of template that the index answers
	rest     bool        // there is more to the template than that
	session  []*entry    // session objects that matched
	lists    []list      // index lists still to be read, public and private
}

// A list is what one index term leads to.
type list struct {
	private bool
	others  []seal.Term // further terms that a match has to be under
	next    store.RangeRequest
	done    bool
	found   []object.ID // read, not yet given out
	// doubtful are those among found whose entry is damaged, and may have been
	// another one's.
	doubtful map[object.ID]bool
}

// pageOfIDs is how many index entries are read at a time. A client that asks
// for one object at a time, as OpenSSH and libp11 do, is served from memory.
const pageOfIDs = 512

// FindObjectsInit begins a search for the objects that have every attribute
// of the template (PKCS #11 v3.2, 5.7.7). An attribute that no object has
// finds nothing; it is no error, which NSS relies on.
func (m *Module) FindObjectsInit(h p11.SessionHandle, template attr.Values) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.search != nil {
		return p11.CKR_OPERATION_ACTIVE
	}
	_, who := s.token.login()
	template = ownSecrets(template)
	f := &search{template: template, indexed: object.SearchTerms(template)}
	f.rest = len(f.indexed) < len(template)
	own := append(m.builtins(s.token), s.token.sessionObjects(who)...)
	if class, ok := template.Class(); ok && class == p11.CKO_MECHANISM {
		own = m.mechanisms(s.token)
	}
	for _, e := range own {
		if snap := e.snap.Load(); snap != nil && snap.Matches(template) {
			f.session = append(f.session, e)
		}
	}
	if err := m.chooseLists(s.token, who, f); err != nil {
		return err
	}
	s.search = f
	return nil
}

// ownSecrets returns template with copies of what can be secret in it: whoever
// asks for an object by the value of its key wipes that when the call is over.
func ownSecrets(template attr.Values) attr.Values {
	for _, v := range template {
		if attr.Hidden(v.Type) {
			return template.Clone()
		}
	}
	return template
}

// endSearch ends the search that is active, if there is one.
func (s *session) endSearch() {
	if s.search == nil {
		return
	}
	for _, v := range s.search.template {
		if attr.Hidden(v.Type) { // a copy, by ownSecrets
			clear(v.Raw)
		}
	}
	s.search = nil
}

// chooseLists picks the index lists to walk: for public objects, and for
// private ones if the user is logged in. Of the terms that the template
// gives, the walk takes the one that fewest objects share by its nature and
// looks each id up under the others.
func (m *Module) chooseLists(t *token, who loginState, f *search) error {
	if want, ok := f.template.Get(p11.CKA_TOKEN); ok && !(len(want) == 1 && want[0] == 1) {
		return nil // session objects only
	}
	for _, private := range []bool{false, true} {
		if private && who != loggedInUser {
			continue
		}
		if want, ok := f.template.Get(p11.CKA_PRIVATE); ok && (len(want) != 1 || (want[0] == 1) != private) {
			continue
		}
		if raw, ok := f.template.Get(p11.CKA_UNIQUE_ID); ok {
			if err := f.oneID(t, private, raw); err != nil {
				return err
			}
			continue
		}
		terms := make([]seal.Term, 0, len(f.indexed)+1)
		for _, v := range mostSelective(f.indexed) {
			term, err := t.term(private, v)
			if err != nil {
				return err
			}
			terms = append(terms, term)
		}
		if len(terms) == 0 {
			term, err := t.term(private, listed(private))
			if err != nil {
				return err
			}
			terms = append(terms, term)
		}
		f.lists = append(f.lists, list{
			private: private,
			others:  terms[1:],
			next:    store.RangeRequest{Span: store.Prefix(termPrefix(t.id, terms[0])), Limit: pageOfIDs, Only: store.KeysOnly},
		})
	}
	return nil
}

// oneID adds the list that has at most the object that a CKA_UNIQUE_ID names.
func (f *search) oneID(t *token, private bool, raw []byte) error {
	id, ok := object.ParseID(raw)
	if !ok {
		return nil
	}
	term, err := t.term(private, listed(private))
	if err != nil {
		return err
	}
	f.lists = append(f.lists, list{private: private, others: []seal.Term{term}, found: []object.ID{id}, done: true})
	return nil
}

// selectivity ranks the indexed attributes by how few objects share a value.
// What is not in it comes last.
var selectivity = []p11.AttributeType{
	p11.CKA_CLASS, p11.CKA_CERTIFICATE_TYPE, p11.CKA_KEY_TYPE, p11.CKA_APPLICATION,
	p11.CKA_ISSUER, p11.CKA_SUBJECT, p11.CKA_LABEL, p11.CKA_SERIAL_NUMBER, p11.CKA_ID,
}

func mostSelective(vs attr.Values) attr.Values {
	return slices.SortedStableFunc(slices.Values(vs), func(a, b attr.Value) int {
		return cmp.Compare(slices.Index(selectivity, b.Type), slices.Index(selectivity, a.Type))
	})
}

// FindObjects fills dst with handles of further objects and returns how many;
// 0 says that there are no more, as often as it is asked (PKCS #11 v3.2,
// 5.7.8).
func (m *Module) FindObjects(h p11.SessionHandle, dst []p11.ObjectHandle) (int, error) {
	s, err := m.lockSession(h)
	if err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	f := s.search
	if f == nil {
		return 0, p11.CKR_OPERATION_NOT_INITIALIZED
	}
	n := 0
	for n < len(dst) && len(f.session) > 0 {
		dst[n], f.session = f.session[0].handle, f.session[1:]
		n++
	}
	for n < len(dst) && len(f.lists) > 0 {
		l := &f.lists[0]
		id, ok, err := m.nextID(s.token, l)
		if err != nil {
			return 0, err
		}
		if !ok {
			f.lists = f.lists[1:]
			continue
		}
		e := m.entryFor(s.token, id, l.private)
		if f.rest || l.doubtful[id] {
			snap, _, err := m.object(s, e.handle)
			if err != nil { // destroyed meanwhile, or damaged
				if p11.Code(err) == p11.CKR_DEVICE_ERROR {
					m.log.Error("a search leaves an object out", "slot", s.token.slot, "object", id.String(), "error", err)
				}
				continue
			}
			matches := snap.Matches(f.template)
			snap.Release()
			if !matches {
				continue
			}
		}
		dst[n] = e.handle
		n++
	}
	return n, nil
}

// nextID returns the next object that is under all terms of a list.
func (m *Module) nextID(t *token, l *list) (object.ID, bool, error) {
next:
	for {
		if len(l.found) == 0 {
			if l.done {
				return object.ID{}, false, nil
			}
			page, err := m.store.Range(m.ctx, l.next)
			if errors.Is(err, store.ErrCorrupt) {
				if err := m.readDamaged(l); err != nil {
					return object.ID{}, false, err
				}
				continue
			}
			if err != nil {
				return object.ID{}, false, deviceError(err)
			}
			for _, kv := range page.KVs {
				if id, ok := idOf(kv.Key); ok {
					l.found = append(l.found, id)
				}
			}
			again, more := l.next.Next(page)
			l.next, l.done = again, !more
			continue
		}
		id := l.found[0]
		l.found = l.found[1:]
		for _, term := range l.others {
			page, err := m.store.Range(m.ctx, store.RangeRequest{Span: store.Key(termKey(t.id, term, id)), Only: store.CountOnly})
			if errors.Is(err, store.ErrCorrupt) {
				l.doubt(id)
				continue
			}
			if err != nil {
				return object.ID{}, false, deviceError(err)
			}
			if page.Count == 0 {
				continue next
			}
		}
		return id, true, nil
	}
}

// readDamaged reads what is left of a list that has damaged entries in it. An
// entry has nothing but its key, so that what it led to can still be told.
func (m *Module) readDamaged(l *list) error {
	w := walk{m: m, at: l.next.At, only: store.KeysOnly, width: termKeyWidth}
	w.good = func(kv store.KV) error {
		if id, ok := idOf(kv.Key); ok {
			l.found = append(l.found, id)
		}
		return nil
	}
	w.damaged = func(key []byte, err error) error {
		id, _ := idOf(key)
		m.log.Error("the index is damaged", "object", id.String(), "error", err)
		l.doubt(id)
		l.found = append(l.found, id)
		return nil
	}
	if err := w.span(l.next.Span); err != nil {
		return err
	}
	l.done = true
	return nil
}

func (l *list) doubt(id object.ID) {
	if l.doubtful == nil {
		l.doubtful = map[object.ID]bool{}
	}
	l.doubtful[id] = true
}

// FindObjectsFinal ends a search (PKCS #11 v3.2, 5.7.9).
func (m *Module) FindObjectsFinal(h p11.SessionHandle) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.search == nil {
		return p11.CKR_OPERATION_NOT_INITIALIZED
	}
	s.endSearch()
	return nil
}
