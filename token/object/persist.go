package object

import (
	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// Split returns the two parts of the object's record, encoded by attr.Encode
// without CKA_CLASS and CKA_UNIQUE_ID, which the record says itself. secret is
// to be sealed, and wiped after that; it is nil if there is nothing secret.
// Of a private object all is in secret. Of others that is only what the object
// hides. Both are copies.
//
// It panics for a locked or a wiped object, whose record it would destroy; Set
// and Copy make none of either.
func (o *Object) Split() (public, secret []byte) {
	if o.locked || o.again() != nil {
		panic("object: splitting an object without its secrets")
	}
	defer o.Release()
	var open, closed attr.Values
	for _, v := range o.values {
		switch {
		case v.Type == p11.CKA_CLASS || v.Type == p11.CKA_UNIQUE_ID:
		case o.inSecret(v.Type):
			closed = append(closed, v)
		default:
			open = append(open, v)
		}
	}
	if len(closed) > 0 {
		secret = attr.Encode(closed)
	}
	return attr.Encode(open), secret
}

// inSecret reports whether t goes into the secret part.
func (o *Object) inSecret(t p11.AttributeType) bool {
	return o.Private() || o.hides && o.table.Find(t).Notes&attr.N7 != 0
}

// Join makes the object of a record's parts, of which it takes copies. The
// bytes come from a disk: whatever Split does not write is CKR_DEVICE_ERROR.
// The key itself is parsed at its first use.
func Join(id ID, class p11.ObjectClass, public, secret []byte, reg *mech.Registry) (*Object, error) {
	return join(id, class, public, secret, false, reg)
}

// JoinLocked makes the object of a record's public part while the secret part
// cannot be opened. It reads as the whole object would, but its Material is
// CKR_USER_NOT_LOGGED_IN, and so is the object itself if it is private.
func JoinLocked(id ID, class p11.ObjectClass, public []byte, reg *mech.Registry) (*Object, error) {
	if len(public) == 0 {
		return nil, errLocked
	}
	return join(id, class, public, nil, true, reg)
}

func join(id ID, class p11.ObjectClass, public, secret []byte, locked bool, reg *mech.Registry) (*Object, error) {
	open, err := attr.Decode(public)
	if err != nil {
		return nil, damaged("the public part: %w", err)
	}
	closed, err := attr.Decode(secret)
	if err != nil {
		return nil, damaged("the secret part: %w", err)
	}
	values := append(attr.Values{attr.NewULong(p11.CKA_CLASS, class)}, open...)
	values = append(values, closed...)
	k, err := kindOf(reg, values)
	if err != nil {
		return nil, damaged("%w", err)
	}
	if err := checkStored(k, values); err != nil {
		return nil, err
	}
	o, err := newObject(id, k.table, k.row, values.With(attr.NewString(p11.CKA_UNIQUE_ID, id.String())))
	if err != nil {
		return nil, err
	}
	if err := o.complete(open, closed, locked); err != nil {
		o.Wipe()
		return nil, err
	}
	return o, nil
}

// complete checks that the parts of a record are all there, each value where
// Split puts it.
func (o *Object) complete(open, closed attr.Values, locked bool) error {
	if err := o.checkPlaces(open, closed); err != nil {
		return err
	}
	switch {
	case locked && o.Private():
		return damaged("a private object has a public part")
	case locked:
		o.locked = o.hides
	case o.hides && len(closed) == 0:
		return damaged("the secret part is missing")
	}
	return nil
}

// checkStored checks the values of a record one by one.
func checkStored(k kind, values attr.Values) error {
	for i, v := range values {
		s := k.table.Find(v.Type)
		if s == nil || v.Type == p11.CKA_UNIQUE_ID {
			return damaged("an object of this kind has no %v", v.Type)
		}
		if values[:i].Has(v.Type) {
			return damaged("%v is there twice", v.Type)
		}
		normal, err := attr.CheckValue(s.Kind, v)
		if err != nil {
			return damaged("%w", err)
		}
		if !normal.Equal(v) {
			return damaged("%v is not in normal form", v.Type)
		}
	}
	// What is missing reads as false, which for these two would open the object.
	if !values.Has(p11.CKA_PRIVATE) || k.table.Find(p11.CKA_SENSITIVE) != nil && !values.Has(p11.CKA_SENSITIVE) {
		return damaged("CKA_PRIVATE or CKA_SENSITIVE is missing")
	}
	return nil
}

// checkPlaces checks that each value lies in the part where Split puts it.
func (o *Object) checkPlaces(open, closed attr.Values) error {
	for _, v := range open {
		if o.inSecret(v.Type) {
			return damaged("%v lies in the public part", v.Type)
		}
	}
	for _, v := range closed {
		if !o.inSecret(v.Type) {
			return damaged("%v lies in the secret part", v.Type)
		}
	}
	return nil
}

// damaged reports a record that Split did not write.
func damaged(format string, args ...any) error {
	return p11.Errorf(p11.CKR_DEVICE_ERROR, "an object's record is damaged: "+format, args...)
}
