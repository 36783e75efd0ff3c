package p11test

/*
#cgo CFLAGS: -I${SRCDIR}/../../cshim
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include "pkcs11.h"

// An argument of Cryptoki is a pointer, a CK_ULONG or a CK_BBOOL: each is in a
// register or on the stack as a CK_ULONG would be, on every LP64 system that
// coffer runs on, and nobody minds further ones.
typedef CK_RV (*any)(CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG);

static CK_RV call(CK_FUNCTION_LIST_3_2 *list, int i, const CK_ULONG *a) {
  any *functions = (any *)((char *)list + sizeof(void *));
  return functions[i](a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
}

static CK_FUNCTION_LIST_3_2 *load(const char *path, const char **why) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    *why = dlerror();
    return NULL;
  }
  CK_C_GetInterface get = (CK_C_GetInterface)dlsym(library, "C_GetInterface");
  if (get == NULL) {
    *why = dlerror();
    return NULL;
  }
  CK_VERSION version = {3, 2};
  CK_INTERFACE_PTR interface = NULL;
  if (get((CK_UTF8CHAR_PTR) "PKCS 11", &version, &interface, 0) != CKR_OK) {
    *why = "C_GetInterface has no interface 3.2";
    return NULL;
  }
  return interface->pFunctionList;
}
*/
import "C"

import (
	"fmt"
	"sync"
	"testing"
	"unsafe"

	"coffer/p11"
	"coffer/store"
	"coffer/tests/built"
)

// maxArguments is the number of arguments of the longest function.
const maxArguments = 10

// A word is an argument of a C function.
type word = C.CK_ULONG

// A Library is the built library in this process, and the functions of its
// list of version 3.2.
type Library struct {
	list      *C.CK_FUNCTION_LIST_3_2
	Functions []Function
	index     map[string]int
}

var loaded = sync.OnceValues(func() (*Library, error) {
	functions, err := readFunctions()
	if err != nil {
		return nil, err
	}
	l := &Library{Functions: functions, index: map[string]int{}}
	for i, f := range functions {
		l.index[f.Name] = i
	}
	path := C.CString(libraryPath)
	defer C.free(unsafe.Pointer(path))
	var why *C.char
	if l.list = C.load(path, &why); l.list == nil {
		return nil, fmt.Errorf("loading %s: %s", libraryPath, C.GoString(why))
	}
	return l, nil
})

var libraryPath string

// Load returns the built library.
func Load(t testing.TB) *Library {
	t.Helper()
	libraryPath = built.Lib(t)
	l, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Call calls a function of the list with any arguments: numbers, or addresses
// of C memory.
func (l *Library) Call(name string, args ...uint64) p11.RV {
	words := make([]word, len(args))
	for i, a := range args {
		words[i] = word(a)
	}
	return l.call(name, words...)
}

func (l *Library) call(name string, args ...word) p11.RV {
	i, ok := l.index[name]
	if !ok {
		panic("p11test: there is no function " + name)
	}
	var a [maxArguments]word
	copy(a[:], args)
	return p11.RV(C.call(l.list, C.int(i), &a[0]))
}

// CLibrary opens the built library over a folder. There is one library in a process:
// what it opens must be closed before it opens again.
func CLibrary(t *testing.T) (func(t *testing.T) Driver, store.Backend) {
	t.Helper()
	return cLibrary(everything)(t)
}

// CUnder is CLibrary under settings of its own.
func CUnder(config string) Opener { return cLibrary(config) }

func cLibrary(config string) Opener {
	return func(t *testing.T) (func(t *testing.T) Driver, store.Backend) {
		t.Helper()
		l := Load(t)
		dir := t.TempDir()
		return func(t *testing.T) Driver {
			t.Helper()
			d := &cDriver{t: t, lib: l}
			if err := d.initialize(fmt.Sprintf("store=%q pin.argon2_memory=64 pin.argon2_time=1 pin.delay=0s %s", dir, config)); err != nil {
				t.Fatal(err)
			}
			return d
		}, nil
	}
}

// A cDriver is the library between C_Initialize and C_Finalize.
type cDriver struct {
	t   *testing.T
	lib *Library
	// storeMayFail lets C_Initialize and C_Finalize answer what the standard
	// does not have for them.
	storeMayFail bool
}

// do calls a function whose code says all, and checks that it is one of those
// that the standard has for the function.
func (d *cDriver) do(name string, args ...word) error {
	rv := d.lib.call(name, args...)
	f := &d.lib.Functions[d.lib.index[name]]
	if !f.May(rv) && !(d.storeMayFail && (name == "C_Initialize" || name == "C_Finalize")) {
		d.t.Errorf("%s answers %v, which the standard does not have for it", name, rv)
	}
	if rv == p11.CKR_OK {
		return nil
	}
	return rv
}

func (d *cDriver) initialize(config string) error {
	var a arena
	defer a.free()
	args := (*C.CK_C_INITIALIZE_ARGS)(a.alloc(C.sizeof_CK_C_INITIALIZE_ARGS))
	args.flags = C.CKF_OS_LOCKING_OK
	args.pReserved = C.CK_VOID_PTR(a.copy(append([]byte(config), 0)))
	return d.do("C_Initialize", at(unsafe.Pointer(args)))
}

func (d *cDriver) Close() error { return d.do("C_Finalize") }
