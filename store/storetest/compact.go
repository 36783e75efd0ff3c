package storetest

import (
	"fmt"
	"testing"

	"coffer/store"
)

func testCompact(t *testing.T, open func(t *testing.T) store.Backend) {
	// Revisions 1 to 10 write "a" and, below it, "b" until it is deleted at 5.
	fill := func(t *testing.T, b store.Backend) {
		for rev := 1; rev <= 10; rev++ {
			switch {
			case rev < 5:
				write(t, b, put("a", rev), put("b", rev))
			case rev == 5:
				write(t, b, put("a", rev), del("b"))
			default:
				write(t, b, put("a", rev))
			}
		}
	}
	compact := func(t *testing.T, b store.Backend, at store.Rev) {
		t.Helper()
		if err := b.Compact(within(t), at); err != nil {
			t.Fatalf("Compact at %d: %v", at, err)
		}
	}
	t.Run("what is older is gone and the rest stays", func(t *testing.T) {
		b := open(t)
		fill(t, b)
		for _, at := range []store.Rev{0, 1, 4, 6, 10} {
			compact(t, b, at)
			for rev := store.Rev(1); rev <= 10; rev++ {
				page, err := b.Range(within(t), store.RangeRequest{Span: all, At: rev})
				if rev < at {
					wantError(t, fmt.Sprintf("read %d, compacted at %d", rev, at), err, store.ErrCompacted)
					_, err = b.Range(within(t), store.RangeRequest{Span: store.Key([]byte("a")), At: rev})
					wantError(t, "one key", err, store.ErrCompacted)
					continue
				}
				if err != nil {
					t.Errorf("read %d, compacted at %d: %v", rev, at, err)
				}
				want := fmt.Sprintf("a=%d@1/%d#%d ", rev, rev, rev)
				if rev < 5 {
					want += fmt.Sprintf("b=%d@1/%d#%d ", rev, rev, rev)
				}
				wantString(t, fmt.Sprintf("read %d, compacted at %d", rev, at), describe(page.KVs), want)
			}
			for from := store.Rev(0); from < 10; from++ {
				if from < at {
					wantError(t, fmt.Sprintf("watch from %d, compacted at %d", from, at),
						watchError(within(t), b, all, from), store.ErrCompacted)
					continue
				}
				if events := collect(t, b, all, from, 10-int(from)); events[0][0].Rev != from+1 {
					t.Errorf("watch from %d, compacted at %d: begins with %d", from, at, events[0][0].Rev)
				}
			}
		}
	})
	t.Run("a watch of what never changed is told so as well", func(t *testing.T) {
		// The engine has nothing to miss there, but cannot know that.
		b := open(t)
		fill(t, b)
		compact(t, b, 8)
		quiet := store.Key([]byte("quiet"))
		wantError(t, "watch from 7", watchError(within(t), b, quiet, 7), store.ErrCompacted)
		write(t, b, store.Put(quiet.Key, nil))
		wantError(t, "watch from 7", watchError(within(t), b, quiet, 7), store.ErrCompacted)
		if events := collect(t, b, quiet, 8, 1); events[0][0].Rev != 11 {
			t.Errorf("watch from 8: got revision %d, want 11", events[0][0].Rev)
		}
	})
	t.Run("again or backwards does nothing, the future is refused", func(t *testing.T) {
		b := open(t)
		compact(t, b, 0)
		wantError(t, "empty store", b.Compact(within(t), 1), store.ErrFuture)
		fill(t, b)
		compact(t, b, 5)
		compact(t, b, 5)
		compact(t, b, 2)
		read(t, b, store.RangeRequest{Span: all, At: 5})
		wantError(t, "future", b.Compact(within(t), 11), store.ErrFuture)
	})
	t.Run("it makes no revision and touches no key", func(t *testing.T) {
		b := open(t)
		fill(t, b)
		compact(t, b, 10)
		page := read(t, b, store.RangeRequest{Span: all})
		if page.Rev != 10 {
			t.Errorf("got revision %d, want 10", page.Rev)
		}
		wantString(t, "keys", describe(page.KVs), "a=10@1/10#10 ")
		if rev := write(t, b, put("a", 11)); rev != 11 {
			t.Errorf("next revision is %d, want 11", rev)
		}
		kv, _ := get(t, b, "a")
		wantString(t, "key", describe([]store.KV{kv}), "a=11@1/11#11 ")
	})
	t.Run("a store of which everything is deleted keeps its revision", func(t *testing.T) {
		b := open(t)
		fill(t, b)
		write(t, b, store.Delete(all))
		compact(t, b, 11)
		if page := read(t, b, store.RangeRequest{Span: all}); page.Rev != 11 || page.Count != 0 {
			t.Errorf("got %+v", page)
		}
		if rev := write(t, b, put("b", 1)); rev != 12 {
			t.Errorf("next revision is %d, want 12", rev)
		}
	})
	t.Run("a watch that has seen what is compacted goes on", func(t *testing.T) {
		b := open(t)
		fill(t, b)
		w := start(t, b, all, 9)
		w.next(t)
		compact(t, b, 10)
		write(t, b, put("a", 11))
		wantString(t, "event", describeEvents([][]store.Event{w.next(t)}), "11+a=11 | ")
		compact(t, b, 11)
		write(t, b, put("a", 12))
		wantString(t, "event", describeEvents([][]store.Event{w.next(t)}), "12+a=12 | ")
	})
	t.Run("a watch that has not is told so or has it all the same", func(t *testing.T) {
		b := open(t)
		fill(t, b)
		// The watch may have taken hold of the past already; what it must not
		// do is to leave something out without a word.
		last := store.Rev(0)
		for events, err := range b.Watch(within(t), all, 0) {
			if err != nil {
				wantError(t, "watch", err, store.ErrCompacted)
				break
			}
			if last++; events[0].Rev != last || last <= 5 && len(events) != 2 {
				t.Fatalf("got %s after %d", describeEvents([][]store.Event{events}), last-1)
			}
			if last == 2 {
				compact(t, b, 8)
				write(t, b, put("a", 11))
			}
			if last == 11 {
				break
			}
		}
	})
}
