package token

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"coffer/p11"
	"coffer/store"
	"coffer/token/seal"
)

// A slot is immutable; its token, if it has one, is not.
type slot struct {
	id    p11.SlotID
	token *token // nil: the free slot
}

// A token is what this application knows of one token.
type token struct {
	id   seal.TokenID
	slot p11.SlotID

	record atomic.Pointer[tokenRecord]
	rules  *ruled // by its label and serial number, which a token never changes

	// admin serialises what changes PINs, login or the token itself, and is
	// held across the store's writes and the PIN's stretching. It is taken
	// before mu.
	admin sync.Mutex

	// mu guards the fields below.
	mu       sync.RWMutex
	user     loginState
	master   *seal.Master // nil while nobody is logged in
	sessions map[p11.SessionHandle]*session
	readOnly int  // how many of them are R/O
	gone     bool // re-initialised or deleted: no session may be opened

	entries entries
}

type loginState uint8

const (
	loggedOut loginState = iota
	loggedInUser
	loggedInSO
)

// tokenRecord is the public part of a token, as stored.
type tokenRecord struct {
	ID      seal.TokenID
	Serial  string // 16 hexadecimal digits
	Label   string
	UserPIN bool // a user PIN has been set
}

const tokenRecordVersion = 1

func (r *tokenRecord) marshal() []byte {
	b := []byte{tokenRecordVersion, 0}
	if r.UserPIN {
		b[1] = 1
	}
	b = append(b, r.ID[:]...)
	for _, s := range []string{r.Serial, r.Label} {
		b = append(b, byte(len(s)))
		b = append(b, s...)
	}
	return b
}

func unmarshalToken(b []byte) (*tokenRecord, error) {
	const fixed = 2 + len(seal.TokenID{})
	bad := p11.Errorf(p11.CKR_DEVICE_ERROR, "a token's record is damaged")
	if len(b) < fixed {
		return nil, bad
	}
	if b[0] != tokenRecordVersion {
		return nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "a token's record has version %d, which this coffer does not know", b[0])
	}
	r := &tokenRecord{UserPIN: b[1]&1 != 0}
	copy(r.ID[:], b[2:])
	rest := b[fixed:]
	for _, s := range []*string{&r.Serial, &r.Label} {
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return nil, bad
		}
		n := int(rest[0])
		*s, rest = string(rest[1:1+n]), rest[1+n:]
	}
	if len(rest) != 0 || b[1] > 1 || len(r.Serial) > 16 || len(r.Label) > 32 {
		return nil, bad
	}
	return r, nil
}

// rescan reads the slot table from the store. Tokens that stay keep their
// state in this application.
func (m *Module) rescan() error {
	m.slotMu.Lock()
	defer m.slotMu.Unlock()
	return m.rescanLocked()
}

func (m *Module) rescanLocked() error {
	newest := m.store.Newest()
	next, _, _, err := m.nextSlot()
	if err != nil {
		return err
	}
	old := map[seal.TokenID]*token{}
	if slots := m.slots.Load(); slots != nil {
		for _, s := range *slots {
			if s.token != nil {
				old[s.token.id] = s.token
			}
		}
	}
	var slots []*slot
	err = m.eachSlot(func(id p11.SlotID, rec *tokenRecord, err error) error {
		if err != nil { // the others are usable
			m.log.Error("a token cannot be read", "slot", id, "error", err)
			return nil
		}
		next = max(next, id+1)
		t := old[rec.ID]
		if t == nil {
			t = &token{id: rec.ID, slot: id, rules: m.rulebook.of(rec), sessions: map[p11.SessionHandle]*session{}}
		}
		delete(old, rec.ID)
		t.record.Store(rec)
		slots = append(slots, &slot{id: id, token: t})
		return nil
	})
	if err != nil {
		return err
	}
	if next < math.MaxInt64 {
		slots = append(slots, &slot{id: next})
	}
	m.slots.Store(&slots)
	m.scanned.Store(int64(newest))
	for _, t := range old {
		m.closeAll(t)
	}
	return nil
}

// eachSlot calls f for every slot with a token in it, in ascending order, with
// the token's record or with why it cannot be read.
func (m *Module) eachSlot(f func(id p11.SlotID, rec *tokenRecord, err error) error) error {
	slotOf := func(key []byte) p11.SlotID { return p11.SlotID(binary.BigEndian.Uint64(key[len("t/"):])) }
	w := walk{
		m: m, width: slotKeyWidth,
		good: func(kv store.KV) error {
			if len(kv.Key) != slotKeyWidth {
				return f(0, nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "the store has a key of unknown shape: %q", kv.Key))
			}
			rec, err := unmarshalToken(kv.Value)
			return f(slotOf(kv.Key), rec, err)
		},
		damaged: func(key []byte, err error) error { return f(slotOf(key), nil, err) },
	}
	return w.span(store.Prefix([]byte("t/")))
}

// nextSlot returns the number of the free slot with the revision it was
// written at.
func (m *Module) nextSlot() (p11.SlotID, store.Rev, bool, error) {
	kv, ok, err := m.get(nextSlotKey)
	if err != nil || !ok {
		return 0, 0, false, err
	}
	if len(kv.Value) != 8 {
		return 0, 0, false, p11.Errorf(p11.CKR_DEVICE_ERROR, "the slot counter is damaged")
	}
	return p11.SlotID(binary.BigEndian.Uint64(kv.Value)), kv.Mod, true, nil
}

