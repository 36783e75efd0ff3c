package mem

import (
	"errors"
	"fmt"
	"testing"

	"coffer/store"
	"coffer/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Backend { return New() })
}

func write(t *testing.T, s *Store, ops ...store.Op) store.Rev {
	t.Helper()
	res, err := s.Txn(t.Context(), store.Txn{Then: ops})
	if err != nil {
		t.Fatal(err)
	}
	return res.Rev
}

func TestNamedStoresAreSharedUntilTheLastIsClosed(t *testing.T) {
	a, b, other := Open("x"), Open("x"), Open("y")
	defer other.Close()
	write(t, a, store.Put([]byte("k"), []byte("v")))
	if _, ok, err := store.Get(t.Context(), other, []byte("k")); ok || err != nil {
		t.Errorf("another name: got %t, %v", ok, err)
	}
	a.Close()
	a.Close() // must not count twice
	if _, _, err := store.Get(t.Context(), a, []byte("k")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed handle: got %v", err)
	}
	kv, ok, err := store.Get(t.Context(), b, []byte("k"))
	if err != nil || !ok || string(kv.Value) != "v" {
		t.Errorf("open handle: got %s, %t, %v", kv.Value, ok, err)
	}
	b.Close()
	again := Open("x")
	defer again.Close()
	if _, ok, err := store.Get(t.Context(), again, []byte("k")); ok || err != nil {
		t.Errorf("opened anew: got %t, %v", ok, err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	s := New()
	const n = 3 * History
	for i := range n {
		// Most keys live briefly, so an index that forgot nothing would show.
		write(t, s, store.Put(fmt.Append(nil, "k", i), nil), store.Delete(store.Key(fmt.Append(nil, "k", i-1))))
	}
	if got := len(s.log); got > History+History/8+1 {
		t.Errorf("%d revisions are kept", got)
	}
	entries := 0
	for _, c := range s.keys.chunks {
		entries += len(c)
	}
	if entries > len(s.log)+2 {
		t.Errorf("%d keys are kept for %d revisions", entries, len(s.log))
	}
	_, err := s.Range(t.Context(), store.RangeRequest{Span: store.Prefix(nil), At: n - History - History/8 - 1})
	if !errors.Is(err, store.ErrCompacted) {
		t.Errorf("got %v, want ErrCompacted", err)
	}
	page, err := s.Range(t.Context(), store.RangeRequest{Span: store.Prefix(nil), At: n - History})
	if err != nil || page.Count != 1 {
		t.Errorf("oldest promised revision: got %+v, %v", page, err)
	}
}
