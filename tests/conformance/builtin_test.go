package conformance

import (
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

func TestMechanismObjects(t *testing.T) {
	EachUnder(t, "", func(h *Host) {
		s := h.Session(RO)
		class := Class(p11.CKO_MECHANISM)
		list, err := h.GetMechanismList(0)
		h.Must(err)
		if found := h.Find(s, class); len(found) != len(list) {
			h.Fatalf("%d mechanism objects for %d mechanisms", len(found), len(list))
		}
		one := func(m p11.MechanismType) []p11.ObjectHandle {
			return h.Find(s, class, attr.NewULong(p11.CKA_MECHANISM_TYPE, m))
		}
		seen := map[string]bool{}
		for _, m := range list {
			found := one(m)
			if len(found) != 1 {
				h.Fatalf("%d objects of %v, want 1", len(found), m)
			}
			if v := (attr.Value{Type: p11.CKA_MECHANISM_TYPE, Raw: h.Read(s, found[0], p11.CKA_MECHANISM_TYPE)}); !v.Equal(attr.NewULong(p11.CKA_MECHANISM_TYPE, m)) {
				h.Errorf("the object of %v is of %x", m, v.Raw)
			}
			seen[string(h.Read(s, found[0], p11.CKA_UNIQUE_ID))] = true
		}
		if len(seen) != len(list) {
			h.Errorf("%d unique identifiers for %d mechanisms", len(seen), len(list))
		}
		if len(one(p11.CKM_DES3_KEY_GEN)) != 0 { // by the default policy
			h.Error("there is an object of a mechanism that is not on the list")
		}
		for _, template := range [][]attr.Value{nil, {attr.NewULong(p11.CKA_MECHANISM_TYPE, p11.CKM_SHA256)}, {Class(p11.CKO_DATA)}} {
			for _, o := range h.Find(s, template...) {
				if v := (attr.Value{Type: p11.CKA_CLASS, Raw: h.Read(s, o, p11.CKA_CLASS)}); v.Equal(class) {
					h.Fatalf("a search for %v finds a mechanism object", template)
				}
			}
		}
		if found := h.Find(s, Class(p11.CKO_VALIDATION)); len(found) != 0 {
			h.Error("a validation is claimed")
		}
		s = h.User()
		o := one(p11.CKM_SHA256)[0]
		h.Want(h.DestroyObject(s, o), p11.CKR_ACTION_PROHIBITED)
		h.Want(h.SetAttributeValue(s, o, attr.Values{Label("mine")}), p11.CKR_ACTION_PROHIBITED)
		_, err = h.CopyObject(s, o, nil)
		h.Want(err, p11.CKR_ACTION_PROHIBITED)
		_, err = h.CreateObject(s, attr.Values{class, attr.NewULong(p11.CKA_MECHANISM_TYPE, p11.CKM_SHA256)})
		h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT)
	})
}
