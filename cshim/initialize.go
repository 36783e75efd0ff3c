package main

// #include "guard.h"
import "C"

import (
	"bytes"
	"sync"
	"unsafe"

	"coffer/p11"
	"coffer/store/stores"
	"coffer/token"
	"coffer/token/settings"
)

// lifeMu serialises C_Initialize and C_Finalize: of several at once one wins,
// and a store is closed before it is opened again.
var lifeMu sync.Mutex

//export goC_Initialize
func goC_Initialize(pInitArgs C.CK_VOID_PTR) (rv C.CK_RV) {
	defer guard("C_Initialize", 0, &rv)
	enter()
	widen()
	lifeMu.Lock()
	defer lifeMu.Unlock()
	err := initialize((*C.CK_C_INITIALIZE_ARGS)(pInitArgs))
	return endOfLife("C_Initialize", err)
}

// endOfLife reports what C_Initialize or C_Finalize came to, and returns it as a
// code that the standard has for them (PKCS #11 v3.2, 5.4.1, 5.4.2): there is
// none for a store that cannot be opened or closed. The log has the one that
// other functions would give.
func endOfLife(function string, err error) C.CK_RV {
	rv := code(err)
	if logged(rv) {
		report(function, err)
	}
	if module.Load() == nil {
		closeLog()
	}
	switch p11.RV(rv) {
	case p11.CKR_OK, p11.CKR_ARGUMENTS_BAD, p11.CKR_CRYPTOKI_ALREADY_INITIALIZED, p11.CKR_CRYPTOKI_NOT_INITIALIZED,
		p11.CKR_FUNCTION_FAILED, p11.CKR_HOST_MEMORY:
		return rv
	}
	return C.CK_RV(p11.CKR_GENERAL_ERROR)
}

func initialize(args *C.CK_C_INITIALIZE_ARGS) error {
	if module.Load() != nil {
		return p11.CKR_CRYPTOKI_ALREADY_INITIALIZED
	}
	arg, err := checkInitArgs(args)
	if err != nil {
		return err
	}
	set, err := settings.Load(settings.Source{Getenv: getenv, Arg: arg})
	if err != nil {
		openLogForError()
		return err
	}
	logger, err := openLog(set.LogLevel, set.LogFile)
	if err != nil {
		return err
	}
	backend, err := stores.Open(set.Store, stores.Options{Wait: set.LockWait, Group: set.Group, Ballast: holdBallast})
	if err != nil {
		return p11.Errorf(p11.CKR_DEVICE_ERROR, "opening the store %s: %w", set.Store, err)
	}
	m, err := token.Open(token.Config{
		Store:          backend,
		Log:            logger,
		Policy:         set.Policy,
		Argon2:         set.Argon2,
		PINMaxFailures: set.PINMaxFailures,
		PINDelay:       set.PINDelay,
		PINMaxDelay:    set.PINMaxDelay,
	})
	if err != nil {
		return err
	}
	module.Store(m)
	return nil
}

// holdBallast is told of a file that can be given up when the disk is full; see
// bus.c.
func holdBallast(fd int, held bool) {
	is := C.int(0)
	if held {
		is = 1
	}
	C.hold_ballast(C.int(fd), is)
}

// checkInitArgs checks the arguments of C_Initialize (PKCS #11 v3.2, 5.4.1)
// and returns the configuration string in pReserved: NSS, pkcs11-provider and
// p11-kit pass one there, so it is not the error that the standard makes it.
//
// The locks are Go's, which are the operating system's. That satisfies a
// caller that allows them, one that uses a single thread, and also one that
// wants its own functions to be called: they would lock what needs no lock.
//
// CKF_LIBRARY_CANT_CREATE_OS_THREADS is not refused. The Go runtime's threads
// exist since the library was loaded, block every signal and do not survive a
// fork, so a process is no better off without the library's services. GnuTLS
// (3.8.11, Debian's 3.7.9-2+deb12u7) sets the flag always and does not try
// again without it after CKR_NEED_TO_CREATE_THREADS.
func checkInitArgs(args *C.CK_C_INITIALIZE_ARGS) (string, error) {
	if args == nil {
		return "", nil
	}
	given := 0
	for _, isSet := range []bool{args.CreateMutex != nil, args.DestroyMutex != nil, args.LockMutex != nil, args.UnlockMutex != nil} {
		if isSet {
			given++
		}
	}
	switch {
	case given != 0 && given != 4:
		return "", p11.Errorf(p11.CKR_ARGUMENTS_BAD, "%d of the 4 mutex functions are given", given)
	case args.pReserved == nil:
		return "", nil
	}
	const most = 1 << 16
	text := unsafe.Slice((*byte)(args.pReserved), most)
	for i := range text { // byte by byte: the page after the terminator may not exist
		if text[i] == 0 {
			return string(bytes.Clone(text[:i])), nil
		}
	}
	return "", p11.Errorf(p11.CKR_ARGUMENTS_BAD, "pReserved is not a string of less than %d bytes", most)
}

//export goC_Finalize
func goC_Finalize(pReserved C.CK_VOID_PTR) (rv C.CK_RV) {
	defer guard("C_Finalize", 0, &rv)
	enter()
	lifeMu.Lock()
	defer lifeMu.Unlock()
	var err error = p11.CKR_CRYPTOKI_NOT_INITIALIZED
	switch m := module.Load(); {
	case m == nil:
	case pReserved != nil:
		err = p11.CKR_ARGUMENTS_BAD
	default:
		module.Store(nil)
		err = m.Close()
		collect()
	}
	return endOfLife("C_Finalize", err)
}
