package main

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
	"unsafe"

	"coffer/p11"
	"coffer/p11/attr"
)

func (m *memory) attribute(t p11.AttributeType, value []byte) *memory {
	return m.ulong(uint64(t)).pointer(value).ulong(uint64(len(value)))
}

func (m *memory) template() (attr.Values, error) {
	return decodeTemplate(unsafe.Pointer(unsafe.SliceData(m.words)), uint64(len(m.words)/sizeofAttribute))
}

func TestDecodeTemplate(t *testing.T) {
	label, id := []byte("label"), []byte{1, 2}
	mechanisms := binary.LittleEndian.AppendUint64(nil, uint64(p11.CKM_AES_CBC))
	inner := new(memory).attribute(p11.CKA_LABEL, label).attribute(p11.CKA_ID, nil)
	m := new(memory).attribute(p11.CKA_ID, id).
		attribute(p11.CKA_ALLOWED_MECHANISMS, mechanisms). // numbers, though the type has the bit of arrays
		attribute(p11.CKA_UNWRAP_TEMPLATE, inner.words).
		attribute(p11.CKA_LABEL, nil)
	got, err := m.template()
	if err != nil {
		t.Fatal(err)
	}
	want := attr.Values{
		{Type: p11.CKA_ID, Raw: []byte{1, 2}},
		{Type: p11.CKA_ALLOWED_MECHANISMS, Raw: bytes.Clone(mechanisms)},
		attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, attr.Values{{Type: p11.CKA_LABEL, Raw: []byte("label")}, {Type: p11.CKA_ID, Raw: []byte{}}}),
		{Type: p11.CKA_LABEL, Raw: []byte{}},
	}
	clear(label) // a caller may do that as soon as the call has returned
	clear(id)
	clear(mechanisms)
	clear(inner.words)
	clear(m.words)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestDecodeTemplateBounds(t *testing.T) {
	b := make([]byte, 100*sizeofAttribute)
	nested := new(memory).attribute(p11.CKA_WRAP_TEMPLATE, new(memory).attribute(p11.CKA_WRAP_TEMPLATE, b[:24]).words)
	for name, c := range map[string]struct {
		words []byte
		n     uint64
		want  p11.RV
	}{
		"no attributes":                  {nil, 0, p11.CKR_OK},
		"no attributes at some place":    {b, 0, p11.CKR_OK},
		"some attributes at NULL":        {nil, 1, p11.CKR_ARGUMENTS_BAD},
		"too many":                       {b, attr.MaxCount + 1, p11.CKR_ARGUMENTS_BAD},
		"2^61 attributes":                {b, 1 << 61, p11.CKR_ARGUMENTS_BAD},
		"ULONG_MAX attributes":           {b, 1<<64 - 1, p11.CKR_ARGUMENTS_BAD},
		"a value of ULONG_MAX bytes":     {new(memory).ulong(0).pointer(b).ulong(1<<64 - 1).words, 1, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		"a value at NULL":                {new(memory).ulong(0).null().ulong(1).words, 1, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		"half an attribute in a value":   {new(memory).attribute(p11.CKA_WRAP_TEMPLATE, b[:25]).words, 1, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		"a template in one in a third":   {nested.words, 1, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		"a bad value in a value":         {new(memory).attribute(p11.CKA_WRAP_TEMPLATE, new(memory).ulong(0).null().ulong(1).words).words, 1, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		"values longer than all allowed": {bytes.Repeat(new(memory).ulong(0).pointer(b).ulong(uint64(len(b))).words, 256), 256, p11.CKR_ATTRIBUTE_VALUE_INVALID},
	} {
		_, err := decodeTemplate(unsafe.Pointer(unsafe.SliceData(c.words)), c.n)
		if got := p11.Code(err); got != c.want {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// FuzzTemplate decodes templates of arbitrary types and lengths.
func FuzzTemplate(f *testing.F) {
	f.Add([]byte{}, uint64(0))
	f.Add(bytes.Repeat([]byte{1}, 3*sizeofAttribute), uint64(3))
	f.Add(new(memory).ulong(uint64(p11.CKA_WRAP_TEMPLATE)).ulong(1).ulong(48).words, uint64(1))
	f.Add(make([]byte, 48), uint64(1<<63))
	f.Fuzz(func(t *testing.T, raw []byte, n uint64) {
		words := bytes.Clone(raw)
		behind := make([]byte, 64) // attributes of type 0 at NULL, if they are taken for such
		for at := 0; at+sizeofAttribute <= len(words); at += sizeofAttribute {
			var p uint64
			if words[at+8]&1 != 0 {
				p = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(behind))))
			}
			binary.LittleEndian.PutUint64(words[at+8:], p)
			if size := binary.LittleEndian.Uint64(words[at+16:]); size <= attr.MaxBytes {
				binary.LittleEndian.PutUint64(words[at+16:], size%uint64(len(behind)+1))
			}
		}
		if n <= attr.MaxCount {
			n = min(n, uint64(len(words)/sizeofAttribute))
		}
		got, err := decodeTemplate(unsafe.Pointer(unsafe.SliceData(words)), n)
		if err != nil {
			if rv := p11.Code(err); rv != p11.CKR_ARGUMENTS_BAD && rv != p11.CKR_ATTRIBUTE_VALUE_INVALID {
				t.Fatalf("got %v", err)
			}
			return
		}
		if uint64(len(got)) != n {
			t.Fatalf("got %d attributes, want %d", len(got), n)
		}
		for _, v := range got {
			if attr.KindOf(v.Type) != attr.Template {
				continue
			}
			if _, err := attr.Decode(v.Raw); err != nil {
				t.Fatalf("%v: %v", v.Type, err)
			}
		}
	})
}
