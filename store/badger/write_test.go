package badger

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"coffer/store"
	"coffer/store/mem"
)

// TestBatchIsAsIfOneAfterTheOther lets random transactions queue, so that
// they are carried out together, and compares with an engine that knows no
// batches.
func TestBatchIsAsIfOneAfterTheOther(t *testing.T) {
	s, model := open(t, t.TempDir(), Options{}), mem.New()
	defer s.Close()
	defer model.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		txns := make([]store.Txn, 1+rng.IntN(maxBatch+8))
		results := make([]chan outcome, len(txns))
		s.turn <- struct{}{}
		for i := range txns {
			txns[i] = randomTxn(rng)
			results[i] = make(chan outcome, 1)
			go func() {
				res, err := s.Txn(t.Context(), txns[i])
				results[i] <- outcome{res, err}
			}()
			for queued := 0; queued <= i; runtime.Gosched() {
				s.queue.mu.Lock()
				queued = len(s.queue.requests)
				s.queue.mu.Unlock()
			}
		}
		<-s.turn
		for i, txn := range txns {
			want, err := model.Txn(t.Context(), txn)
			got := <-results[i]
			if got.result != want || (got.err == nil) != (err == nil) {
				t.Fatalf("transaction %d: got %+v, %v, want %+v, %v", i, got.result, got.err, want, err)
			}
		}
	}
	all := store.RangeRequest{Span: store.Prefix(nil)}
	got, err1 := s.Range(t.Context(), all)
	want, err2 := model.Range(t.Context(), all)
	if err := errors.Join(err1, err2); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v\n%v", got, want, err)
	}
	history := func(b store.Backend) (told string) {
		for events, err := range b.Watch(t.Context(), all.Span, 0) {
			if told += fmt.Sprintln(events, err); err != nil || events[0].Rev == want.Rev {
				break
			}
		}
		return told
	}
	if got, want := history(s), history(model); got != want {
		t.Errorf("history:\n got %s\nwant %s", got, want)
	}
}

// randomTxn is often in the way of others: there are few keys.
func randomTxn(rng *rand.Rand) store.Txn {
	for {
		if t := anyTxn(rng); t.Validate() == nil {
			return t
		}
	}
}

func anyTxn(rng *rand.Rand) (t store.Txn) {
	key := func() []byte { return []byte{'k', byte('0' + rng.IntN(6))} }
	if rng.IntN(2) == 0 {
		t.If = append(t.If, store.Cmp{Key: key(), Mod: store.Rev(rng.IntN(2) * rng.IntN(300))})
	}
	switch rng.IntN(4) {
	case 0:
		t.Then = append(t.Then, store.Delete(store.Key(key())))
	case 1:
		t.Then = append(t.Then, store.Delete(store.Span{Key: key(), End: []byte("k9")}))
	case 2:
		t.Then = append(t.Then, store.Delete(store.Span{Key: []byte("k3"), End: []byte("k5")}), store.Put([]byte("k5"), key()))
	}
	if rng.IntN(3) > 0 && len(t.Then) < 2 {
		t.Then = append(t.Then, store.Put(append(key(), 'x'), key()), store.Put([]byte("n"), key()))
	}
	return t
}

// TestLogIsWhereItIsSynced fails if Badger writes another file than the one
// that is synced: nothing else would notice before the power fails.
func TestLogIsWhereItIsSynced(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	defer s.Close()
	check := func(value string) {
		t.Helper()
		write(t, s, store.Put([]byte("k"), []byte(value)))
		content, err := os.ReadFile(s.wal.file.Name())
		if err != nil || !bytes.Contains(content, []byte(value)) {
			t.Errorf("%q is not in %s, %v", value, s.wal.file.Name(), err)
		}
	}
	check("in the first log")
	fillLog(t, s)
	check("in a later log")
}

func TestHistoryIsBounded(t *testing.T) {
	dir := t.TempDir()
	const keep, n = 40, 400
	s := open(t, dir, Options{History: keep})
	for i := range n {
		write(t, s, store.Put([]byte("k"), fmt.Append(nil, i)), store.Delete(store.Key([]byte("absent"))))
	}
	check := func() {
		t.Helper()
		key := store.RangeRequest{Span: store.Key([]byte("k"))}
		for _, at := range []store.Rev{n - keep, n} {
			key.At = at
			page, err := s.Range(t.Context(), key)
			if err != nil || page.Count != 1 || string(page.KVs[0].Value) != fmt.Sprint(at-1) {
				t.Errorf("at %d: got %+v, %v", at, page, err)
			}
		}
		key.At = n - keep - keep/8 - 1
		if _, err := s.Range(t.Context(), key); !errors.Is(err, store.ErrCompacted) {
			t.Errorf("at %d: got %v, want ErrCompacted", key.At, err)
		}
		for _, err := range s.Watch(t.Context(), store.Prefix(nil), 1) {
			if !errors.Is(err, store.ErrCompacted) {
				t.Errorf("watch: got %v, want ErrCompacted", err)
			}
		}
	}
	check()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// What may be gone does not come back with a larger History.
	s = open(t, dir, Options{History: 10 * n})
	defer s.Close()
	check()
}

// TestManyShortLivesDoNotPileUp opens and closes as a command would that
// writes little: each life leaves a table.
func TestManyShortLivesDoNotPileUp(t *testing.T) {
	dir := t.TempDir()
	const lives, each, keep = 30, 20, 10
	for range lives {
		s := open(t, dir, Options{History: keep})
		for range each {
			write(t, s, store.Put([]byte("k"), nil))
		}
		if n := len(s.db.Tables()); n > 12 {
			t.Fatalf("there are %d tables", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, Options{})
	defer s.Close()
	kv, _, err := store.Get(t.Context(), s, []byte("k"))
	if err != nil || kv.Version != lives*each {
		t.Errorf("got %+v, %v", kv, err)
	}
	// What the compactions met is gone, down to what is kept. The tables of
	// the latest lives have not been compacted.
	txn := s.db.NewTransactionAt(lives*each, false)
	defer txn.Discard()
	it := newIterator(txn, store.Key([]byte("k")), badger.IteratorOptions{AllVersions: true})
	defer it.Close()
	versions := 0
	for ; it.Valid(); it.Next() {
		versions++
	}
	if versions > lives*each/3 {
		t.Errorf("Badger still has %d of %d versions", versions, lives*each)
	}
}
