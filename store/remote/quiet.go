package remote

import (
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// quiet writes to a socket without SIGPIPE. The signal belongs to the host
// that the library is loaded into; a client writes on the host's thread, and
// by default the end of the other side would end the host.
type quiet struct{ conn *net.UnixConn }

func (q quiet) Write(p []byte) (int, error) {
	raw, err := q.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	sent := 0
	for sent < len(p) {
		var n int
		var failed error
		if err := raw.Write(func(fd uintptr) bool {
			for {
				n, failed = unix.SendmsgN(int(fd), p[sent:], nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
				if failed != unix.EINTR {
					return failed != unix.EAGAIN
				}
			}
		}); err != nil {
			return sent, err
		}
		if failed != nil {
			return sent, failed
		}
		if n == 0 {
			return sent, io.ErrShortWrite
		}
		sent += n
	}
	return sent, nil
}
