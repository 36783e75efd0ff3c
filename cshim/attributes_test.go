package main

import (
	"encoding/binary"
	"testing"
	"unsafe"

	"coffer/p11"
	"coffer/p11/attr"
)

// read calls C_GetAttributeValue with the CK_ATTRIBUTEs in m.
func (m *memory) read(h p11.SessionHandle, o p11.ObjectHandle) p11.RV {
	p := _Ctype_CK_ATTRIBUTE_PTR(unsafe.Pointer(unsafe.SliceData(m.words)))
	n := len(m.words) / sizeofAttribute
	return p11.RV(goC_GetAttributeValue(_Ctype_CK_SESSION_HANDLE(h), _Ctype_CK_OBJECT_HANDLE(o), p, _Ctype_CK_ULONG(n)))
}

// at returns the type and the length in the CK_ATTRIBUTE number i.
func (m *memory) at(i int) (p11.AttributeType, uint64) {
	b := m.words[i*sizeofAttribute:]
	return p11.AttributeType(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[16:])
}

func (m *memory) ask(t p11.AttributeType) *memory { return m.ulong(uint64(t)).null().ulong(77) }

const anyType = 0x1234 // what the type of an inner attribute may be on input

func TestGetAttributeValue(t *testing.T) {
	h := openSession(t)
	m := module.Load()
	object, err := m.CreateObject(h, attr.Values{
		attr.NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY),
		attr.NewULong(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET),
		attr.NewBytes(p11.CKA_VALUE, make([]byte, 16)),
		attr.NewBool(p11.CKA_PRIVATE, false),
		attr.NewString(p11.CKA_LABEL, "label"),
		attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, attr.Values{attr.NewString(p11.CKA_LABEL, "inner"), attr.NewBool(p11.CKA_EXTRACTABLE, true)}),
	})
	if err != nil {
		t.Fatal(err)
	}
	const unavailable = p11.Unavailable

	t.Run("every entry is answered for itself", func(t *testing.T) {
		label, short, empty := make([]byte, 10), make([]byte, 4), make([]byte, 1)
		q := new(memory).attribute(p11.CKA_LABEL, label).attribute(p11.CKA_MODULUS, label).attribute(p11.CKA_LABEL, short).
			ask(p11.CKA_LABEL).attribute(p11.CKA_LABEL, empty[:0]).attribute(p11.CKA_ID, label)
		rv := q.read(h, object)
		if rv != p11.CKR_ATTRIBUTE_TYPE_INVALID && rv != p11.CKR_BUFFER_TOO_SMALL {
			t.Errorf("got %v", rv)
		}
		for i, want := range []uint64{5, unavailable, unavailable, 5, unavailable, 0} {
			if _, n := q.at(i); n != want {
				t.Errorf("entry %d: got length %d, want %d", i, n, want)
			}
		}
		if string(label[:5]) != "label" {
			t.Errorf("got %q", label)
		}
	})
	t.Run("more entries than usual", func(t *testing.T) {
		q := new(memory)
		for range 2 * usualQueries {
			q.ask(p11.CKA_LABEL)
		}
		if rv := q.read(h, object); rv != p11.CKR_OK {
			t.Fatal(rv)
		}
		if _, n := q.at(2*usualQueries - 1); n != 5 {
			t.Errorf("got length %d, want 5", n)
		}
	})
	t.Run("an array of attributes in three calls", func(t *testing.T) {
		q := new(memory).ask(p11.CKA_WRAP_TEMPLATE)
		if rv := q.read(h, object); rv != p11.CKR_OK {
			t.Fatal(rv)
		}
		if _, n := q.at(0); n != 2*sizeofAttribute {
			t.Fatalf("got length %d, want %d", n, 2*sizeofAttribute)
		}

		lengths := new(memory).ask(anyType).ask(anyType).ask(anyType)
		q = new(memory).attribute(p11.CKA_WRAP_TEMPLATE, lengths.words)
		if rv := q.read(h, object); rv != p11.CKR_OK {
			t.Fatal(rv)
		}
		if _, n := q.at(0); n != 2*sizeofAttribute {
			t.Errorf("got length %d, want %d", n, 2*sizeofAttribute)
		}
		wantTypes, wantLengths := []p11.AttributeType{p11.CKA_LABEL, p11.CKA_EXTRACTABLE, anyType}, []uint64{5, 1, 77}
		for i := range 3 {
			if typ, n := lengths.at(i); typ != wantTypes[i] || n != wantLengths[i] {
				t.Errorf("entry %d: got %v of %d bytes, want %v of %d", i, typ, n, wantTypes[i], wantLengths[i])
			}
		}

		label, flag := make([]byte, 5), make([]byte, 1)
		values := new(memory).attribute(anyType, label).attribute(anyType, flag)
		if rv := new(memory).attribute(p11.CKA_WRAP_TEMPLATE, values.words).read(h, object); rv != p11.CKR_OK {
			t.Fatal(rv)
		}
		if string(label) != "inner" || flag[0] != 1 {
			t.Errorf("got %q, %v", label, flag)
		}
	})
	t.Run("an array of attributes that is too short", func(t *testing.T) {
		one := new(memory).ask(anyType)
		q := new(memory).attribute(p11.CKA_WRAP_TEMPLATE, one.words)
		if rv := q.read(h, object); rv != p11.CKR_BUFFER_TOO_SMALL {
			t.Errorf("got %v", rv)
		}
		if _, n := q.at(0); n != unavailable {
			t.Errorf("got length %d", n)
		}
		inner := new(memory).attribute(anyType, make([]byte, 2)).attribute(anyType, make([]byte, 2))
		if rv := new(memory).attribute(p11.CKA_WRAP_TEMPLATE, inner.words).read(h, object); rv != p11.CKR_BUFFER_TOO_SMALL {
			t.Errorf("got %v", rv)
		}
		if _, n := inner.at(0); n != unavailable {
			t.Errorf("the inner entry that is too short: got length %d", n)
		}
		if _, n := inner.at(1); n != 1 {
			t.Errorf("the inner entry that fits: got length %d", n)
		}
	})
	t.Run("what is no good changes nothing", func(t *testing.T) {
		q := new(memory).ask(p11.CKA_LABEL)
		if rv := q.read(h, object+1000); rv != p11.CKR_OBJECT_HANDLE_INVALID {
			t.Errorf("got %v", rv)
		}
		if rv := q.read(h+1000, object); rv != p11.CKR_SESSION_HANDLE_INVALID {
			t.Errorf("got %v", rv)
		}
		if _, n := q.at(0); n != 77 {
			t.Errorf("got length %d", n)
		}
		if rv := new(memory).read(h, object); rv != p11.CKR_OK {
			t.Errorf("no attributes: got %v", rv)
		}
	})
	t.Run("without allocation", func(t *testing.T) {
		label := make([]byte, 10)
		q := new(memory)
		if got := testing.AllocsPerRun(100, func() {
			q.words = q.words[:0]
			q.keep = q.keep[:0]
			q.attribute(p11.CKA_LABEL, label).ask(p11.CKA_CLASS).read(h, object)
		}); got != 0 {
			t.Errorf("got %v allocations", got)
		}
	})
}
