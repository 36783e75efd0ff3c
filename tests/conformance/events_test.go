package conformance

import (
	"testing"
	"time"

	"coffer/p11"
	. "coffer/tests/p11test"
)

func TestSlotEventsOfThisApplication(t *testing.T) {
	Each(t, func(h *Host) {
		next := func(want ...p11.SlotID) {
			h.Helper()
			for _, w := range want {
				if got, err := h.WaitForSlotEvent(p11.CKF_DONT_BLOCK); err != nil || got != w {
					h.Fatalf("slot %d, %v; want slot %d", got, err, w)
				}
			}
			_, err := h.WaitForSlotEvent(p11.CKF_DONT_BLOCK)
			h.Want(err, p11.CKR_NO_EVENT)
		}
		next(0) // the host's own token
		s := h.User()
		h.AES(s, Yes(p11.CKA_TOKEN))
		next() // an object is no event
		h.Must(h.SetPIN(s, UserPIN, []byte("other")))
		next() // nor is a PIN
		h.Must(h.InitToken(1, SOPIN, "second"))
		h.Must(h.InitToken(2, SOPIN, "third"))
		next(1, 2)
		h.Must(h.InitToken(1, SOPIN, "second again"))
		next(1)
		h.Reopen()
		next() // C_Initialize clears what happened before
		h.Must(h.InitToken(1, SOPIN, "and again"))
		if got, err := h.WaitForSlotEvent(0); err != nil || got != 1 {
			h.Errorf("waiting for what has happened: slot %d, %v", got, err)
		}
	})
}

func TestFinalizeEndsTheWaitForASlotEvent(t *testing.T) {
	Each(t, func(h *Host) {
		if _, err := h.WaitForSlotEvent(0); err != nil { // the host's own token
			h.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := h.WaitForSlotEvent(0)
			done <- err
		}()
		select {
		case err := <-done:
			h.Fatalf("nothing has happened, and the wait ends with %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		h.Must(h.Close())
		select {
		case err := <-done:
			h.Want(err, p11.CKR_CRYPTOKI_NOT_INITIALIZED)
		case <-time.After(10 * time.Second):
			h.Fatal("the wait goes on after C_Finalize")
		}
		h.Start()
	})
}
