package main

// #include <stdlib.h>
import "C"

import "unsafe"

// getenv reads a variable of the process. os.Getenv would answer from a copy
// that the Go runtime made when the library was loaded; suites set variables
// after that, and between tests.
func getenv(name string) (string, bool) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	v := C.getenv(c)
	if v == nil {
		return "", false
	}
	return C.GoString(v), true
}
