package token

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"coffer/p11"
	"coffer/store"
	"coffer/token/seal"
)

// PIN lengths in bytes, for PINs that are set.
const (
	minPIN = 4
	maxPIN = 255
)

func checkPINLength(pin []byte) error {
	if len(pin) < minPIN || len(pin) > maxPIN {
		return p11.Errorf(p11.CKR_PIN_LEN_RANGE, "a PIN has %d to %d bytes, this one %d", minPIN, maxPIN, len(pin))
	}
	return nil
}

// failures returns how often the PIN was wrong since it was last right.
func (m *Module) failures(t *token, r seal.Role) (int, store.Rev, error) {
	kv, ok, err := m.get(failuresKey(t.id, r))
	if err != nil || !ok {
		return 0, 0, err
	}
	if len(kv.Value) != 4 {
		return 0, 0, p11.Errorf(p11.CKR_DEVICE_ERROR, "the PIN failure counter of the token in slot %d is damaged", t.slot)
	}
	return int(binary.BigEndian.Uint32(kv.Value)), kv.Mod, nil
}

// openPIN checks a PIN and returns the master key that it opens.
//
// The failure is counted, durably, before the PIN is looked at, and taken back
// when the PIN was right: whoever kills the process, or asks in a hundred
// processes at once, has used up as many tries. The delay comes from the
// number this try was given, so tries at the same time do not share one.
func (m *Module) openPIN(t *token, r seal.Role, pin []byte) (*seal.Master, error) {
	n, err := m.countFailure(t, r)
	if err != nil {
		return nil, err
	}
	if err := m.sleep(m.pinDelay(n - 1)); err != nil {
		return nil, err
	}
	kv, ok, err := m.get(pinKey(t.id, r))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "the token in slot %d has lost its %s PIN record", t.slot, r)
	}
	master, err := seal.OpenPIN(t.id, r, pin, kv.Value)
	if err != nil {
		return nil, m.ofToken(t, err)
	}
	if err := m.forgetFailures(t, r); err != nil {
		master.Wipe()
		return nil, err
	}
	return master, nil
}

// ofToken says which token it is that an error tells of.
func (m *Module) ofToken(t *token, err error) error {
	label := ""
	if kv, ok, _ := m.get(slotKey(t.slot)); ok {
		if rec, rerr := unmarshalToken(kv.Value); rerr == nil {
			label = fmt.Sprintf("%q ", rec.Label)
		}
	}
	cause := err
	var coded *p11.Error
	if errors.As(err, &coded) {
		cause = coded.Cause // the code is said once
	}
	return p11.Errorf(p11.Code(err), "the token %sin slot %d: %w", label, t.slot, cause)
}

// countFailure adds one to the failures and returns their number, this try's
// included.
func (m *Module) countFailure(t *token, r seal.Role) (int, error) {
	key := failuresKey(t.id, r)
	for {
		n, rev, err := m.failures(t, r)
		if err != nil {
			return 0, err
		}
		if limit := m.cfg.PINMaxFailures; limit > 0 && n >= limit {
			return 0, p11.Errorf(p11.CKR_PIN_LOCKED, "the %s PIN of the token in slot %d is locked after %d failures", r, t.slot, n)
		}
		n++
		res, err := m.txn(store.Txn{
			If:   []store.Cmp{{Key: key, Mod: rev}},
			Then: []store.Op{store.Put(key, binary.BigEndian.AppendUint32(nil, uint32(n)))},
		})
		if err != nil {
			return 0, err
		}
		if res.Done {
			return n, nil
		}
	}
}

func (m *Module) forgetFailures(t *token, r seal.Role) error {
	_, err := m.txn(store.Txn{Then: []store.Op{store.Delete(store.Key(failuresKey(t.id, r)))}})
	return err
}

// pinDelay is what a try costs after so many failures.
func (m *Module) pinDelay(failures int) time.Duration {
	if failures <= 0 || m.cfg.PINDelay <= 0 {
		return 0
	}
	d := m.cfg.PINDelay
	for range failures - 1 {
		if d *= 2; d >= m.cfg.PINMaxDelay {
			return m.cfg.PINMaxDelay
		}
	}
	return min(d, m.cfg.PINMaxDelay)
}

func (m *Module) sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-m.ctx.Done():
		return p11.CKR_CRYPTOKI_NOT_INITIALIZED
	}
}

// InitPIN sets the user PIN. The SO does it, in an R/W session, and that also
// unlocks the user (PKCS #11 v3.2, 5.5.8).
func (m *Module) InitPIN(h p11.SessionHandle, pin []byte) error {
	s, err := m.session(h)
	if err != nil {
		return err
	}
	t := s.token
	t.admin.Lock()
	defer t.admin.Unlock()
	master, who := t.login()
	if who != loggedInSO {
		return p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "only the SO can set the user PIN")
	}
	if err := checkPINLength(pin); err != nil {
		return err
	}
	return m.setPIN(t, seal.User, master, pin)
}

// setPIN wraps the master key under a PIN and clears its failures, together
// with the token's record, which another process may have changed since we
// read it.
func (m *Module) setPIN(t *token, r seal.Role, master *seal.Master, pin []byte) error {
	wrapped, err := master.WrapPIN(t.id, r, pin, m.cfg.Argon2)
	if err != nil {
		return err
	}
	kv, ok, err := m.get(slotKey(t.slot))
	if err != nil {
		return err
	}
	if !ok {
		return p11.Errorf(p11.CKR_DEVICE_REMOVED, "the token in slot %d was deleted", t.slot)
	}
	rec, err := unmarshalToken(kv.Value)
	if err != nil || rec.ID != t.id {
		return p11.Errorf(p11.CKR_DEVICE_REMOVED, "the token in slot %d was initialised again", t.slot)
	}
	if r == seal.User {
		rec.UserPIN = true
	}
	res, err := m.txn(store.Txn{
		If: []store.Cmp{{Key: slotKey(t.slot), Mod: kv.Mod}},
		Then: []store.Op{
			store.Put(slotKey(t.slot), rec.marshal()),
			store.Put(pinKey(t.id, r), wrapped),
			store.Delete(store.Key(failuresKey(t.id, r))),
		},
	})
	if err != nil {
		return err
	}
	if !res.Done {
		return p11.Errorf(p11.CKR_FUNCTION_FAILED, "setting the PIN: %w", errLostRace)
	}
	t.record.Store(rec)
	return nil
}

// SetPIN changes the PIN of whoever is logged in, or the user's if nobody is.
// The session must be R/W (PKCS #11 v3.2, 5.5.9).
func (m *Module) SetPIN(h p11.SessionHandle, old, pin []byte) error {
	s, err := m.session(h)
	if err != nil {
		return err
	}
	if !s.rw {
		return p11.CKR_SESSION_READ_ONLY
	}
	t := s.token
	t.admin.Lock()
	defer t.admin.Unlock()
	role := seal.User
	if _, who := t.login(); who == loggedInSO {
		role = seal.SO
	}
	if err := m.refresh(t); err != nil {
		return err
	}
	if role == seal.User && !t.record.Load().UserPIN {
		return p11.Errorf(p11.CKR_USER_PIN_NOT_INITIALIZED, "the SO has not set a user PIN yet")
	}
	if err := checkPINLength(pin); err != nil {
		return err
	}
	master, err := m.openPIN(t, role, old)
	if err != nil {
		return err
	}
	defer master.Wipe()
	return m.setPIN(t, role, master, pin)
}
