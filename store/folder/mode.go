package folder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"coffer/store"
)

// groupMode is the mode of a folder that a group shares: the set-group-id bit
// gives new files its group.
const groupMode = unix.S_ISGID | 0o770

// FileMode returns the mode of files in the folder.
func (f *Folder) FileMode() fs.FileMode {
	if f.group != 0 {
		return 0o660
	}
	return 0o600
}

// Restrict gives a file of the folder, if it is there, its mode and group. What
// root has made goes to the folder's owner. In a folder that a group shares,
// what belongs to another member stays as it is.
func (f *Folder) Restrict(name string) error {
	var st unix.Stat_t
	err := unix.Fstatat(f.dirFD, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	kind := st.Mode & unix.S_IFMT
	if err == nil && kind != unix.S_IFREG && kind != unix.S_IFSOCK {
		return nil
	}
	uid, gid := -1, -1
	if st.Uid == 0 && os.Geteuid() == 0 && f.owner != 0 {
		uid = f.owner
	}
	if f.group != 0 && st.Gid != uint32(f.group) {
		gid = f.group
	}
	if err == nil && (uid >= 0 || gid >= 0) {
		err = unix.Fchownat(f.dirFD, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	}
	if mode := uint32(f.FileMode()); err == nil && st.Mode&0o7777 != mode {
		err = unix.Fchmodat(f.dirFD, name, mode, 0)
	}
	if errors.Is(err, unix.ENOENT) || f.group != 0 && errors.Is(err, unix.EPERM) {
		return nil
	}
	if err != nil {
		return pathError("chmod", filepath.Join(f.path, name), err)
	}
	return nil
}

// share finds out whether a group has the store, or gives it to group.
func (f *Folder) share(st unix.Stat_t, group int) error {
	shared := st.Mode&groupMode == groupMode
	switch {
	case shared && (group == 0 || st.Gid == uint32(group)):
		f.group = int(st.Gid)
		return nil
	case group == 0:
		return nil
	}
	err := unix.Fchown(f.dirFD, -1, group)
	if err == nil {
		err = unix.Fchmod(f.dirFD, groupMode)
	}
	if err != nil {
		return fmt.Errorf("giving the store to group %d: %w", group, pathError("chown", f.path, err))
	}
	f.group = group
	inheritMode(f.path, group)
	return nil
}

// makeFolder makes the folder if it is missing.
func makeFolder(path string, group int) error {
	err := os.Mkdir(path, 0o700)
	switch {
	case err == nil:
		// Whatever the umask took away; and the folder must survive a crash
		// as its content will.
		if err := os.Chmod(path, 0o700); err != nil {
			return FileError(err)
		}
		inheritMode(path, group)
		return FileError(Sync(filepath.Dir(path)))
	case errors.Is(err, fs.ErrExist):
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return fmt.Errorf("%w: %s is not a folder", store.ErrNotFound, path)
		}
		return nil
	}
	return FileError(err)
}

// inheritMode sees to it that files made in the folder are for their owner, or
// its group, alone, whatever the mode that is asked for and the umask: a
// default access control list does that, where the file system has them. The
// umask itself is the host's, and every thread's at once.
func inheritMode(path string, shared int) {
	const (
		version                     = 2
		user, group, other          = 0x01, 0x04, 0x20
		readWriteExecute, undefined = 7, 0xffffffff
	)
	var forGroup uint16
	if shared != 0 {
		forGroup = readWriteExecute
	}
	acl := binary.LittleEndian.AppendUint32(nil, version)
	for _, e := range []struct{ tag, perm uint16 }{{user, readWriteExecute}, {group, forGroup}, {other, 0}} {
		acl = binary.LittleEndian.AppendUint16(acl, e.tag)
		acl = binary.LittleEndian.AppendUint16(acl, e.perm)
		acl = binary.LittleEndian.AppendUint32(acl, undefined)
	}
	// If it fails, the folder's own mode still shuts everyone out, and
	// Restrict catches up.
	_ = unix.Setxattr(path, "system.posix_acl_default", acl, 0)
}
