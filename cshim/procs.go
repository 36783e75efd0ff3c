package main

import "runtime"

// widen lets more threads run Go code than the machine has cores. A thread of
// the host is in a call at the host's priority: where hundreds compete for two
// cores, the kernel takes the core from one in the middle of a signature for
// hundreds of milliseconds, and with it one of the places in which Go code
// runs. With as many places as cores, the goroutines that serve other processes
// wait for such threads: beside a JVM with 200 busy threads on 2 cores, a
// pkcs11-tool that made a key took 11 s in one run of ten, and 1 s with 16
// places. A place costs some 100 KiB when it is used, and no time.
func widen() {
	runtime.GOMAXPROCS(max(16, 4*runtime.NumCPU()))
}
