package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

const readOnly = p11.CKR_ATTRIBUTE_READ_ONLY

// A change is an attribute that a template gives, and what becomes of it in
// C_SetAttributeValue and in C_CopyObject.
type change struct {
	v         attr.Value
	set, copy p11.RV
}

func yesNo(t p11.AttributeType, b bool) attr.Value { return attr.NewBool(t, b) }

// changes are what may be done to a secret key that is modifiable, not
// sensitive and extractable (PKCS #11 v3.2, 4.1.2, 4.1.3 and the tables of
// the class).
var changes = []change{
	{Label("new"), ok, ok},
	{attr.NewBytes(p11.CKA_ID, []byte{1, 2}), ok, ok},
	{attr.NewString(p11.CKA_START_DATE, "20260101"), ok, ok},
	{attr.NewString(p11.CKA_END_DATE, "20991231"), ok, ok},
	{yesNo(p11.CKA_ENCRYPT, false), ok, ok},
	{yesNo(p11.CKA_DERIVE, true), ok, ok},
	{yesNo(p11.CKA_SENSITIVE, true), ok, ok},
	{yesNo(p11.CKA_EXTRACTABLE, false), ok, ok},
	{yesNo(p11.CKA_WRAP_WITH_TRUSTED, true), ok, ok},
	{yesNo(p11.CKA_COPYABLE, false), ok, ok},
	{attr.NewBytes(p11.CKA_CHECK_VALUE, nil), ok, ok},

	{yesNo(p11.CKA_TOKEN, true), readOnly, ok},
	{yesNo(p11.CKA_PRIVATE, false), readOnly, ok},
	{yesNo(p11.CKA_MODIFIABLE, false), readOnly, ok},
	{yesNo(p11.CKA_DESTROYABLE, false), readOnly, ok},

	{Class(p11.CKO_DATA), readOnly, readOnly},
	{Type(p11.CKK_GENERIC_SECRET), readOnly, readOnly},
	{Value(make([]byte, 16)), readOnly, readOnly},
	{Length(24), readOnly, readOnly},
	{yesNo(p11.CKA_LOCAL, true), readOnly, readOnly},
	{yesNo(p11.CKA_ALWAYS_SENSITIVE, true), readOnly, readOnly},
	{yesNo(p11.CKA_NEVER_EXTRACTABLE, true), readOnly, readOnly},
	{attr.NewULong(p11.CKA_KEY_GEN_MECHANISM, 1), readOnly, readOnly},
	{attr.NewBytes(p11.CKA_ALLOWED_MECHANISMS, make([]byte, 8)), readOnly, readOnly},
	{attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, nil), readOnly, readOnly},
	{attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, nil), readOnly, readOnly},
	{attr.NewTemplate(p11.CKA_DERIVE_TEMPLATE, nil), readOnly, readOnly},
	{yesNo(p11.CKA_TRUSTED, true), readOnly, readOnly},
	{attr.NewString(p11.CKA_UNIQUE_ID, "mine"), readOnly, readOnly},
	{attr.NewBytes(p11.CKA_CHECK_VALUE, []byte{1, 2, 3}), readOnly, readOnly},

	{attr.NewBytes(p11.CKA_MODULUS, []byte{1}), p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_TEMPLATE_INCONSISTENT},
	{attr.NewBytes(p11.CKA_LABEL, []byte{0xff, 0}), ok, ok}, // some clients' labels are not UTF-8
	{attr.NewBytes(p11.CKA_ENCRYPT, nil), p11.CKR_ATTRIBUTE_VALUE_INVALID, p11.CKR_ATTRIBUTE_VALUE_INVALID},
	{attr.NewString(p11.CKA_START_DATE, "tomorrow"), p11.CKR_ATTRIBUTE_VALUE_INVALID, p11.CKR_ATTRIBUTE_VALUE_INVALID},
	{attr.NewBytes(0x3fffffff, nil), p11.CKR_ATTRIBUTE_TYPE_INVALID, p11.CKR_ATTRIBUTE_TYPE_INVALID},
}

func TestChangesBySetAndByCopy(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		own := KeyOf(p11.CKK_AES).Own
		open := Join(Yes(p11.CKA_EXTRACTABLE), No(p11.CKA_SENSITIVE), attr.Values{Label("old")})
		for _, c := range changes {
			h.Case(c.v.Type.String(), func(h *Host) {
				o := h.Create(s, own, open)
				// A second, good change in the template is all or nothing.
				other := attr.NewBytes(p11.CKA_ID, []byte("id"))
				if c.v.Type == p11.CKA_ID {
					other = Label("new")
				}
				h.Want(h.SetAttributeValue(s, o, attr.Values{other, c.v}), c.set)
				changed := bytes.Equal(h.Read(s, o, other.Type), other.Raw)
				if changed != (c.set == ok) {
					h.Errorf("C_SetAttributeValue answers %v, and the other attribute was changed: %v", c.set, changed)
				}
				o = h.Create(s, own, open)
				copied, err := h.CopyObject(s, o, attr.Values{other, c.v})
				h.Want(err, c.copy)
				if err != nil {
					return
				}
				if c.v.Type != p11.CKA_CHECK_VALUE && !bytes.Equal(h.Read(s, copied, c.v.Type), c.v.Raw) {
					h.Error("the copy has another value")
				}
				if bytes.Equal(h.Read(s, o, other.Type), other.Raw) {
					h.Error("the source was changed")
				}
			})
		}
	})
}

