package token

import (
	"testing"
	"time"

	"coffer/p11"
)

// waited is what a C_WaitForSlotEvent in another goroutine came to.
type waited struct {
	slot p11.SlotID
	err  error
}

func (h *host) wait() <-chan waited {
	done := make(chan waited, 1)
	go func() {
		slot, err := h.WaitForSlotEvent(0)
		done <- waited{slot, err}
	}()
	return done
}

func (h *host) waits(done <-chan waited, want p11.SlotID) {
	h.Helper()
	select {
	case w := <-done:
		if w.err != nil || w.slot != want {
			h.Fatalf("slot %d, %v; want slot %d", w.slot, w.err, want)
		}
	case <-time.After(10 * time.Second):
		h.Fatal("nobody was told")
	}
}

func TestWhatAnotherProcessDoesToATokenIsAnEvent(t *testing.T) {
	a := newHost(t)
	b := a.second()
	// What was there when b was opened is no event; a made its own token.
	_, err := b.WaitForSlotEvent(p11.CKF_DONT_BLOCK)
	b.want(err, p11.CKR_NO_EVENT)
	_, err = a.WaitForSlotEvent(p11.CKF_DONT_BLOCK)
	a.want(err, p11.CKR_OK)

	done := b.wait()
	s := a.user()
	a.aes(s, yes(p11.CKA_TOKEN)) // wakes nobody
	a.must(a.InitToken(1, soPIN, "second"))
	b.waits(done, 1)
	if info, err := b.GetTokenInfo(1); err != nil || info.Label != "second" {
		t.Errorf("what the event tells of is %+v, %v", info, err)
	}
	done = b.wait()
	a.must(a.InitToken(1, soPIN, "anew"))
	b.waits(done, 1)
	done = b.wait()
	a.must(a.DeleteToken(1, soPIN))
	b.waits(done, 1)
	// A token that came and went while nobody looked is an event too: its slot
	// is not the free one any more.
	a.must(a.InitToken(2, soPIN, "short-lived"))
	a.must(a.DeleteToken(2, soPIN))
	b.waits(b.wait(), 2)
	_, err = b.WaitForSlotEvent(p11.CKF_DONT_BLOCK)
	b.want(err, p11.CKR_NO_EVENT)

	done = b.wait()
	b.must(b.Close())
	if w := <-done; p11.Code(w.err) != p11.CKR_CRYPTOKI_NOT_INITIALIZED {
		t.Errorf("closing ends the wait with %v", w.err)
	}
}
