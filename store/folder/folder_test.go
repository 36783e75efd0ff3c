package folder

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"coffer/store"
)

// The test binary is also the other process: it tries to lock the folder that
// this names, says what came of it, and waits for its input to end.
const dirVar = "COFFER_FOLDER_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirVar); dir != "" {
		f, err := Open(dir, Options{})
		if err == nil {
			err = f.Lock()
		}
		fmt.Println("lock:", err)
		io.Copy(io.Discard, os.Stdin)
		return
	}
	os.Exit(m.Run())
}

// other is another process that has tried to lock a folder.
type other struct {
	said string
	pid  int
	end  func()
}

func try(t *testing.T, dir string, inherits ...*os.File) other {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), dirVar+"="+dir)
	cmd.ExtraFiles = inherits
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o := other{pid: cmd.Process.Pid, end: func() {
		in.Close()
		cmd.Wait()
	}}
	t.Cleanup(o.end)
	o.said, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o other) has() bool { return strings.Contains(o.said, "lock: <nil>") }

func open(t *testing.T, dir string, opt Options) *Folder {
	t.Helper()
	f, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func lock(t *testing.T, f *Folder) {
	t.Helper()
	if err := f.Lock(); err != nil {
		t.Fatal(err)
	}
}

func TestAnotherProcessIsKeptOut(t *testing.T) {
	dir := t.TempDir()
	o := try(t, dir)
	if !o.has() {
		t.Fatal(o.said)
	}
	f := open(t, dir, Options{})
	err := f.Lock()
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint("process ", o.pid)) {
		t.Errorf("got %v, want ErrLocked by process %d", err, o.pid)
	}
	if pid, held, known := f.Holder(); pid != o.pid || !held || !known {
		t.Errorf("holder: got %d, %t, %t", pid, held, known)
	}
	o.end()
	if _, held, known := f.Holder(); held || !known {
		t.Errorf("holder that ended: got %t, %t", held, known)
	}
	lock(t, f)
	if pid, held, _ := f.Holder(); pid != os.Getpid() || !held || !f.Locked() {
		t.Errorf("holder: got %d, %t, want this process", pid, held)
	}
	if err := f.Check(); err != nil {
		t.Error(err)
	}
	f.Unlock()
	if o := try(t, dir); !o.has() {
		t.Error("unlocked: ", o.said)
	}
}

// Two Folders in one process are what two copies of the library have there.
func TestAnotherCopyInTheProcessIsKeptOut(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	f := open(t, dir, Options{})
	lock(t, f)
	for range 3 {
		g := open(t, link, Options{})
		if g.ID() != f.ID() {
			t.Error("the same folder has two IDs")
		}
		if err := g.Lock(); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "this process") {
			t.Errorf("got %v, want ErrLocked by this process", err)
		}
		if _, _, known := g.Holder(); known {
			t.Error("a copy that must not open the lock's file knows who has it")
		}
		g.Close()
	}
	runtime.GC() // must not close what nobody refers to
	// None of that has cost the first its lock.
	if o := try(t, dir); o.has() {
		t.Error("another process got the lock")
	}
	f.Close()
	lock(t, open(t, link, Options{}))
}

func TestInheritedDescriptorsLockNothing(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, Options{})
	lock(t, f)
	var inherited []*os.File
	for _, fd := range []int{f.dirFD, f.guard, f.lock} {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		inherited = append(inherited, os.NewFile(uintptr(dup), "inherited"))
	}
	// A dup of LOCK closed in this process would give the lock up, which is
	// no matter here: it is given up next.
	child := try(t, t.TempDir(), inherited...)
	f.Close()
	for _, file := range inherited {
		file.Close()
	}
	g := open(t, dir, Options{})
	lock(t, g)
	g.Close()
	if o := try(t, dir); !o.has() {
		t.Error(o.said)
	}
	child.end()
}

func TestLostLockIsNoticed(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir, Options{})
	lock(t, f)
	// Somebody removes the file, so that the next locks another.
	if err := os.Remove(filepath.Join(dir, LockFile)); err != nil {
		t.Fatal(err)
	}
	if o := try(t, dir); !o.has() {
		t.Fatal(o.said)
	}
	if err := f.Check(); !errors.Is(err, store.ErrFailed) {
		t.Errorf("removed: got %v, want ErrFailed", err)
	}
	// Who comes late locks what is there.
	f.Unlock()
	if err := f.Lock(); !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}

	g := open(t, t.TempDir(), Options{})
	lock(t, g)
	unix.Close(g.lock) // as does a host that becomes a daemon
	if err := g.Check(); !errors.Is(err, store.ErrFailed) {
		t.Errorf("closed: got %v, want ErrFailed", err)
	}
	g.lock = -1
}

func TestModesWhateverTheUmask(t *testing.T) {
	// The umask is the whole process's; no test here runs in parallel.
	defer syscall.Umask(syscall.Umask(0))
	const group = 4242
	for _, c := range []struct {
		opt          Options
		folder, file os.FileMode
		gid          uint32
	}{
		{Options{}, 0o700, 0o600, uint32(os.Getegid())},
		{Options{Group: group}, 0o770 | os.ModeSetgid, 0o660, group},
	} {
		if c.opt.Group != 0 && os.Geteuid() != 0 {
			t.Skip("giving a folder to any group needs root")
		}
		for _, umask := range []int{0, 0o077, 0o777} {
			syscall.Umask(umask)
			dir := filepath.Join(t.TempDir(), "store")
			f := open(t, dir, c.opt)
			lock(t, f)
			check := func(path string, mode os.FileMode) {
				t.Helper()
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if gid := info.Sys().(*syscall.Stat_t).Gid; info.Mode()&^os.ModeDir != mode || gid != c.gid {
					t.Errorf("umask %o: %s has mode %v, group %d, want %v, %d", umask, path, info.Mode(), gid, mode, c.gid)
				}
			}
			check(dir, c.folder)
			for _, name := range Files {
				check(filepath.Join(dir, name), c.file)
			}
			// Without being told, it is the group's still.
			if g := open(t, dir, Options{}); g.Group() != c.opt.Group {
				t.Errorf("opened again: group %d, want %d", g.Group(), c.opt.Group)
			}
		}
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	for _, name := range Files {
		dir := t.TempDir()
		victim := filepath.Join(t.TempDir(), "victim")
		if err := os.WriteFile(victim, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		f, err := Open(dir, Options{})
		if err == nil {
			err = f.Lock()
			f.Close()
		}
		if !errors.Is(err, store.ErrFailed) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is a symbolic link: got %v, want ErrFailed", name, err)
		}
		if info, _ := os.Stat(victim); info.Mode() != 0o644 {
			t.Error("what the link leads to has another mode now")
		}
	}
}
