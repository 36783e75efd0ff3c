// Command cshim is libcoffer.so: the C face of the HSM, a PKCS #11 v3.2
// provider. It turns pointers into slices and errors into CK_RVs, and keeps
// the Go runtime from harming the process that it is loaded into. It holds no
// policy and no state of tokens; those are in package token.
//
// Build it with
//
//	go build -buildmode=c-shared -trimpath \
//	  -ldflags '-s -w -X runtime.godebugDefault=asyncpreemptoff=1,invalidptr=0,containermaxprocs=0,updatemaxprocs=0,clobberfree=1' \
//	  -o libcoffer.so ./cshim
//
// asyncpreemptoff: the runtime would preempt by SIGURG, which belongs to the
// host. invalidptr: a caller's stray pointer, such as (void *)1, lies in a
// variable while a call looks at it; the runtime must not abort the process
// when it meets one. containermaxprocs, updatemaxprocs: the runtime would keep
// descriptors of the control group's files, and on numbers 0 to 2 if the host
// has closed those. clobberfree: what the crypto packages have left of a key on
// the heap is overwritten when the collector finds it unused, not when the
// place is next needed.
//
// # Design
//
// A call takes one step from C to Go and none back. C_Sign is a C function
// (stubs_gen.c) that checks by one load whether this process is the one that
// loaded the library (guard.h) and calls goC_Sign (exports_gen.go), which
// marshals its arguments by their shapes (arguments.go), calls Module.Sign and
// stores the results. Both files and the header pkcs11.h are generated from
// the tables in p11/spec; what fits no shape is written by hand.
//
// Memory of the caller is aliased during the call and never kept. Its lengths
// are checked before a slice is made. Reading or writing what is not mapped is
// CKR_ARGUMENTS_BAD, not a crash: a fault in Go code is a panic, and every
// panic ends at the boundary (boundary.go).
//
// In C there is what cannot be Go. Of the process: guard.c tells a forked
// child, copy.c gives it its own runtime, handlers.c keeps signals where they
// belong. Of the linker: exports.so.
package main

//go:generate go run ./gen

// #cgo CFLAGS: -O2 -Wall
// #cgo LDFLAGS: ${SRCDIR}/exports.so
import "C"

func main() {}
