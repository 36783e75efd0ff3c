package token

import (
	"encoding/binary"

	"coffer/mech"
	"coffer/p11"
	"coffer/token/seal"
)

// This file saves what a session is doing and takes it up again (PKCS #11 v3.2,
// 5.6.4 and 5.6.5).
//
// A state is sealed (AES-256-GCM, seal.SealBlob): while somebody is logged in
// under the token's master key, so that it outlives the process, else under a
// key of the process. It is bound to the token and to the session's state.
// There is nothing of a key in it: it names the key, and whoever takes the
// state up has to be able to begin the operation anew with that key, unchanged,
// by everything that C_…Init asks. So CKF_RESTORE_KEY_NOT_NEEDED is true, as
// the official profiles want it, and a handle that is given all the same has to
// be that of the key.

const stateLabel = "coffer operation state v1"

// saver returns the part of an operation that can be saved, nil if none can.
func (o *operation) saver() mech.Saver {
	var s mech.Saver
	if o.check != nil {
		s, _ = o.check.(mech.Saver)
	} else {
		s, _ = o.op.(mech.Saver)
	}
	return s
}

// savable are the kinds of operation that a state can have. Searches and
// signatures with recovery are none of it, and do not keep others from being
// saved.
var savable = []purpose{encrypt, decrypt, digest, sign, verify}

// save returns an operation as a state has it.
func (o *operation) save(p purpose) (savedOp, error) {
	s := o.saver()
	switch {
	case s == nil, o.params != nil && len(o.params) == 0, o.row.SinglePart:
		return savedOp{}, p11.Errorf(p11.CKR_STATE_UNSAVEABLE, "the state of %v cannot be saved", o.row.Type)
	case o.hasKey:
		return savedOp{}, p11.Errorf(p11.CKR_STATE_UNSAVEABLE, "the value of a key was digested")
	case o.hasPending:
		return savedOp{}, p11.Errorf(p11.CKR_STATE_UNSAVEABLE, "the operation is waiting for a buffer for its result")
	}
	progress, err := s.Save()
	if err != nil {
		return savedOp{}, err
	}
	saved := savedOp{purpose: p, phase: o.phase, kind: o.row.Type, params: o.params, progress: progress}
	if o.key != nil {
		saved.key = &keyRef{id: o.key.ID(), generation: o.key.generation, private: o.private, session: !o.key.Token()}
	}
	return saved, nil
}

// GetOperationState returns the state of a session's operations, all that are
// active, by the convention of PKCS #11 v3.2, 5.2. It changes nothing.
func (m *Module) GetOperationState(h p11.SessionHandle, out *p11.Out) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	var ops []savedOp
	defer func() {
		for _, o := range ops {
			clear(o.progress)
		}
	}()
	for _, p := range savable {
		if s.ops[p].phase == idle {
			continue
		}
		o, err := s.ops[p].save(p)
		if err != nil {
			return err
		}
		ops = append(ops, o)
	}
	if len(ops) == 0 {
		return p11.Errorf(p11.CKR_OPERATION_NOT_INITIALIZED, "no operation is active whose state could be saved")
	}
	plain := encodeState(ops)
	defer clear(plain)
	master, binding, err := m.stateSeal(s)
	if err != nil {
		return err
	}
	sealed, err := master.SealBlob(stateLabel, binding, plain)
	if err != nil {
		return err
	}
	out.N = len(sealed)
	switch {
	case out.Buf == nil:
		return nil
	case len(out.Buf) < len(sealed):
		return p11.CKR_BUFFER_TOO_SMALL
	}
	copy(out.Buf, sealed)
	return nil
}

// stateSeal returns the key for a session's states, and what they are bound to.
func (m *Module) stateSeal(s *session) (*seal.Master, []byte, error) {
	master, who := s.token.login()
	if master == nil {
		var err error
		if master, err = m.ownKey(); err != nil {
			return nil, nil, err
		}
	}
	id := s.token.id
	return master, binary.BigEndian.AppendUint64(id[:], uint64(s.state(who))), nil
}

// ownKey returns a key that nobody has but this process, made at its first use.
func (m *Module) ownKey() (*seal.Master, error) {
	if own := m.own.Load(); own != nil {
		return own, nil
	}
	own, err := seal.NewMaster()
	if err != nil {
		return nil, err
	}
	if !m.own.CompareAndSwap(nil, own) {
		own.Wipe()
	}
	return m.own.Load(), nil
}

