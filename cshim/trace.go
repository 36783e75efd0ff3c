package main

// #include "pkcs11.h"
import "C"

import (
	"context"
	"strconv"
	"sync/atomic"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token"
	"coffer/token/settings"
)

// threshold is the settings.LogLevel in force; when it is off, logging costs a
// call one load.
var threshold atomic.Uint32

// logged reports whether a call that ends with rv is to be reported.
func logged(rv C.CK_RV) bool {
	t := threshold.Load()
	return t != 0 && uint32(levelOf(p11.RV(rv))) <= t
}

// levelOf sorts results: what an operator has to know, what a caller might
// want to know, and what is the ordinary course of things.
func levelOf(rv p11.RV) settings.LogLevel {
	switch rv {
	case p11.CKR_GENERAL_ERROR, p11.CKR_HOST_MEMORY, p11.CKR_FUNCTION_FAILED, p11.CKR_DEVICE_ERROR, p11.CKR_DEVICE_MEMORY,
		p11.CKR_TOKEN_WRITE_PROTECTED: // which only the store's file system can be
		return settings.LogError
	case p11.CKR_OK, p11.CKR_BUFFER_TOO_SMALL, p11.CKR_NO_EVENT:
		return settings.LogDebug
	}
	return settings.LogInfo
}

// A field is an argument or a result of a call, described without its secrets:
// of bytes the length, of a template the types, of a PIN nothing.
type field struct {
	kind   fieldKind
	label  string
	n      uint64
	more   uint64
	text   string
	values attr.Values
	asked  []token.Query
}

type fieldKind uint8

const (
	aNumber fieldKind = iota + 1
	hexFlags
	text
	lengthIn
	nullIn
	lengthOut
	nullOut
	secret
	types
	askedTypes
	aResult
)

func numberField(label string, n uint64) field { return field{kind: aNumber, label: label, n: n} }
func flagsField(f C.CK_FLAGS) field            { return field{kind: hexFlags, n: uint64(f)} }
func textField(label, s string) field          { return field{kind: text, label: label, text: strconv.Quote(s)} }
func secretField(label string) field           { return field{kind: secret, label: label} }
func resultField(label string, n uint64) field { return field{kind: aResult, label: label, n: n} }
func templateField(v attr.Values) field        { return field{kind: types, values: v} }
func queryField(q []token.Query) field         { return field{kind: askedTypes, asked: q} }
func typeField(t p11.MechanismType) field      { return field{kind: text, text: t.String()} }

func userField(u C.CK_USER_TYPE) field {
	return field{kind: text, text: p11.UserType(u).String()}
}

func mechanismField(p *C.CK_MECHANISM) field {
	if p == nil {
		return field{kind: text, text: "NULL mechanism"}
	}
	return typeField(p11.MechanismType(p.mechanism))
}

func inField(label string, p *C.CK_BYTE, n C.CK_ULONG) field {
	if p == nil {
		return field{kind: nullIn, label: label, n: uint64(n)}
	}
	return field{kind: lengthIn, label: label, n: uint64(n)}
}

func outField(label string, null bool, room, n int) field {
	if null {
		return field{kind: nullOut, label: label, more: uint64(n)}
	}
	return field{kind: lengthOut, label: label, n: uint64(room), more: uint64(n)}
}

// report logs a call that has ended:
//
//	C_Sign(session 1, data 32 bytes, signature 64 of 512 bytes) = CKR_OK
//	C_GenerateKey(session 1, CKM_AES_KEY_GEN, [CKA_CLASS]) = CKR_TEMPLATE_INCOMPLETE: CKA_VALUE_LEN is needed
func report(function string, err error, fields ...field) {
	line := make([]byte, 0, 256)
	line = append(append(line, function...), '(')
	first := true
	for i := range fields {
		if fields[i].kind == aResult {
			continue
		}
		if !first {
			line = append(line, ", "...)
		}
		first = false
		line = fields[i].append(line)
	}
	line = append(line, ") = "...)
	if err != nil {
		line = append(line, err.Error()...)
	} else {
		line = append(line, "CKR_OK"...)
		for i := range fields {
			if f := &fields[i]; f.kind == aResult {
				line = append(append(append(line, ", "...), f.label...), ' ')
				line = strconv.AppendUint(line, f.n, 10)
			}
		}
	}
	currentLog().Log(context.Background(), levels[levelOf(p11.Code(err))], string(line))
}

func (f *field) append(line []byte) []byte {
	if f.label != "" {
		line = append(append(line, f.label...), ' ')
	}
	switch f.kind {
	case aNumber:
		line = strconv.AppendUint(line, f.n, 10)
	case hexFlags:
		line = strconv.AppendUint(append(line, "flags 0x"...), f.n, 16)
	case text:
		line = append(line, f.text...)
	case secret:
		line = append(line, "redacted"...)
	case nullIn:
		line = append(line, "NULL"...)
		if f.n != 0 {
			line = append(strconv.AppendUint(append(line, " of "...), f.n, 10), " bytes"...)
		}
	case lengthIn:
		line = append(strconv.AppendUint(line, f.n, 10), " bytes"...)
	case nullOut:
		line = append(strconv.AppendUint(append(line, "NULL for "...), f.more, 10), " bytes"...)
	case lengthOut:
		line = append(strconv.AppendUint(line, f.more, 10), " of "...)
		line = append(strconv.AppendUint(line, f.n, 10), " bytes"...)
	case types:
		line = append(line, '[')
		for i, v := range f.values {
			if i > 0 {
				line = append(line, ' ')
			}
			line = append(line, v.Type.String()...)
		}
		line = append(line, ']')
	case askedTypes:
		line = append(line, '[')
		for i, q := range f.asked {
			if i > 0 {
				line = append(line, ' ')
			}
			line = append(line, q.Type.String()...)
		}
		line = append(line, ']')
	}
	return line
}
