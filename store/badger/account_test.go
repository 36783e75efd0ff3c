package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/store"
	"coffer/store/folder"
)

func TestMark(t *testing.T) {
	var m Mark
	if _, known := m.Get(); known {
		t.Error("a mark that was never set is known")
	}
	for _, rev := range []store.Rev{0, 1, 2, 1 << 20, 1<<47 - 1} {
		m.Set(rev)
		if got, known := m.Get(); got != rev || known != (m.word.Load() != 0) {
			t.Errorf("got %d, %t, want %d", got, known, rev)
		}
		for bit := range 64 {
			var d Mark
			d.word.Store(m.word.Load() ^ 1<<bit)
			if got, known := d.Get(); known {
				t.Errorf("%d with bit %d flipped is taken for %d", rev, bit, got)
			}
		}
	}
}

// crashed makes a store with so many revisions in tables and so many in a log,
// and leaves it as a process that dies does. It returns the folder of a copy.
func crashed(t *testing.T, mark *Mark, inTables, inLog int) string {
	t.Helper()
	dir := t.TempDir()
	n := 0
	fill := func(more int) {
		s := open(t, dir, Options{Mark: mark})
		defer s.Close()
		for range more {
			n++
			write(t, s, store.Put(fmt.Appendf(nil, "k%03d", n), make([]byte, 100)))
		}
		if more == inLog {
			to := t.TempDir()
			copyAll(t, dir, to)
			dir = to
		}
	}
	fill(inTables)
	fill(inLog)
	return dir
}

func copyAll(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

func lastLog(t *testing.T, dir string) logged {
	t.Helper()
	logs, err := readLogs(dir)
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	return logs[len(logs)-1]
}

// TestLogsAreReadAsBadgerReadsThem: what we say of a log is what Badger comes to.
func TestLogsAreReadAsBadgerReadsThem(t *testing.T) {
	dir := crashed(t, nil, 10, 25)
	l := lastLog(t, dir)
	if l.first != 11 || l.last != 35 {
		t.Fatalf("got revisions %d to %d, want 11 to 35", l.first, l.last)
	}
	content, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < l.end+10; at += 307 {
		damaged := slices.Clone(content)
		damaged[at] ^= 0x10
		var mark Mark // nothing was acknowledged
		to := t.TempDir()
		copyAll(t, dir, to)
		if err := os.WriteFile(filepath.Join(to, filepath.Base(l.path)), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		// Opening compares the two.
		s, err := Open(to, Options{Mark: &mark})
		if at < keyInHeader {
			if err == nil {
				t.Error("a log with another key was opened")
			}
			continue
		}
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		if got := s.Newest(); got < 10 || got > 35 || at < l.end && at > logHeader && got == 35 {
			t.Errorf("byte %d: newest is %d", at, got)
		}
		s.Close()
	}
}

// TestLossIsRefusedAndRepaired: whatever hides acknowledged revisions, the store
// is refused, again and again, and nothing in it changes; Repair goes on without
// them and keeps what was.
func TestLossIsRefusedAndRepaired(t *testing.T) {
	cut := func(name string, size func(dir string) int64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if name == "log" {
				name = filepath.Base(lastLog(t, dir).path)
			}
			if err := os.Truncate(filepath.Join(dir, name), size(dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := func(n int64) func(string) int64 { return func(string) int64 { return n } }
	for _, c := range []struct {
		name    string
		inLog   int
		damage  func(t *testing.T, dir string)
		newest  store.Rev // after repair
		changes string
	}{
		{"a log without its end", 25, cut("log", func(dir string) int64 { return lastLog(t, dir).end - 5 }), 34, "revisions 35 to 35"},
		{"an empty log", 25, cut("log", at(0)), 10, "revisions 11 to 35"},
		{"a log with a hole", 25, func(t *testing.T, dir string) {
			file, err := os.OpenFile(lastLog(t, dir).path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			file.WriteAt(make([]byte, 30), 40)
		}, 10, "revisions 11 to 35"},
		{"no log", 25, func(t *testing.T, dir string) { os.Remove(lastLog(t, dir).path) }, 10, "revisions 11 to 35"},
		{"an older log without its end", 25, func(t *testing.T, dir string) {
			l := lastLog(t, dir)
			// As if the log had been full in between.
			content, _ := os.ReadFile(l.path)
			half := l.end / 2
			older := logPrefix(t, content, 20)
			newer := append(slices.Clone(content[:logHeader]), content[older:l.end]...)
			os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.mem", l.id+1)), newer, 0o600)
			os.WriteFile(l.path, content[:half], 0o600)
		}, 35, "are lost"},
		{"a manifest without its end", 0, cut("MANIFEST", at(16)), 10, "found again"},
		{"an empty manifest", 0, cut("MANIFEST", at(0)), 10, "found again"},
		{"no manifest", 0, func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "MANIFEST")) }, 10, "found again"},
		{"no manifest and a log", 25, func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "MANIFEST")) }, 35, "found again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var mark Mark
			dir := crashed(t, &mark, 10, c.inLog)
			c.damage(t, dir)
			acknowledged := mark.word.Load()
			before := names(t, dir)
			for range 2 {
				s, err := Open(dir, Options{Mark: &mark})
				if err == nil {
					s.Close()
				}
				if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), dir) {
					t.Fatalf("got %v, want ErrCorrupt of %s", err, dir)
				}
			}
			if after := names(t, dir); after != before || mark.word.Load() != acknowledged {
				t.Errorf("the refusal has changed the folder from %s to %s", before, after)
			}
			f, err := folder.Open(dir, folder.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Lock(); err != nil {
				t.Fatal(err)
			}
			did, err := Repair(f, Options{Mark: &mark}, time.Now())
			if err != nil || !strings.Contains(strings.Join(did, "; "), c.changes) {
				t.Fatalf("repair: got %q, %v, want %s", did, err, c.changes)
			}
			again, err := Repair(f, Options{Mark: &mark}, time.Now())
			if err != nil || len(again) != 0 {
				t.Errorf("a second repair: %q, %v", again, err)
			}
			f.Close()
			if kept, _ := filepath.Glob(filepath.Join(dir, "damaged-*", "*")); len(kept) == 0 {
				t.Error("no copy is kept")
			}
			s := open(t, dir, Options{Mark: &mark})
			defer s.Close()
			if s.Newest() != c.newest {
				t.Errorf("newest is %d, want %d", s.Newest(), c.newest)
			}
			if _, ok, err := store.Get(t.Context(), s, []byte("k005")); !ok || err != nil {
				t.Errorf("what was in a table: %t, %v", ok, err)
			}
			write(t, s, store.Put([]byte("more"), nil))
		})
	}
}

