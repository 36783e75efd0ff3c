package conformance

import (
	"slices"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A place is where an object lies (PKCS #11 v3.2, 5.6, "Access to different
// types of objects by different types of sessions").
type place struct {
	name           string
	token, private bool
}

var places = []place{
	{"public session object", false, false},
	{"private session object", false, true},
	{"public token object", true, false},
	{"private token object", true, true},
}

func (p place) attributes() attr.Values {
	return attr.Values{attr.NewBool(p11.CKA_TOKEN, p.token), attr.NewBool(p11.CKA_PRIVATE, p.private)}
}

// A login is a session's state, and how to come to it with another session,
// the owner's, open all the time.
type login struct {
	name  string
	state p11.State
	rw    bool
	user  p11.UserType // noLogin: nobody
}

const noLogin = p11.UserType(99)

var logins = []login{
	{"R/O public", p11.CKS_RO_PUBLIC_SESSION, false, noLogin},
	{"R/W public", p11.CKS_RW_PUBLIC_SESSION, true, noLogin},
	{"R/O user", p11.CKS_RO_USER_FUNCTIONS, false, p11.CKU_USER},
	{"R/W user", p11.CKS_RW_USER_FUNCTIONS, true, p11.CKU_USER},
	{"R/W SO", p11.CKS_RW_SO_FUNCTIONS, true, p11.CKU_SO},
}

// sees and writes are the table of access.
func (l login) sees(p place) bool { return !p.private || l.user == p11.CKU_USER }
func (l login) writes(p place) bool {
	return l.sees(p) && (!p.token || l.rw)
}

// enter opens a session in state l beside the owner's, from whatever login
// there is.
func (l login) enter(h *Host, owner p11.SessionHandle) p11.SessionHandle {
	h.Helper()
	_ = h.Logout(owner)
	pin := UserPIN
	if l.user == p11.CKU_SO {
		pin = SOPIN
	}
	if l.user != noLogin {
		h.Must(h.Login(owner, l.user, pin))
	}
	flags := RO
	if l.rw {
		flags = RW
	}
	s := h.Session(flags)
	info, err := h.GetSessionInfo(s)
	h.Must(err)
	if info.State != l.state {
		h.Fatalf("the session's state is %v, want %v", info.State, l.state)
	}
	return s
}

// A deed is something to try with an object.
type deed struct {
	name string
	run  func(h *Host, s p11.SessionHandle, o p11.ObjectHandle, p place) error
	// want are the codes for a session that does not see the object, one that
	// sees it but may not write it, and one that may.
	invisible, readable, writable p11.RV
}

var deeds = []deed{
	{"read", func(h *Host, s p11.SessionHandle, o p11.ObjectHandle, _ place) error {
		_, err := h.Get(s, o, p11.CKA_VALUE)
		return err
	}, p11.CKR_OBJECT_HANDLE_INVALID, ok, ok},
	{"measure", func(h *Host, s p11.SessionHandle, o p11.ObjectHandle, _ place) error {
		_, err := h.GetObjectSize(s, o)
		return err
	}, p11.CKR_OBJECT_HANDLE_INVALID, ok, ok},
	{"use", func(h *Host, s p11.SessionHandle, o p11.ObjectHandle, _ place) error {
		return h.EncryptInit(s, Mech(p11.CKM_AES_ECB), o)
	}, p11.CKR_KEY_HANDLE_INVALID, ok, ok},
	{"copy to the same place", func(h *Host, s p11.SessionHandle, o p11.ObjectHandle, _ place) error {
		_, err := h.CopyObject(s, o, nil)
		return err
	}, p11.CKR_OBJECT_HANDLE_INVALID, p11.CKR_SESSION_READ_ONLY, ok},
	{"copy to a session object", func(h *Host, s p11.SessionHandle, o p11.ObjectHandle, _ place) error {
		_, err := h.CopyObject(s, o, No(p11.CKA_TOKEN))
		return err
	}, p11.CKR_OBJECT_HANDLE_INVALID, ok, ok},
	{"change", func(h *Host, s p11.SessionHandle, o p11.ObjectHandle, _ place) error {
		return h.SetAttributeValue(s, o, attr.Values{Label("changed")})
	}, p11.CKR_OBJECT_HANDLE_INVALID, p11.CKR_SESSION_READ_ONLY, ok},
	{"destroy", func(h *Host, s p11.SessionHandle, o p11.ObjectHandle, _ place) error {
		return h.DestroyObject(s, o)
	}, p11.CKR_OBJECT_HANDLE_INVALID, p11.CKR_SESSION_READ_ONLY, ok},
}

func TestAccessToObjects(t *testing.T) {
	Each(t, func(h *Host) {
		for _, p := range places {
			for _, l := range logins {
				h.Case(p.name+", "+l.name, func(h *Host) { checkAccess(h, p, l) })
			}
		}
	})
}

func checkAccess(h *Host, p place, l login) {
	h.Fresh()
	owner := h.User()
	open := Join(KeyOf(p11.CKK_AES).Own, p.attributes(), No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))
	keys := make([]p11.ObjectHandle, len(deeds))
	label := func(d deed) attr.Value { return Label(p.name + l.name + d.name) }
	for i, d := range deeds {
		keys[i] = h.Create(owner, open, attr.Values{label(d)})
	}
	s := l.enter(h, owner)
	for i, d := range deeds {
		// Of a private object the handle died with the owner's logout, and so did
		// the object, if it was a session's.
		switch {
		case p.private && p.token && l.sees(p):
			keys[i] = h.Find(s, label(d))[0]
		case p.private && l.sees(p):
			keys[i] = h.Create(owner, open)
		}
		want := d.writable
		switch {
		case !l.sees(p):
			want = d.invisible
		case !l.writes(p):
			want = d.readable
		case l.user == noLogin && p.token && d.name == "change":
			// Stricter than the table: what was written while somebody was logged
			// in is sealed, and cannot be sealed anew without the key.
			want = p11.CKR_USER_NOT_LOGGED_IN
		}
		if got := p11.Code(d.run(h, s, keys[i], p)); got != want {
			h.Errorf("%s: got %v, want %v", d.name, got, want)
		}
		h.Idle(s)
	}
}

func TestWhereSessionsMayCreate(t *testing.T) {
	Each(t, func(h *Host) {
		for _, p := range places {
			for _, l := range logins {
				h.Case(p.name+", "+l.name, func(h *Host) {
					h.Fresh()
					owner := h.Session(RW)
					s := l.enter(h, owner)
					want := []p11.RV{ok}
					switch {
					case p.private && l.user != p11.CKU_USER && p.token && !l.rw:
						want = []p11.RV{p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_SESSION_READ_ONLY}
					case p.private && l.user != p11.CKU_USER:
						want = []p11.RV{p11.CKR_USER_NOT_LOGGED_IN}
					case p.token && !l.rw:
						want = []p11.RV{p11.CKR_SESSION_READ_ONLY}
					}
					open := No(p11.CKA_SENSITIVE)
					extractable := Yes(p11.CKA_EXTRACTABLE)
					_, err := h.CreateObject(s, Join(KeyOf(p11.CKK_AES).Own, p.attributes(), open, extractable))
					h.Want(err, want...)
					_, err = h.CreateObject(s, Join(Data("d"), p.attributes()))
					h.Want(err, want...)
					_, err = h.GenerateKey(s, Mech(p11.CKM_AES_KEY_GEN), Join(attr.Values{Length(16)}, p.attributes(), open, extractable))
					h.Want(err, want...)
					_, _, err = h.GenerateKeyPair(s, Mech(p11.CKM_EC_KEY_PAIR_GEN), Join(attr.Values{P256}, No(p11.CKA_PRIVATE, p11.CKA_TOKEN)), Join(p.attributes(), open, extractable))
					h.Want(err, want...)
					if err == nil {
						return
					}
					if n := len(h.Find(s, Class(p11.CKO_PUBLIC_KEY))); n != 0 {
						h.Errorf("a pair was refused, and %d halves of it are there", n)
					}
				})
			}
		}
	})
}

func TestASensitivePublicTokenKeyIsUsableOnlyWhenLoggedIn(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		k := h.AES(s, Yes(p11.CKA_TOKEN, p11.CKA_SENSITIVE, p11.CKA_ENCRYPT), No(p11.CKA_PRIVATE))
		h.Must(h.EncryptInit(s, Mech(p11.CKM_AES_ECB), k))
		h.Idle(s)
		h.Must(h.Logout(s))
		h.Want(h.EncryptInit(s, Mech(p11.CKM_AES_ECB), k), p11.CKR_USER_NOT_LOGGED_IN)
		h.Reopen()
		s = h.Session(RW)
		found := h.Find(s, Class(p11.CKO_SECRET_KEY))
		if len(found) != 1 {
			h.Fatalf("%d keys, want 1", len(found))
		}
		h.Want(h.EncryptInit(s, Mech(p11.CKM_AES_ECB), found[0]), p11.CKR_USER_NOT_LOGGED_IN)
		h.Must(h.Login(s, p11.CKU_USER, UserPIN))
		h.Must(h.EncryptInit(s, Mech(p11.CKM_AES_ECB), found[0]))
	})
}

