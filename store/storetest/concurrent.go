package storetest

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"coffer/store"
)

// testWatchConcurrent has writers and watchers at once.
func testWatchConcurrent(t *testing.T, open func(t *testing.T) store.Backend) {
	const writers, each = 4, 60
	t.Run("everyone sees the same, whole and in order", func(t *testing.T) {
		b := open(t)
		write(t, b, put("begin", 1))
		var watchers []*watcher
		for i := range 6 {
			watchers = append(watchers, start(t, b, store.Prefix([]byte("w")), store.Rev(i%2)))
		}
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					// Two keys that must be told together, and at times a
					// third that is deleted.
					ops := []store.Op{put(fmt.Sprint("w/a", w), i), put(fmt.Sprint("w/b", w), i)}
					if i%3 == 2 {
						ops = append(ops, del(fmt.Sprint("w/c", w)))
					} else {
						ops = append(ops, put(fmt.Sprint("w/c", w), i))
					}
					write(t, b, ops...)
				}
			})
		}
		var want string
		for n, w := range watchers {
			var got [][]store.Event
			last := store.Rev(1)
			for range writers * each {
				events := w.next(t)
				if rev := events[0].Rev; rev != last+1 {
					t.Fatalf("watcher %d: revision %d after %d", n, rev, last)
				}
				last++
				if len(events) != 3 {
					t.Fatalf("watcher %d: partial transaction %s", n, describeEvents([][]store.Event{events}))
				}
				for _, e := range events {
					if e.Rev != last || e.KV.Mod != last {
						t.Fatalf("watcher %d: revision %d in transaction %d", n, e.Rev, last)
					}
				}
				got = append(got, events)
			}
			if s := describeEvents(got); n == 0 {
				want = s
			} else {
				wantString(t, fmt.Sprint("watcher ", n), s, want)
			}
		}
		wg.Wait()
		// A watch that begins now, with all of it in the past.
		replayed := collect(t, b, store.Prefix([]byte("w")), 0, writers*each)
		wantString(t, "replay", describeEvents(replayed), want)
	})
	t.Run("a slow watcher misses nothing and holds nobody up", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 0))
		slow := start(t, b, all, 1)
		// More than any engine has reason to keep in memory for a watcher.
		const n, size = 100, 40_000
		value := make([]byte, size)
		for i := range n {
			write(t, b, store.Put(fmt.Append(nil, "k", i), value), put("a", i))
		}
		for i := range n {
			events := slow.next(t)
			if len(events) != 2 || events[0].Rev != store.Rev(i+2) || len(events[1].KV.Value) != size {
				t.Fatalf("slice %d: got %d events of revision %d", i, len(events), events[0].Rev)
			}
		}
	})
	t.Run("a cache kept by a watch equals the store", func(t *testing.T) {
		b := open(t)
		write(t, b, put("k0", 0))
		page := read(t, b, store.RangeRequest{Span: all})
		cache := map[string]string{"k0": "0"}
		w := start(t, b, all, page.Rev)
		var wg sync.WaitGroup
		for n := range writers {
			wg.Go(func() {
				for i := range each {
					key := fmt.Sprint("k", (n+i)%7)
					if (i+n)%4 == 0 {
						write(t, b, del(key), put("last", i))
					} else {
						write(t, b, put(key, i), put("last", i))
					}
				}
			})
		}
		for at := page.Rev; at < page.Rev+writers*each; at++ {
			for _, e := range w.next(t) {
				if e.Deleted {
					delete(cache, string(e.KV.Key))
				} else {
					cache[string(e.KV.Key)] = string(e.KV.Value)
				}
			}
		}
		wg.Wait()
		now := read(t, b, store.RangeRequest{Span: all})
		if len(now.KVs) != len(cache) {
			t.Errorf("the cache has %d keys, the store %d", len(cache), len(now.KVs))
		}
		for _, kv := range now.KVs {
			if got, ok := cache[string(kv.Key)]; !ok || got != string(kv.Value) {
				t.Errorf("%s: the cache has %q, the store %q", kv.Key, got, kv.Value)
			}
		}
	})
	t.Run("nothing outlives its watch", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		before := runtime.NumGoroutine()
		var watchers []*watcher
		for range 50 {
			watchers = append(watchers, start(t, b, all, 0))
		}
		for _, w := range watchers {
			w.next(t)
		}
		write(t, b, put("a", 2))
		for _, w := range watchers {
			w.cancel()
		}
		for _, w := range watchers {
			for open := true; open; {
				select {
				case <-w.events:
				case <-w.err:
					open = false
				}
			}
		}
		waitFor(t, "the goroutines of the watches to end", func() bool {
			return runtime.NumGoroutine() <= before
		})
	})
}

