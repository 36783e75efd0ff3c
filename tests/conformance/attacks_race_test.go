package conformance

import (
	"fmt"
	"sync"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// TestAttackUndoingAChangeByAnotherThread: while one thread closes a key for
// good, others keep changing something else of it. What the first was told is
// done stays done, however the calls meet.
func TestAttackUndoingAChangeByAnotherThread(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		other := h.Session(RW)
		for _, place := range []attr.Values{No(p11.CKA_TOKEN), Yes(p11.CKA_TOKEN)} {
			undone := 0
			rounds := 150
			if place.True(p11.CKA_TOKEN) {
				rounds = 15 // each change waits for the disk
			}
			for range rounds {
				key := h.Create(s, Secret(p11.CKK_AES, random(16)), openly, place)
				var start, threads sync.WaitGroup
				start.Add(1)
				stop := make(chan struct{})
				for i := range 2 {
					threads.Go(func() {
						start.Wait()
						for n := 0; ; n++ {
							_ = h.SetAttributeValue(other, key, attr.Values{Label(fmt.Sprint(i, n))})
							select {
							case <-stop:
								return
							default:
							}
						}
					})
				}
				start.Done()
				// The token may give up against the other threads; then the owner asks again.
				for _, closed := range []attr.Values{Yes(p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE)} {
					for p11.Code(h.SetAttributeValue(s, key, closed)) == p11.CKR_FUNCTION_FAILED {
					}
				}
				close(stop)
				threads.Wait()
				if _, err := h.Get(s, key, p11.CKA_VALUE); err == nil || !h.ReadTrue(s, key, p11.CKA_SENSITIVE) || h.ReadTrue(s, key, p11.CKA_EXTRACTABLE) {
					undone++
				}
				h.Must(h.DestroyObject(s, key))
			}
			if undone > 0 {
				h.Errorf("%v: in %d of %d rounds the key was open again", place, undone, rounds)
			}
		}
	})
}
