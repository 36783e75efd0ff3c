package p11test

// #include <sys/mman.h>
// #include <string.h>
// #include <unistd.h>
// #include "pkcs11.h"
import "C"

import (
	"testing"
	"unsafe"
)

// Guarded is C memory that ends where there is no memory: what reads or writes
// behind it meets a fault, not its neighbour. A block is good until so many
// others were made that its page comes round again.
type Guarded struct {
	base unsafe.Pointer
	next int
}

const (
	guardedPages = 64
	pageSize     = 4096
)

// NewGuarded maps pages, each before one that cannot be touched.
func NewGuarded(t testing.TB) *Guarded {
	t.Helper()
	size := C.size_t(2 * guardedPages * pageSize)
	base := C.mmap(nil, size, C.PROT_READ|C.PROT_WRITE, C.MAP_PRIVATE|C.MAP_ANONYMOUS, -1, 0)
	if base == C.MAP_FAILED {
		t.Fatal("mmap failed")
	}
	for i := range guardedPages {
		if C.mprotect(unsafe.Add(base, (2*i+1)*pageSize), pageSize, C.PROT_NONE) != 0 {
			t.Fatal("mprotect failed")
		}
	}
	t.Cleanup(func() { C.munmap(base, size) })
	return &Guarded{base: base}
}

// block returns n bytes of zeros at the end of a page.
func (g *Guarded) block(n int) unsafe.Pointer {
	page := unsafe.Add(g.base, 2*pageSize*(g.next%guardedPages))
	g.next++
	C.memset(page, 0, pageSize)
	return unsafe.Add(page, pageSize-n)
}

func address(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }

// Nowhere returns an address at which there is no memory.
func (g *Guarded) Nowhere() uint64 { return address(unsafe.Add(g.base, pageSize)) }

// Bytes returns the address of n bytes of zeros.
func (g *Guarded) Bytes(n int) uint64 { return address(g.block(n)) }

// ULong returns the address of a CK_ULONG.
func (g *Guarded) ULong(v uint64) uint64 {
	p := g.block(C.sizeof_CK_ULONG)
	*(*C.CK_ULONG)(p) = C.CK_ULONG(v)
	return address(p)
}

// Attributes returns the address of one CK_ATTRIBUTE whose value has 16 bytes,
// or as few as it says.
func (g *Guarded) Attributes(t, length uint64) uint64 {
	value := g.block(int(min(length, 16)))
	p := g.block(C.sizeof_CK_ATTRIBUTE)
	*(*C.CK_ATTRIBUTE)(p) = C.CK_ATTRIBUTE{_type: C.CK_ATTRIBUTE_TYPE(t), pValue: C.CK_VOID_PTR(value), ulValueLen: C.CK_ULONG(length)}
	return address(p)
}

// Mechanism returns the address of a CK_MECHANISM with a parameter of zeros of
// 64 bytes, or as few as it says.
func (g *Guarded) Mechanism(t, length uint64) uint64 {
	param := g.block(int(min(length, 64)))
	p := g.block(C.sizeof_CK_MECHANISM)
	*(*C.CK_MECHANISM)(p) = C.CK_MECHANISM{mechanism: C.CK_MECHANISM_TYPE(t), pParameter: C.CK_VOID_PTR(param), ulParameterLen: C.CK_ULONG(length)}
	return address(p)
}
