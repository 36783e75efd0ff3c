package remote

import (
	"fmt"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Policy says who may be on the other side of a connection: a process of the same
// user, the store's owner, root, and the members of a group.
type Policy struct {
	// Owner is one more user: the one whose store it is.
	Owner int
	// Group is the group's id; 0 is no group.
	Group int
}

// Check returns ErrRefused, with a sentence, if the process at the other end
// of c is not allowed there. The kernel remembers who that was when it
// connected, or began to listen.
func (p Policy) Check(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	var cred *unix.Ucred
	var groups []uint32
	cerr := raw.Control(func(fd uintptr) {
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil && p.Group != 0 {
			groups, err = peerGroups(int(fd))
		}
	})
	if cerr != nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("%w: credentials of the other side: %w", ErrRefused, err)
	}
	if !p.allows(*cred, groups) {
		return fmt.Errorf("%w: the other side is user %d, group %d", ErrRefused, cred.Uid, cred.Gid)
	}
	return nil
}

func (p Policy) allows(cred unix.Ucred, groups []uint32) bool {
	if cred.Uid == 0 || cred.Uid == uint32(os.Geteuid()) || cred.Uid == uint32(p.Owner) {
		return true
	}
	if p.Group == 0 {
		return false
	}
	for _, g := range append(groups, cred.Gid) {
		if g == uint32(p.Group) {
			return true
		}
	}
	return false
}

// peerGroups returns the supplementary groups of the other side.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 64)
	for {
		size := uint32(len(groups)) * 4
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return groups[:size/4], nil
		case unix.ERANGE: // size is now what there is
			groups = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}
