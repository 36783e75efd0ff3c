package token

import (
	"context"
	"errors"
	"testing"
	"time"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store"
	"coffer/store/mem"
	"coffer/token/seal"
)

const (
	rw = p11.CKF_SERIAL_SESSION | p11.CKF_RW_SESSION
	ro = p11.CKF_SERIAL_SESSION
)

var (
	soPIN   = []byte("87654321")
	userPIN = []byte("2468")
	cheap   = seal.Argon2{MemoryKiB: 64, Time: 1, Threads: 1}
)

// kept is a store that outlives the modules over it, as a file does.
type kept struct{ store.Backend }

func (kept) Close() error { return nil }

// host is a module with an initialised token in slot 0 and a user PIN.
type host struct {
	*testing.T
	*Module
	st store.Backend
}

func newHost(t *testing.T, change ...func(*Config)) *host {
	t.Helper()
	h := &host{T: t, st: mem.New()}
	h.open(change...)
	h.must(h.InitToken(0, soPIN, "test"))
	s := h.session(rw)
	h.must(h.Login(s, p11.CKU_SO, soPIN))
	h.must(h.InitPIN(s, userPIN))
	h.must(h.CloseSession(s))
	return h
}

func (h *host) open(change ...func(*Config)) {
	h.Helper()
	cfg := Config{Store: kept{h.st}, Argon2: cheap}
	for _, c := range change {
		c(&cfg)
	}
	m, err := Open(cfg)
	h.must(err)
	h.Module = m
	h.Cleanup(func() { m.Close() })
}

// reopen is a second process's, or the next one's, view of the same store.
func (h *host) reopen(change ...func(*Config)) {
	h.Helper()
	h.must(h.Close())
	h.open(change...)
}

func (h *host) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *host) want(err error, rv p11.RV) {
	h.Helper()
	if p11.Code(err) != rv {
		h.Errorf("got %v, want %v", err, rv)
	}
}

func (h *host) session(flags p11.Flags) p11.SessionHandle {
	h.Helper()
	s, err := h.OpenSession(0, flags)
	h.must(err)
	return s
}

// user returns an R/W session with the user logged in.
func (h *host) user() p11.SessionHandle {
	h.Helper()
	s := h.session(rw)
	if err := h.Login(s, p11.CKU_USER, userPIN); err != nil && !errors.Is(err, p11.CKR_USER_ALREADY_LOGGED_IN) {
		h.Fatal(err)
	}
	return s
}

func yes(types ...p11.AttributeType) attr.Values {
	var vs attr.Values
	for _, t := range types {
		vs = append(vs, attr.NewBool(t, true))
	}
	return vs
}

func no(types ...p11.AttributeType) attr.Values {
	var vs attr.Values
	for _, t := range types {
		vs = append(vs, attr.NewBool(t, false))
	}
	return vs
}

func join(parts ...attr.Values) attr.Values {
	var vs attr.Values
	for _, p := range parts {
		vs = append(vs, p...)
	}
	return vs
}

func mechanism(t p11.MechanismType, p ...p11.Params) *p11.Mechanism {
	mm := &p11.Mechanism{Type: t}
	if len(p) > 0 {
		mm.Params = p[0]
	}
	return mm
}

// aes generates an AES-256 key.
func (h *host) aes(s p11.SessionHandle, more ...attr.Values) p11.ObjectHandle {
	h.Helper()
	t := join(attr.Values{attr.NewULong(p11.CKA_VALUE_LEN, 32)}, join(more...))
	k, err := h.GenerateKey(s, mechanism(p11.CKM_AES_KEY_GEN), t)
	h.must(err)
	return k
}

func (h *host) find(s p11.SessionHandle, template ...attr.Value) []p11.ObjectHandle {
	h.Helper()
	h.must(h.FindObjectsInit(s, template))
	var all []p11.ObjectHandle
	buf := make([]p11.ObjectHandle, 3)
	for {
		n, err := h.FindObjects(s, buf)
		h.must(err)
		if n == 0 {
			break
		}
		all = append(all, buf[:n]...)
	}
	h.must(h.FindObjectsFinal(s))
	return all
}

