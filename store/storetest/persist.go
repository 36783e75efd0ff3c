package storetest

import (
	"fmt"
	"testing"

	"coffer/store"
)

func testPersistent(t *testing.T, open func(t *testing.T, dir string) store.Backend) {
	// reopen closes b and opens its folder again.
	reopen := func(t *testing.T, b store.Backend, dir string) store.Backend {
		t.Helper()
		if b != nil {
			if err := b.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
		}
		return closing(t, open(t, dir))
	}
	t.Run("an empty store stays empty", func(t *testing.T) {
		dir := t.TempDir()
		b := reopen(t, reopen(t, nil, dir), dir)
		if page := read(t, b, store.RangeRequest{Span: all}); page.Rev != 0 || page.Count != 0 {
			t.Errorf("got %+v", page)
		}
	})
	t.Run("keys, history and revisions are the same", func(t *testing.T) {
		dir := t.TempDir()
		b := reopen(t, nil, dir)
		var states []string
		var events string
		for rev := store.Rev(1); rev <= 60; rev++ {
			if rev%20 == 0 {
				b = reopen(t, b, dir)
			}
			key := fmt.Sprint("k", rev%7)
			ops := []store.Op{put(key, rev), put("n", rev)}
			if rev%5 == 0 {
				ops[0] = del(key)
			}
			if got := write(t, b, ops...); got != rev {
				t.Fatalf("got revision %d, want %d", got, rev)
			}
			states = append(states, describe(read(t, b, store.RangeRequest{Span: all}).KVs))
			events += describeEvents(collect(t, b, all, rev-1, 1))
		}
		b = reopen(t, b, dir)
		for i, want := range states {
			page := read(t, b, store.RangeRequest{Span: all, At: store.Rev(i + 1)})
			wantString(t, fmt.Sprint("at ", i+1), describe(page.KVs), want)
		}
		wantString(t, "events", describeEvents(collect(t, b, all, 0, len(states))), events)
	})
	t.Run("a watch resumes in a later life", func(t *testing.T) {
		dir := t.TempDir()
		b := reopen(t, nil, dir)
		write(t, b, put("a", 1))
		seen := collect(t, b, all, 0, 1)[0][0].Rev
		write(t, b, put("a", 2))
		b = reopen(t, b, dir)
		write(t, b, put("a", 3))
		got := describeEvents(collect(t, b, all, seen, 2))
		wantString(t, "events", got, "2+a=2 | 3+a=3 | ")
	})
	t.Run("what was compacted stays so", func(t *testing.T) {
		dir := t.TempDir()
		b := reopen(t, nil, dir)
		for i := range 9 {
			write(t, b, put("a", i))
		}
		write(t, b, del("a"))
		if err := b.Compact(within(t), 10); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			b = reopen(t, b, dir)
			if page := read(t, b, store.RangeRequest{Span: all}); page.Rev != 10 {
				t.Errorf("got revision %d, want 10", page.Rev)
			}
			_, err := b.Range(within(t), store.RangeRequest{Span: all, At: 9})
			wantError(t, "Range", err, store.ErrCompacted)
			wantError(t, "Watch", watchError(within(t), b, all, 9), store.ErrCompacted)
		}
		if rev := write(t, b, put("a", 1)); rev != 11 {
			t.Errorf("next revision is %d, want 11", rev)
		}
	})
}
