package token

import (
	"errors"

	"coffer/p11"
	"coffer/token/seal"
)

// login returns the master key and who is logged in. The key may be wiped by
// a logout at any time; it then fails, it does not mislead.
func (t *token) login() (*seal.Master, loginState) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.master, t.user
}

// clearLogin logs out. The caller holds t.mu, drops the private entries and
// forgets what is keyed.
func (t *token) clearLogin() {
	if t.master != nil {
		t.master.Wipe()
		t.master = nil
	}
	t.user = loggedOut
}

// Login logs the user or the SO in, for all sessions of this application with
// the token (PKCS #11 v3.2, 5.6.8). CKU_CONTEXT_SPECIFIC authorises the
// operation that a key with CKA_ALWAYS_AUTHENTICATE has just begun in this
// session.
func (m *Module) Login(h p11.SessionHandle, user p11.UserType, pin []byte) error {
	s, err := m.session(h)
	if err != nil {
		return err
	}
	if pin == nil {
		return p11.Errorf(p11.CKR_ARGUMENTS_BAD, "the PIN is NULL, and the token has no PIN pad")
	}
	t := s.token
	t.admin.Lock()
	defer t.admin.Unlock()
	switch user {
	case p11.CKU_CONTEXT_SPECIFIC:
		return m.loginContext(s, pin)
	case p11.CKU_USER:
		return m.loginAs(t, loggedInUser, pin)
	case p11.CKU_SO:
		return m.loginAs(t, loggedInSO, pin)
	default:
		return p11.Errorf(p11.CKR_USER_TYPE_INVALID, "there is no user type %d", uint64(user))
	}
}

// LoginUser is Login with the name of a user (PKCS #11 v3.2, 5.6.9). A token
// has one user and one SO, without names: who gives none is logged in as by
// C_Login, and a name is refused before the PIN is looked at.
func (m *Module) LoginUser(h p11.SessionHandle, user p11.UserType, pin, name []byte) error {
	if len(name) == 0 {
		return m.Login(h, user, pin)
	}
	if _, err := m.session(h); err != nil {
		return err
	}
	return p11.Errorf(p11.CKR_ARGUMENTS_BAD, "the token's users have no names")
}

func (m *Module) loginAs(t *token, who loginState, pin []byte) error {
	role := seal.User
	if who == loggedInSO {
		role = seal.SO
	}
	if err := t.mayLogin(who); err != nil {
		return err
	}
	if err := m.refresh(t); err != nil {
		return err
	}
	if who == loggedInUser && !t.record.Load().UserPIN {
		return p11.Errorf(p11.CKR_USER_PIN_NOT_INITIALIZED, "the SO has not set a user PIN yet")
	}
	master, err := m.openPIN(t, role, pin)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// An R/O session may have been opened, or the last one closed, while the
	// PIN was checked.
	if who == loggedInSO && t.readOnly > 0 {
		master.Wipe()
		return p11.CKR_SESSION_READ_ONLY_EXISTS
	}
	if len(t.sessions) == 0 || t.gone {
		master.Wipe()
		return p11.CKR_SESSION_HANDLE_INVALID
	}
	t.user, t.master = who, master
	// What was read of public objects without the key was not checked.
	m.forget(t, unverified)
	return nil
}

func (t *token) mayLogin(who loginState) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch {
	case t.user == who:
		return p11.CKR_USER_ALREADY_LOGGED_IN
	case t.user != loggedOut:
		return p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN
	case who == loggedInSO && t.readOnly > 0:
		return p11.CKR_SESSION_READ_ONLY_EXISTS
	}
	return nil
}

// refresh reads the token's record anew: another process may have set the
// user PIN.
func (m *Module) refresh(t *token) error {
	kv, ok, err := m.get(slotKey(t.slot))
	if err != nil {
		return err
	}
	if ok {
		rec, err := unmarshalToken(kv.Value)
		if err != nil {
			return err
		}
		if rec.ID == t.id {
			t.record.Store(rec)
			return nil
		}
	}
	return p11.Errorf(p11.CKR_DEVICE_REMOVED, "the token in slot %d was deleted or initialised again", t.slot)
}

func (m *Module) loginContext(s *session, pin []byte) error {
	waiting := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range s.ops {
			if s.ops[i].needsLogin {
				return true
			}
		}
		return false
	}
	if _, who := s.token.login(); who != loggedInUser || !waiting() {
		return p11.Errorf(p11.CKR_OPERATION_NOT_INITIALIZED, "no operation of the session waits for CKU_CONTEXT_SPECIFIC")
	}
	master, err := m.openPIN(s.token, seal.User, pin)
	if errors.Is(err, p11.CKR_PIN_LOCKED) {
		m.logout(s.token)
	}
	if err != nil {
		return err
	}
	master.Wipe()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.ops {
		s.ops[i].needsLogin = false
	}
	return nil
}

// Logout logs whoever is logged in out. Handles of private objects die,
// private session objects are destroyed, operations with private keys end
// (PKCS #11 v3.2, 5.6.10).
func (m *Module) Logout(h p11.SessionHandle) error {
	s, err := m.session(h)
	if err != nil {
		return err
	}
	t := s.token
	t.admin.Lock()
	defer t.admin.Unlock()
	if _, who := t.login(); who == loggedOut {
		return p11.CKR_USER_NOT_LOGGED_IN
	}
	m.logout(t)
	return nil
}

func (m *Module) logout(t *token) {
	t.mu.Lock()
	t.clearLogin()
	sessions := make([]*session, 0, len(t.sessions))
	for _, s := range t.sessions {
		sessions = append(sessions, s)
	}
	t.mu.Unlock()
	m.dropEntries(t, func(e *entry) bool { return e.private })
	m.forget(t, keyed)
	for _, s := range sessions {
		s.mu.Lock()
		for i := range s.ops {
			if s.ops[i].private {
				s.ops[i].end()
			}
		}
		s.endSearch() // it may be about to return private objects
		s.mu.Unlock()
	}
}
