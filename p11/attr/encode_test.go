package attr

import (
	"bytes"
	"testing"

	"coffer/p11"
)

func TestEncodeDecode(t *testing.T) {
	for name, vs := range map[string]Values{
		"empty list":  nil,
		"empty value": {{p11.CKA_LABEL, []byte{}}},
		"order and repetition are kept": {
			NewString(p11.CKA_LABEL, "b"), NewULong(p11.CKA_CLASS, p11.CKO_DATA), NewString(p11.CKA_LABEL, "a"),
		},
		"vendor type of 64 bits": {{1<<64 - 1, []byte{1}}},
		"long value":             {{p11.CKA_VALUE, bytes.Repeat([]byte{7}, 70000)}},
	} {
		t.Run(name, func(t *testing.T) {
			enc := Encode(vs)
			got, err := Decode(enc)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(vs) {
				t.Fatalf("got %d attributes, want %d", len(got), len(vs))
			}
			for i := range vs {
				if got[i].Type != vs[i].Type || !bytes.Equal(got[i].Raw, vs[i].Raw) {
					t.Errorf("attribute %d: got %#x %x, want %#x %x", i, uint64(got[i].Type), got[i].Raw, uint64(vs[i].Type), vs[i].Raw)
				}
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	many := make(Values, MaxCount+1)
	for name, in := range map[string][]byte{
		"a type alone":                 {0x03},
		"a value cut short":            {0x03, 0x02, 'a'},
		"a length beyond all memory":   {0x03, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a'},
		"a type of more than 64 bits":  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00},
		"a varint that is too long":    {0x83, 0x00, 0x01, 'a'},
		"a length varint too long":     {0x03, 0x81, 0x00, 'a'},
		"an unfinished varint":         {0x83},
		"more attributes than allowed": Encode(many),
		"more bytes than allowed":      Encode(Values{{3, make([]byte, MaxBytes)}}),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Decode(in); p11.Code(err) != p11.CKR_ATTRIBUTE_VALUE_INVALID {
				t.Errorf("got %d attributes, %v", len(got), err)
			}
		})
	}
}

func TestDecodedValuesCannotGrowIntoEachOther(t *testing.T) {
	vs, err := Decode(Encode(Values{NewString(p11.CKA_LABEL, "a"), NewString(p11.CKA_ID, "b")}))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(vs[0].Raw, "xyz"...)
	if string(vs[1].Raw) != "b" {
		t.Errorf("got %q", vs[1].Raw)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	vs := Values{NewString(p11.CKA_LABEL, "a"), {p11.CKA_ID, nil}}
	c := vs.Clone()
	clear(vs[0].Raw)
	if string(c[0].Raw) != "a" || len(c) != 2 {
		t.Errorf("got %v", c)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(Encode(Values{NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY), NewString(p11.CKA_LABEL, "x")}))
	f.Add(Encode(Values{NewTemplate(p11.CKA_WRAP_TEMPLATE, Values{NewBool(p11.CKA_EXTRACTABLE, true)})}))
	f.Add([]byte{0x83, 0x00, 0x01, 'a'})
	f.Fuzz(func(t *testing.T, in []byte) {
		vs, err := Decode(in)
		if err != nil {
			if p11.Code(err) != p11.CKR_ATTRIBUTE_VALUE_INVALID {
				t.Errorf("got %v", err)
			}
			return
		}
		if out := Encode(vs); !bytes.Equal(out, in) {
			t.Errorf("not canonical: %x became %x", in, out)
		}
		for _, v := range vs {
			if norm, err := CheckValue(KindOf(v.Type), v); err == nil {
				if again, err := CheckValue(KindOf(v.Type), norm); err != nil || !again.Equal(norm) {
					t.Errorf("normal form of %x is not stable: %x, %v", v.Raw, norm.Raw, err)
				}
			}
			_ = v.String()
		}
	})
}
