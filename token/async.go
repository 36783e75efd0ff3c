package token

import "coffer/p11"

// C_OpenSession opens no asynchronous session (CKR_SESSION_ASYNC_NOT_SUPPORTED),
// so no call is ever pending, and there is never one to complete, to name or
// to join (PKCS #11 v3.2, 5.21).

// AsyncComplete answers C_AsyncComplete.
func (m *Module) AsyncComplete(h p11.SessionHandle) error { return m.nothingPending(h) }

// AsyncGetID answers C_AsyncGetID.
func (m *Module) AsyncGetID(h p11.SessionHandle) error { return m.nothingPending(h) }

// AsyncJoin answers C_AsyncJoin: nobody was ever given an id.
func (m *Module) AsyncJoin(h p11.SessionHandle, id uint64) error {
	if _, err := m.session(h); err != nil {
		return err
	}
	return p11.Errorf(p11.CKR_SAVED_STATE_INVALID, "no asynchronous operation has the id %d", id)
}

func (m *Module) nothingPending(h p11.SessionHandle) error {
	if _, err := m.session(h); err != nil {
		return err
	}
	return p11.Errorf(p11.CKR_OPERATION_NOT_INITIALIZED, "the session is not asynchronous: no call is pending")
}