func TestAnObjectWrittenInPublicCanBeChangedInPublic(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.Session(RW)
		o := h.Create(s, Data("public"), Yes(p11.CKA_TOKEN))
		h.Must(h.SetAttributeValue(s, o, attr.Values{Label("changed")}))
		h.Reopen()
		s = h.Session(RW)
		if n := len(h.Find(s, Label("changed"))); n != 1 {
			h.Errorf("%d objects, want 1", n)
		}
		if n := len(h.Find(s, Label("public"))); n != 0 {
			h.Errorf("the old label finds %d objects", n)
		}
	})
}

func TestSearchesShowWhatTheSessionSees(t *testing.T) {
	Each(t, func(h *Host) {
		owner := h.User()
		for _, p := range places[2:] {
			h.Create(owner, Data(p.name), p.attributes())
		}
		for _, l := range logins {
			h.Case(l.name, func(h *Host) {
				h.Fresh()
				owner := h.Session(RW)
				s := l.enter(h, owner)
				for _, p := range places {
					if !p.token {
						if l.sees(p) {
							h.Create(s, Data(p.name), p.attributes())
						}
					}
					for _, template := range []attr.Values{
						{Label(p.name)}, Join(attr.Values{Label(p.name)}, p.attributes()), {Class(p11.CKO_DATA), Label(p.name)},
						{attr.NewBytes(p11.CKA_VALUE, []byte("data of "+p.name))},
					} {
						found := h.Find(s, template...)
						if want := l.sees(p); (len(found) == 1) != want || len(found) > 1 {
							h.Errorf("%s: %d found by %v, want it seen: %v", p.name, len(found), template, want)
						}
					}
				}
			})
		}
	})
}

