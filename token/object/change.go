package object

import (
	"bytes"

	"coffer/p11"
	"coffer/p11/attr"
)

// Set returns the object that C_SetAttributeValue makes of o: the same ID and
// all changes of the template, or an error and none. The errors are those of
// attr.Table.CheckSet, and CKR_USER_NOT_LOGGED_IN for a locked object.
func (f *Factory) Set(o *Object, template attr.Values, who Actor) (*Object, error) {
	values, err := o.table.CheckSet(o.values, template, who)
	if err != nil {
		return nil, err
	}
	return f.changed(o, o.id, values)
}

// Copy returns the object that C_CopyObject makes of o, with an ID of its own.
// The errors are those of attr.Table.CheckCopy, and CKR_USER_NOT_LOGGED_IN for
// a locked object.
//
// The history of a key is copied. CKA_NEVER_EXTRACTABLE of a copy that ceases
// to be extractable stays false, because that of the original is.
func (f *Factory) Copy(o *Object, template attr.Values, who Actor) (*Object, error) {
	values, err := o.table.CheckCopy(o.values, template, who)
	if err != nil {
		return nil, err
	}
	id, err := NewID(f.random)
	if err != nil {
		return nil, err
	}
	return f.changed(o, id, values)
}

// changed makes an object of the changed values of o.
func (f *Factory) changed(o *Object, id ID, values attr.Values) (*Object, error) {
	if o.locked {
		return nil, errLocked
	}
	if err := o.again(); err != nil {
		return nil, err
	}
	defer o.Release()
	if len(values.Bytes(p11.CKA_CHECK_VALUE)) == 0 || o.class == p11.CKO_SECRET_KEY && guessable(o.table, values) {
		values = values.Without(p11.CKA_CHECK_VALUE)
	}
	k := kind{class: o.class, table: o.table, row: o.row}
	info := values.Bytes(p11.CKA_PUBLIC_KEY_INFO)
	if o.row != nil && len(info) > 0 && !bytes.Equal(info, o.values.Bytes(p11.CKA_PUBLIC_KEY_INFO)) {
		material, err := o.Material()
		if err != nil {
			return nil, err
		}
		if _, err := publicKeyInfo(o.row, material, values); err != nil {
			return nil, err
		}
	}
	if err := consistent(k, values); err != nil {
		return nil, err
	}
	return k.object(id, 0, values, parsed{})
}

// consistent applies the rules that tie one attribute to another. They hold
// for every object at any time; CKR_TEMPLATE_INCONSISTENT says which does not.
func consistent(k kind, values attr.Values) error {
	if values.True(p11.CKA_ALWAYS_AUTHENTICATE) && !values.True(p11.CKA_PRIVATE) {
		return p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "CKA_ALWAYS_AUTHENTICATE is only for a private object")
	}
	start, end := values.Bytes(p11.CKA_START_DATE), values.Bytes(p11.CKA_END_DATE)
	if len(start) > 0 && len(end) > 0 && bytes.Compare(start, end) > 0 {
		return p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "CKA_END_DATE lies before CKA_START_DATE")
	}
	if flags, ok := values.ULong(p11.CKA_OBJECT_VALIDATION_FLAGS); ok && flags != 0 {
		return p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "CKA_OBJECT_VALIDATION_FLAGS claims a validation that the token does not have")
	}
	if k.class == p11.CKO_CERTIFICATE {
		return consistentCertificate(values)
	}
	return nil
}
