package p11test

import (
	"coffer/p11"
	"coffer/p11/attr"
)

// Yes returns attributes that are true.
func Yes(types ...p11.AttributeType) attr.Values { return bools(true, types) }

// No returns attributes that are false.
func No(types ...p11.AttributeType) attr.Values { return bools(false, types) }

func bools(b bool, types []p11.AttributeType) attr.Values {
	vs := make(attr.Values, len(types))
	for i, t := range types {
		vs[i] = attr.NewBool(t, b)
	}
	return vs
}

// Join returns the attributes of all parts in one template, of an attribute
// in several of them the last.
func Join(parts ...attr.Values) attr.Values {
	var vs attr.Values
	for _, p := range parts {
		vs = vs.With(p...)
	}
	return vs
}

// Label returns a CKA_LABEL.
func Label(s string) attr.Value { return attr.NewString(p11.CKA_LABEL, s) }

// Class returns a CKA_CLASS.
func Class(c p11.ObjectClass) attr.Value { return attr.NewULong(p11.CKA_CLASS, c) }

// Type returns a CKA_KEY_TYPE.
func Type(t p11.KeyType) attr.Value { return attr.NewULong(p11.CKA_KEY_TYPE, t) }

// Length returns a CKA_VALUE_LEN.
func Length(n int) attr.Value { return attr.NewULong(p11.CKA_VALUE_LEN, n) }

// Value returns a CKA_VALUE.
func Value(b []byte) attr.Value { return attr.NewBytes(p11.CKA_VALUE, b) }

// Data is the template of a data object.
func Data(label string) attr.Values {
	return attr.Values{Class(p11.CKO_DATA), Label(label), Value([]byte("data of " + label))}
}

// Secret is the template of a secret key with a known value.
func Secret(t p11.KeyType, value []byte) attr.Values {
	return attr.Values{Class(p11.CKO_SECRET_KEY), Type(t), Value(value)}
}

// Mech returns a mechanism.
func Mech(t p11.MechanismType, p ...p11.Params) *p11.Mechanism {
	m := &p11.Mechanism{Type: t}
	if len(p) > 0 {
		m.Params = p[0]
	}
	return m
}
