package locked

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
)

func TestTheLastOneOutClears(t *testing.T) {
	s := newSecret(t, []byte("0123456789abcdef"))
	b, err := s.Hold()
	if err != nil {
		t.Fatal(err)
	}
	if s.Wipe() {
		t.Error("cleared while it is held")
	}
	if _, err := s.Hold(); err == nil {
		t.Error("held after Wipe")
	}
	if string(b) != "0123456789abcdef" || s.Cleared() {
		t.Errorf("got %q while it is held", b)
	}
	if again, err := s.Again(); err != nil || string(again) != "0123456789abcdef" {
		t.Errorf("who holds it already gets %q, %v", again, err)
	}
	if s.Release() {
		t.Error("cleared while it is held once")
	}
	if !s.Release() {
		t.Error("not cleared by the last one out")
	}
	if !bytes.Equal(b, make([]byte, len(b))) {
		t.Errorf("got %x after Release", b)
	}
	if s.Wipe() {
		t.Error("cleared twice")
	}
	if _, err := s.Again(); err == nil || !s.Cleared() {
		t.Error("held again after it was cleared")
	}
}

// The place must not be given back twice, nor while somebody still has it, and
// exactly one is told.
func TestASecretIsClearedOnce(t *testing.T) {
	for range 2000 {
		s := newSecret(t, []byte("0123456789abcdef"))
		var cleared atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 4 {
					b, err := s.Hold()
					if err != nil {
						continue
					}
					if string(b) != "0123456789abcdef" {
						t.Errorf("got %q", b)
					}
					if s.Release() {
						cleared.Add(1)
					}
				}
			})
		}
		if s.Wipe() {
			cleared.Add(1)
		}
		wg.Wait()
		if n := cleared.Load(); n != 1 {
			t.Fatalf("cleared %d times", n)
		}
	}
}

func BenchmarkHold(b *testing.B) {
	s := newSecret(b, make([]byte, 32))
	for b.Loop() {
		s.Hold()
		s.Release()
	}
}