// slot returns a slot by its number.
func (m *Module) slot(id p11.SlotID) (*slot, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	slots := *m.slots.Load()
	i, ok := slotIndex(slots, id)
	if !ok {
		return nil, p11.Errorf(p11.CKR_SLOT_ID_INVALID, "there is no slot %d", id)
	}
	return slots[i], nil
}

// current returns a slot with what the store has in it now. If another
// process filled it, initialised its token anew or deleted it, the table is
// read again.
func (m *Module) current(id p11.SlotID) (*slot, error) {
	s, err := m.slot(id)
	if err != nil || m.scanned.Load() == int64(m.store.Newest()) {
		return s, err
	}
	kv, ok, err := m.get(slotKey(id))
	if err != nil {
		return nil, err
	}
	if ok == (s.token != nil) {
		if !ok {
			return s, nil
		}
		rec, err := unmarshalToken(kv.Value)
		if err != nil {
			return nil, err
		}
		if rec.ID == s.token.id {
			s.token.record.Store(rec)
			return s, nil
		}
	}
	if err := m.rescan(); err != nil {
		return nil, err
	}
	return m.slot(id)
}

// GetSlotList returns the slots' numbers in ascending order: one for each
// token, and one free. Every slot has a token in it, initialised or not, so
// tokenPresent leaves none out. The standard has the list read anew only when
// the caller asks for its length (rescan), so that a second call finds the
// same (PKCS #11 v3.2, 5.5.1).
func (m *Module) GetSlotList(tokenPresent, rescan bool) ([]p11.SlotID, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	if rescan {
		if err := m.rescan(); err != nil {
			return nil, err
		}
	}
	var ids []p11.SlotID
	for _, s := range *m.slots.Load() {
		ids = append(ids, s.id)
	}
	return ids, nil
}

// GetSlotInfo describes a slot.
func (m *Module) GetSlotInfo(id p11.SlotID) (p11.SlotInfo, error) {
	if _, err := m.slot(id); err != nil {
		return p11.SlotInfo{}, err
	}
	return p11.SlotInfo{
		Description:  "coffer slot " + utoa(uint64(id)),
		Manufacturer: manufacturer,
		Flags:        p11.CKF_TOKEN_PRESENT,
		Hardware:     LibraryVersion,
		Firmware:     LibraryVersion,
	}, nil
}

// GetTokenInfo describes the token in a slot. The memory fields are 0 and the
// maxima are "effectively infinite", as the official profile tests have them.
func (m *Module) GetTokenInfo(id p11.SlotID) (p11.TokenInfo, error) {
	s, err := m.current(id)
	if err != nil {
		return p11.TokenInfo{}, err
	}
	info := p11.TokenInfo{
		Manufacturer: manufacturer,
		Model:        "coffer",
		Flags:        p11.CKF_RNG | p11.CKF_LOGIN_REQUIRED | p11.CKF_RESTORE_KEY_NOT_NEEDED,
		MaxPIN:       maxPIN,
		MinPIN:       minPIN,
		Hardware:     LibraryVersion,
		Firmware:     LibraryVersion,
	}
	t := s.token
	if t == nil {
		return info, nil
	}
	rec := t.record.Load()
	info.Label, info.Serial = rec.Label, rec.Serial
	info.Flags |= p11.CKF_TOKEN_INITIALIZED
	if rec.UserPIN {
		info.Flags |= p11.CKF_USER_PIN_INITIALIZED
	}
	for _, r := range []struct {
		role               seal.Role
		low, final, locked p11.Flags
	}{
		{role: seal.User, low: p11.CKF_USER_PIN_COUNT_LOW, final: p11.CKF_USER_PIN_FINAL_TRY, locked: p11.CKF_USER_PIN_LOCKED},
		{role: seal.SO, low: p11.CKF_SO_PIN_COUNT_LOW, final: p11.CKF_SO_PIN_FINAL_TRY, locked: p11.CKF_SO_PIN_LOCKED},
	} {
		n, _, err := m.failures(t, r.role)
		if err != nil {
			return p11.TokenInfo{}, err
		}
		if n > 0 {
			info.Flags |= r.low
		}
		if limit := m.cfg.PINMaxFailures; limit > 0 && n == limit-1 {
			info.Flags |= r.final
		} else if limit > 0 && n >= limit {
			info.Flags |= r.locked
		}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	info.Sessions = uint64(len(t.sessions))
	info.RWSessions = uint64(len(t.sessions) - t.readOnly)
	return info, nil
}

// initialised returns the token of a slot. A free slot is
// CKR_TOKEN_NOT_RECOGNIZED: GnuTLS 3.7 opens a session on every slot and takes
// that code, and no other, as "nothing to see here".
func (m *Module) initialised(id p11.SlotID) (*token, error) {
	s, err := m.current(id)
	if err != nil {
		return nil, err
	}
	if s.token == nil {
		return nil, p11.Errorf(p11.CKR_TOKEN_NOT_RECOGNIZED, "slot %d has no initialised token", id)
	}
	return s.token, nil
}

var errLostRace = errors.New("another process changed the token at the same time")

// errLostHere is errLostRace for a session object, which only this process
// changes: who loses tries again without end, since somebody has won.
var errLostHere = errors.New("another thread changed the object at the same time")
