package p11test

// #include <stdlib.h>
// #include <string.h>
// #include "pkcs11.h"
import "C"

import (
	"bytes"
	"fmt"
	"unsafe"

	"coffer/p11/attr"
)

// An arena is the C memory of one call. Every block is as long as it has to
// be, with a mark behind it that is looked at afterwards.
type arena struct {
	blocks []block
	after  []func()
}

type block struct {
	p unsafe.Pointer
	n int
}

var mark = []byte("\xc0\xff\xee the end")

// alloc returns n zero bytes.
func (a *arena) alloc(n int) unsafe.Pointer {
	p := C.calloc(1, C.size_t(n+len(mark)))
	copy(unsafe.Slice((*byte)(unsafe.Add(p, n)), len(mark)), mark)
	a.blocks = append(a.blocks, block{p, n})
	return p
}

// copy returns a copy of b; of nil, NULL.
func (a *arena) copy(b []byte) unsafe.Pointer {
	if b == nil {
		return nil
	}
	p := a.alloc(len(b))
	copy(unsafe.Slice((*byte)(p), len(b)), b)
	return p
}

// shared is copy for memory that is written to: what is there after the call
// is copied back.
func (a *arena) shared(b []byte) unsafe.Pointer {
	p := a.copy(b)
	if len(b) > 0 {
		a.after = append(a.after, func() { copy(b, unsafe.Slice((*byte)(p), len(b))) })
	}
	return p
}

// back brings what the call wrote back into Go.
func (a *arena) back() {
	for _, f := range a.after {
		f()
	}
	for _, b := range a.blocks {
		if end := unsafe.Slice((*byte)(unsafe.Add(b.p, b.n)), len(mark)); !bytes.Equal(end, mark) {
			panic(fmt.Sprintf("p11test: the library wrote behind a buffer of %d bytes", b.n))
		}
	}
}

func (a *arena) free() {
	for _, b := range a.blocks {
		C.free(b.p)
	}
}

// at is the address of C memory as an argument.
func at(p unsafe.Pointer) word { return word(uintptr(p)) }

// in is the pointer and the length of bytes that are read.
func (a *arena) in(b []byte) (p, n word) { return at(a.copy(b)), word(len(b)) }

// ulong returns a CK_ULONG.
func (a *arena) ulong(v int) *C.CK_ULONG {
	p := (*C.CK_ULONG)(a.alloc(C.sizeof_CK_ULONG))
	*p = C.CK_ULONG(v)
	return p
}

// template is the pointer and the count of a template.
func (a *arena) template(vs attr.Values) (p, n word) {
	return at(a.attributes(vs)), word(len(vs))
}

func (a *arena) attributes(vs attr.Values) unsafe.Pointer {
	if vs == nil {
		return nil
	}
	p := a.alloc(len(vs) * C.sizeof_CK_ATTRIBUTE)
	for i, c := range unsafe.Slice((*C.CK_ATTRIBUTE)(p), len(vs)) {
		v := vs[i]
		c._type = C.CK_ATTRIBUTE_TYPE(v.Type)
		c.pValue, c.ulValueLen = C.CK_VOID_PTR(a.copy(v.Raw)), C.CK_ULONG(len(v.Raw))
		if attr.KindOf(v.Type) == attr.Template {
			if inner, err := attr.Decode(v.Raw); err == nil {
				c.pValue, c.ulValueLen = C.CK_VOID_PTR(a.attributes(inner)), C.CK_ULONG(len(inner)*C.sizeof_CK_ATTRIBUTE)
			}
		}
		unsafe.Slice((*C.CK_ATTRIBUTE)(p), len(vs))[i] = c
	}
	return p
}
