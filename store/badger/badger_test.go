package badger

import (
	"testing"

	"coffer/store"
	"coffer/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Backend { return open(t, t.TempDir(), Options{}) })
}

func TestPersistence(t *testing.T) {
	storetest.RunPersistent(t, func(t *testing.T, dir string) store.Backend { return open(t, dir, Options{}) })
}

func open(t testing.TB, dir string, opt Options) *Store {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOnce(t *testing.T) {
	storetest.RunOnce(t, func(t *testing.T, dir string) store.Once { return open(t, dir, Options{}) })
}
