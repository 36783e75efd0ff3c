package shared

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"coffer/store"
	"coffer/store/badger"
	"coffer/store/folder"
)

// pageFile is the file that everyone maps. It begins with the newest revision
// in eight bytes, in the machine's order, which is not believed after a crash.
// Then comes the holder's account of what it has acknowledged, for the next
// holder: a badger.Mark.
const pageFile = "NEWEST"

const markAt = 8

// pageSize is the file's. It is more than the eight bytes so that nothing else
// is in the page.
var pageSize = os.Getpagesize()

// page is pageFile, mapped. It can be read at any time, also when it is not
// needed any more: then it is memory of its own, and what it was last.
type page struct {
	rev  *atomic.Int64
	mark *badger.Mark
	addr unsafe.Pointer
}

// access says what a page is mapped for.
type access int

const (
	reading access = unix.PROT_READ
	writing access = unix.PROT_READ | unix.PROT_WRITE
)

// mapPage maps the page of f; for writing, it makes it.
func mapPage(f *folder.Folder, a access) (*page, error) {
	path := filepath.Join(f.Path(), pageFile)
	fd, err := unix.Openat(f.FD(), pageFile, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC|createIf(a), uint32(f.FileMode()))
	if err != nil {
		return nil, folder.FileError(&os.PathError{Op: "open", Path: path, Err: err})
	}
	defer unix.Close(fd)
	if a == writing {
		if err := f.Restrict(pageFile); err != nil {
			return nil, err
		}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Size < int64(pageSize) && a == writing {
		// Blocks of its own now, so that writing to memory will not need them.
		_, err = unix.Pwrite(fd, make([]byte, int64(pageSize)-st.Size), st.Size)
		st.Size = int64(pageSize)
	}
	if err != nil {
		return nil, folder.FileError(&os.PathError{Op: "write", Path: path, Err: err})
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size < int64(pageSize) {
		return nil, fmt.Errorf("%w: %s is not what it should be", store.ErrFailed, path)
	}
	addr, err := unix.MmapPtr(fd, 0, nil, uintptr(pageSize), int(a), unix.MAP_SHARED)
	if err != nil {
		return nil, folder.FileError(&os.PathError{Op: "mmap", Path: path, Err: err})
	}
	p := &page{rev: (*atomic.Int64)(addr), mark: (*badger.Mark)(unsafe.Add(addr, markAt)), addr: addr}
	runtime.AddCleanup(p, func(addr unsafe.Pointer) { unix.MunmapPtr(addr, uintptr(pageSize)) }, addr)
	return p, nil
}

// detach lets go of the file: it would keep the file system from being
// unmounted. Those who read meanwhile are not disturbed.
func (p *page) detach() {
	rev, ok := p.load()
	if !ok {
		return
	}
	own, err := unix.MmapPtr(-1, 0, nil, uintptr(pageSize), int(writing), unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return
	}
	(*atomic.Int64)(own).Store(int64(rev))
	const inPlace = unix.MREMAP_FIXED | unix.MREMAP_MAYMOVE
	if _, err := unix.MremapPtr(own, uintptr(pageSize), p.addr, uintptr(pageSize), inPlace); err != nil {
		unix.MunmapPtr(own, uintptr(pageSize))
	}
}

func createIf(a access) int {
	if a == writing {
		return unix.O_CREAT
	}
	return 0
}

// load returns the newest revision. ok is false if the page cannot be read,
// because somebody has cut the file short.
func (p *page) load() (rev store.Rev, ok bool) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if recover() != nil {
			rev, ok = 0, false
		}
		runtime.KeepAlive(p)
	}()
	return store.Rev(p.rev.Load()), true
}