// logPrefix returns where the nth transaction of a log ends.
func logPrefix(t *testing.T, content []byte, n store.Rev) int64 {
	t.Helper()
	for end := int64(logHeader); end < int64(len(content)); end++ {
		var l logged
		if err := l.read(strings.NewReader(string(content[:end]))); err != nil {
			t.Fatal(err)
		}
		if l.last > 0 && l.last-l.first == n-1 {
			return l.end
		}
	}
	t.Fatal("the log has fewer")
	return 0
}

// names are the files of a folder with their sizes.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			fmt.Fprintf(&out, "%s:%d ", e.Name(), info.Size())
		}
	}
	return out.String()
}

// TestAGapBehindWhatWasAcknowledgedIsNoLoss: a loss of power may leave of what
// nobody was told the end and not the beginning. What is behind the gap goes.
func TestAGapBehindWhatWasAcknowledgedIsNoLoss(t *testing.T) {
	var mark Mark
	dir := crashed(t, &mark, 10, 25)
	l := lastLog(t, dir)
	content, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	// 15 were acknowledged; 16 to 20 have not reached the disk, 21 to 35 have.
	mark.Set(15)
	newer := append(slices.Clone(content[:logHeader]), content[logPrefix(t, content, 10):l.end]...)
	os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.mem", l.id+1)), newer, 0o600)
	os.WriteFile(l.path, content[:logPrefix(t, content, 5)], 0o600)
	s := open(t, dir, Options{Mark: &mark})
	defer s.Close()
	if s.Newest() != 15 {
		t.Errorf("newest is %d, want 15", s.Newest())
	}
	if _, ok, err := store.Get(t.Context(), s, []byte("k030")); ok || err != nil {
		t.Errorf("what is behind the gap: %t, %v", ok, err)
	}
	if rev := write(t, s, store.Put([]byte("k"), nil)); rev != 16 {
		t.Errorf("the next revision is %d, want 16", rev)
	}
}

// FuzzLog: a log of noise is read to its first mistake, and no further.
func FuzzLog(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 100))
	f.Add(append(make([]byte, logHeader), 0x40, 0, 9, 1, 0, 'k', 0, 0, 0, 0, 0, 0, 0, 1, 'v'))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l logged
		if err := l.read(strings.NewReader(string(b))); err != nil {
			t.Fatal(err)
		}
		if l.end > int64(len(b)) || l.first > l.last {
			t.Errorf("got %+v of %d bytes", l, len(b))
		}
		var again logged
		again.read(strings.NewReader(string(b[:l.end])))
		if again.last != l.last {
			t.Errorf("cut to its end: last is %d, was %d", again.last, l.last)
		}
	})
}
