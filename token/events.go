package token

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"coffer/p11"
	"coffer/store"
	"coffer/token/seal"
)

// slotEvents knows which slots something has happened in that the application
// was not told yet (PKCS #11 v3.2, 5.5.4): their token came, went or was
// replaced, through this process or another.
type slotEvents struct {
	mu    sync.Mutex // guards the fields below
	known map[p11.SlotID]seal.TokenID
	due   map[p11.SlotID]bool
}

// free stands for a slot whose token has yet to be initialised.
var free seal.TokenID

// tokensBySlot returns the table of slots as events see it.
func tokensBySlot(slots []*slot) map[p11.SlotID]seal.TokenID {
	out := map[p11.SlotID]seal.TokenID{}
	for _, s := range slots {
		out[s.id] = free
		if s.token != nil {
			out[s.id] = s.token.id
		}
	}
	return out
}

// notice compares the slots with those that were there last, and returns one
// in which something happened since, with its flag cleared. That the free slot
// has another number is news of the slot that it was, not of the one it is.
func (e *slotEvents) notice(slots []*slot) (p11.SlotID, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := tokensBySlot(slots)
	for id, t := range now {
		if was, there := e.known[id]; was != t || !there && t != free {
			e.due[id] = true
		}
	}
	for id := range e.known {
		if _, there := now[id]; !there {
			e.due[id] = true
		}
	}
	e.known = now
	if len(e.due) == 0 {
		return 0, false
	}
	first := slices.Min(slices.Collect(maps.Keys(e.due)))
	delete(e.due, first)
	return first, true
}

// WaitForSlotEvent returns a slot whose token was initialised or deleted since
// the module was opened or this was last told of it. If there is none it waits,
// or with CKF_DONT_BLOCK answers CKR_NO_EVENT. Close ends the wait with
// CKR_CRYPTOKI_NOT_INITIALIZED (PKCS #11 v3.2, 5.5.4).
//
// Waiting is the store's Watch of the slots' records; what else is written
// wakes nobody.
func (m *Module) WaitForSlotEvent(flags p11.Flags) (p11.SlotID, error) {
	for {
		if err := m.alive(); err != nil {
			return 0, err
		}
		if m.scanned.Load() != int64(m.store.Newest()) {
			if err := m.rescan(); err != nil {
				return 0, err
			}
		}
		seen := store.Rev(m.scanned.Load())
		if id, ok := m.events.notice(*m.slots.Load()); ok {
			return id, nil
		}
		if flags&p11.CKF_DONT_BLOCK != 0 {
			return 0, p11.CKR_NO_EVENT
		}
		for _, err := range m.store.Watch(m.ctx, store.Prefix([]byte("t/")), seen) {
			if err != nil && !errors.Is(err, store.ErrCompacted) { // of which the next look knows more
				return 0, deviceError(err)
			}
			break
		}
	}
}