func TestOneWayAttributes(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for _, k := range Keys() {
			h.Case(k.Name, func(h *Host) {
				o := h.Create(s, k.Own, Yes(p11.CKA_SENSITIVE, p11.CKA_WRAP_WITH_TRUSTED), No(p11.CKA_EXTRACTABLE))
				for _, v := range []attr.Value{
					yesNo(p11.CKA_SENSITIVE, false), yesNo(p11.CKA_EXTRACTABLE, true), yesNo(p11.CKA_WRAP_WITH_TRUSTED, false),
				} {
					h.Want(h.SetAttributeValue(s, o, attr.Values{v}), readOnly)
					_, err := h.CopyObject(s, o, attr.Values{v})
					h.Want(err, readOnly)
				}
				// The value that it has already is no change.
				h.Must(h.SetAttributeValue(s, o, Join(Yes(p11.CKA_SENSITIVE, p11.CKA_WRAP_WITH_TRUSTED), No(p11.CKA_EXTRACTABLE))))
				h.Must(h.SetAttributeValue(s, o, No(p11.CKA_COPYABLE)))
				h.Want(h.SetAttributeValue(s, o, Yes(p11.CKA_COPYABLE)), readOnly)
			})
		}
	})
}

func TestModifiableCopyableDestroyable(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for _, place := range []attr.Values{No(p11.CKA_TOKEN), Yes(p11.CKA_TOKEN)} {
			o := h.Create(s, Data("fixed"), place, No(p11.CKA_MODIFIABLE))
			h.Want(h.SetAttributeValue(s, o, attr.Values{Label("x")}), p11.CKR_ACTION_PROHIBITED)
			c, err := h.CopyObject(s, o, Join(attr.Values{Label("changed in the copy")}, Yes(p11.CKA_MODIFIABLE)))
			h.Must(err)
			h.Must(h.SetAttributeValue(s, c, attr.Values{Label("and again")}))
			h.Must(h.DestroyObject(s, o))

			o = h.Create(s, Data("once"), place, No(p11.CKA_COPYABLE))
			_, err = h.CopyObject(s, o, nil)
			h.Want(err, p11.CKR_ACTION_PROHIBITED)
			_, err = h.CopyObject(s, o, Yes(p11.CKA_COPYABLE))
			h.Want(err, p11.CKR_ACTION_PROHIBITED)

			o = h.Create(s, Data("for ever"), place, No(p11.CKA_DESTROYABLE))
			h.Want(h.DestroyObject(s, o), p11.CKR_ACTION_PROHIBITED)
			h.Read(s, o, p11.CKA_LABEL)
			c, err = h.CopyObject(s, o, Yes(p11.CKA_DESTROYABLE))
			h.Must(err)
			h.Must(h.DestroyObject(s, c))
			h.Want(h.DestroyObject(s, c), p11.CKR_OBJECT_HANDLE_INVALID)
		}
	})
}

func TestACopyIsAnObjectOfItsOwn(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for _, k := range Keys() {
			h.Case(k.Name, func(h *Host) {
				o := h.Create(s, k.Own, k.Uses, Yes(p11.CKA_TOKEN, p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE))
				want, err := k.Proof(h, s, o)
				h.Must(err)
				c, err := h.CopyObject(s, o, nil)
				h.Must(err)
				if bytes.Equal(h.Read(s, o, p11.CKA_UNIQUE_ID), h.Read(s, c, p11.CKA_UNIQUE_ID)) {
					h.Error("the copy has the same CKA_UNIQUE_ID")
				}
				h.Must(h.SetAttributeValue(s, c, attr.Values{Label("copy")}))
				if string(h.Read(s, o, p11.CKA_LABEL)) == "copy" {
					h.Error("changing the copy changed the source")
				}
				h.Must(h.DestroyObject(s, o))
				got, err := k.Proof(h, s, c)
				h.Must(err)
				if !bytes.Equal(got, want) {
					h.Error("the copy is another key")
				}
			})
		}
	})
}

func TestCopiesOfPrivateObjects(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		hidden := h.AES(s, Yes(p11.CKA_PRIVATE, p11.CKA_SENSITIVE))
		_, err := h.CopyObject(s, hidden, No(p11.CKA_PRIVATE))
		h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT, readOnly)
		d := h.Create(s, Data("private"), Yes(p11.CKA_PRIVATE))
		_, err = h.CopyObject(s, d, No(p11.CKA_PRIVATE))
		h.Want(err, ok)
	})
}

func TestBuiltInObjectsCannotBeTouched(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		found := h.Find(s, Class(p11.CKO_PROFILE))
		if len(found) == 0 {
			h.Fatal("there is no profile object")
		}
		h.Want(h.DestroyObject(s, found[0]), p11.CKR_ACTION_PROHIBITED)
		h.Want(h.SetAttributeValue(s, found[0], attr.Values{attr.NewULong(p11.CKA_PROFILE_ID, 5)}), p11.CKR_ACTION_PROHIBITED, readOnly)
		_, err := h.CopyObject(s, found[0], nil)
		h.Want(err, p11.CKR_ACTION_PROHIBITED)
	})
}
