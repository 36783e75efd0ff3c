package p11test

import (
	"errors"
	"slices"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store"
	"coffer/token"
)

// Flags of C_OpenSession.
const (
	RW = p11.CKF_SERIAL_SESSION | p11.CKF_RW_SESSION
	RO = p11.CKF_SERIAL_SESSION
)

// The PINs of the tokens that hosts make.
var (
	SOPIN   = []byte("87654321")
	UserPIN = []byte("2468")
)

// A Host is an application at an initialised token in slot 0 with a user PIN.
type Host struct {
	*testing.T
	Driver
	// Store is what the token lies in, nil where it cannot be reached.
	Store store.Backend

	open func(t *testing.T) Driver
}

// An Opener opens the application that a host is: each call after a Close
// finds the store as it was left.
type Opener func(t *testing.T) (open func(t *testing.T) Driver, st store.Backend)

// Each runs a case with each driver.
func Each(t *testing.T, f func(h *Host)) {
	t.Run("go", func(t *testing.T) { f(NewHost(t, GoModule)) })
	t.Run("c", func(t *testing.T) { f(NewHost(t, CLibrary)) })
}

// EachUnder runs a case with each driver under settings of its own, which have
// no policy but what config says.
func EachUnder(t *testing.T, config string, f func(h *Host)) {
	t.Run("go", func(t *testing.T) { f(NewHost(t, goModule(config))) })
	t.Run("c", func(t *testing.T) { f(NewHost(t, cLibrary(config))) })
}

// NewHost opens an application and initialises its token.
func NewHost(t *testing.T, opener Opener) *Host {
	t.Helper()
	open, st := opener(t)
	h := &Host{T: t, Store: st, open: open}
	h.Driver = open(t)
	t.Cleanup(func() { h.Driver.Close() })
	h.Must(h.InitToken(0, SOPIN, "conformance"))
	s := h.SO()
	h.Must(h.InitPIN(s, UserPIN))
	h.Must(h.CloseSession(s))
	return h
}

// Reopen is the next process: everything but the token is gone.
func (h *Host) Reopen() {
	h.Helper()
	h.Must(h.Close())
	h.Start()
}

// Start opens the application again after a Close.
func (h *Host) Start() {
	h.Helper()
	h.Driver = h.open(h.T)
}

// Case runs a subtest.
func (h *Host) Case(name string, f func(h *Host)) {
	h.Helper()
	h.T.Run(name, func(t *testing.T) {
		outer := h.T
		h.T = t
		defer func() { h.T = outer }()
		f(h)
	})
}

// Must ends the case unless err is nil.
func (h *Host) Must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// Want reports a code other than those allowed; the first is the one that the
// case is about.
func (h *Host) Want(err error, rvs ...p11.RV) {
	h.Helper()
	if !slices.Contains(rvs, p11.Code(err)) {
		h.Errorf("got %v (%v), want %v", p11.Code(err), err, rvs)
	}
}

// Session opens a session with the token in slot 0.
func (h *Host) Session(flags p11.Flags) p11.SessionHandle {
	h.Helper()
	s, err := h.OpenSession(0, flags)
	h.Must(err)
	return s
}

// User returns an R/W session with the user logged in.
func (h *Host) User() p11.SessionHandle {
	h.Helper()
	s := h.Session(RW)
	if err := h.Login(s, p11.CKU_USER, UserPIN); !errors.Is(err, p11.CKR_USER_ALREADY_LOGGED_IN) {
		h.Must(err)
	}
	return s
}

// SO returns an R/W session with the SO logged in.
func (h *Host) SO() p11.SessionHandle {
	h.Helper()
	s := h.Session(RW)
	h.Must(h.Login(s, p11.CKU_SO, SOPIN))
	return s
}

// Fresh closes all sessions: nobody is logged in, no session object is left.
func (h *Host) Fresh() {
	h.Helper()
	h.Must(h.CloseAllSessions(0))
}

// Idle ends every operation of a session.
func (h *Host) Idle(s p11.SessionHandle) {
	h.Helper()
	h.Must(h.SessionCancel(s, ^p11.Flags(0)))
}

// Find returns all objects that match a template.
func (h *Host) Find(s p11.SessionHandle, template ...attr.Value) []p11.ObjectHandle {
	h.Helper()
	h.Must(h.FindObjectsInit(s, template))
	var all []p11.ObjectHandle
	buf := make([]p11.ObjectHandle, 7)
	for {
		n, err := h.FindObjects(s, buf)
		h.Must(err)
		if n == 0 {
			break
		}
		all = append(all, buf[:n]...)
	}
	h.Must(h.FindObjectsFinal(s))
	return all
}

// Get reads one attribute.
func (h *Host) Get(s p11.SessionHandle, o p11.ObjectHandle, t p11.AttributeType) ([]byte, error) {
	q := []token.Query{{Type: t, Ask: true}}
	if err := h.GetAttributeValue(s, o, q); err != nil {
		return nil, err
	}
	q[0].Ask, q[0].Buf = false, make([]byte, q[0].N)
	err := h.GetAttributeValue(s, o, q)
	return q[0].Buf, err
}

// Read is Get where it cannot fail.
func (h *Host) Read(s p11.SessionHandle, o p11.ObjectHandle, t p11.AttributeType) []byte {
	h.Helper()
	b, err := h.Get(s, o, t)
	if err != nil {
		h.Fatalf("reading %v: %v", t, err)
	}
	return b
}

// ReadTrue reads a CK_BBOOL.
func (h *Host) ReadTrue(s p11.SessionHandle, o p11.ObjectHandle, t p11.AttributeType) bool {
	h.Helper()
	b := h.Read(s, o, t)
	if len(b) != 1 || b[0] > 1 {
		h.Fatalf("%v is %x, not a CK_BBOOL", t, b)
	}
	return b[0] == 1
}

// Output runs a call that has an output, with the two calls of the convention.
func (h *Host) Output(call func(out *p11.Out) error) []byte {
	h.Helper()
	b, err := Output(call)
	h.Must(err)
	return b
}

// Output runs a call that has an output, with the two calls of the convention.
func Output(call func(out *p11.Out) error) ([]byte, error) {
	var out p11.Out
	if err := call(&out); err != nil {
		return nil, err
	}
	out.Buf = make([]byte, out.N)
	if err := call(&out); err != nil {
		return nil, err
	}
	return out.Buf[:out.N], nil
}

// Create makes an object of the templates together.
func (h *Host) Create(s p11.SessionHandle, parts ...attr.Values) p11.ObjectHandle {
	h.Helper()
	o, err := h.CreateObject(s, Join(parts...))
	h.Must(err)
	return o
}

// AES generates an AES-256 key.
func (h *Host) AES(s p11.SessionHandle, parts ...attr.Values) p11.ObjectHandle {
	h.Helper()
	k, err := h.GenerateKey(s, Mech(p11.CKM_AES_KEY_GEN), Join(attr.Values{Length(32)}, Join(parts...)))
	h.Must(err)
	return k
}

// Pair generates a key pair on a curve.
func (h *Host) Pair(s p11.SessionHandle, m p11.MechanismType, curve attr.Value, public, private attr.Values) (pub, priv p11.ObjectHandle) {
	h.Helper()
	pub, priv, err := h.GenerateKeyPair(s, Mech(m), Join(attr.Values{curve}, public), private)
	h.Must(err)
	return pub, priv
}
