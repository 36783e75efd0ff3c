package crash

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/tests/p11test"
)

// A servant does what it is told, line by line, and answers each line with the
// code that the library gave.
type servant struct {
	*child
	h        *p11test.Host
	sessions map[p11.SlotID]p11.SessionHandle
}

// orders are what a servant can be told. Labels and PINs are single words.
var orders map[string]func(v *servant, args []string) (string, error)

func init() {
	orders = map[string]func(*servant, []string) (string, error){
		"initialize": func(v *servant, a []string) (string, error) {
			d, err := p11test.OpenC(v.T, strings.Join(a, " "))
			if err == nil {
				v.h, v.sessions = &p11test.Host{T: v.T, Driver: d}, map[p11.SlotID]p11.SessionHandle{}
			}
			return "", err
		},
		"finalize": func(v *servant, _ []string) (string, error) { return "", v.h.Close() },
		"login": func(v *servant, a []string) (string, error) {
			s, err := v.session(slotOf(a[0]))
			if err != nil {
				return "", err
			}
			user := p11.CKU_USER
			if a[1] == "SO" {
				user = p11.CKU_SO
			}
			return "", v.h.Login(s, user, []byte(a[2]))
		},
		"close": func(v *servant, a []string) (string, error) {
			delete(v.sessions, slotOf(a[0]))
			return "", v.h.CloseAllSessions(slotOf(a[0]))
		},
		"data": func(v *servant, a []string) (string, error) {
			_, err := v.h.CreateObject(v.sessions[0], p11test.Join(p11test.Yes(p11.CKA_TOKEN, p11.CKA_PRIVATE), attr.Values{
				p11test.Class(p11.CKO_DATA), p11test.Label(a[0]), p11test.Value(content(a[0]))}))
			return "", err
		},
		"key": func(v *servant, a []string) (string, error) {
			_, err := v.h.CreateObject(v.sessions[0], p11test.Join(p11test.Yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT),
				p11test.Secret(p11.CKK_AES, keyOf(a[0])), attr.Values{p11test.Label(a[0])}))
			return "", err
		},
		"pair": func(v *servant, a []string) (string, error) {
			both := p11test.Join(p11test.Yes(p11.CKA_TOKEN), attr.Values{p11test.Label(a[0])})
			_, _, err := v.h.GenerateKeyPair(v.sessions[0], p11test.Mech(p11.CKM_EC_KEY_PAIR_GEN), p11test.Join(attr.Values{p11test.P256}, both), both)
			return "", err
		},
		"set": func(v *servant, a []string) (string, error) {
			return v.with(a[0], func(o p11.ObjectHandle) (string, error) {
				return "", v.h.SetAttributeValue(v.sessions[0], o, attr.Values{p11test.Label(a[1])})
			})
		},
		"destroy": func(v *servant, a []string) (string, error) {
			return v.with(a[0], func(o p11.ObjectHandle) (string, error) { return "", v.h.DestroyObject(v.sessions[0], o) })
		},
		"use": func(v *servant, a []string) (string, error) {
			return v.with(a[0], func(o p11.ObjectHandle) (string, error) { return v.use(o, a[0]) })
		},
		"setpin": func(v *servant, a []string) (string, error) {
			return "", v.h.SetPIN(v.sessions[slotOf(a[0])], []byte(a[1]), []byte(a[2]))
		},
		"initpin": func(v *servant, a []string) (string, error) {
			return "", v.h.InitPIN(v.sessions[slotOf(a[0])], []byte(a[1]))
		},
		"inittoken": func(v *servant, a []string) (string, error) {
			return "", v.h.InitToken(slotOf(a[0]), []byte(a[1]), a[2])
		},
	}
}

func slotOf(s string) p11.SlotID {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return p11.SlotID(n)
}

// obey does what it is told until there is nothing more.
func obey(c *child) {
	v := &servant{child: c}
	for c.in.Scan() {
		order := strings.Fields(c.in.Text())
		mark("begin " + order[0])
		text, err := orders[order[0]](v, order[1:])
		mark("end " + order[0])
		rv := p11.Code(err).String()
		if err != nil && err.Error() != rv { // the test's own, not the library's
			text = err.Error()
		}
		fmt.Fprintln(c.say, strings.TrimSpace(rv+" "+text))
	}
}

// mark leaves a mark in what strace records.
func mark(s string) { syscall.Write(-1, []byte(s)) }

// session opens the one session with a slot.
func (v *servant) session(slot p11.SlotID) (p11.SessionHandle, error) {
	if s, ok := v.sessions[slot]; ok {
		return s, nil
	}
	s, err := v.h.OpenSession(slot, p11test.RW)
	if err == nil {
		v.sessions[slot] = s
	}
	return s, err
}

// with does something with the one object that has a label.
func (v *servant) with(label string, do func(p11.ObjectHandle) (string, error)) (string, error) {
	s := v.sessions[0]
	if err := v.h.FindObjectsInit(s, attr.Values{p11test.Label(label)}); err != nil {
		return "", err
	}
	found := make([]p11.ObjectHandle, 3)
	n, err := v.h.FindObjects(s, found)
	if ferr := v.h.FindObjectsFinal(s); err == nil {
		err = ferr
	}
	switch {
	case err != nil:
		return "", err
	case n == 0:
		return "absent", nil
	case n > 1:
		return fmt.Sprintf("%d objects", n), nil
	}
	return do(found[0])
}

// use does with an object what it is for, and says whether it is right.
func (v *servant) use(o p11.ObjectHandle, label string) (string, error) {
	s := v.sessions[0]
	class, err := v.h.Get(s, o, p11.CKA_CLASS)
	if err != nil {
		return "", err
	}
	id, err := v.h.Get(s, o, p11.CKA_UNIQUE_ID)
	if err != nil {
		return "", err
	}
	is := "wrong"
	if n, _ := (attr.Values{attr.NewBytes(p11.CKA_CLASS, class)}).ULong(p11.CKA_CLASS); p11.ObjectClass(n) == p11.CKO_DATA {
		value, err := v.h.Get(s, o, p11.CKA_VALUE)
		if err != nil {
			return string(id), err
		}
		if bytes.Equal(value, content(label)) {
			is = "right"
		}
	} else {
		proof, err := prove(v.h, s, o)
		if err != nil {
			return string(id), err
		}
		if proof == proofOf(keyOf(label)) {
			is = "right"
		}
	}
	return is + " " + string(id), nil
}
