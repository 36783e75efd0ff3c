// Package attr describes object attributes: the kinds of value, the tables of
// the standard with their footnotes, one per object class and key type, and
// the pure rules that apply them to a template. It knows no object, no session
// and no key; which classes and key types exist is for its callers to say.
//
// # Design
//
// The tables are generated from p11/spec, row for row, so that a rule can be
// checked by eye against the standard. A Value holds the bytes that an LP64
// little-endian caller passes: a CK_ULONG is 8 bytes, a CK_BBOOL one. Records
// on disk keep the same bytes.
package attr

import (
	"encoding/binary"
	"slices"

	"coffer/p11"
)

// Kind is how the bytes of an attribute's value are read.
type Kind uint8

// The kinds of attribute values. The zero Kind is invalid.
const (
	Bool     Kind = iota + 1 // CK_BBOOL, 1 byte, 0 or 1
	ULong                    // CK_ULONG, 8 bytes
	Bytes                    // any bytes
	BigInt                   // unsigned big-endian integer, most significant byte first
	UTF8                     // text without a terminator; UTF-8 is not enforced
	Date                     // CK_DATE, 8 digits YYYYMMDD, or empty
	ULongs                   // array of CK_ULONG
	Template                 // array of CK_ATTRIBUTE, kept in the encoding of Encode
)

// Note is a bit per footnote of "Common footnotes for object attribute
// tables" (PKCS #11 v3.2, section 4.2).
type Note uint16

// The common footnotes, by number.
const (
	N1  Note = 1 << iota // must be given to C_CreateObject
	N2                   // must not be given to C_CreateObject
	N3                   // must be given to C_GenerateKey or C_GenerateKeyPair
	N4                   // must not be given to C_GenerateKey or C_GenerateKeyPair
	N5                   // must be given to C_UnwrapKey
	N6                   // must not be given to C_UnwrapKey
	N7                   // not revealed if CKA_SENSITIVE is true or CKA_EXTRACTABLE is false
	N8                   // may be modified by C_SetAttributeValue
	N9                   // default is the token's choice
	N10                  // can be set true only by the SO
	N11                  // cannot be changed once true
	N12                  // cannot be changed once false
	N13                  // contributed by the module in C_GenerateKeyPair
)

// Change is what C_SetAttributeValue and C_CopyObject may do to an attribute.
type Change uint8

// The change rules. The zero Change is invalid.
const (
	Never     Change = iota + 1 // neither call
	Always                      // both calls
	CopyOnly                    // C_CopyObject only
	ToTrue                      // from false to true
	ToFalse                     // from true to false
	TrueBySO                    // to true by the SO; back by any writer, but see frozenByTrust
	ClearOnly                   // to the empty value
)

// A Spec is one row of an attribute table.
type Spec struct {
	Type    p11.AttributeType
	Kind    Kind
	Notes   Note
	Change  Change
	Default []byte // nil: none, or the token's choice (N9)
}

// A Table is the attribute list of one object class or key type.
type Table []Spec

const noSubtype = ^uint64(0)

// Find returns the row of t, or nil.
func (tab Table) Find(t p11.AttributeType) *Spec {
	for i := range tab {
		if tab[i].Type == t {
			return &tab[i]
		}
	}
	return nil
}

// join lays tables over each other; a later row replaces an earlier one.
func join(tables ...Table) Table {
	var out Table
	for _, t := range tables {
		for _, s := range t {
			if old := out.Find(s.Type); old != nil {
				*old = s
			} else {
				out = append(out, s)
			}
		}
	}
	return out
}

// A Value is one attribute. The bytes belong to whoever made the Value and
// are not changed after that.
type Value struct {
	Type p11.AttributeType
	Raw  []byte
}

// Values is a template, or the attributes of an object. Order is kept; a type
// that appears twice counts by its first appearance.
type Values []Value

// Get returns the bytes of t and whether vs has it.
func (vs Values) Get(t p11.AttributeType) ([]byte, bool) {
	for i := range vs {
		if vs[i].Type == t {
			return vs[i].Raw, true
		}
	}
	return nil, false
}

// Has reports whether vs has t.
func (vs Values) Has(t p11.AttributeType) bool {
	_, ok := vs.Get(t)
	return ok
}

// Bytes returns the bytes of t, nil if vs lacks it.
func (vs Values) Bytes(t p11.AttributeType) []byte {
	b, _ := vs.Get(t)
	return b
}

// True reports whether vs has t with the value CK_TRUE.
func (vs Values) True(t p11.AttributeType) bool {
	b, _ := vs.Get(t)
	return len(b) == 1 && b[0] != 0
}

// ULong returns the number of t, and false if vs lacks it or it is not 8 bytes.
func (vs Values) ULong(t p11.AttributeType) (uint64, bool) {
	b, ok := vs.Get(t)
	if !ok || len(b) != 8 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

// Class returns CKA_CLASS, or false.
func (vs Values) Class() (p11.ObjectClass, bool) {
	v, ok := vs.ULong(p11.CKA_CLASS)
	return p11.ObjectClass(v), ok
}

// KeyType returns CKA_KEY_TYPE, or false.
func (vs Values) KeyType() (p11.KeyType, bool) {
	v, ok := vs.ULong(p11.CKA_KEY_TYPE)
	return p11.KeyType(v), ok
}

// With returns vs with v put in place of any value of its type, or added. vs
// itself is not changed.
func (vs Values) With(v ...Value) Values {
	out := append(make(Values, 0, len(vs)+len(v)), vs...)
next:
	for _, n := range v {
		for i := range out {
			if out[i].Type == n.Type {
				out[i] = n
				continue next
			}
		}
		out = append(out, n)
	}
	return out
}

// Without returns vs less the types given.
func (vs Values) Without(types ...p11.AttributeType) Values {
	return slices.DeleteFunc(slices.Clone(vs), func(v Value) bool { return slices.Contains(types, v.Type) })
}

// NewBool returns a CK_BBOOL attribute.
func NewBool(t p11.AttributeType, b bool) Value {
	if b {
		return Value{t, []byte{1}}
	}
	return Value{t, []byte{0}}
}

// NewULong returns a CK_ULONG attribute.
func NewULong[N ~uint64 | ~int](t p11.AttributeType, n N) Value {
	return Value{t, binary.LittleEndian.AppendUint64(nil, uint64(n))}
}

// NewBytes returns an attribute with the value b, which it keeps.
func NewBytes(t p11.AttributeType, b []byte) Value { return Value{t, b} }

// NewString returns a text attribute.
func NewString(t p11.AttributeType, s string) Value { return Value{t, []byte(s)} }