// testConcurrent has many callers at once.
func testConcurrent(t *testing.T, open func(t *testing.T) store.Backend) {
	const callers, each = 4, 40
	t.Run("no increment is lost", func(t *testing.T) {
		b := open(t)
		write(t, b, put("n", 0))
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for done := 0; done < each; {
					kv, _ := get(t, b, "n")
					n, _ := strconv.Atoi(string(kv.Value))
					res, err := b.Txn(within(t), store.Txn{
						If:   []store.Cmp{{Key: []byte("n"), Mod: kv.Mod}},
						Then: []store.Op{put("n", n+1)},
					})
					if err != nil {
						t.Error(err)
						return
					}
					if res.Done {
						done++
					}
				}
			})
		}
		wg.Wait()
		kv, _ := get(t, b, "n")
		want := fmt.Sprintf("n=%d@1/%d#%d ", callers*each, callers*each+1, callers*each+1)
		wantString(t, "counter", describe([]store.KV{kv}), want)
	})
	t.Run("of those who create a key one succeeds", func(t *testing.T) {
		b := open(t)
		for round := range 20 {
			key := fmt.Append(nil, "k", round)
			var mu sync.Mutex
			winners := 0
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					res, err := b.Txn(within(t), store.Txn{
						If:   []store.Cmp{{Key: key}},
						Then: []store.Op{store.Put(key, fmt.Append(nil, i))},
					})
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					if res.Done {
						winners++
					}
				})
			}
			wg.Wait()
			if winners != 1 {
				t.Errorf("round %d: got %d winners", round, winners)
			}
		}
	})
	t.Run("revisions are dense and one's own writes are seen", func(t *testing.T) {
		b := open(t)
		var mu sync.Mutex
		seen := map[store.Rev]bool{}
		var wg sync.WaitGroup
		for n := range callers {
			wg.Go(func() {
				for i := range each {
					key := fmt.Sprint("k", n)
					rev := write(t, b, put(key, i))
					mu.Lock()
					if seen[rev] {
						t.Errorf("revision %d was made twice", rev)
					}
					seen[rev] = true
					mu.Unlock()
					if kv, ok := get(t, b, key); !ok || kv.Mod != rev || string(kv.Value) != fmt.Sprint(i) {
						t.Errorf("wrote %d at %d, read %s at %d", i, rev, kv.Value, kv.Mod)
					}
				}
			})
		}
		wg.Wait()
		for rev := store.Rev(1); rev <= callers*each; rev++ {
			if !seen[rev] {
				t.Errorf("there is no revision %d", rev)
			}
		}
	})
	t.Run("no read sees half a transaction", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 0), put("z", 0))
		stop := make(chan struct{})
		var readers, writers sync.WaitGroup
		for range 2 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					page := read(t, b, store.RangeRequest{Span: all})
					if len(page.KVs) != 2 || string(page.KVs[0].Value) != string(page.KVs[1].Value) {
						t.Errorf("at %d: %s", page.Rev, describe(page.KVs))
						return
					}
				}
			})
		}
		for n := range callers {
			writers.Go(func() {
				for i := range each {
					v := fmt.Sprint(n, "/", i)
					write(t, b, put("a", v), put("z", v))
				}
			})
		}
		writers.Wait()
		close(stop)
		readers.Wait()
	})
}
