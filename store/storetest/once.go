package storetest

import (
	"testing"

	"coffer/store"
)

// RunOnce tests that an engine recognises transactions which it has carried
// out before. open is that of RunPersistent.
func RunOnce(t *testing.T, open func(t *testing.T, dir string) store.Once) {
	// reopen closes b and opens its folder again, as does the next process.
	reopen := func(t *testing.T, b store.Once, dir string) store.Once {
		t.Helper()
		if b != nil {
			if err := b.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
		}
		b = open(t, dir)
		closing(t, b)
		return b
	}
	attempt := func(name byte, since store.Rev) store.Attempt {
		return store.Attempt{ID: [16]byte{name}, Since: since}
	}
	again := func(a store.Attempt) store.Attempt {
		a.Again = true
		return a
	}
	once := func(t *testing.T, b store.Once, txn store.Txn, a store.Attempt, want store.Result) {
		t.Helper()
		if got, err := b.TxnOnce(within(t), txn, a); err != nil || got != want {
			t.Errorf("attempt %d, again %t: got %+v, %v, want %+v", a.ID[0], a.Again, got, err, want)
		}
	}
	increment := func(b store.Backend, t *testing.T) store.Txn {
		kv, _ := get(t, b, "n")
		return store.Txn{If: []store.Cmp{{Key: []byte("n"), Mod: kv.Mod}}, Then: []store.Op{put("n", kv.Mod)}}
	}
	t.Run("what was carried out is recognised, in this life and the next", func(t *testing.T) {
		dir := t.TempDir()
		b := reopen(t, nil, dir)
		txn, deletion := increment(b, t), store.Txn{Then: []store.Op{del("n")}}
		once(t, b, txn, attempt(1, 0), store.Result{Rev: 1, Done: true})
		once(t, b, deletion, attempt(2, 1), store.Result{Rev: 2, Done: true})
		write(t, b, put("other", 1))
		for range 2 {
			once(t, b, txn, again(attempt(1, 0)), store.Result{Rev: 1, Done: true})
			once(t, b, deletion, again(attempt(2, 0)), store.Result{Rev: 2, Done: true})
			once(t, b, deletion, again(attempt(2, 1)), store.Result{Rev: 2, Done: true})
			b = reopen(t, b, dir)
		}
		if got := b.Newest(); got != 3 {
			t.Errorf("newest is %d, want 3", got)
		}
	})
	t.Run("what was not is carried out", func(t *testing.T) {
		dir := t.TempDir()
		b := reopen(t, nil, dir)
		once(t, b, increment(b, t), attempt(1, 0), store.Result{Rev: 1, Done: true})
		b = reopen(t, b, dir)
		txn := increment(b, t)
		once(t, b, txn, again(attempt(2, 1)), store.Result{Rev: 2, Done: true})
		// And is known from then on.
		once(t, b, txn, again(attempt(2, 1)), store.Result{Rev: 2, Done: true})
		// The same under another name is another.
		once(t, b, txn, again(attempt(3, 1)), store.Result{Rev: 2, Done: false})
		// What changes nothing leaves no trace and can be done again.
		once(t, b, store.Txn{Then: []store.Op{del("absent")}}, attempt(4, 2), store.Result{Rev: 2, Done: true})
		once(t, b, store.Txn{Then: []store.Op{del("absent")}}, again(attempt(4, 2)), store.Result{Rev: 2, Done: true})
	})
	t.Run("where the history is gone nothing is done", func(t *testing.T) {
		dir := t.TempDir()
		b := reopen(t, nil, dir)
		for range 5 {
			write(t, b, put("a", 1))
		}
		if err := b.Compact(within(t), 4); err != nil {
			t.Fatal(err)
		}
		b = reopen(t, b, dir)
		txn := store.Txn{Then: []store.Op{put("a", 2)}}
		_, err := b.TxnOnce(within(t), txn, again(attempt(1, 3)))
		wantError(t, "since 3, compacted at 4", err, store.ErrCompacted)
		if got := b.Newest(); got != 5 {
			t.Errorf("newest is %d, want 5", got)
		}
		once(t, b, txn, again(attempt(1, 4)), store.Result{Rev: 6, Done: true})
	})
	t.Run("names are not keys", func(t *testing.T) {
		b := reopen(t, nil, t.TempDir())
		once(t, b, store.Txn{Then: []store.Op{put("a", 1)}}, attempt(1, 0), store.Result{Rev: 1, Done: true})
		wantString(t, "keys", describe(read(t, b, store.RangeRequest{Span: all}).KVs), "a=1@1/1#1 ")
		wantString(t, "events", describeEvents(collect(t, b, all, 0, 1)), "1+a=1 | ")
	})
}
