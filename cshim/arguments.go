package main

// #include "pkcs11.h"
import "C"

import (
	"os"
	"unsafe"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token"
)

// maxLength bounds the length of a buffer: more than any memory that a caller
// has, and little enough that no slice runs past the end of the address space.
const maxLength = 1 << 40

// arguments marshals the arguments of one call. It keeps the first error, so
// that a call looks at it once.
type arguments struct{ err error }

func (a *arguments) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// in aliases n bytes of the caller's memory for the time of the call. NULL is
// good for no bytes.
func (a *arguments) in(p *C.CK_BYTE, n C.CK_ULONG) []byte {
	if p == nil && n != 0 || n > maxLength {
		a.fail(p11.CKR_ARGUMENTS_BAD)
		return nil
	}
	return unsafe.Slice((*byte)(p), int(n))
}

// fill aliases n bytes of the caller's memory that are to be filled. It touches
// every page, since who fills them may be the kernel, where memory that is not
// there is the death of the process: of the fault in the vDSO, or of
// crypto/rand, which takes no error for an answer.
func (a *arguments) fill(p *C.CK_BYTE, n C.CK_ULONG) []byte {
	dst := a.in(p, n)
	for i := 0; i < len(dst); i += os.Getpagesize() {
		dst[i] = 0
	}
	if len(dst) > 0 {
		dst[len(dst)-1] = 0
	}
	return dst
}

// out is an output buffer in the convention of PKCS #11 v3.2, 5.2. NULL asks
// for the length. A buffer of no bytes does not: it is too small. Some callers
// say that the buffer has ULONG_MAX bytes; any length that is beyond memory
// means "large enough".
func (a *arguments) out(p *C.CK_BYTE, n *C.CK_ULONG) p11.Out {
	if n == nil {
		a.fail(p11.CKR_ARGUMENTS_BAD)
		return p11.Out{}
	}
	if p == nil {
		return p11.Out{}
	}
	return p11.Out{Buf: unsafe.Slice((*byte)(p), int(min(*n, maxLength)))}
}

// storeLength stores the length of an output where the convention wants it.
func storeLength(rv C.CK_RV, p *C.CK_ULONG, n int) {
	if rv == ok || rv == C.CK_RV(p11.CKR_BUFFER_TOO_SMALL) {
		*p = C.CK_ULONG(n)
	}
}

// result checks that there is room for a result.
func (a *arguments) result(given bool) {
	if !given {
		a.fail(p11.CKR_ARGUMENTS_BAD)
	}
}

// What a NULL mechanism means to a function.
type nullMechanism bool

const (
	required nullMechanism = false
	cancels  nullMechanism = true
)

// mechanism decodes a mechanism into dst and returns dst, or nil for a NULL
// that cancels. A mechanism that the module does not know is passed on without
// its parameter: the module says so in the order that the standard wants.
func (a *arguments) mechanism(m *token.Module, p *C.CK_MECHANISM, null nullMechanism, dst *p11.Mechanism) *p11.Mechanism {
	if p == nil {
		if null == required {
			a.fail(p11.CKR_ARGUMENTS_BAD)
		}
		return nil
	}
	dst.Type = p11.MechanismType(p.mechanism)
	kind, known := m.ParamKind(dst.Type)
	if !known {
		return dst
	}
	var err error
	if dst.Params, err = decodeParams(kind, unsafe.Pointer(p.pParameter), uint64(p.ulParameterLen)); err != nil {
		a.fail(err)
	}
	return dst
}

// template copies a template.
func (a *arguments) template(p *C.CK_ATTRIBUTE, n C.CK_ULONG) attr.Values {
	values, err := decodeTemplate(unsafe.Pointer(p), uint64(n))
	if err != nil {
		a.fail(err)
	}
	return values
}
