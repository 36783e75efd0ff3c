package object

import (
	"bytes"

	"coffer/p11"
	"coffer/p11/attr"
)

// Read returns the value of t, which the caller must not change, and holds the
// object while using it: the encoding of attr.Encode for a template. The error
// is CKR_ATTRIBUTE_SENSITIVE
// for a value that the object hides, whether or not it has it, and
// CKR_ATTRIBUTE_TYPE_INVALID for one that it lacks.
func (o *Object) Read(t p11.AttributeType) ([]byte, error) {
	s := o.table.Find(t)
	if s == nil {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_TYPE_INVALID, "the object has no %v", t)
	}
	if o.hides && s.Notes&attr.N7 != 0 {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_SENSITIVE, "%v of the object is not revealed", t)
	}
	raw, ok := o.values.Get(t)
	if !ok {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_TYPE_INVALID, "the object has no %v", t)
	}
	if s.Notes&attr.N7 != 0 && o.wiped() {
		return nil, errWiped
	}
	return raw, nil
}

// Matches reports whether every attribute of template is the object's, byte
// for byte (PKCS #11 v3.2, C_FindObjectsInit). What the object hides matches
// nothing; other values that can be secret are compared in constant time.
func (o *Object) Matches(template attr.Values) bool {
	if o.again() != nil {
		return false
	}
	defer o.Release()
	for _, v := range template {
		s := o.table.Find(v.Type)
		if s == nil || s.Notes&attr.N7 != 0 && o.hides {
			return false
		}
		raw, ok := o.values.Get(v.Type)
		if !ok || len(raw) != len(v.Raw) {
			return false
		}
		if s.Notes&attr.N7 != 0 && !v.Equal(attr.Value{Type: v.Type, Raw: raw}) || !bytes.Equal(raw, v.Raw) {
			return false
		}
	}
	return true
}

// CheckWrap says whether o as a wrapping key may wrap target, as far as the
// attributes of target and the CKA_WRAP_TEMPLATE of o decide it (PKCS #11
// v3.2, C_WrapKey): CKR_KEY_UNEXTRACTABLE, CKR_KEY_NOT_WRAPPABLE if only a
// trusted key may, or CKR_KEY_HANDLE_INVALID if target does not match the
// template. CKA_WRAP of o itself is Permits.
func (o *Object) CheckWrap(target *Object) error {
	if !target.Extractable() {
		return p11.Errorf(p11.CKR_KEY_UNEXTRACTABLE, "the key is not extractable")
	}
	if target.WrapWithTrusted() && !o.Trusted() {
		return p11.Errorf(p11.CKR_KEY_NOT_WRAPPABLE, "the key can be wrapped only with a key that has CKA_TRUSTED")
	}
	if want, ok := o.values.Template(p11.CKA_WRAP_TEMPLATE); !target.Matches(want) || !ok && o.values.Has(p11.CKA_WRAP_TEMPLATE) {
		return p11.Errorf(p11.CKR_KEY_HANDLE_INVALID, "the key does not match the CKA_WRAP_TEMPLATE of the wrapping key")
	}
	return nil
}

// Encoded returns what C_WrapKey encrypts: a copy of CKA_VALUE of a secret
// key, the PKCS #8 encoding of a private one. The caller wipes it. It checks
// no permission: see CheckWrap.
func (o *Object) Encoded() ([]byte, error) {
	if err := o.again(); err != nil {
		return nil, err
	}
	defer o.Release()
	material, err := o.Material()
	if err != nil {
		return nil, err
	}
	if o.row.Secret {
		return bytes.Clone(material.([]byte)), nil
	}
	if o.class != p11.CKO_PRIVATE_KEY || o.row.MarshalPKCS8 == nil {
		return nil, p11.Errorf(p11.CKR_KEY_NOT_WRAPPABLE, "a key of class %v and type %v has no encoding to wrap", o.class, o.keyType)
	}
	return o.row.MarshalPKCS8(material)
}
