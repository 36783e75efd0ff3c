package main

import (
	"runtime"
	"time"
)

// collectWait bounds what C_Finalize waits for the collector.
const collectWait = 200 * time.Millisecond

// collect has the collector overwrite what is left of keys on the heap, which
// it does with all that it frees (clobberfree, see doc.go). Some of that hangs
// on keys that a first round only finds unused, as the caches of crypto/ecdsa
// and crypto/ed25519 do.
func collect() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2 {
			runtime.GC()
		}
	}()
	select {
	case <-done:
	case <-time.After(collectWait):
	}
}
