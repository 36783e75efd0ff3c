package attr

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"coffer/p11"
)

// CheckValue checks the length and format of v as a value of kind k and
// returns it in normal form. The error is CKR_ATTRIBUTE_VALUE_INVALID; for a
// template inside a template it is CKR_TEMPLATE_INCONSISTENT, as PKCS #11,
// "Template attributes", lets a token answer that takes no recursion.
//
// A CK_BBOOL is one byte. The standard's CK_TRUE is 1, but it nowhere calls
// other bytes invalid, C callers pass any nonzero byte for true and SoftHSM2
// takes it; so does this, and makes 1 of it. Text may be any bytes for the same
// reason: crypto11's tests (v1.6.2) label keys with random ones, and a tool
// passes on what its user's locale gives it.
func CheckValue(k Kind, v Value) (Value, error) {
	if len(v.Raw) > MaxBytes {
		return v, invalid(v, "has %d bytes, the most is %d", len(v.Raw), MaxBytes)
	}
	switch k {
	case Bool:
		if len(v.Raw) != 1 {
			return v, invalid(v, "is a CK_BBOOL of 1 byte, not of %d", len(v.Raw))
		}
		if v.Raw[0] > 1 {
			v.Raw = []byte{1}
		}
	case ULong:
		if len(v.Raw) != 8 {
			return v, invalid(v, "is a CK_ULONG of 8 bytes, not of %d", len(v.Raw))
		}
	case ULongs:
		if len(v.Raw)%8 != 0 {
			return v, invalid(v, "is an array of CK_ULONG, whose %d bytes are no multiple of 8", len(v.Raw))
		}
	case Date:
		if len(v.Raw) != 0 && !validDate(v.Raw) {
			return v, invalid(v, "is neither empty nor a date YYYYMMDD")
		}
	case Template:
		return checkTemplate(v)
	case Bytes, BigInt, UTF8:
	default:
		return v, p11.Errorf(p11.CKR_ATTRIBUTE_TYPE_INVALID, "%v is not an attribute of the standard", v.Type)
	}
	return v, nil
}

// validDate reports whether raw is a day of the calendar, in digits.
func validDate(raw []byte) bool {
	if len(raw) != 8 {
		return false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return false
		}
	}
	_, err := time.Parse("20060102", string(raw))
	return err == nil
}

// checkTemplate checks the attributes of a template that is itself a value.
func checkTemplate(v Value) (Value, error) {
	inner, err := Decode(v.Raw)
	if err != nil {
		return v, invalid(v, "is not a template: %w", err)
	}
	for i, in := range inner {
		k := KindOf(in.Type)
		if k == Template {
			return v, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "%v holds %v, and a template inside a template may not hold another", v.Type, in.Type)
		}
		if k == 0 {
			return v, invalid(v, "holds %v, which is not an attribute of the standard", in.Type)
		}
		if inner[i], err = CheckValue(k, in); err != nil {
			return v, invalid(v, "holds a bad value: %w", err)
		}
		if inner[:i].Has(in.Type) {
			return v, invalid(v, "holds %v twice", in.Type)
		}
	}
	return Value{v.Type, Encode(inner)}, nil
}

func invalid(v Value, format string, args ...any) error {
	return p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, v.Type.String()+" "+format, args...)
}

// Equal reports whether v and w are the same attribute with the same bytes,
// in a time that does not depend on where the bytes differ.
func (v Value) Equal(w Value) bool {
	return v.Type == w.Type && subtle.ConstantTimeCompare(v.Raw, w.Raw) == 1
}

// Hidden reports whether t can be an attribute that a sensitive or
// unextractable key does not reveal (footnote 7), in any class.
func Hidden(t p11.AttributeType) bool { return hidden()[t] }

// Format writes the attribute's name and its value for a reader of logs. The
// value of a type that can hold a secret (Hidden), and of a template, is
// replaced by its length whatever the verb is.
func (v Value) Format(f fmt.State, _ rune) { fmt.Fprint(f, v.String()) }

// String is what Format writes.
func (v Value) String() string {
	k := KindOf(v.Type)
	switch {
	case Hidden(v.Type), k == Template, k == 0, len(v.Raw) > 64:
		return fmt.Sprintf("%v=(%d bytes)", v.Type, len(v.Raw))
	case k == Bool && len(v.Raw) == 1:
		return fmt.Sprintf("%v=%t", v.Type, v.Raw[0] != 0)
	case k == ULong && len(v.Raw) == 8:
		return fmt.Sprintf("%v=%#x", v.Type, binary.LittleEndian.Uint64(v.Raw))
	case k == UTF8, k == Date:
		return fmt.Sprintf("%v=%s", v.Type, strconv.Quote(string(v.Raw)))
	default:
		return fmt.Sprintf("%v=%x", v.Type, v.Raw)
	}
}