func TestHandles(t *testing.T) {
	Each(t, func(h *Host) {
		a := h.User()
		b := h.User()
		h.Case("a private token object's handle dies with the logout and never comes back", func(h *Host) {
			k := h.AES(a, Yes(p11.CKA_TOKEN))
			h.Must(h.Logout(a))
			_, err := h.Get(a, k, p11.CKA_LABEL)
			h.Want(err, p11.CKR_OBJECT_HANDLE_INVALID)
			h.Must(h.Login(a, p11.CKU_USER, UserPIN))
			_, err = h.Get(a, k, p11.CKA_LABEL)
			h.Want(err, p11.CKR_OBJECT_HANDLE_INVALID)
			if slices.Contains(h.Find(a), k) {
				h.Error("the handle was given out again")
			}
		})
		h.Case("a private session object is destroyed by the logout", func(h *Host) {
			h.Create(a, Data("gone"), Yes(p11.CKA_PRIVATE))
			h.Must(h.Logout(a))
			h.Must(h.Login(a, p11.CKU_USER, UserPIN))
			if n := len(h.Find(a, Label("gone"))); n != 0 {
				h.Errorf("%d are left", n)
			}
		})
		h.Case("a session object is every session's until the one that made it closes", func(h *Host) {
			maker := h.Session(RO)
			o := h.Create(maker, Data("shared"))
			h.Read(b, o, p11.CKA_LABEL)
			h.Must(h.SetAttributeValue(b, o, attr.Values{Label("by another session")}))
			h.Must(h.CloseSession(maker))
			_, err := h.Get(b, o, p11.CKA_LABEL)
			h.Want(err, p11.CKR_OBJECT_HANDLE_INVALID)
		})
		h.Case("a token object stays when the session that made it closes", func(h *Host) {
			maker := h.Session(RW)
			o := h.Create(maker, Data("kept"), Yes(p11.CKA_TOKEN))
			h.Must(h.CloseSession(maker))
			h.Read(b, o, p11.CKA_LABEL)
		})
		h.Case("the last session closed is a logout", func(h *Host) {
			h.Fresh()
			s := h.Session(RW)
			info, err := h.GetSessionInfo(s)
			h.Must(err)
			if info.State != p11.CKS_RW_PUBLIC_SESSION {
				h.Errorf("the state is %v", info.State)
			}
		})
		h.Case("an object of one token is not there for a session of another", func(h *Host) {
			h.Must(h.InitToken(1, SOPIN, "other"))
			s := h.Session(RW)
			o := h.Create(s, Data("here"), Yes(p11.CKA_TOKEN))
			other, err := h.OpenSession(1, RW)
			h.Must(err)
			_, err = h.Get(other, o, p11.CKA_LABEL)
			h.Want(err, p11.CKR_OBJECT_HANDLE_INVALID)
			h.Want(h.DestroyObject(other, o), p11.CKR_OBJECT_HANDLE_INVALID)
			_, err = h.CopyObject(other, o, nil)
			h.Want(err, p11.CKR_OBJECT_HANDLE_INVALID)
			h.Must(h.CloseAllSessions(1))
		})
	})
}
