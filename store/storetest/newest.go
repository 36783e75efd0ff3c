package storetest

import (
	"sync"
	"sync/atomic"
	"testing"

	"coffer/store"
)

func testNewest(t *testing.T, open func(t *testing.T) store.Backend) {
	t.Run("it follows every transaction and nothing else", func(t *testing.T) {
		b := open(t)
		want := func(when string, rev store.Rev) {
			t.Helper()
			if got := b.Newest(); got != rev {
				t.Errorf("%s: got %d, want %d", when, got, rev)
			}
		}
		want("empty", 0)
		for i := range 5 {
			want("written", write(t, b, put("a", i)))
		}
		write(t, b, del("absent"))
		want("nothing deleted", 5)
		res, err := b.Txn(within(t), store.Txn{If: []store.Cmp{{Key: []byte("a")}}, Then: []store.Op{put("a", 9)}})
		if err != nil || res.Done {
			t.Fatalf("got %+v, %v", res, err)
		}
		want("comparison failed", 5)
		if err := b.Compact(within(t), 5); err != nil {
			t.Fatal(err)
		}
		want("compacted", 5)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		want("closed", 5)
	})
	t.Run("it never goes back and is never behind what was acknowledged", func(t *testing.T) {
		const writers, each = 4, 50
		b := open(t)
		var acknowledged atomic.Int64 // the newest
		var working, looking sync.WaitGroup
		stop := make(chan struct{})
		for range 2 {
			looking.Go(func() {
				for last := store.Rev(0); ; {
					known := store.Rev(acknowledged.Load())
					got := b.Newest()
					if got < last || got < known {
						t.Errorf("got %d after %d, acknowledged was %d", got, last, known)
						return
					}
					last = got
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		for range writers {
			working.Go(func() {
				for i := range each {
					rev := write(t, b, put("a", i))
					if got := b.Newest(); got < rev {
						t.Errorf("got %d, own transaction made %d", got, rev)
					}
					for {
						was := acknowledged.Load()
						if int64(rev) <= was || acknowledged.CompareAndSwap(was, int64(rev)) {
							break
						}
					}
				}
			})
		}
		working.Wait()
		close(stop)
		looking.Wait()
		if got := b.Newest(); got != writers*each {
			t.Errorf("got %d in the end, want %d", got, writers*each)
		}
	})
}
