package shared

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"coffer/store"
	"coffer/store/folder"
	"coffer/store/remote"
)

// socketFile is the holder's socket.
const socketFile = "SOCKET"

// maxAddress is the length of the longest path that a socket's address takes.
const maxAddress = 107

// address returns the address of the socket: its path, or a shorter one by way
// of the descriptor that we have of the folder.
func address(f *folder.Folder) string {
	path := filepath.Join(f.Path(), socketFile)
	if len(path) > maxAddress {
		return fmt.Sprintf("/proc/self/fd/%d/%s", f.FD(), socketFile)
	}
	return path
}

// policy returns whom the users of the store in f speak to.
func policy(f *folder.Folder) remote.Policy {
	return remote.Policy{Owner: f.Owner(), Group: f.Group()}
}

// socketID is the socket that is in place, 0 if there is none. A new holder
// makes a new one, and the number of the old is not given out again while a
// connection to it exists.
type socketID struct{ ino uint64 }

// findSocket returns the socket in the folder. It is an error if something
// else is there, or the socket of somebody who has no business there: it is
// not connected to, and not removed either.
func findSocket(f *folder.Folder) (socketID, error) {
	path := filepath.Join(f.Path(), socketFile)
	var st unix.Stat_t
	err := unix.Fstatat(f.FD(), socketFile, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		return socketID{}, nil
	case err != nil:
		return socketID{}, folder.FileError(&os.PathError{Op: "stat", Path: path, Err: err})
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return socketID{}, fmt.Errorf("%w: %s is there, and is not a socket: remove it if you know what it is",
			store.ErrFailed, path)
	case !mayOwn(f, st):
		return socketID{}, fmt.Errorf("%w: %s is a socket of user %d, who must not have one there",
			store.ErrFailed, path, st.Uid)
	}
	return socketID{st.Ino}, nil
}

// mayOwn reports whether a socket can be a holder's.
func mayOwn(f *folder.Folder, st unix.Stat_t) bool {
	switch int(st.Uid) {
	case 0, os.Geteuid(), f.Owner():
		return true
	}
	return f.Group() != 0 && st.Gid == uint32(f.Group())
}

// listen puts a new socket in place. The caller has the folder's lock, so one
// that is there is nobody's any more.
func listen(f *folder.Folder) (*net.UnixListener, error) {
	old, err := findSocket(f)
	if err != nil {
		return nil, err
	}
	if old != (socketID{}) {
		removeSocket(f)
	}
	// The socket's own mode, together with the umask, is that of its file.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.Fchmod(int(fd), uint32(f.FileMode())) })
	}}
	l, err := config.Listen(context.Background(), "unix", address(f))
	if err != nil {
		return nil, folder.FileError(err)
	}
	u := l.(*net.UnixListener)
	u.SetUnlinkOnClose(false)
	if err := f.Restrict(socketFile); err != nil {
		u.Close()
		removeSocket(f)
		return nil, err
	}
	return u, nil
}

func removeSocket(f *folder.Folder) { _ = unix.Unlinkat(f.FD(), socketFile, 0) }

// dial connects to the socket that is in place.
func dial(ctx context.Context, f *folder.Folder) (*net.UnixConn, socketID, error) {
	id, err := findSocket(f)
	if err != nil {
		return nil, id, err
	}
	if id == (socketID{}) {
		return nil, id, fmt.Errorf("%w: no socket", remote.ErrLost)
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", address(f))
	if err == nil {
		return c.(*net.UnixConn), id, nil
	}
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAGAIN) {
		err = fmt.Errorf("%w: %w", remote.ErrLost, err)
	} else if ctx.Err() == nil {
		err = folder.FileError(err)
	}
	return nil, id, err
}
