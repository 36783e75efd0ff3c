// A host written in Go: two Go runtimes in one process. It keeps goroutines
// busy, which its runtime can only stop by SIGURG, collects, takes signals and
// recovers from faults, while others call the library.
package main

/*
#cgo CFLAGS: -I../../../../cshim
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include "pkcs11.h"

static CK_FUNCTION_LIST *f;

static int load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList get = library ? (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList") : NULL;
  return get && get(&f) == CKR_OK && f->C_Initialize(NULL) == CKR_OK;
}

static CK_RV digest(CK_SLOT_ID slot, CK_BYTE *data, CK_ULONG n) {
  CK_SESSION_HANDLE h;
  CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
  CK_BYTE out[32];
  CK_ULONG size = sizeof out;
  CK_RV rv = f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &h);
  if (rv == CKR_OK) rv = f->C_DigestInit(h, &sha);
  if (rv == CKR_OK) rv = f->C_Digest(h, data, n, out, &size);
  if (rv == CKR_OK) rv = f->C_CloseSession(h);
  return rv;
}

static CK_RV token(CK_SLOT_ID *slot) {
  CK_ULONG n = 1;
  CK_UTF8CHAR label[] = "Go host                         ";
  CK_RV rv = f->C_GetSlotList(CK_FALSE, slot, &n);
  return rv == CKR_OK ? f->C_InitToken(*slot, (CK_UTF8CHAR *)"12345678", 8, label) : rv;
}
*/
import "C"

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func check(ok bool, what string) {
	if !ok {
		fmt.Println("failed:", what)
		os.Exit(1)
	}
}

func main() {
	runtime.GOMAXPROCS(4)
	var slot C.CK_SLOT_ID
	check(C.load(C.CString(os.Args[1])) != 0, "load")
	check(C.token(&slot) == 0, "token")

	signals := make(chan os.Signal, 1000)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGCHLD)
	var taken atomic.Int64
	go func() {
		for range signals {
			taken.Add(1)
		}
	}()
	for range 2 { // stopped by SIGURG or not at all
		go func() {
			for x := 0; ; x++ {
			}
		}()
	}
	recovered := 0
	for range 1000 {
		func() {
			defer func() {
				if recover() != nil {
					recovered++
				}
			}()
			var p *int
			*p = 1
		}()
	}
	check(recovered == 1000, "recovering from faults")

	var calls atomic.Int64
	var wg sync.WaitGroup
	stop := time.Now().Add(3 * time.Second)
	for range 8 {
		wg.Go(func() {
			for time.Now().Before(stop) {
				data := make([]byte, 10_000)
				check(C.digest(slot, (*C.CK_BYTE)(&data[0]), 10_000) == 0, "digest")
				if calls.Add(1)%100 == 0 {
					runtime.GC()
					syscall.Kill(os.Getpid(), syscall.SIGUSR1)
				}
			}
		})
	}
	wg.Wait()
	check(calls.Load() > 100 && taken.Load() > 0, "calls and signals")
}
