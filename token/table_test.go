package token

import (
	"sync"
	"testing"
)

func TestTableNeverAnswersAStaleHandle(t *testing.T) {
	var tab table[int]
	add := func(n int) uint64 {
		var h uint64
		tab.add(func(handle uint64) *int { h = handle; return &n })
		return h
	}
	first := add(1)
	if first != 1 {
		t.Errorf("the first handle is %d, want 1", first)
	}
	if !tab.remove(first) || tab.remove(first) {
		t.Error("a handle is removed once")
	}
	// Use the index up until it comes back.
	seen := map[uint64]bool{first: true}
	for range 3 * pageSize {
		h := add(2)
		if seen[h] {
			t.Fatalf("handle %#x was given out twice", h)
		}
		seen[h] = true
		if tab.get(first) != nil {
			t.Fatalf("the removed handle answers after %d more", len(seen))
		}
		tab.remove(h)
	}
	for _, h := range []uint64{0, 1 << 40, ^uint64(0), indexMask} {
		if tab.get(h) != nil || tab.remove(h) {
			t.Errorf("handle %#x answers", h)
		}
	}
}

func TestTableIsSafeForManyThreads(t *testing.T) {
	var tab table[uint64]
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				v := tab.add(func(h uint64) *uint64 { return &h })
				h := *v
				if got := tab.get(h); got == nil || *got != h {
					t.Errorf("handle %#x leads elsewhere", h)
				}
				tab.remove(h)
			}
		})
	}
	wg.Wait()
}

func BenchmarkTableGet(b *testing.B) {
	var tab table[int]
	for range 100000 {
		tab.add(func(uint64) *int { return new(int) })
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if tab.get(uint64(i%100000)+1) == nil {
			b.Fatal("lost")
		}
	}
}
