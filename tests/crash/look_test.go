package crash

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/tests/p11test"
)

// What one who looks is told: the PINs that there may be, by name, and labels
// of changes of which it is not known whether they took place.
type lookArg struct {
	PINs   map[string][]string
	Labels []string
}

// A looker finds out what a store holds, in every way that there is to find it.
type looker struct {
	*child
	h     *p11test.Host
	arg   lookArg
	found state
}

// look says what there is, and fails if two ways of looking do not agree.
func look(c *child) {
	l := &looker{child: c, found: state{}}
	c.arg(&l.arg)
	l.h = c.open()
	slots, err := l.h.GetSlotList(true, true)
	l.h.Must(err)
	for _, slot := range slots {
		l.token(slot)
	}
	l.h.Must(l.h.Close())
	c.line(l.found)
}

func (l *looker) token(slot p11.SlotID) {
	info, err := l.h.GetTokenInfo(slot)
	l.h.Must(err)
	if info.Flags&p11.CKF_TOKEN_INITIALIZED == 0 {
		return
	}
	name := fmt.Sprintf("slot %d", slot)
	l.found[name] = info.Label
	l.pin(slot, p11.CKU_SO, name+" SO PIN")
	if info.Flags&p11.CKF_USER_PIN_INITIALIZED != 0 {
		l.pin(slot, p11.CKU_USER, name+" user PIN")
	}
}

// pin tries every PIN that there may be: exactly one has to open the token.
// What it opens is looked at.
func (l *looker) pin(slot p11.SlotID, user p11.UserType, name string) {
	var opened []string
	for _, pin := range l.arg.PINs[name] {
		s, err := l.h.OpenSession(slot, p11test.RW)
		l.h.Must(err)
		switch err := l.h.Login(s, user, []byte(pin)); p11.Code(err) {
		case p11.CKR_OK:
			opened = append(opened, pin)
			if len(opened) == 1 {
				l.objects(s, slot)
			}
		case p11.CKR_PIN_INCORRECT:
		default:
			l.Errorf("%s: %v", name, err)
		}
		l.h.Must(l.h.CloseSession(s))
	}
	if len(opened) != 1 {
		l.Errorf("%s: %q open the token, of %q", name, opened, l.arg.PINs[name])
		return
	}
	l.found[name] = opened[0]
}

// A sighting is an object as it was found.
type sighting struct {
	o     p11.ObjectHandle
	class p11.ObjectClass
	label string
	name  attr.Value
	id    []byte
}

func (l *looker) objects(s p11.SessionHandle, slot p11.SlotID) {
	halves := map[string]map[p11.ObjectClass]sighting{}
	labels := map[string][]p11.ObjectHandle{}
	for _, v := range l.arg.Labels {
		labels[v] = nil
	}
	for _, o := range l.h.Find(s, p11test.Yes(p11.CKA_TOKEN)...) {
		g := l.sight(s, o)
		labels[g.label] = append(labels[g.label], o)
		name := string(g.name.Raw)
		switch g.class {
		case p11.CKO_PROFILE:
		case p11.CKO_DATA:
			l.found[name] = describeData(g.label)
			if got := l.h.Read(s, o, p11.CKA_VALUE); !bytes.Equal(got, content(name)) {
				l.Errorf("%s has %d bytes that are not its own", name, len(got))
			}
		case p11.CKO_SECRET_KEY:
			proof, err := prove(l.h, s, o)
			l.h.Must(err)
			l.found[name] = "AES " + g.label + " " + proof
			if got := l.h.Read(s, o, p11.CKA_DERIVE); !bytes.Equal(got, derives(g.label).Raw) {
				l.Errorf("%s has the label %s and another one's CKA_DERIVE", name, g.label)
			}
		default:
			if halves[name] == nil {
				halves[name] = map[p11.ObjectClass]sighting{}
			}
			halves[name][g.class] = g
		}
	}
	for v, objects := range labels {
		if v == "" { // of profile objects
			continue
		}
		if got := l.h.Find(s, p11test.Label(v)); !equal(got, objects) {
			l.Errorf("slot %d: label %s: found %v, want %v", slot, v, got, objects)
		}
	}
	for name, both := range halves {
		l.found[name] = l.pair(s, both)
	}
}

// sight reads what an object is found by, and finds it by that.
func (l *looker) sight(s p11.SessionHandle, o p11.ObjectHandle) sighting {
	g := sighting{o: o, id: l.h.Read(s, o, p11.CKA_UNIQUE_ID)}
	class, _ := attr.Values{attr.NewBytes(p11.CKA_CLASS, l.h.Read(s, o, p11.CKA_CLASS))}.ULong(p11.CKA_CLASS)
	if g.class = p11.ObjectClass(class); g.class == p11.CKO_PROFILE {
		return g
	}
	g.label = string(l.h.Read(s, o, p11.CKA_LABEL))
	g.name = named(g.class, "")
	g.name.Raw = l.h.Read(s, o, g.name.Type)
	for _, template := range []attr.Values{
		{attr.NewBytes(p11.CKA_UNIQUE_ID, g.id)},
		{p11test.Class(g.class), g.name},
		{p11test.Class(g.class), g.name, p11test.Label(g.label), attr.NewBytes(p11.CKA_UNIQUE_ID, g.id)},
	} {
		if got := l.h.Find(s, template...); !equal(got, []p11.ObjectHandle{o}) {
			l.Errorf("%s: found %v by %v, want %v", g.name.Raw, got, template[0].Type, o)
		}
	}
	return g
}

// pair describes the halves of a pair, which have to belong to each other.
func (l *looker) pair(s p11.SessionHandle, both map[p11.ObjectClass]sighting) string {
	public, hasPublic := both[p11.CKO_PUBLIC_KEY]
	private, hasPrivate := both[p11.CKO_PRIVATE_KEY]
	if !hasPublic {
		return "private " + private.label
	}
	point := sha256.Sum256(l.h.Read(s, public.o, p11.CKA_EC_POINT))
	is := public.label + " " + hex.EncodeToString(point[:8])
	if !hasPrivate {
		return "public " + is
	}
	if public.label != private.label {
		return "halves of two pairs"
	}
	l.h.Must(l.h.SignInit(s, p11test.Mech(p11.CKM_ECDSA_SHA256), private.o))
	signature := l.h.Output(func(out *p11.Out) error { return l.h.Sign(s, []byte("proof"), out) })
	l.h.Must(l.h.VerifyInit(s, p11test.Mech(p11.CKM_ECDSA_SHA256), public.o))
	l.h.Must(l.h.Verify(s, []byte("proof"), signature))
	return "pair " + is
}

func equal(a, b []p11.ObjectHandle) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
