package attr

import (
	"slices"

	"coffer/p11"
)

// CheckSet applies the change rules of the table to C_SetAttributeValue on an
// object with the values old, and returns the object's new values: all changes
// or none. Neither old nor changes is modified or copied.
//
// If several things are wrong, the first of this list is reported:
//
//  1. CKR_ACTION_PROHIBITED: CKA_MODIFIABLE is false, or the object is a
//     trusted certificate (PKCS #11 v3.2, C_SetAttributeValue, "Certificate
//     objects")
//  2. CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID, as of Check
//  3. CKR_ATTRIBUTE_READ_ONLY: the attribute or this change of it
//  4. CKR_TEMPLATE_INCONSISTENT: an attribute of another class or key type
//
// To give an attribute the value that it has is no change and allowed, but for
// CKA_UNIQUE_ID, whose every mention fails ("The CKA_UNIQUE_ID attribute"),
// and for secret values, whose answer would tell the caller that a guess was
// right.
func (tab Table) CheckSet(old, changes Values, who Actor) (Values, error) {
	if tab.Find(p11.CKA_MODIFIABLE) == nil || !old.True(p11.CKA_MODIFIABLE) {
		return nil, p11.Errorf(p11.CKR_ACTION_PROHIBITED, "the object is not modifiable")
	}
	if c, _ := old.Class(); c == p11.CKO_CERTIFICATE && old.True(p11.CKA_TRUSTED) {
		return nil, p11.Errorf(p11.CKR_ACTION_PROHIBITED, "a trusted certificate cannot be modified")
	}
	return tab.change(old, changes, who, false)
}

// CheckCopy applies the change rules to C_CopyObject and returns the values of
// the copy, CKA_UNIQUE_ID still that of old. It reports as CheckSet does, but
// for 1: CKR_ACTION_PROHIBITED if CKA_COPYABLE is false. A source that is not
// modifiable may be copied with changes (PKCS #11 v3.2, section 4.1.3).
//
// A private object whose values are hidden stays private in its copy: to make
// it public is CKR_TEMPLATE_INCONSISTENT.
func (tab Table) CheckCopy(old, changes Values, who Actor) (Values, error) {
	if tab.Find(p11.CKA_COPYABLE) == nil || !old.True(p11.CKA_COPYABLE) {
		return nil, p11.Errorf(p11.CKR_ACTION_PROHIBITED, "the object is not copyable")
	}
	out, err := tab.change(old, changes, who, true)
	if err != nil {
		return nil, err
	}
	if old.True(p11.CKA_PRIVATE) && !out.True(p11.CKA_PRIVATE) && tab.Hides(old) {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the copy of a private key that is sensitive or not extractable cannot be public")
	}
	return out, nil
}

// Hides reports whether an object of this table with the values vs keeps the
// attributes of footnote 7 to itself: CKA_SENSITIVE is true or CKA_EXTRACTABLE
// is not, either of which is enough.
func (tab Table) Hides(vs Values) bool {
	if tab.Find(p11.CKA_EXTRACTABLE) == nil {
		return false
	}
	return vs.True(p11.CKA_SENSITIVE) || !vs.True(p11.CKA_EXTRACTABLE)
}

func (tab Table) change(old, changes Values, who Actor, copying bool) (Values, error) {
	changes, err := Normalize(changes)
	if err != nil {
		return nil, err
	}
	for _, v := range changes {
		if s := tab.Find(v.Type); s != nil {
			if err := s.mayChange(old, v, who, copying); err != nil {
				return nil, err
			}
		}
	}
	for _, v := range changes {
		if tab.Find(v.Type) == nil {
			return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "an object of this class and type has no %v", v.Type)
		}
	}
	return old.With(changes...), nil
}

// mayChange reports CKR_ATTRIBUTE_READ_ONLY unless v may take the place of the
// value that old has.
func (s *Spec) mayChange(old Values, v Value, who Actor, copying bool) error {
	was, had := old.Get(v.Type)
	if had && s.Type != p11.CKA_UNIQUE_ID && s.Notes&N7 == 0 && v.Equal(Value{v.Type, was}) {
		return nil
	}
	if err := frozenByTrust(old, v, who); err != nil {
		return err
	}
	on := s.Kind == Bool && v.Raw[0] != 0
	allowed := false
	switch s.Change {
	case Always:
		allowed = true
	case CopyOnly:
		allowed = copying
	case ToTrue:
		allowed = on
	case ToFalse:
		allowed = !on
	case TrueBySO:
		allowed = !on || who.SO
	case ClearOnly:
		allowed = len(v.Raw) == 0
	}
	if !allowed {
		return p11.Errorf(p11.CKR_ATTRIBUTE_READ_ONLY, "%v %s", v.Type, s.Change.refusal())
	}
	return nil
}

// Usages are the attributes that permit a use of a key.
var Usages = []p11.AttributeType{
	p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY,
	p11.CKA_SIGN_RECOVER, p11.CKA_VERIFY_RECOVER,
	p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_DERIVE,
	p11.CKA_ENCAPSULATE, p11.CKA_DECAPSULATE,
}

// frozenByTrust keeps a trusted key as the SO trusted it: nobody else may give
// it a further use, or copy it without the mark and with a further use. A user
// who could would wrap a CKA_WRAP_WITH_TRUSTED key with it and then decrypt
// the result. The standard leaves it to the token how far an attribute is
// modifiable (PKCS #11 v3.2, section 4.1.2).
func frozenByTrust(old Values, v Value, who Actor) error {
	if who.SO || !old.True(p11.CKA_TRUSTED) {
		return nil
	}
	if v.Type == p11.CKA_TRUSTED || slices.Contains(Usages, v.Type) && v.Raw[0] != 0 {
		return p11.Errorf(p11.CKR_ATTRIBUTE_READ_ONLY, "the object is trusted, and only the SO can change its %v", v.Type)
	}
	return nil
}

// refusal completes the sentence "CKA_X …".
func (c Change) refusal() string {
	switch c {
	case CopyOnly:
		return "can be changed only in a copy"
	case ToTrue:
		return "can be changed only from false to true"
	case ToFalse:
		return "can be changed only from true to false"
	case TrueBySO:
		return "can be set true only by the SO"
	case ClearOnly:
		return "can only be cleared"
	default:
		return "cannot be changed"
	}
}
