package token

import (
	"sync"

	"coffer/p11"
)

// A session is one C_OpenSession. Its lock serialises the operations in it:
// two threads in one session get answers in some order, never a mixture.
type session struct {
	handle p11.SessionHandle
	token  *token
	rw     bool

	mu     sync.Mutex // guards the fields below
	closed bool
	ops    [numPurposes]operation
	search *search
}

// session returns an open session.
func (m *Module) session(h p11.SessionHandle) (*session, error) {
	if m.closed.Load() {
		return nil, p11.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	if s := m.sessions.get(uint64(h)); s != nil {
		return s, nil
	}
	return nil, p11.CKR_SESSION_HANDLE_INVALID
}

// OpenSession opens a session with the token in a slot (PKCS #11 v3.2,
// 5.6.1). Flags are CKF_SERIAL_SESSION and CKF_RW_SESSION.
func (m *Module) OpenSession(id p11.SlotID, flags p11.Flags) (p11.SessionHandle, error) {
	if err := m.alive(); err != nil {
		return 0, err
	}
	if flags&p11.CKF_SERIAL_SESSION == 0 {
		return 0, p11.CKR_SESSION_PARALLEL_NOT_SUPPORTED
	}
	if flags&p11.CKF_ASYNC_SESSION != 0 {
		return 0, p11.CKR_SESSION_ASYNC_NOT_SUPPORTED
	}
	t, err := m.initialised(id)
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return 0, p11.Errorf(p11.CKR_TOKEN_NOT_RECOGNIZED, "the token in slot %d is being initialised or was deleted", id)
	}
	rw := flags&p11.CKF_RW_SESSION != 0
	if !rw && t.user == loggedInSO {
		return 0, p11.CKR_SESSION_READ_WRITE_SO_EXISTS
	}
	s := m.sessions.add(func(h uint64) *session {
		return &session{handle: p11.SessionHandle(h), token: t, rw: rw}
	})
	t.sessions[s.handle] = s
	if !rw {
		t.readOnly++
	}
	return s.handle, nil
}

// CloseSession ends a session with its operations and the session objects
// that it created. The last one logs out (PKCS #11 v3.2, 5.6.2).
func (m *Module) CloseSession(h p11.SessionHandle) error {
	s, err := m.session(h)
	if err != nil {
		return err
	}
	if !m.sessions.remove(uint64(h)) {
		return p11.CKR_SESSION_HANDLE_INVALID
	}
	t := s.token
	t.mu.Lock()
	delete(t.sessions, h)
	if !s.rw {
		t.readOnly--
	}
	last := len(t.sessions) == 0
	if last {
		t.clearLogin()
	}
	t.mu.Unlock()
	s.end()
	if last {
		m.dropEntries(t, func(e *entry) bool { return e.private || e.owner != nil })
		m.forget(t, keyed)
	} else {
		m.dropSessionObjects(s)
	}
	return nil
}

// CloseAllSessions ends every session of this application with a slot's token.
func (m *Module) CloseAllSessions(id p11.SlotID) error {
	s, err := m.slot(id)
	if err != nil {
		return err
	}
	if s.token != nil {
		m.closeAll(s.token)
	}
	return nil
}

func (m *Module) closeAll(t *token) {
	t.mu.Lock()
	closing := t.sessions
	t.sessions = map[p11.SessionHandle]*session{}
	t.readOnly = 0
	for h := range closing {
		m.sessions.remove(uint64(h)) // before the login is gone: see Late
	}
	t.clearLogin()
	t.mu.Unlock()
	for _, s := range closing {
		s.end()
	}
	m.dropEntries(t, func(e *entry) bool { return e.private || e.owner != nil })
	m.forget(t, keyed)
}

// end wipes whatever is active in a session that no table leads to any more.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for i := range s.ops {
		s.ops[i].end()
	}
	s.endSearch()
}

// lockSession returns an open session with its lock taken.
func (m *Module) lockSession(h p11.SessionHandle) (*session, error) {
	s, err := m.session(h)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.closed { // while this waited for the lock
		s.mu.Unlock()
		return nil, p11.CKR_SESSION_HANDLE_INVALID
	}
	return s, nil
}

// Late returns the error of a call that began when the session was there. If
// the session was closed meanwhile, or the module, that is the reason, and not
// the login or the key that went with it.
func (m *Module) Late(h p11.SessionHandle, err error) error {
	if err == nil {
		return nil
	}
	if _, gone := m.session(h); gone != nil {
		return gone
	}
	return err
}

// GetSessionInfo describes a session.
func (m *Module) GetSessionInfo(h p11.SessionHandle) (p11.SessionInfo, error) {
	s, err := m.session(h)
	if err != nil {
		return p11.SessionInfo{}, err
	}
	info := p11.SessionInfo{Slot: s.token.slot, Flags: p11.CKF_SERIAL_SESSION}
	if s.rw {
		info.Flags |= p11.CKF_RW_SESSION
	}
	_, who := s.token.login()
	info.State = s.state(who)
	return info, nil
}

// state returns the standard's name for what the session may do (PKCS #11
// v3.2, 5.6, tables of session states).
func (s *session) state(who loginState) p11.State {
	switch {
	case who == loggedInSO:
		return p11.CKS_RW_SO_FUNCTIONS
	case who == loggedInUser && s.rw:
		return p11.CKS_RW_USER_FUNCTIONS
	case who == loggedInUser:
		return p11.CKS_RO_USER_FUNCTIONS
	case s.rw:
		return p11.CKS_RW_PUBLIC_SESSION
	default:
		return p11.CKS_RO_PUBLIC_SESSION
	}
}

// GetSessionValidationFlags returns the flags of the validations that the last
// operation of a session complied with: none. What Go's cryptographic module
// is validated for it does not tell for a single operation, and coffer itself
// has no validation (PKCS #11 v3.2, 4.16.3 and 5.6.12).
func (m *Module) GetSessionValidationFlags(h p11.SessionHandle, kind uint64) (p11.Flags, error) {
	if _, err := m.session(h); err != nil {
		return 0, err
	}
	if kind != p11.CKS_LAST_VALIDATION_OK {
		return 0, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "there are no session validation flags of type %d", kind)
	}
	return 0, nil
}

// SessionCancel ends the operations that flags name, CKF_ENCRYPT for an
// encryption and so on, and with CKF_FIND_OBJECTS the search. Naming what is
// idle is no error (PKCS #11 v3.2, 5.6.11).
func (m *Module) SessionCancel(h p11.SessionHandle, flags p11.Flags) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	for p := range s.ops {
		if flags&purposes[p].flag != 0 {
			s.ops[p].end()
		}
	}
	if flags&p11.CKF_FIND_OBJECTS != 0 {
		s.endSearch()
	}
	return nil
}
