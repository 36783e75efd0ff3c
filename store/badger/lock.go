package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"coffer/store"
)

// lockFile is the file whose lock is the folder's.
const lockFile = "LOCK"

// folderLock is the right to use a folder. It is a POSIX record lock: it goes
// with its process, however that ends, and a forked child does not have it,
// as it would have an flock, along with the belief that it may write.
//
// Such a lock belongs to the process as a whole: a second one in the same
// process succeeds, and closing any descriptor of the file gives it up. So
// the process keeps its own register of folders, and nobody opens the file of
// a folder that stands in it.
type folderLock struct {
	id     folderID
	folder *os.File // while it is open, no other folder can get its inode
	file   *os.File
}

// folderID is a folder whatever its path.
type folderID struct{ dev, ino uint64 }

// held has the locks of the process. That also keeps the files of one that is
// never released from being closed when nothing else refers to it.
var held = struct {
	mu      sync.Mutex
	folders map[folderID]*folderLock
}{folders: map[folderID]*folderLock{}}

// The first try after the first is soon: a command that writes one thing
// holds the lock for some milliseconds.
const (
	firstPause = 2 * time.Millisecond
	maxPause   = 50 * time.Millisecond
)

// lockFolder takes the lock of dir and waits up to wait for it.
func lockFolder(dir string, wait time.Duration) (*folderLock, error) {
	deadline := time.Now().Add(wait)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		l, err := tryLock(dir)
		left := time.Until(deadline)
		if err == nil || !errors.Is(err, store.ErrLocked) || left <= 0 {
			return l, err
		}
		time.Sleep(min(pause, left))
	}
}

func tryLock(dir string) (*folderLock, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fileError(err)
	}
	l, err := lockOpened(folder, dir)
	if err != nil {
		folder.Close()
	}
	return l, err
}

func lockOpened(folder *os.File, dir string) (*folderLock, error) {
	info, err := folder.Stat()
	if err != nil {
		return nil, fileError(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	l := &folderLock{id: folderID{uint64(st.Dev), st.Ino}, folder: folder}
	if !l.register() {
		return nil, fmt.Errorf("%w: this process, %d, has %s open already", store.ErrLocked, os.Getpid(), dir)
	}
	if l.file, err = openLocked(dir); err != nil {
		l.unregister()
		return nil, err
	}
	return l, nil
}

// openLocked opens the lock file of dir and takes its lock.
func openLocked(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fileError(err)
	}
	flock := wholeFile()
	err = unix.FcntlFlock(file.Fd(), unix.F_SETLK, &flock)
	if err == nil {
		return file, nil
	}
	defer file.Close()
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAGAIN) {
		return nil, fmt.Errorf("%w: %s has %s open", store.ErrLocked, holder(file), dir)
	}
	return nil, fmt.Errorf("%w: locking %s: %w", store.ErrFailed, path, err)
}

func (l *folderLock) register() bool {
	held.mu.Lock()
	defer held.mu.Unlock()
	if held.folders[l.id] != nil {
		return false
	}
	held.folders[l.id] = l
	return true
}

func (l *folderLock) unregister() {
	held.mu.Lock()
	defer held.mu.Unlock()
	delete(held.folders, l.id)
}

// release gives the lock up, by closing its file.
func (l *folderLock) release() {
	l.file.Close()
	l.unregister()
	l.folder.Close()
}

// holder says who has the lock of file. The process may have ended since, or
// live in a container where this one cannot see it.
func holder(file *os.File) string {
	flock := wholeFile()
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &flock); err != nil || flock.Pid <= 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d", flock.Pid)
}

func wholeFile() unix.Flock_t { return unix.Flock_t{Type: unix.F_WRLCK} }
