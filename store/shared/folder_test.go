package shared

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/store"
)

func TestModesWhateverTheUmask(t *testing.T) {
	for _, umask := range []string{"0", "077", "777"} {
		dir := filepath.Join(t.TempDir(), "store")
		other := newProcess(t)
		other.do("umask", dir, umask)
		other.do("open", dir)
		other.do("put", dir, "a", 1)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, e := range entries {
			seen[e.Name()] = true
			if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("umask %s: %s has mode %v, %v", umask, e.Name(), info.Mode(), err)
			}
		}
		if !seen[socketFile] || !seen[pageFile] {
			t.Errorf("umask %s: got %v", umask, seen)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("umask %s: folder has mode %v, %v", umask, info.Mode(), err)
		}
		other.do("close", dir)
		if _, err := os.Lstat(filepath.Join(dir, socketFile)); !os.IsNotExist(err) {
			t.Errorf("after closing: %v", err)
		}
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	dir := t.TempDir()
	other := newProcess(t)
	other.do("open", dir)
	other.kill()
	if _, err := os.Lstat(filepath.Join(dir, socketFile)); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, dir, Options{}), "a", "1")
	other = newProcess(t)
	other.do("open", dir)
	other.want("peer", "role", dir)
}

func TestHostileFilesAreRefused(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("untouched"), 0o644); err != nil {
		t.Fatal(err)
	}
	real := filepath.Join(t.TempDir(), "real")
	l, err := net.Listen("unix", real)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		name, file string
		put        func(path string) error
		want       string
	}{
		{"a file as socket", socketFile, func(p string) error { return os.WriteFile(p, nil, 0o600) }, "not a socket"},
		{"a link to a file as socket", socketFile, func(p string) error { return os.Symlink(victim, p) }, "not a socket"},
		{"a link to a socket as socket", socketFile, func(p string) error { return os.Symlink(real, p) }, "not a socket"},
		{"a folder as socket", socketFile, func(p string) error { return os.Mkdir(p, 0o700) }, "not a socket"},
		{"somebody else's socket", socketFile, func(p string) error {
			if os.Geteuid() != 0 {
				return errors.ErrUnsupported
			}
			l, err := net.Listen("unix", p)
			if err != nil {
				return err
			}
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			return errors.Join(l.Close(), os.Chown(p, 4242, 4242))
		}, "user 4242"},
		{"a link as page", pageFile, func(p string) error { return os.Symlink(victim, p) }, pageFile},
		{"a pipe as page", pageFile, func(p string) error { return unix.Mkfifo(p, 0o600) }, pageFile},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, c.file)
			if err := c.put(path); errors.Is(err, errors.ErrUnsupported) {
				t.Skip("needs root")
			} else if err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(path)
			s, err := Open(dir, Options{})
			if s != nil || !errors.Is(err, store.ErrFailed) || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want ErrFailed because of %s: %s", err, path, c.want)
			}
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() {
				t.Errorf("it is not as it was: %v, %v", after, err)
			}
			// Nothing is left locked.
			os.RemoveAll(path)
			open(t, dir, Options{})
		})
	}
	if text, _ := os.ReadFile(victim); string(text) != "untouched" {
		t.Errorf("got %q", text)
	}
}

// An impostor has the lock of a store, and a socket, but is another user.
func TestImpostorsAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming another user needs root")
	}
	dir := sharedTemp(t)
	s := open(t, dir, Options{})
	put(t, s, "a", "1")
	if err := errors.Join(os.Chmod(dir, 0o777), os.Chmod(filepath.Join(dir, socketFile), 0o666)); err != nil {
		t.Fatal(err)
	}
	// It gets as far as the socket, and no further.
	other := newProcess(t, as(t, 4243, 4243))
	if got := other.ask("open", dir, 0, time.Second); !strings.Contains(got, "error") {
		t.Errorf("got %q", got)
	}
	conn := newProcess(t, as(t, 4243, 4243))
	if got := conn.ask("greet", filepath.Join(dir, socketFile)); got != "EOF" {
		t.Errorf("a client of another user: got %q, want the end of the connection", got)
	}
	put(t, s, "a", "2")
}

