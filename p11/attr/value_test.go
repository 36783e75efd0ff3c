package attr

import (
	"fmt"
	"strings"
	"testing"

	"coffer/p11"
)

func TestCheckValue(t *testing.T) {
	deep := NewTemplate(p11.CKA_UNWRAP_TEMPLATE, Values{NewTemplate(p11.CKA_WRAP_TEMPLATE, nil)})
	for _, c := range []struct {
		name string
		kind Kind
		v    Value
		want p11.RV
		norm string // hex, "" for unchanged
	}{
		{"false", Bool, Value{p11.CKA_TOKEN, []byte{0}}, 0, ""},
		{"true", Bool, Value{p11.CKA_TOKEN, []byte{1}}, 0, ""},
		{"any nonzero byte is true and becomes 1", Bool, Value{p11.CKA_TOKEN, []byte{0xff}}, 0, "01"},
		{"an empty boolean", Bool, Value{p11.CKA_TOKEN, nil}, p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"a boolean of 8 bytes", Bool, NewULong(p11.CKA_TOKEN, 1), p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"a number", ULong, NewULong(p11.CKA_CLASS, 3), 0, ""},
		{"a number of 4 bytes", ULong, Value{p11.CKA_CLASS, make([]byte, 4)}, p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"an empty number", ULong, Value{p11.CKA_CLASS, nil}, p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"text", UTF8, NewString(p11.CKA_LABEL, "Schlüssel"), 0, ""},
		{"text in Latin-1", UTF8, NewString(p11.CKA_LABEL, "Schl\xfcssel"), 0, ""},
		{"no date", Date, NewString(p11.CKA_START_DATE, ""), 0, ""},
		{"a date", Date, NewString(p11.CKA_START_DATE, "20240229"), 0, ""},
		{"29 February of a common year", Date, NewString(p11.CKA_START_DATE, "20230229"), p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"month 13", Date, NewString(p11.CKA_START_DATE, "20231301"), p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"a date with a sign", Date, NewString(p11.CKA_START_DATE, "+2024101"), p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"a date of zero bytes", Date, Value{p11.CKA_START_DATE, make([]byte, 8)}, p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"a date with dashes", Date, NewString(p11.CKA_START_DATE, "2024-02-29"), p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"numbers", ULongs, Value{p11.CKA_ALLOWED_MECHANISMS, make([]byte, 24)}, 0, ""},
		{"no numbers", ULongs, Value{p11.CKA_ALLOWED_MECHANISMS, nil}, 0, ""},
		{"half a number", ULongs, Value{p11.CKA_ALLOWED_MECHANISMS, make([]byte, 12)}, p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"bytes too long", Bytes, Value{p11.CKA_VALUE, make([]byte, MaxBytes+1)}, p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"an empty template", Template, NewTemplate(p11.CKA_WRAP_TEMPLATE, nil), 0, ""},
		{"a template's values are normalized", Template, NewTemplate(p11.CKA_WRAP_TEMPLATE, Values{{p11.CKA_TOKEN, []byte{9}}}), 0, "010101"},
		{"a template that is none", Template, Value{p11.CKA_WRAP_TEMPLATE, []byte{1}}, p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"a template with an unknown type", Template, NewTemplate(p11.CKA_WRAP_TEMPLATE, Values{{0x80000001, nil}}), p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"a template with a bad value", Template, NewTemplate(p11.CKA_WRAP_TEMPLATE, Values{{p11.CKA_TOKEN, nil}}), p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"a template with a type twice", Template, NewTemplate(p11.CKA_WRAP_TEMPLATE, Values{NewString(p11.CKA_LABEL, "a"), NewString(p11.CKA_LABEL, "b")}), p11.CKR_ATTRIBUTE_VALUE_INVALID, ""},
		{"a template in a template", Template, deep, p11.CKR_TEMPLATE_INCONSISTENT, ""},
		{"no kind", 0, Value{0x80000001, nil}, p11.CKR_ATTRIBUTE_TYPE_INVALID, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := CheckValue(c.kind, c.v)
			if p11.Code(err) != c.want {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err != nil {
				if c.want == p11.CKR_ATTRIBUTE_VALUE_INVALID && !strings.Contains(err.Error(), c.v.Type.String()) {
					t.Errorf("%v does not name %v", err, c.v.Type)
				}
				return
			}
			want := c.norm
			if want == "" {
				want = fmt.Sprintf("%x", c.v.Raw)
			}
			if s := fmt.Sprintf("%x", got.Raw); s != want {
				t.Errorf("got %s, want %s", s, want)
			}
		})
	}
}

func TestNormalizeLeavesTheCallersBytesAlone(t *testing.T) {
	raw := []byte{0xff}
	if _, err := Normalize(Values{{p11.CKA_TOKEN, raw}}); err != nil || raw[0] != 0xff {
		t.Errorf("got %x, %v", raw, err)
	}
}

func TestNoVerbPrintsASecret(t *testing.T) {
	secret := "sixteen byte key"
	vs := Values{
		NewString(p11.CKA_VALUE, secret), NewString(p11.CKA_PRIVATE_EXPONENT, secret), NewString(p11.CKA_SEED, secret),
		NewTemplate(p11.CKA_UNWRAP_TEMPLATE, Values{NewString(p11.CKA_VALUE, secret)}),
		NewString(0x80001234, secret),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		got := fmt.Sprintf(verb, vs)
		if strings.Contains(got, "sixteen") || strings.Contains(got, fmt.Sprintf("%x", "sixteen")) || strings.Contains(got, "115") {
			t.Errorf("%s: %s", verb, got)
		}
	}
	if got, want := fmt.Sprint(NewString(p11.CKA_LABEL, "k1")), `CKA_LABEL="k1"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKindOfIsTheTable(t *testing.T) {
	for a, want := range kindOf {
		if got := KindOf(a); got != want {
			t.Errorf("%v: got %v, want %v", a, got, want)
		}
	}
	for _, a := range []p11.AttributeType{0x7fe, 0x800, 0x3fffffff, 0x80000000, p11.AttributeType(p11.Unavailable)} {
		if got := KindOf(a); got != 0 {
			t.Errorf("%#x is not of the standard: got %v", uint64(a), got)
		}
	}
}
