package conformance

import (
	"fmt"
	"slices"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

func TestSearches(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		// Every combination of place and label, and a key among data.
		made := map[string]p11.ObjectHandle{}
		for _, p := range places {
			for _, label := range []string{"a", "b"} {
				made[p.name+" "+label] = h.Create(s, attr.Values{Class(p11.CKO_DATA), Label(label), attr.NewString(p11.CKA_APPLICATION, p.name)}, p.attributes())
			}
		}
		key := h.AES(s, Yes(p11.CKA_TOKEN, p11.CKA_SENSITIVE), attr.Values{Label("a"), attr.NewBytes(p11.CKA_ID, []byte{1})})
		finds := func(want int, template ...attr.Value) {
			h.Helper()
			found := h.Find(s, template...)
			if len(found) != want {
				h.Errorf("%v finds %d objects, want %d", template, len(found), want)
			}
			for i, o := range found {
				if slices.Contains(found[:i], o) {
					h.Errorf("%v finds an object twice", template)
				}
			}
		}
		profiles := len(h.Find(s, Class(p11.CKO_PROFILE)))
		finds(9 + profiles)
		finds(8, Class(p11.CKO_DATA))
		finds(5, Label("a"))
		finds(4, Label("a"), Class(p11.CKO_DATA))
		finds(1, Label("a"), Class(p11.CKO_SECRET_KEY))
		finds(1, Type(p11.CKK_AES))
		finds(0, Type(p11.CKK_RSA))
		finds(1, attr.NewBytes(p11.CKA_ID, []byte{1}))
		finds(0, attr.NewBytes(p11.CKA_ID, []byte{1, 0}))
		finds(2, attr.NewString(p11.CKA_APPLICATION, places[3].name))
		finds(1, attr.NewString(p11.CKA_APPLICATION, places[3].name), Label("b"))
		finds(5, yesNo(p11.CKA_TOKEN, true))
		finds(4, yesNo(p11.CKA_TOKEN, false))
		finds(5, yesNo(p11.CKA_PRIVATE, true))
		finds(3, yesNo(p11.CKA_PRIVATE, true), yesNo(p11.CKA_TOKEN, true))
		finds(9, yesNo(p11.CKA_MODIFIABLE, true))
		finds(1, yesNo(p11.CKA_SENSITIVE, true))
		finds(0, Label("A"))
		finds(0, Label("a\x00"))
		finds(0, Label(""))
		finds(0, attr.NewBytes(p11.CKA_CLASS, []byte{0}))    // half a number
		finds(0, attr.NewBytes(0x3fffffff, []byte("x")))     // no such attribute
		finds(0, attr.NewBytes(p11.CKA_TOKEN, []byte{1, 1})) // no CK_BBOOL
		finds(0, Label("a"), Label("b"))                     // at once
		finds(5, Label("a"), Label("a"))                     // twice
		finds(0, Class(p11.CKO_DATA), Type(p11.CKK_AES))     // of no object
		finds(1, attr.Value{Type: p11.CKA_UNIQUE_ID, Raw: h.Read(s, key, p11.CKA_UNIQUE_ID)})
		finds(0, attr.Value{Type: p11.CKA_UNIQUE_ID, Raw: h.Read(s, key, p11.CKA_UNIQUE_ID)}, Label("b"))
		finds(0, attr.NewString(p11.CKA_UNIQUE_ID, "none"))
		h.Case("a change is found under the new value only", func(h *Host) {
			h.Must(h.SetAttributeValue(s, key, attr.Values{Label("c")}))
			finds(4, Label("a"))
			finds(1, Label("c"))
			h.Must(h.DestroyObject(s, key))
			finds(0, Label("c"))
		})
	})
}