// sharedTemp returns a new folder that other users can reach.
func sharedTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "shared")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// as makes a process another user's. It needs a program he can reach.
func as(t *testing.T, uid, gid uint32) func(*exec.Cmd) {
	exe := filepath.Join(sharedTemp(t), "other")
	in, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(exe, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(out.Chmod(0o755), out.Close()); err != nil {
		t.Fatal(err)
	}
	return func(cmd *exec.Cmd) {
		cmd.Path, cmd.Args[0], cmd.Dir = exe, exe, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
}

// A server that is root gives its store to the group that its workers have.
func TestGroupGoesOnWithTheStore(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming another user needs root")
	}
	const group = 4242
	dir := filepath.Join(sharedTemp(t), "store")
	root := newProcess(t)
	root.do("umask", dir, "077")
	root.do("open", dir, group)
	root.do("put", dir, "a", 1)
	// One has the option, one finds out by the folder, one is not a member.
	member := newProcess(t, as(t, 4243, group))
	member.do("umask", dir, "077")
	member.do("open", dir, group)
	member.want("1", "get", dir, "a")
	second := newProcess(t, as(t, 4244, group))
	second.do("open", dir)
	stranger := newProcess(t, as(t, 4245, 4245))
	if got := stranger.ask("open", dir); !strings.Contains(got, store.ErrReadOnly.Error()) {
		t.Errorf("stranger: got %q, want %v", got, store.ErrReadOnly)
	}
	root.kill()
	member.do("put", dir, "a", 2)
	member.want("holder", "role", dir)
	second.want("2", "get", dir, "a")
	member.kill()
	second.do("put", dir, "a", 3)
	second.want("holder", "role", dir)
	again := newProcess(t)
	again.do("open", dir)
	again.want("3", "get", dir, "a")
	second.do("close", dir)
	again.do("put", dir, "a", 4)
	again.want("holder", "role", dir)
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("l", 120), strings.Repeat("o", 120))
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	s, other := open(t, dir, Options{}), newProcess(t)
	put(t, s, "a", "1")
	other.do("open", dir)
	other.want("peer", "role", dir)
	other.want("1", "get", dir, "a")
}

func TestPoorProcesses(t *testing.T) {
	dir := t.TempDir()
	var all []*process
	for range 3 {
		p := newProcess(t, poor)
		p.do("open", dir)
		all = append(all, p)
	}
	for i, p := range all {
		p.do("increment", dir, 20)
		if i > 0 {
			all[i-1].kill() // from the holder to the next
		}
	}
	all[2].want("60", "get", dir, "n")
	all[2].want("holder", "role", dir)
}

func TestPageCutShort(t *testing.T) {
	dir := t.TempDir()
	other := newProcess(t)
	other.do("open", dir)
	s := open(t, dir, Options{})
	rev := put(t, s, "a", "1")
	if err := os.Truncate(filepath.Join(dir, pageFile), 0); err != nil {
		t.Fatal(err)
	}
	if got := s.Newest(); got != rev {
		t.Errorf("newest is %d, want %d", got, rev)
	}
	if got := get(t, s, "a"); got != "1" {
		t.Errorf("got %q", got)
	}
	// The holder cannot tell what is newest, and says so; the next one can.
	if got := other.ask("put", dir, "a", 2); !strings.Contains(got, store.ErrFailed.Error()) {
		t.Errorf("got %q, want %v", got, store.ErrFailed)
	}
	other.kill()
	if got := get(t, s, "a"); got != "1" && got != "2" {
		t.Errorf("got %q", got)
	}
	put(t, s, "a", fmt.Sprint(3))
}

func TestErrorsOfTheFolder(t *testing.T) {
	tmp := t.TempDir()
	if _, err := Open(filepath.Join(tmp, "x", "y"), Options{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no folder: got %v", err)
	}
	if err := os.WriteFile(filepath.Join(tmp, "000001.sst"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(tmp, Options{}); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("damaged: got %v", err)
		}
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=1m,mode=700"); err != nil {
		t.Skip("mounting a tmpfs needs the right to: ", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if _, err := Open(dir, Options{}); !errors.Is(err, store.ErrFull) {
		t.Errorf("no room: got %v", err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("read-only: got %v", err)
	}
}
