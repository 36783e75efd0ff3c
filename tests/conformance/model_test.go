package conformance

import (
	"fmt"
	"slices"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A model is what the standard says of sessions, login, objects and
// operations, small enough to be right by inspection. It predicts the code of
// each call before the call is made.
type model struct {
	*Host
	in       *choices
	user     p11.UserType // noLogin
	sessions map[p11.SessionHandle]*modelSession
	objects  []*modelObject // alive or not: handles of the dead are tried too
	named    int
	last     string // the call, for errors
}

type modelSession struct {
	rw  bool
	ops [3]modelOp // encryption, signature, digest
}

type modelOp struct {
	phase   state
	private bool // begun with a private key
}

type modelObject struct {
	label          string
	handle         p11.ObjectHandle // 0 while the application has none
	token, private bool
	key, hidden    bool
	sealed         bool // written by somebody who was logged in
	owner          p11.SessionHandle
	dead           bool
}

// choices are the bytes that a run is made of; at their end every choice is 0.
type choices struct{ rest []byte }

func (c *choices) next(n int) int {
	if len(c.rest) == 0 {
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return int(b) % n
}

func (c *choices) bool() bool { return c.next(2) == 1 }

// want checks a code against the prediction: one of the reasons to refuse, or
// CKR_OK if there is none.
func (m *model) want(err error, reasons ...p11.RV) bool {
	m.Helper()
	if len(reasons) == 0 {
		reasons = []p11.RV{ok}
	}
	if rv := p11.Code(err); !slices.Contains(reasons, rv) {
		m.Fatalf("%s: got %v (%v), want one of %v", m.last, rv, err, reasons)
	}
	return err == nil
}

// pick returns a session, now and then one that there is not.
func (m *model) pick() (p11.SessionHandle, *modelSession) {
	var all []p11.SessionHandle
	for h := range m.sessions {
		all = append(all, h)
	}
	slices.Sort(all)
	if len(all) == 0 || m.in.next(20) == 19 {
		return []p11.SessionHandle{0, 1 << 30, ^p11.SessionHandle(0)}[m.in.next(3)], nil
	}
	h := all[m.in.next(len(all))]
	return h, m.sessions[h]
}

// pickObject returns an object, now and then one whose handle is made up.
func (m *model) pickObject() *modelObject {
	if len(m.objects) == 0 || m.in.next(20) == 19 {
		return &modelObject{handle: []p11.ObjectHandle{0, 1 << 40, ^p11.ObjectHandle(0)}[m.in.next(3)], dead: true}
	}
	return m.objects[m.in.next(len(m.objects))]
}

func (m *model) sees(o *modelObject) bool {
	return !o.dead && o.handle != 0 && (!o.private || m.user == p11.CKU_USER)
}

// locked says that the object's secret cannot be had.
func (m *model) locked(o *modelObject) bool { return o.token && o.hidden && m.user == noLogin }

// place gives the reasons not to write an object to a place.
func (m *model) place(s *modelSession, token, private bool) (reasons []p11.RV) {
	if token && !s.rw {
		reasons = append(reasons, p11.CKR_SESSION_READ_ONLY)
	}
	if private && m.user != p11.CKU_USER {
		reasons = append(reasons, p11.CKR_USER_NOT_LOGGED_IN)
	}
	return reasons
}

func (m *model) kill(dies func(*modelObject) bool) {
	for _, o := range m.objects {
		if dies(o) {
			o.dead = true
		}
	}
}

// loggedOut is what a logout does to objects, handles and operations.
func (m *model) loggedOut() {
	m.user = noLogin
	for _, o := range m.objects {
		if o.private {
			o.dead = o.dead || !o.token
			o.handle = 0
		}
	}
	for _, s := range m.sessions {
		for i := range s.ops {
			if s.ops[i].private {
				s.ops[i] = modelOp{}
			}
		}
	}
}

func (m *model) step() {
	steps := []func(){
		m.openSession, m.closeSession, m.login, m.logout,
		m.create, m.create, m.create, m.destroy, m.set, m.copy, m.read, m.find, m.find,
		m.begin, m.begin, m.begin, m.proceed, m.proceed, m.proceed, m.proceed, m.proceed, m.digestKey, m.cancel,
		m.closeAll, m.random,
	}
	steps[m.in.next(len(steps))]()
}

func (m *model) openSession() {
	m.last = "C_OpenSession"
	flags, rw := RO, false
	if m.in.next(3) > 0 {
		flags, rw = RW, true
	}
	var reasons []p11.RV
	if !rw && m.user == p11.CKU_SO {
		reasons = append(reasons, p11.CKR_SESSION_READ_WRITE_SO_EXISTS)
	}
	h, err := m.OpenSession(0, flags)
	if m.want(err, reasons...) {
		if m.sessions[h] != nil {
			m.Fatalf("handle %d was given out twice", h)
		}
		m.sessions[h] = &modelSession{rw: rw}
	}
}

func (m *model) closeSession() {
	m.last = "C_CloseSession"
	h, s := m.pick()
	if m.in.next(3) > 0 && s != nil {
		return // keep some
	}
	if !m.want(m.CloseSession(h), m.session(s)...) {
		return
	}
	delete(m.sessions, h)
	m.kill(func(o *modelObject) bool { return o.owner == h && !o.token })
	if len(m.sessions) == 0 {
		m.loggedOut()
	}
}

func (m *model) session(s *modelSession) []p11.RV {
	if s == nil {
		return []p11.RV{p11.CKR_SESSION_HANDLE_INVALID}
	}
	return nil
}

func (m *model) closeAll() {
	m.last = "C_CloseAllSessions"
	if m.in.next(8) != 0 {
		return
	}
	m.want(m.CloseAllSessions(0))
	m.sessions = map[p11.SessionHandle]*modelSession{}
	m.kill(func(o *modelObject) bool { return !o.token })
	m.loggedOut()
}

func (m *model) login() {
	m.last = "C_Login"
	h, s := m.pick()
	user := []p11.UserType{p11.CKU_USER, p11.CKU_USER, p11.CKU_SO, p11.CKU_CONTEXT_SPECIFIC, 77}[m.in.next(5)]
	pin := map[p11.UserType][]byte{p11.CKU_USER: UserPIN, p11.CKU_SO: SOPIN}[user]
	wrongPIN := m.in.next(4) == 3 || pin == nil
	if wrongPIN {
		pin = []byte("wrong")
	}
	readOnly := false
	for _, s := range m.sessions {
		readOnly = readOnly || !s.rw
	}
	reasons := m.session(s)
	switch {
	case s == nil:
	case user == p11.CKU_CONTEXT_SPECIFIC:
		reasons = append(reasons, notInitialized)
	case user == 77:
		reasons = append(reasons, p11.CKR_USER_TYPE_INVALID)
	case m.user == user:
		reasons = append(reasons, p11.CKR_USER_ALREADY_LOGGED_IN)
	case m.user != noLogin:
		reasons = append(reasons, p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
	case user == p11.CKU_SO && readOnly:
		reasons = append(reasons, p11.CKR_SESSION_READ_ONLY_EXISTS)
	case wrongPIN:
		reasons = append(reasons, p11.CKR_PIN_INCORRECT)
	}
	if m.want(m.Login(h, user, pin), reasons...) {
		m.user = user
	}
}

func (m *model) logout() {
	m.last = "C_Logout"
	h, s := m.pick()
	if m.in.next(2) == 0 && s != nil {
		return
	}
	reasons := m.session(s)
	if s != nil && m.user == noLogin {
		reasons = append(reasons, p11.CKR_USER_NOT_LOGGED_IN)
	}
	if m.want(m.Logout(h), reasons...) {
		m.loggedOut()
	}
}

// modelSecret is the value of every hidden key.
var modelSecret = []byte("the value of every hidden key 32")

func (m *model) create() {
	m.last = "C_CreateObject"
	h, s := m.pick()
	m.named++
	o := &modelObject{label: fmt.Sprint("object ", m.named), token: m.in.bool(), private: m.in.bool(), key: m.in.next(3) > 0, owner: h}
	o.hidden = o.key && m.in.bool()
	template := Data(o.label)
	if o.key {
		template = Join(Secret(p11.CKK_AES, modelSecret), Yes(p11.CKA_ENCRYPT, p11.CKA_SIGN), attr.Values{Label(o.label)})
		if !o.hidden {
			template = Join(template, openly, attr.Values{Value(make([]byte, 32))})
		}
	}
	reasons := m.session(s)
	if s != nil {
		reasons = m.place(s, o.token, o.private)
		if m.locked(o) {
			reasons = append(reasons, p11.CKR_USER_NOT_LOGGED_IN)
		}
	}
	var err error
	o.handle, err = m.CreateObject(h, Join(template, place{token: o.token, private: o.private}.attributes()))
	if m.want(err, reasons...) {
		o.sealed = m.user != noLogin
		m.objects = append(m.objects, o)
	}
}

// object gives the reasons not to find an object.
func (m *model) object(s *modelSession, o *modelObject, invalid p11.RV) []p11.RV {
	switch {
	case s == nil:
		return []p11.RV{p11.CKR_SESSION_HANDLE_INVALID}
	case !m.sees(o):
		return []p11.RV{invalid}
	}
	return nil
}

func (m *model) destroy() {
	m.last = "C_DestroyObject"
	h, s := m.pick()
	o := m.pickObject()
	reasons := m.object(s, o, p11.CKR_OBJECT_HANDLE_INVALID)
	if reasons == nil {
		reasons = m.place(s, o.token, o.private)
	}
	if m.want(m.DestroyObject(h, o.handle), reasons...) {
		o.dead = true
	}
}

func (m *model) set() {
	m.last = "C_SetAttributeValue"
	h, s := m.pick()
	o := m.pickObject()
	reasons := m.object(s, o, p11.CKR_OBJECT_HANDLE_INVALID)
	if reasons == nil {
		reasons = m.place(s, o.token, o.private)
		if o.token && o.sealed && m.user == noLogin {
			reasons = append(reasons, p11.CKR_USER_NOT_LOGGED_IN)
		}
	}
	m.named++
	label := fmt.Sprint("object ", m.named)
	if m.want(m.SetAttributeValue(h, o.handle, attr.Values{Label(label)}), reasons...) {
		o.label, o.sealed = label, m.user != noLogin
	}
}

func (m *model) copy() {
	m.last = "C_CopyObject"
	h, s := m.pick()
	o := m.pickObject()
	m.named++
	c := *o
	c.label, c.token, c.private, c.owner = fmt.Sprint("object ", m.named), m.in.bool(), m.in.bool(), h
	reasons := m.object(s, o, p11.CKR_OBJECT_HANDLE_INVALID)
	if reasons == nil {
		reasons = m.place(s, c.token, c.private)
		if m.locked(o) || m.locked(&c) {
			reasons = append(reasons, p11.CKR_USER_NOT_LOGGED_IN)
		}
		if o.private && o.hidden && !c.private {
			reasons = append(reasons, p11.CKR_TEMPLATE_INCONSISTENT)
		}
	}
	handle, err := m.CopyObject(h, o.handle, Join(attr.Values{Label(c.label)}, place{token: c.token, private: c.private}.attributes()))
	if m.want(err, reasons...) {
		c.handle, c.sealed = handle, m.user != noLogin
		m.objects = append(m.objects, &c)
	}
}

func (m *model) read() {
	m.last = "C_GetAttributeValue"
	h, s := m.pick()
	o := m.pickObject()
	t := []p11.AttributeType{p11.CKA_LABEL, p11.CKA_VALUE, p11.CKA_TOKEN}[m.in.next(3)]
	reasons := m.object(s, o, p11.CKR_OBJECT_HANDLE_INVALID)
	if reasons == nil && t == p11.CKA_VALUE && o.hidden {
		reasons = append(reasons, p11.CKR_ATTRIBUTE_SENSITIVE)
	}
	b, err := m.Get(h, o.handle, t)
	if m.want(err, reasons...) && t == p11.CKA_LABEL && string(b) != o.label {
		m.Fatalf("the label is %q, want %q", b, o.label)
	}
}

// find looks at everything, compares it with what should be seen, and takes
// the handles of what has none.
func (m *model) find() {
	m.last = "C_FindObjects"
	h, s := m.pick()
	if s == nil {
		m.want(m.FindObjectsInit(h, nil), p11.CKR_SESSION_HANDLE_INVALID)
		return
	}
	got := map[string]p11.ObjectHandle{}
	for _, o := range append(m.Find(h, Class(p11.CKO_DATA)), m.Find(h, Class(p11.CKO_SECRET_KEY))...) {
		label := string(m.Read(h, o, p11.CKA_LABEL))
		if got[label] != 0 {
			m.Fatalf("%q is found twice", label)
		}
		got[label] = o
	}
	for _, o := range m.objects {
		sees := !o.dead && (!o.private || m.user == p11.CKU_USER)
		handle, found := got[o.label]
		if sees != found {
			m.Fatalf("%s: %+v is found: %v, want %v", m.last, *o, found, sees)
		}
		if sees && o.handle != 0 && o.handle != handle {
			m.Fatalf("%+v has another handle: %d", *o, handle)
		}
		if sees {
			o.handle = handle
		}
		delete(got, o.label)
	}
	if len(got) != 0 {
		m.Fatalf("found what should not be there: %v", got)
	}
}

func (m *model) random() {
	m.last = "C_GenerateRandom"
	h, s := m.pick()
	m.want(m.GenerateRandom(h, make([]byte, m.in.next(64))), m.session(s)...)
}

// run makes the calls that in says.
func (m *model) run(h *Host, in []byte) {
	m.Host, m.in = h, &choices{in}
	m.user, m.sessions = noLogin, map[p11.SessionHandle]*modelSession{}
	watch(h, modelSecret)
	for len(m.in.rest) > 0 {
		m.step()
	}
	m.in.rest = []byte{}
	m.find()
}
