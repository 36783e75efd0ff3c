package attr

import (
	"encoding/binary"
	"slices"

	"coffer/p11"
)

// The bounds of an encoded list, which are also those of a template. They are
// far above what any client sends and below what a store's transaction takes.
const (
	MaxCount = 256     // attributes in a list
	MaxBytes = 1 << 19 // bytes of an encoded list, and so of any value
)

// Encode returns the canonical encoding of vs, in its order: for each
// attribute the type and the length of the value as unsigned varints, then the
// value. The empty list is the empty string. Two lists have the same encoding
// if and only if they have the same attributes in the same order.
//
// A list beyond MaxCount or MaxBytes is encoded all the same; Decode refuses
// it. The result is a copy: wipe it if vs holds secrets.
func Encode(vs Values) []byte {
	n := 0
	for _, v := range vs {
		n += 2*binary.MaxVarintLen64 + len(v.Raw)
	}
	out := make([]byte, 0, n)
	for _, v := range vs {
		out = binary.AppendUvarint(out, uint64(v.Type))
		out = binary.AppendUvarint(out, uint64(len(v.Raw)))
		out = append(out, v.Raw...)
	}
	return out
}

// Decode reads what Encode wrote. It refuses every other byte string with
// CKR_ATTRIBUTE_VALUE_INVALID, so that Encode(Decode(b)) is b; it does not
// look into the values. The values returned are parts of data, which must not
// be changed as long as they are used.
func Decode(data []byte) (Values, error) {
	if len(data) > MaxBytes {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "a list of attributes has %d bytes, the most is %d", len(data), MaxBytes)
	}
	var out Values
	for rest := data; len(rest) > 0; {
		if len(out) == MaxCount {
			return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "a list has more than %d attributes", MaxCount)
		}
		t, ok := readUvarint(&rest)
		if !ok {
			return nil, errEncoding
		}
		n, ok := readUvarint(&rest)
		if !ok || n > uint64(len(rest)) {
			return nil, errEncoding
		}
		out = append(out, Value{Type: p11.AttributeType(t), Raw: rest[:n:n]})
		rest = rest[n:]
	}
	return out, nil
}

var errEncoding = p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "a list of attributes is not well encoded")

// readUvarint takes a varint of the shortest form off the front of b.
func readUvarint(b *[]byte) (uint64, bool) {
	v, n := binary.Uvarint(*b)
	if n <= 0 || n > 1 && (*b)[n-1] == 0 {
		return 0, false
	}
	*b = (*b)[n:]
	return v, true
}

// NewTemplate returns an attribute whose value is a template, such as
// CKA_WRAP_TEMPLATE.
func NewTemplate(t p11.AttributeType, inner Values) Value { return Value{t, Encode(inner)} }

// Template returns the template that is the value of t, and whether vs has t
// with a value that is one.
func (vs Values) Template(t p11.AttributeType) (Values, bool) {
	raw, ok := vs.Get(t)
	if !ok {
		return nil, false
	}
	inner, err := Decode(raw)
	return inner, err == nil
}

// Clone returns vs with copies of all values.
func (vs Values) Clone() Values {
	out := slices.Clone(vs)
	for i := range out {
		out[i].Raw = append(make([]byte, 0, len(out[i].Raw)), out[i].Raw...)
	}
	return out
}