func TestASlotKeepsItsNumberForEver(t *testing.T) {
	h := &host{T: t, st: mem.New()}
	h.open()
	slots := func() []p11.SlotID {
		ids, err := h.GetSlotList(true, true)
		h.must(err)
		return ids
	}
	same := func(got []p11.SlotID, want ...p11.SlotID) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("slots %v, want %v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("slots %v, want %v", got, want)
			}
		}
	}
	same(slots(), 0)
	h.must(h.InitToken(0, soPIN, "a"))
	same(slots(), 0, 1)
	h.must(h.InitToken(1, soPIN, "b"))
	same(slots(), 0, 1, 2)
	h.want(h.DeleteToken(0, []byte("wrong")), p11.CKR_PIN_INCORRECT)
	h.must(h.DeleteToken(0, soPIN))
	same(slots(), 1, 2)
	h.must(h.InitToken(2, soPIN, "c"))
	h.reopen()
	same(slots(), 1, 2, 3)
	info, err := h.GetTokenInfo(2)
	h.must(err)
	if info.Label != "c" {
		t.Errorf("slot 2 holds %q, want c", info.Label)
	}
	h.want(h.InitToken(9, soPIN, "x"), p11.CKR_SLOT_ID_INVALID)
	page, err := h.st.Range(context.Background(), store.RangeRequest{Span: store.Prefix([]byte("p/"))})
	h.must(err)
	if page.Count != 2 {
		t.Errorf("%d PIN records, want those of the two tokens", page.Count)
	}
}

func TestTheListIsReadAnewOnlyWhenItsLengthIsAsked(t *testing.T) {
	h := newHost(t)
	other, err := Open(Config{Store: kept{h.st}, Argon2: cheap})
	h.must(err)
	defer other.Close()
	h.must(other.InitToken(1, soPIN, "elsewhere"))
	ids, err := h.GetSlotList(true, false)
	h.must(err)
	if len(ids) != 2 {
		t.Errorf("%d slots before the scan, want 2", len(ids))
	}
	ids, err = h.GetSlotList(true, true)
	h.must(err)
	if len(ids) != 3 {
		t.Errorf("%d slots after the scan, want 3", len(ids))
	}
	h.want(h.InitToken(1, []byte("not it"), "mine"), p11.CKR_PIN_INCORRECT)
}

func TestInitTokenDestroysWhatCanBeDestroyed(t *testing.T) {
	h := newHost(t)
	s := h.user()
	h.aes(s, yes(p11.CKA_TOKEN), attr.Values{attr.NewString(p11.CKA_LABEL, "goes")})
	h.aes(s, yes(p11.CKA_TOKEN), no(p11.CKA_DESTROYABLE), attr.Values{attr.NewString(p11.CKA_LABEL, "stays")})
	h.want(h.InitToken(0, soPIN, "again"), p11.CKR_SESSION_EXISTS)
	h.must(h.CloseSession(s))
	h.want(h.InitToken(0, []byte("wrong"), "again"), p11.CKR_PIN_INCORRECT)
	h.must(h.InitToken(0, soPIN, "again"))
	info, err := h.GetTokenInfo(0)
	h.must(err)
	if info.Label != "again" || info.Flags&p11.CKF_USER_PIN_INITIALIZED != 0 {
		t.Errorf("after the second initialisation: %+v", info)
	}
	s = h.session(rw)
	h.want(h.Login(s, p11.CKU_USER, userPIN), p11.CKR_USER_PIN_NOT_INITIALIZED)
	h.must(h.Login(s, p11.CKU_SO, soPIN))
	h.must(h.InitPIN(s, userPIN))
	h.must(h.Logout(s))
	h.must(h.Login(s, p11.CKU_USER, userPIN))
	if got := h.find(s, attr.NewString(p11.CKA_LABEL, "goes")); len(got) != 0 {
		t.Error("a destroyable object survived")
	}
	got := h.find(s, attr.NewString(p11.CKA_LABEL, "stays"))
	if len(got) != 1 {
		t.Fatal("an object that cannot be destroyed did not survive")
	}
	h.must(h.EncryptInit(s, mechanism(p11.CKM_AES_ECB), got[0]))
	page, err := h.st.Range(context.Background(), store.RangeRequest{Span: store.Prefix([]byte("o/"))})
	h.must(err)
	if page.Count != 1 {
		t.Errorf("%d records are left, want 1", page.Count)
	}
}

func TestPINFailuresAreCountedAndSlowTheNextTry(t *testing.T) {
	h := newHost(t, func(c *Config) { c.PINMaxFailures = 3 })
	s := h.session(rw)
	flags := func() p11.Flags {
		info, err := h.GetTokenInfo(0)
		h.must(err)
		return info.Flags & (p11.CKF_USER_PIN_COUNT_LOW | p11.CKF_USER_PIN_FINAL_TRY | p11.CKF_USER_PIN_LOCKED)
	}
	wrong := []byte("wrong")
	for i, want := range []p11.Flags{p11.CKF_USER_PIN_COUNT_LOW, p11.CKF_USER_PIN_COUNT_LOW | p11.CKF_USER_PIN_FINAL_TRY} {
		h.want(h.Login(s, p11.CKU_USER, wrong), p11.CKR_PIN_INCORRECT)
		if got := flags(); got != want {
			t.Errorf("flags after %d failures: %#x, want %#x", i+1, got, want)
		}
	}
	// The count is the token's, not the application's.
	h.reopen(func(c *Config) { c.PINMaxFailures = 3 })
	s = h.session(rw)
	h.want(h.SetPIN(s, wrong, []byte("new pin")), p11.CKR_PIN_INCORRECT)
	if got := flags(); got&p11.CKF_USER_PIN_LOCKED == 0 {
		t.Errorf("flags after 3 failures: %#x, want LOCKED", got)
	}
	h.want(h.Login(s, p11.CKU_USER, userPIN), p11.CKR_PIN_LOCKED)
	h.must(h.Login(s, p11.CKU_SO, soPIN))
	h.must(h.InitPIN(s, userPIN))
	h.must(h.Logout(s))
	h.must(h.Login(s, p11.CKU_USER, userPIN))
	if got := flags(); got != 0 {
		t.Errorf("flags after the SO unlocked the user: %#x", got)
	}
}

