package badger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/store"
)

// untilRefused writes until the store refuses, and returns the refusal.
func untilRefused(t *testing.T, s *Store) error {
	t.Helper()
	value := make([]byte, 500_000)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if _, err := s.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put([]byte("fill"), value)}}); err != nil {
			return err
		}
	}
	t.Fatal("nothing was refused")
	return nil
}

// hundreds is what fillHundreds makes, all keys of which must stay.
const hundreds = 300

func fillHundreds(t *testing.T, s *Store) {
	t.Helper()
	for i := range hundreds {
		write(t, s, store.Put(fmt.Appendf(nil, "k%03d", i), bytes.Repeat([]byte{byte(i)}, 200)))
	}
}

func countHundreds(t *testing.T, s *Store) int {
	t.Helper()
	n := 0
	for i := range hundreds {
		if _, ok, err := store.Get(t.Context(), s, fmt.Appendf(nil, "k%03d", i)); ok && err == nil {
			n++
		}
	}
	return n
}

// TestDamageDoesNotSpread: a damaged table is not merged with others, which
// would take from it what can be read still.
func TestDamageDoesNotSpread(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	fillHundreds(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "000001.sst")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[30_000] ^= 1 // in a block in the middle
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	problems, err := Verify(dir)
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0], path) {
		t.Errorf("Verify: got %q, %v, want %s", problems, err, path)
	}
	for range 2 {
		s = open(t, dir, Options{})
		before := countHundreds(t, s)
		if before < hundreds-1 {
			t.Fatalf("%d keys of %d are there", before, hundreds)
		}
		err = untilRefused(t, s)
		if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want ErrCorrupt of %s", err, path)
		}
		if after := countHundreds(t, s); after != before {
			t.Errorf("%d keys are there, %d were", after, before)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if problems, err := Verify(dir); err != nil || len(problems) != 1 {
		t.Errorf("Verify afterwards: %q, %v", problems, err)
	}
}

// TestAMergeThatCannotWriteItsTablesLosesNothing: Badger does not notice that it
// could not make a table, and would go on without it.
func TestAMergeThatCannotWriteItsTablesLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	fillHundreds(t, s)
	// Something is in place of most of the tables that come; a table that is
	// made of a log gets another number if it has to.
	for id := 2; id < 400; id++ {
		if id%8 != 2 {
			if err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("%06d.sst", id)), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := untilRefused(t, s)
	if !errors.Is(err, store.ErrFailed) || !strings.Contains(err.Error(), "keys in the new tables") {
		t.Errorf("got %v, want ErrFailed", err)
	}
	if n := countHundreds(t, s); n != hundreds {
		t.Errorf("%d keys are there, want %d", n, hundreds)
	}
	for id := 2; id < 400; id++ {
		os.Remove(filepath.Join(dir, fmt.Sprintf("%06d.sst", id))) // the folders, but a table is one too
	}
	_ = s.Close()
}
