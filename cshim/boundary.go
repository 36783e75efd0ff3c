package main

// #include "pkcs11.h"
import "C"

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"coffer/p11"
	"coffer/token"
)

const (
	ok             = C.CK_RV(p11.CKR_OK)
	notInitialized = C.CK_RV(p11.CKR_CRYPTOKI_NOT_INITIALIZED)
)

// module is what C_Initialize opened and C_Finalize takes away. A call that is
// under way keeps the one it began with, which answers
// CKR_CRYPTOKI_NOT_INITIALIZED once it is closed.
var module atomic.Pointer[token.Module]

// enter begins a call: it returns the module, nil before C_Initialize. Memory
// of the caller that is not there raises a panic from here on, which guard
// turns into an answer.
func enter() *token.Module {
	debug.SetPanicOnFault(true)
	return module.Load()
}

// guard ends every call: no panic may reach C, where it would end the process.
// The operation that it happened in is ended, since nothing is known about its
// state.
func guard(function string, h p11.SessionHandle, rv *C.CK_RV) {
	r := recover()
	if r == nil {
		return
	}
	err := panicError(r)
	*rv = code(err)
	if m := module.Load(); m != nil && h != 0 {
		endOperation(m, h, function)
	}
	if logged(*rv) {
		report(function, err, numberField("session", uint64(h)))
	}
}

func endOperation(m *token.Module, h p11.SessionHandle, function string) {
	defer func() { recover() }() // what fails here fails again at the next call, and is logged then
	m.BadArguments(h, function)
}

// panicError describes a panic by its text and the functions that it came
// through. A stack trace would show arguments, and so perhaps keys.
func panicError(r any) error {
	if fault, isFault := r.(interface{ Addr() uintptr }); isFault {
		return p11.Errorf(p11.CKR_ARGUMENTS_BAD, "the caller's memory at %#x is not there", fault.Addr())
	}
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var at strings.Builder
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "coffer/") || strings.HasPrefix(f.Function, "main.") {
			fmt.Fprintf(&at, " %s:%d", f.Function, f.Line)
		}
		if !more {
			break
		}
	}
	return p11.Errorf(p11.CKR_GENERAL_ERROR, "internal error: %v in%s", r, at.String())
}

// code is the CK_RV of an error.
func code(err error) C.CK_RV {
	if err == nil {
		return ok
	}
	return C.CK_RV(p11.Code(err))
}

// refuse answers a call whose arguments are no good for the reason err. An
// invalid session comes first in the standard's order, and a call that ends an
// operation ends it here too.
func refuse(m *token.Module, h p11.SessionHandle, function string, err error) error {
	if first := m.BadArguments(h, function); p11.Code(first) != p11.CKR_ARGUMENTS_BAD {
		return first
	}
	return err
}
