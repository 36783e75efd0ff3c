// Package folder is the folder that a store on disk lives in: who may enter
// it, and who has it for himself.
//
// It knows nothing of what is stored.
//
// # Design
//
// One process at a time has the folder locked. Three things are wanted of that
// lock: that it ends with its process, however that ends; that a forked child
// has no part in it, although it inherits every descriptor; and that two
// copies of this library in one process, which know nothing of each other,
// do not both have it. No lock of the system's does all three.
//
// The file LOCK has a POSIX record lock, which does the first two. It belongs
// to the process: within it, everyone can take it, and closing any descriptor
// of the file, whoever's, gives it up. So before a copy of the library even
// opens LOCK, it must be the only one of its process that does. That is what
// the file GUARD is for. Each process has a byte of it to itself, far out in
// a file that stays empty, and locks it with a lock of the open file
// description, which keeps a second copy out. A forked child inherits that
// description, but its process has another byte; the description is unlocked
// before it is closed, so that the child does not keep it; and the byte of a
// process that is dead is nobody's.
//
// Descriptors are bare numbers here, because an os.File that is forgotten
// closes itself, and with it the lock.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"coffer/store"
)

// Options are the choices of a folder's user. The zero value is good.
type Options struct {
	// Group is the id of a group whose members may all use the store; 0 is
	// none, unless the folder says otherwise: one with the set-group-id bit
	// that its group may write is that group's.
	Group int
}

// ID is a folder whatever its path.
type ID struct{ Dev, Ino uint64 }

// Folder is an open folder. Its methods are safe for concurrent use.
type Folder struct {
	path  string
	id    ID
	owner int
	group int
	dirFD int

	mu     sync.Mutex // guards what follows
	guard  int        // descriptor of GUARD
	lock   int        // descriptor of LOCK, -1 while the guard is not ours
	locked bool
	closed bool
}

// Open opens the folder dir, and makes it if only it is missing, accessible to
// its owner, or its group, alone.
//
// The error wraps ErrNotFound if there is no folder to make dir in,
// ErrReadOnly if it may not be written, or ErrFailed for anything else. Each
// names the path.
func Open(dir string, opt Options) (*Folder, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", store.ErrFailed, dir, err)
	}
	if err := makeFolder(path, opt.Group); err != nil {
		return nil, err
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError("open", path, err)
	}
	f := &Folder{path: path, dirFD: fd, guard: -1, lock: -1}
	if err := f.open(opt); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *Folder) open(opt Options) error {
	var st unix.Stat_t
	if err := unix.Fstat(f.dirFD, &st); err != nil {
		return pathError("stat", f.path, err)
	}
	f.id, f.owner = ID{uint64(st.Dev), st.Ino}, int(st.Uid)
	if err := f.share(st, opt.Group); err != nil {
		return err
	}
	var err error
	f.guard, err = f.openFile(guardFile)
	return err
}

// Path returns the folder's absolute path.
func (f *Folder) Path() string { return f.path }

// ID returns the folder's identity.
func (f *Folder) ID() ID { return f.id }

// Owner returns the id of the folder's owner.
func (f *Folder) Owner() int { return f.owner }

// Group returns the id of the group that has the store, 0 if none has.
func (f *Folder) Group() int { return f.group }

// FD returns a descriptor of the folder, which Close closes.
func (f *Folder) FD() int { return f.dirFD }

// Close gives the folder back, unlocked.
func (f *Folder) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.closed = true
	// While the guard is ours, nobody in this process has LOCK open but us.
	if f.lock >= 0 {
		unix.Close(f.lock)
	}
	if f.guard >= 0 {
		unguard(f.guard)
		unix.Close(f.guard)
	}
	unix.Close(f.dirFD)
	f.locked = false
}

// openFile opens a file of the folder's, and makes it if it is missing.
func (f *Folder) openFile(name string) (int, error) {
	path := filepath.Join(f.path, name)
	mode := f.FileMode()
	fd, err := unix.Openat(f.dirFD, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(mode))
	if err != nil {
		return -1, pathError("open", path, err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err != nil {
		err = pathError("stat", path, err)
	} else if st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = fmt.Errorf("%w: %s is not a regular file", store.ErrFailed, path)
	} else {
		err = f.Restrict(name)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func pathError(op, path string, err error) error {
	return FileError(&fs.PathError{Op: op, Path: path, Err: err})
}

// IsMissing reports whether err says that a file does not exist.
func IsMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Sync makes the names in the folder dir durable.
func Sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
