package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"coffer/store/folder"
)

// ballastFile takes up space that is given to Badger when another program has
// taken the last of the disk while Badger writes through a memory map: then a
// page has no block, which is a fault and not an error. Whoever Options.Ballast
// tells of the file cuts it to nothing in the handler of that fault, and the
// write goes on.
const ballastFile = "BALLAST"

// mostBallast is enough for the tables that Badger makes of its logs, and for
// most merges.
const mostBallast = 16 << 20

// ballastSize is the part of what must be free that the file holds.
func (s *Store) ballastSize() int64 { return min(mostBallast, s.opt.Reserve/2) }

// holdBallast sees to it that the ballast is there. It is called while nobody
// else writes.
func (s *Store) holdBallast() error {
	if s.opt.Ballast == nil || s.noBallast {
		return nil
	}
	var st unix.Stat_t
	if s.ballast < 0 {
		const flags = unix.O_RDWR | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_CLOEXEC
		fd, err := unix.Openat(s.folder.FD(), ballastFile, flags, uint32(s.folder.FileMode()))
		if err == nil {
			err = s.folder.Restrict(ballastFile)
		}
		if err == nil && fd < 3 { // the host's, which has closed them
			low := fd
			fd, err = unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, 3)
			unix.Close(low)
		}
		if err != nil {
			return fmt.Errorf("making the ballast: %w", folder.FileError(&os.PathError{Op: "open", Path: s.ballastPath(), Err: err}))
		}
		s.ballast = fd
	}
	if err := unix.Fstat(s.ballast, &st); err == nil && st.Size == s.ballastSize() {
		return nil
	}
	err := unix.Fallocate(s.ballast, 0, 0, s.ballastSize())
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		s.noBallast = true
		return nil
	case err != nil:
		_ = unix.Ftruncate(s.ballast, 0)
		return folder.FileError(&os.PathError{Op: "fallocate", Path: s.ballastPath(), Err: err})
	}
	s.opt.Ballast(s.ballast, true)
	return nil
}

func (s *Store) ballastPath() string { return filepath.Join(s.dir, ballastFile) }

// held is how much of the disk the ballast holds.
func (s *Store) held() int64 {
	var st unix.Stat_t
	if s.ballast < 0 || unix.Fstat(s.ballast, &st) != nil {
		return 0
	}
	return st.Size
}

// dropBallast gives the space back, when the store has been closed.
func (s *Store) dropBallast() {
	if s.ballast < 0 {
		return
	}
	s.opt.Ballast(s.ballast, false)
	_ = unix.Ftruncate(s.ballast, 0)
	// The folder may be another's by now, with another's ballast.
	var st, named unix.Stat_t
	if unix.Fstat(s.ballast, &st) == nil && unix.Fstatat(s.folder.FD(), ballastFile, &named, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		st.Ino == named.Ino && st.Dev == named.Dev {
		_ = unix.Unlinkat(s.folder.FD(), ballastFile, 0)
	}
	unix.Close(s.ballast)
	s.ballast = -1
}

// removeBallast removes what a process that died has left.
func removeBallast(f *folder.Folder) { _ = unix.Unlinkat(f.FD(), ballastFile, 0) }
