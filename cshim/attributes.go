package main

// #include "pkcs11.h"
import "C"

import (
	"unsafe"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token"
)

// usualQueries is how many attributes a call may ask for without costing an
// allocation.
const usualQueries = 16

//export goC_GetAttributeValue
func goC_GetAttributeValue(hSession C.CK_SESSION_HANDLE, hObject C.CK_OBJECT_HANDLE, pTemplate C.CK_ATTRIBUTE_PTR, ulCount C.CK_ULONG) (rv C.CK_RV) {
	defer guard("C_GetAttributeValue", p11.SessionHandle(hSession), &rv)
	m := enter()
	if m == nil {
		return notInitialized
	}
	var few [usualQueries]token.Query
	queries := few[:]
	var err error
	switch {
	case pTemplate == nil && ulCount != 0, ulCount > attr.MaxCount:
		err = p11.CKR_ARGUMENTS_BAD
	case ulCount > usualQueries:
		queries = make([]token.Query, ulCount)
	}
	if err == nil {
		queries = queries[:ulCount]
		template := unsafe.Slice(pTemplate, int(ulCount))
		ask(queries, template, 0)
		err = m.GetAttributeValue(p11.SessionHandle(hSession), p11.ObjectHandle(hObject), queries)
		if rv = code(err); answered(rv) {
			answer(template, queries)
		}
	} else {
		queries = nil
		err = refuse(m, p11.SessionHandle(hSession), "C_GetAttributeValue", err)
		rv = code(err)
	}
	if logged(rv) {
		report("C_GetAttributeValue", err, numberField("session", uint64(hSession)), numberField("object", uint64(hObject)), queryField(queries))
	}
	return rv
}

// ask turns CK_ATTRIBUTEs into queries. Of an array of attributes the outer
// buffer holds CK_ATTRIBUTEs again, whose types are for the module to say
// (PKCS #11 v3.2, 5.7.5).
func ask(queries []token.Query, template []C.CK_ATTRIBUTE, depth int) {
	for i := range queries {
		a, q := template[i], &queries[i]
		*q = token.Query{Type: p11.AttributeType(a._type)}
		if a.pValue == nil {
			q.Ask = true
			continue
		}
		size := min(uint64(a.ulValueLen), maxLength)
		q.Buf = unsafe.Slice((*byte)(a.pValue), int(size))
		if depth == 0 && attr.KindOf(q.Type) == attr.Template {
			n := min(size/sizeofAttribute, attr.MaxCount)
			q.Inner = make([]token.Query, n)
			ask(q.Inner, unsafe.Slice((*C.CK_ATTRIBUTE)(a.pValue), int(n)), depth+1)
		}
	}
}

// answered reports whether the queries have been answered, each for itself.
func answered(rv C.CK_RV) bool {
	switch p11.RV(rv) {
	case p11.CKR_OK, p11.CKR_ATTRIBUTE_SENSITIVE, p11.CKR_ATTRIBUTE_TYPE_INVALID, p11.CKR_BUFFER_TOO_SMALL:
		return true
	}
	return false
}

// answer stores lengths; the values are where they belong already.
func answer(template []C.CK_ATTRIBUTE, queries []token.Query) {
	for i := range queries {
		a, q := &template[i], &queries[i]
		switch {
		case q.N < 0:
			a.ulValueLen = C.CK_ULONG(p11.Unavailable)
		case attr.KindOf(q.Type) == attr.Template:
			a.ulValueLen = C.CK_ULONG(q.N * sizeofAttribute)
		default:
			a.ulValueLen = C.CK_ULONG(q.N)
		}
		if q.Inner == nil {
			continue
		}
		// Beyond the first N the array has entries that are not used; if it was
		// too short there are none that are.
		inner := unsafe.Slice((*C.CK_ATTRIBUTE)(a.pValue), len(q.Inner))
		for j := range max(0, min(q.N, len(inner))) {
			inner[j]._type = C.CK_ATTRIBUTE_TYPE(q.Inner[j].Type)
			inner[j].ulValueLen = C.CK_ULONG(q.Inner[j].N) // -1 is CK_UNAVAILABLE_INFORMATION
		}
	}
}
