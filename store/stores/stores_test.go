package stores

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"coffer/store"
)

func TestOpen(t *testing.T) {
	tmp := t.TempDir()
	t.Chdir(tmp)
	for _, url := range []string{
		"badger:" + filepath.Join(tmp, "a"), filepath.Join(tmp, "b"), "relative", "./with:colon", "mem:", "mem:name",
	} {
		b, err := Open(url, Options{})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if _, err := b.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte("k"), nil)}}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"", "badger:", "etcd:localhost", "Mem:x", "c:/store"} {
		b, err := Open(url, Options{})
		if b != nil || !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), url) {
			t.Errorf("%q: got %v, %v, want ErrInvalid", url, b, err)
		}
	}
	if b, err := Open(filepath.Join(tmp, "x", "y"), Options{}); b != nil || !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, %v, want ErrNotFound and a nil interface", b, err)
	}
}

func TestStoresAreShared(t *testing.T) {
	dir := t.TempDir()
	open := func(url string) store.Backend {
		b, err := Open(url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	has := func(b store.Backend) bool {
		_, ok, err := store.Get(t.Context(), b, []byte("k"))
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for _, c := range []struct {
		first, second string
		want          bool
	}{{"mem:shared", "mem:shared", true}, {"mem:one", "mem:two", false}, {"mem:", "mem:", false},
		{dir, "badger:" + dir, true}, {dir, t.TempDir(), false}} {
		a, b := open(c.first), open(c.second)
		if _, err := a.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte("k"), nil)}}); err != nil {
			t.Fatal(err)
		}
		if got := has(b); got != c.want {
			t.Errorf("%s and %s: shared is %t", c.first, c.second, got)
		}
	}
}
