package token

import (
	"context"
	"encoding/binary"
	"errors"

	"coffer/p11"
	"coffer/store"
	"coffer/token/object"
	"coffer/token/seal"
)

// # Keys in the store
//
//	n                        the number of the next free slot, 8 bytes big-endian
//	t/<slot>                 the token in a slot: tokenRecord
//	p/<token>/<role>         a PIN's wrapping of the master key (token/seal)
//	f/<token>/<role>         failures of that PIN since its last success, 4 bytes big-endian
//	o/<token>/<object>       an object's record (token/seal)
//	x/<token>/<term>/<object> an index entry, empty
//	i/<slot><token>          a token in the making, in place of the slot's
//
// <slot> is 8 bytes big-endian, <token> and <object> are 16 random bytes,
// <term> is a seal.Term, <role> is "u" or "s".

var nextSlotKey = []byte("n")

func slotKey(id p11.SlotID) []byte {
	return binary.BigEndian.AppendUint64([]byte("t/"), uint64(id))
}

func roleKey(kind string, t seal.TokenID, r seal.Role) []byte {
	key := append(append([]byte(kind), t[:]...), '/')
	if r == seal.SO {
		return append(key, 's')
	}
	return append(key, 'u')
}

func pinKey(t seal.TokenID, r seal.Role) []byte      { return roleKey("p/", t, r) }
func failuresKey(t seal.TokenID, r seal.Role) []byte { return roleKey("f/", t, r) }

func tokenPrefix(kind string, t seal.TokenID) []byte {
	return append(append([]byte(kind), t[:]...), '/')
}

func objectKey(t seal.TokenID, id object.ID) []byte {
	return append(tokenPrefix("o/", t), id[:]...)
}

func termPrefix(t seal.TokenID, term seal.Term) []byte {
	return append(append(tokenPrefix("x/", t), term[:]...), '/')
}

func termKey(t seal.TokenID, term seal.Term, id object.ID) []byte {
	return append(termPrefix(t, term), id[:]...)
}

// idOf returns the object id at the end of an object or index key.
func idOf(key []byte) (id object.ID, ok bool) {
	if len(key) < len(id) {
		return id, false
	}
	copy(id[:], key[len(key)-len(id):])
	return id, true
}

func isClosed(err error) bool {
	return errors.Is(err, store.ErrClosed) || errors.Is(err, context.Canceled)
}

// storeError maps what an engine reports, once, to the code of the standard.
func storeError(err error) error {
	rv := p11.CKR_DEVICE_ERROR
	switch {
	case errors.Is(err, store.ErrFull):
		rv = p11.CKR_DEVICE_MEMORY
	case errors.Is(err, store.ErrReadOnly):
		rv = p11.CKR_TOKEN_WRITE_PROTECTED
	}
	return p11.Errorf(rv, "the store: %w", err)
}

// txn carries a transaction out and reports whether its comparisons held.
func (m *Module) txn(t store.Txn) (store.Result, error) {
	r, err := m.store.Txn(m.ctx, t)
	if err != nil {
		return r, deviceError(err)
	}
	return r, nil
}

// get reads one key.
func (m *Module) get(key []byte) (store.KV, bool, error) {
	kv, ok, err := store.Get(m.ctx, m.store, key)
	if err != nil {
		return kv, false, deviceError(err)
	}
	return kv, ok, nil
}

// purgeOrphans removes what belongs to tokens that no slot names: those that
// were deleted or initialised anew, also if a crash came between. It looks
// once at each token, not at each key.
//
// Another process may make a token meanwhile, so of what seems to belong to
// nobody it asks once more. While a slot's record is damaged, nobody knows
// what is the slot's, and nothing is removed.
func (m *Module) purgeOrphans() error {
	err := m.purge()
	if errors.Is(err, store.ErrCorrupt) { // what it was done for is done
		m.log.Error("what belonged to earlier tokens is left in the store", "error", err)
		return nil
	}
	return err
}

func (m *Module) purge() error {
	known := map[seal.TokenID]bool{}
	for _, kind := range []string{"x/", "o/", "p/", "f/"} {
		span := store.Prefix([]byte(kind))
		for {
			page, err := m.store.Range(m.ctx, store.RangeRequest{Span: span, Limit: 1, Only: store.KeysOnly})
			if err != nil {
				return deviceError(err)
			}
			if len(page.KVs) == 0 {
				break
			}
			t, ok := tokenOf(page.KVs[0].Key)
			if !ok {
				return p11.Errorf(p11.CKR_DEVICE_ERROR, "the store has a key of unknown shape under %q", kind)
			}
			if !known[t] {
				var all bool
				if known, all, err = m.named(); err != nil || !all {
					return err
				}
			}
			own := store.Prefix(tokenPrefix(kind, t))
			if !known[t] {
				if err := m.purgeSpan(own); err != nil {
					return err
				}
			}
			span.Key = own.End
		}
	}
	return nil
}

// named returns the tokens that a slot names, or is to name. all is false if
// that cannot be told of every slot.
func (m *Module) named() (known map[seal.TokenID]bool, all bool, err error) {
	known = map[seal.TokenID]bool{}
	// The marks come first: when one goes, a slot names its token.
	marks, err := m.store.Range(m.ctx, store.RangeRequest{Span: store.Prefix([]byte("i/"))})
	if err != nil {
		return nil, false, deviceError(err)
	}
	for _, kv := range marks.KVs {
		if t, ok := tokenOf(kv.Key[min(len(kv.Key), 8):]); ok {
			known[t] = true
		}
	}
	all = true
	err = m.eachSlot(func(_ p11.SlotID, rec *tokenRecord, err error) error {
		if err != nil {
			all = false
			return nil
		}
		known[rec.ID] = true
		return nil
	})
	return known, all, err
}

// tokenOf returns the token id in a key after its two bytes of kind.
func tokenOf(key []byte) (t seal.TokenID, ok bool) {
	if len(key) < 2+len(t) {
		return t, false
	}
	copy(t[:], key[2:])
	return t, true
}

// markKey marks a token that is being made in place of the one in a slot. The
// slot comes first, then the id as in every other key.
func markKey(id p11.SlotID, t seal.TokenID) []byte {
	key := binary.BigEndian.AppendUint64([]byte("i/"), uint64(id))
	return append(key, t[:]...)
}

// dropMarks forgets earlier attempts to initialise the token in a slot.
func (m *Module) dropMarks(id p11.SlotID) error {
	span := store.Prefix(binary.BigEndian.AppendUint64([]byte("i/"), uint64(id)))
	_, err := m.txn(store.Txn{Then: []store.Op{store.Delete(span)}})
	return err
}

func (m *Module) purgeSpan(span store.Span) error {
	for {
		page, err := m.store.Range(m.ctx, store.RangeRequest{Span: span, Limit: store.MaxOps, Only: store.KeysOnly})
		if err != nil {
			return deviceError(err)
		}
		if len(page.KVs) == 0 {
			return nil
		}
		var t store.Txn
		for _, kv := range page.KVs {
			t.Then = append(t.Then, store.Delete(store.Key(kv.Key)))
		}
		if _, err := m.txn(t); err != nil {
			return err
		}
	}
}