func TestPINDelayDoubles(t *testing.T) {
	m := &Module{cfg: Config{PINDelay: time.Second, PINMaxDelay: 5 * time.Second}}
	for failures, want := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		if got := m.pinDelay(failures); got != want {
			t.Errorf("after %d failures: %v, want %v", failures, got, want)
		}
	}
	if got := m.pinDelay(1 << 30); got != 5*time.Second {
		t.Errorf("after very many failures: %v", got)
	}
}

func TestTheLoginMatrix(t *testing.T) {
	h := newHost(t)
	state := func(s p11.SessionHandle, want p11.State) {
		t.Helper()
		info, err := h.GetSessionInfo(s)
		h.must(err)
		if info.State != want {
			t.Errorf("state %v, want %v", info.State, want)
		}
	}
	r, w := h.session(ro), h.session(rw)
	state(r, p11.CKS_RO_PUBLIC_SESSION)
	state(w, p11.CKS_RW_PUBLIC_SESSION)
	h.want(h.Logout(r), p11.CKR_USER_NOT_LOGGED_IN)
	h.want(h.Login(w, p11.CKU_SO, soPIN), p11.CKR_SESSION_READ_ONLY_EXISTS)
	h.want(h.Login(w, 77, soPIN), p11.CKR_USER_TYPE_INVALID)
	h.want(h.Login(w, p11.CKU_CONTEXT_SPECIFIC, userPIN), p11.CKR_OPERATION_NOT_INITIALIZED)
	h.must(h.Login(r, p11.CKU_USER, userPIN))
	state(r, p11.CKS_RO_USER_FUNCTIONS)
	state(w, p11.CKS_RW_USER_FUNCTIONS)
	h.want(h.Login(w, p11.CKU_USER, userPIN), p11.CKR_USER_ALREADY_LOGGED_IN)
	h.want(h.Login(w, p11.CKU_SO, soPIN), p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
	h.want(h.InitPIN(w, userPIN), p11.CKR_USER_NOT_LOGGED_IN)
	h.must(h.Logout(w))
	h.must(h.CloseSession(r))
	h.must(h.Login(w, p11.CKU_SO, soPIN))
	state(w, p11.CKS_RW_SO_FUNCTIONS)
	_, err := h.OpenSession(0, ro)
	h.want(err, p11.CKR_SESSION_READ_WRITE_SO_EXISTS)
	h.want(h.Login(w, p11.CKU_USER, userPIN), p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
	h.must(h.CloseSession(w))
	w = h.session(rw)
	state(w, p11.CKS_RW_PUBLIC_SESSION) // the last session took the login with it
	_, err = h.OpenSession(0, p11.CKF_RW_SESSION)
	h.want(err, p11.CKR_SESSION_PARALLEL_NOT_SUPPORTED)
	_, err = h.OpenSession(1, ro)
	h.want(err, p11.CKR_TOKEN_NOT_RECOGNIZED) // GnuTLS 3.7
	_, err = h.OpenSession(99, ro)
	h.want(err, p11.CKR_SLOT_ID_INVALID)
}

func TestSetPINChangesThePINAndNothingElse(t *testing.T) {
	h := newHost(t)
	s := h.user()
	h.aes(s, yes(p11.CKA_TOKEN))
	h.want(h.SetPIN(s, userPIN, []byte("123")), p11.CKR_PIN_LEN_RANGE)
	h.want(h.SetPIN(h.session(ro), userPIN, []byte("12345")), p11.CKR_SESSION_READ_ONLY)
	h.want(h.SetPIN(s, []byte("wrong"), []byte("12345")), p11.CKR_PIN_INCORRECT)
	h.must(h.SetPIN(s, userPIN, []byte("12345")))
	h.reopen()
	s = h.session(rw)
	h.want(h.Login(s, p11.CKU_USER, userPIN), p11.CKR_PIN_INCORRECT)
	h.must(h.Login(s, p11.CKU_USER, []byte("12345")))
	keys := h.find(s, attr.NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY))
	if len(keys) != 1 {
		t.Fatalf("%d keys, want 1", len(keys))
	}
	h.must(h.EncryptInit(s, mechanism(p11.CKM_AES_ECB), keys[0]))
}
