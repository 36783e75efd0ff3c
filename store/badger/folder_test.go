package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"coffer/store"
)

func TestSecondOpeningInTheProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, Options{})
	for _, path := range []string{dir, dir + "/.", link} {
		_, err := Open(path, Options{Wait: -1})
		if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "this process") {
			t.Errorf("%s: got %v, want ErrLocked", path, err)
		}
	}
	// The refused openings must not have cost the first its lock, so that
	// another process would get in.
	_, out := child(t, "hold", dir)
	if out.Scan(); !strings.Contains(out.Text(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("another process: %s", out.Text())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, link, Options{}).Close(); err != nil {
		t.Error(err)
	}
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	// The umask is the whole process's; no other test depends on it, and
	// this one does not run in parallel.
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "store")
	check := func(when string) {
		t.Helper()
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: folder has mode %v, %v", when, info.Mode(), err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) == 0 {
			t.Fatalf("%s: %v", when, err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s has mode %v", when, e.Name(), info.Mode())
			}
		}
	}
	s := open(t, dir, Options{})
	check("opened")
	fillLog(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("closed")

	// A store restored from a backup can have any modes.
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		os.Chmod(filepath.Join(dir, e.Name()), 0o644)
	}
	s = open(t, dir, Options{})
	defer s.Close()
	check("opened again")
}

// fillLog writes so much that Badger begins a new log.
func fillLog(t testing.TB, s *Store) {
	t.Helper()
	began := s.wal.id
	for i := range 40 {
		write(t, s, store.Put(fmt.Append(nil, "fill", i), make([]byte, 500_000)))
	}
	if s.wal.id == began {
		t.Fatal("the log was not filled")
	}
}

func write(t testing.TB, s *Store, ops ...store.Op) store.Rev {
	t.Helper()
	res, err := s.Txn(t.Context(), store.Txn{Then: ops})
	if err != nil {
		t.Fatal(err)
	}
	return res.Rev
}

func TestFoldersThatCannotBeOpened(t *testing.T) {
	tmp := t.TempDir()
	file := filepath.Join(tmp, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(dir string, opt Options, want error) {
		t.Helper()
		_, err := Open(dir, opt)
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		} else if !strings.Contains(err.Error(), dir) {
			t.Errorf("error %q does not name %s", err, dir)
		}
	}
	check(filepath.Join(tmp, "absent", "store"), Options{}, store.ErrNotFound)
	check(file, Options{}, store.ErrNotFound)
	check(filepath.Join(file, "store"), Options{}, store.ErrNotFound)
	check(filepath.Join(tmp, "full"), Options{Reserve: 1 << 60}, store.ErrFull)

	t.Run("read-only", func(t *testing.T) {
		dir := mount(t, "size=1m,mode=700")
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Skip("cannot mount read-only:", err)
		}
		check(dir, Options{}, store.ErrReadOnly)
		check(filepath.Join(dir, "store"), Options{}, store.ErrReadOnly)
	})
	t.Run("forbidden", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("nothing is forbidden to root")
		}
		dir := filepath.Join(tmp, "forbidden")
		if err := os.Mkdir(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		check(dir, Options{}, store.ErrReadOnly)
	})
}

// mount returns a folder with a small file system of its own.
func mount(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, options); err != nil {
		t.Skip("mounting a tmpfs needs the right to: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullDisk would not fail but crash if the store went too far: Badger
// writes through memory maps.
func TestFullDisk(t *testing.T) {
	dir := mount(t, "size=64m,mode=700")
	s := open(t, dir, Options{})
	value := make([]byte, 1_000_000)
	var last []byte
	for i := 0; ; i++ {
		if i > 100 {
			t.Fatal("more fits than there is room")
		}
		key := fmt.Append(nil, "k", i)
		_, err := s.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put(key, value)}})
		if errors.Is(err, store.ErrFull) && strings.Contains(err.Error(), dir) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = key
	}
	// What is there can be read, and nothing broke: with room, it goes on.
	if _, ok, err := store.Get(t.Context(), s, last); !ok || err != nil {
		t.Errorf("reading on a full disk: %t, %v", ok, err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=128m"); err != nil {
		t.Fatal(err)
	}
	write(t, s, store.Put([]byte("more"), value))
	// Without the room to put the log into tables, closing refuses, and loses
	// nothing.
	s.opt.Reserve = 1 << 60
	if err := s.Close(); !errors.Is(err, store.ErrFull) {
		t.Errorf("Close: got %v, want ErrFull", err)
	}
	if _, err := Open(dir, Options{Wait: -1}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("opening what could not be closed: got %v, want ErrLocked", err)
	}
	if err := s.closeDB(); err != nil {
		t.Fatal(err)
	}
	s.release()
	s = open(t, dir, Options{})
	defer s.Close()
	if _, ok, err := store.Get(t.Context(), s, []byte("more")); !ok || err != nil {
		t.Errorf("afterwards: %t, %v", ok, err)
	}
}
