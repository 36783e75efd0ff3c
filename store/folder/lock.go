package folder

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"coffer/store"
)

// The files of the locks.
const (
	LockFile  = "LOCK"
	guardFile = "GUARD"
)

// Files are the names of the files that this package makes in a folder.
var Files = []string{LockFile, guardFile}

// Lock takes the folder's lock, without waiting. If somebody else has it, the
// error is ErrLocked and says who.
func (f *Folder) Lock() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.guarded(); err != nil {
		return err
	}
	if f.locked {
		return fmt.Errorf("%w: this process, %d, has %s open already", store.ErrLocked, os.Getpid(), f.path)
	}
	if err := f.reopen(); err != nil {
		return err
	}
	flock := unix.Flock_t{Type: unix.F_WRLCK}
	err := unix.FcntlFlock(uintptr(f.lock), unix.F_SETLK, &flock)
	switch {
	case err == nil:
		f.locked = true
		return nil
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAGAIN):
		who := "another process"
		if pid, _ := f.holder(); pid > 0 {
			who = fmt.Sprintf("process %d", pid)
		}
		return fmt.Errorf("%w: %s has %s open", store.ErrLocked, who, f.path)
	}
	return fmt.Errorf("%w: locking %s: %w", store.ErrFailed, f.path, err)
}

// Unlock gives the lock up.
func (f *Folder) Unlock() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.locked {
		flock := unix.Flock_t{Type: unix.F_UNLCK}
		_ = unix.FcntlFlock(uintptr(f.lock), unix.F_SETLK, &flock)
		f.locked = false
	}
}

// Locked reports whether this Folder has the lock.
func (f *Folder) Locked() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.locked
}

// Check returns ErrFailed if the lock is lost though we did not give it up: a
// host that closes every descriptor it does not know closes the lock's too, and
// somebody may remove the file.
func (f *Folder) Check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.locked || !f.current() {
		return fmt.Errorf("%w: the lock of %s was taken from us", store.ErrFailed, f.path)
	}
	return nil
}

// current reports whether what we have open is the file LOCK.
func (f *Folder) current() bool {
	var st, named unix.Stat_t
	return unix.Fstat(f.lock, &st) == nil &&
		unix.Fstatat(f.dirFD, LockFile, &named, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		st.Ino == named.Ino && st.Dev == named.Dev
}

// reopen opens LOCK anew if it is another file by now: two who lock two files
// would both have the folder.
func (f *Folder) reopen() error {
	if f.current() {
		return nil
	}
	fd, err := f.openFile(LockFile)
	if err != nil {
		return err
	}
	unix.Close(f.lock)
	f.lock = fd
	return nil
}

// Holder returns the process that has the lock, 0 if it cannot be seen from
// here. known is false if another copy of this library in this process keeps
// us from asking, and so from ever taking the lock while it lasts.
func (f *Folder) Holder() (pid int, held, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.guarded() != nil {
		return 0, false, false
	}
	if f.locked {
		return os.Getpid(), true, true
	}
	pid, held = f.holder()
	return pid, held, true
}

func (f *Folder) holder() (pid int, held bool) {
	flock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(uintptr(f.lock), unix.F_GETLK, &flock); err != nil {
		return 0, true // to be on the safe side
	}
	return int(max(flock.Pid, 0)), flock.Type != unix.F_UNLCK
}

// guarded makes this Folder the only one in the process that has LOCK open.
func (f *Folder) guarded() error {
	switch {
	case f.closed:
		return store.ErrClosed
	case f.lock >= 0:
		return nil
	}
	flock := unix.Flock_t{Type: unix.F_WRLCK, Start: ownByte(), Len: 1}
	err := unix.FcntlFlock(uintptr(f.guard), unix.F_OFD_SETLK, &flock)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("%w: this process, %d, has %s open already", store.ErrLocked, os.Getpid(), f.path)
	}
	if err != nil {
		return fmt.Errorf("%w: locking %s: %w", store.ErrFailed, f.path, err)
	}
	if f.lock, err = f.openFile(LockFile); err != nil {
		unguard(f.guard)
	}
	return err
}

// unguard gives up what guarded took.
func unguard(fd int) {
	flock := unix.Flock_t{Type: unix.F_UNLCK}
	_ = unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &flock)
}

// ownByte returns the byte of GUARD that is this process's: one that a
// process that comes to have the same number does not have too.
func ownByte() int64 {
	h := fnv.New64a()
	fmt.Fprint(h, os.Getpid(), startTime())
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		io.WriteString(h, ns)
	}
	return int64(h.Sum64()>>2) + 1
}

// startTime returns when this process began, in the system's ticks; 0 where
// there is no /proc.
func startTime() uint64 {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	// The name of the program, in parentheses, can be anything. It is the
	// second field; the start is the 22nd.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0
	}
	ticks, _ := strconv.ParseUint(string(fields[19]), 10, 64)
	return ticks
}