func TestTheStatesOfASearch(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for i := range 10 {
			h.Create(s, Data(fmt.Sprint(i)), attr.Values{yesNo(p11.CKA_TOKEN, i%2 == 0)})
		}
		data := attr.Values{Class(p11.CKO_DATA)}
		next := func(n int) []p11.ObjectHandle {
			h.Helper()
			dst := make([]p11.ObjectHandle, n)
			got, err := h.FindObjects(s, dst)
			h.Must(err)
			return dst[:got]
		}
		h.Case("nothing without C_FindObjectsInit", func(h *Host) {
			_, err := h.FindObjects(s, make([]p11.ObjectHandle, 1))
			h.Want(err, notInitialized)
			h.Want(h.FindObjectsFinal(s), notInitialized)
		})
		h.Case("one search in a session", func(h *Host) {
			h.Must(h.FindObjectsInit(s, data))
			h.Want(h.FindObjectsInit(s, data), active)
			if n := len(next(100)); n != 10 {
				h.Errorf("%d objects, want 10", n)
			}
			h.Must(h.FindObjectsFinal(s))
			h.Want(h.FindObjectsFinal(s), notInitialized)
		})
		h.Case("one search in each session", func(h *Host) {
			other := h.Session(RO)
			h.Must(h.FindObjectsInit(s, data))
			if n := len(h.Find(other, data...)); n != 10 {
				h.Errorf("%d objects, want 10", n)
			}
			h.Must(h.FindObjectsFinal(s))
		})
		h.Case("in small helpings, and 0 as often as asked at the end", func(h *Host) {
			h.Must(h.FindObjectsInit(s, data))
			seen := map[p11.ObjectHandle]bool{}
			for _, want := range []int{3, 3, 3, 1, 0, 0} {
				got := next(3)
				if len(got) != want {
					h.Errorf("%d objects, want %d", len(got), want)
				}
				for _, o := range got {
					seen[o] = true
				}
			}
			if len(seen) != 10 {
				h.Errorf("%d different objects, want 10", len(seen))
			}
			h.Must(h.FindObjectsFinal(s))
		})
		h.Case("a helping of nothing takes nothing", func(h *Host) {
			h.Must(h.FindObjectsInit(s, data))
			if _, err := h.FindObjects(s, nil); err != nil {
				h.Want(err, p11.CKR_ARGUMENTS_BAD)
			}
			if n := len(next(100)); n != 10 {
				h.Errorf("%d objects, want 10", n)
			}
			h.Must(h.FindObjectsFinal(s))
		})
		h.Case("objects that are destroyed meanwhile do no harm", func(h *Host) {
			h.Must(h.FindObjectsInit(s, data))
			first := next(2)
			for _, o := range h.Find(h.Session(RW), data...) {
				h.Must(h.DestroyObject(s, o))
			}
			for _, o := range append(first, next(100)...) {
				_, err := h.Get(s, o, p11.CKA_LABEL)
				h.Want(err, p11.CKR_OBJECT_HANDLE_INVALID)
			}
			h.Must(h.FindObjectsFinal(s))
		})
		h.Case("a search does not outlive a logout with what the user saw", func(h *Host) {
			h.Create(s, Data("private"), Yes(p11.CKA_TOKEN, p11.CKA_PRIVATE))
			h.Must(h.FindObjectsInit(s, data))
			h.Must(h.Logout(s))
			dst := make([]p11.ObjectHandle, 10)
			n, err := h.FindObjects(s, dst)
			if err == nil && n != 0 {
				h.Errorf("%d objects after the logout", n)
			}
			h.Idle(s)
			h.Must(h.Login(s, p11.CKU_USER, UserPIN))
		})
		h.Case("attributes are read, keys are used during a search", func(h *Host) {
			k := h.AES(s)
			h.Must(h.FindObjectsInit(s, nil))
			h.Read(s, k, p11.CKA_LABEL)
			h.Must(h.EncryptInit(s, Mech(p11.CKM_AES_ECB), k))
			h.Output(func(out *p11.Out) error { return h.Encrypt(s, make([]byte, 16), out) })
			h.Must(h.FindObjectsFinal(s))
		})
	})
}
