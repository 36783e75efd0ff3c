package badger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"

	"coffer/store"
)

const marker = "a value that is easy to find"

// damaged makes a store with one table and changes a file of it.
func damaged(t *testing.T, pattern string, change func(path string, content []byte) error) string {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir, Options{})
	for i := range 300 {
		write(t, s, store.Put(fmt.Appendf(nil, "k%03d", i), make([]byte, 200)))
	}
	write(t, s, store.Put([]byte("k100marked"), []byte(marker)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) != 1 {
		t.Fatalf("got files %q, %v", paths, err)
	}
	content, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := change(paths[0], content); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDamagedFilesAreNamed(t *testing.T) {
	remove := func(path string, _ []byte) error { return os.Remove(path) }
	overwrite := func(from, to int) func(string, []byte) error {
		return func(path string, b []byte) error {
			if to == 0 {
				to = len(b)
			}
			if from < 0 {
				from += len(b)
			}
			for i := from; i < to; i++ {
				b[i] ^= 0x5a
			}
			return os.WriteFile(path, b, 0o600)
		}
	}
	keep := func(n int) func(string, []byte) error {
		return func(path string, b []byte) error { return os.WriteFile(path, b[:min(n, len(b))], 0o600) }
	}
	for _, c := range []struct {
		name, file string
		change     func(string, []byte) error
	}{
		{"no manifest", "MANIFEST", remove},
		{"no magic", "MANIFEST", overwrite(0, 4)},
		{"a manifest of another version", "MANIFEST", overwrite(6, 8)},
		{"a manifest with a wrong entry", "MANIFEST", overwrite(-4, 0)},
		{"an empty manifest", "MANIFEST", keep(0)},
		{"no table", "*.sst", remove},
		{"an empty table", "*.sst", keep(0)},
		{"a short table", "*.sst", keep(3)},
		{"half a table", "*.sst", keep(20_000)},
		{"a table without its end", "*.sst", overwrite(-4, 0)},
		{"a table with a wrong index", "*.sst", overwrite(-200, 0)},
		{"a table of noise", "*.sst", overwrite(0, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := damaged(t, c.file, c.change)
			for range 2 { // the refusal must not change anything, nor keep the lock
				s, err := Open(dir, Options{Wait: -1})
				if err == nil {
					s.Close()
				}
				if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), dir) {
					t.Errorf("got %v, want ErrCorrupt of %s", err, dir)
				}
			}
		})
	}
}

func TestDamagedValueIsReportedAndOthersAreNot(t *testing.T) {
	dir := damaged(t, "*.sst", func(path string, b []byte) error {
		i := bytes.Index(b, []byte(marker))
		if i < 0 {
			return errors.New("no marker")
		}
		b[i] ^= 1
		return os.WriteFile(path, b, 0o600)
	})
	s := open(t, dir, Options{})
	defer s.Close()
	_, _, err := store.Get(t.Context(), s, []byte("k100marked"))
	if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), dir) {
		t.Errorf("damaged key: got %v, want ErrCorrupt of %s", err, dir)
	}
	if _, ok, err := store.Get(t.Context(), s, []byte("k000")); !ok || err != nil {
		t.Errorf("another key: got %t, %v", ok, err)
	}
	if _, err := s.Range(t.Context(), store.RangeRequest{Span: store.Prefix(nil)}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("all keys: got %v, want ErrCorrupt", err)
	}
}

func TestOtherDatabasesAreRefused(t *testing.T) {
	dir := t.TempDir()
	db, err := badger.OpenManaged(options(dir, new(errorLog), 0))
	if err != nil {
		t.Fatal(err)
	}
	txn := db.NewTransactionAt(1, true)
	if err := errors.Join(txn.Set([]byte("k"), []byte("v")), txn.CommitAt(1, nil), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

func TestFailedSyncBreaksTheStoreForWriting(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	write(t, s, store.Put([]byte("a"), []byte("1")))
	file := s.wal.file
	s.wal.file, _ = os.Open(os.DevNull) // which cannot be synced
	for range 2 {
		_, err := s.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte("a"), []byte("2"))}})
		if !errors.Is(err, store.ErrFailed) {
			t.Errorf("got %v, want ErrFailed", err)
		}
		s.wal.file = file // too late
	}
	kv, _, err := store.Get(t.Context(), s, []byte("a"))
	if err != nil || string(kv.Value) != "1" {
		t.Errorf("reading: got %q, %v, want what was acknowledged", kv.Value, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{})
	defer s.Close()
	write(t, s, store.Put([]byte("a"), []byte("3")))
}

// logTo makes w the standard logger's output for a test.
func logTo(t *testing.T, w io.Writer) {
	old := log.Writer()
	log.SetOutput(w)
	t.Cleanup(func() { log.SetOutput(old) })
}

func TestAssertionsOfBadgerDoNotEndTheProcess(t *testing.T) {
	var printed bytes.Buffer
	logTo(t, &printed)
	t.Cleanup(func() { fatal = errorLog{} })
	dir := t.TempDir()
	s := open(t, dir, Options{})
	write(t, s, store.Put([]byte("a"), []byte("1")))

	var err error
	func() {
		defer s.guard(&err)
		y.AssertTrue(false)
	}()
	if !errors.Is(err, store.ErrFailed) {
		t.Errorf("in a call: got %v, want ErrFailed", err)
	}
	if _, err := s.Txn(t.Context(), store.Txn{}); !errors.Is(err, store.ErrFailed) {
		t.Errorf("Txn afterwards: got %v, want ErrFailed", err)
	}

	other := open(t, t.TempDir(), Options{})
	go y.Check(errors.New("the disk is on fire"))
	for end := time.Now().Add(time.Minute); fatal.last() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the assertion was not intercepted")
		}
	}
	_, err = other.Txn(t.Context(), store.Txn{})
	if !errors.Is(err, store.ErrFailed) || !strings.Contains(err.Error(), "on fire") {
		t.Errorf("in the background: got %v, want ErrFailed", err)
	}
	if err := other.Close(); !errors.Is(err, store.ErrFailed) {
		t.Errorf("Close: got %v, want ErrFailed", err)
	}

	if printed.Len() > 0 {
		t.Errorf("printed %q", &printed)
	}
	log.Print("somebody else's")
	if !strings.Contains(printed.String(), "somebody else's") {
		t.Error("what others log is lost")
	}
	// The store leaves both databases alone, which are in fact sound.
	if err := errors.Join(s.db.Close(), other.db.Close()); err != nil {
		t.Error(err)
	}
}