// SetOperationState puts saved operations in the place of all that a session is
// doing, or fails and changes nothing. What is not a state of the token and of
// a session like this one is CKR_SAVED_STATE_INVALID; so is one whose operation
// may not be begun any more. A key that is given for nothing is
// CKR_KEY_NOT_NEEDED; another key than it was, one that has been changed since,
// or one that is gone, is CKR_KEY_CHANGED. A key with CKA_ALWAYS_AUTHENTICATE
// asks for the PIN again.
func (m *Module) SetOperationState(h p11.SessionHandle, state []byte, cipherKey, macKey p11.ObjectHandle) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	master, binding, err := m.stateSeal(s)
	if err != nil {
		return err
	}
	plain, err := master.OpenBlob(stateLabel, binding, state)
	if err != nil {
		return p11.Errorf(p11.CKR_SAVED_STATE_INVALID, "the state is not of this token, or of a session in another state: %w", err)
	}
	defer plain.Wipe()
	saved, err := decodeState(plain.Bytes())
	if err != nil {
		return err
	}
	keys, err := m.savedKeys(s, saved, cipherKey, macKey)
	if err != nil {
		return err
	}
	restored := make([]operation, len(saved))
	for i := range saved {
		if restored[i], err = m.resume(s, &saved[i], keys[i]); err != nil {
			for j := range restored[:i] {
				restored[j].end()
			}
			return err
		}
	}
	for p := range s.ops {
		s.ops[p].end()
	}
	s.endSearch()
	for i, o := range restored {
		s.ops[saved[i].purpose] = o
	}
	return nil
}

// savedKeys returns the handles of the keys that saved operations were with.
func (m *Module) savedKeys(s *session, saved []savedOp, cipherKey, macKey p11.ObjectHandle) ([]p11.ObjectHandle, error) {
	handles := make([]p11.ObjectHandle, len(saved))
	for _, given := range []struct {
		key  p11.ObjectHandle
		uses [2]purpose
	}{{cipherKey, [2]purpose{encrypt, decrypt}}, {macKey, [2]purpose{sign, verify}}} {
		needed, right := false, given.key == 0
		for i, o := range saved {
			if o.purpose != given.uses[0] && o.purpose != given.uses[1] {
				continue
			}
			needed = true
			if e := m.objects.get(uint64(given.key)); e != nil && e.token == s.token && e.id == o.key.id {
				handles[i], right = given.key, true
			} else {
				handles[i] = m.handleOf(s.token, o.key)
			}
		}
		switch {
		case !needed && given.key != 0:
			return nil, p11.Errorf(p11.CKR_KEY_NOT_NEEDED, "the saved state has no operation that the key could be for")
		case needed && !right:
			return nil, p11.Errorf(p11.CKR_KEY_CHANGED, "the key is not the one that the state was saved with")
		}
	}
	return handles, nil
}

// handleOf returns the handle of a key, 0 if this application has none.
func (m *Module) handleOf(t *token, k *keyRef) p11.ObjectHandle {
	if !k.session {
		return m.entryFor(t, k.id, k.private).handle
	}
	t.entries.mu.Lock()
	defer t.entries.mu.Unlock()
	for h, e := range t.entries.session {
		if e.id == k.id {
			return h
		}
	}
	return 0
}

// resume begins a saved operation anew and brings it to where it was.
func (m *Module) resume(s *session, saved *savedOp, key p11.ObjectHandle) (operation, error) {
	params, err := decodeParams(saved.params)
	if err != nil {
		return operation{}, err
	}
	var o operation
	if err := m.start(s, &o, saved.purpose, &p11.Mechanism{Type: saved.kind, Params: params}, key); err != nil {
		if rv := p11.Code(err); rv == p11.CKR_KEY_HANDLE_INVALID {
			return operation{}, p11.Errorf(p11.CKR_KEY_CHANGED, "the key that the state was saved with is gone: %w", err)
		}
		return operation{}, p11.Errorf(p11.CKR_SAVED_STATE_INVALID, "the operation cannot be begun any more: %w", err)
	}
	if o.key != nil && o.key.generation != saved.key.generation {
		o.end()
		return operation{}, p11.Errorf(p11.CKR_KEY_CHANGED, "the key was changed since the state was saved")
	}
	if s := o.saver(); s == nil {
		err = errNoState
	} else {
		err = s.Restore(saved.progress)
	}
	if err != nil {
		o.end()
		return operation{}, p11.Errorf(p11.CKR_SAVED_STATE_INVALID, "%w", err)
	}
	o.phase = saved.phase
	return o, nil
}
