package shared

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/store"
	"coffer/store/folder"
	"coffer/store/remote"
)

// join makes this process a peer of the holder, who may take so long to
// answer.
func (n *node) join(ctx context.Context, wait time.Duration) (*way, error) {
	greeting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(n.ctx, cancel)()
	h := observe(n.folder)
	c, err := n.connect(greeting, h)
	switch {
	case err == nil:
	case n.ctx.Err() != nil:
		return nil, store.ErrClosed
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return nil, fmt.Errorf("%w in %v", store.ErrUnavailable, n.opt.Wait)
	default:
		return nil, err
	}
	p, err := mapPage(n.folder, reading)
	if err != nil {
		c.Close()
		return nil, err
	}
	n.use(p)
	return &way{Once: c, gone: c.Gone(), name: c.Server(), close: c.Close}, nil
}

func (n *node) connect(ctx context.Context, h *holder) (*remote.Client, error) {
	conn, socket, err := dial(ctx, n.folder)
	if err != nil {
		return nil, err
	}
	h.socket = socket
	return remote.NewClient(ctx, conn, remote.ClientOptions{
		Newest:  n.newest,
		Timeout: n.opt.Wait,
		Alive:   h.alive,
		Policy:  policy(n.folder),
	})
}

// holder is the process that serves us, as it can be recognised.
type holder struct {
	folder *folder.Folder
	pid    int
	known  bool // that is, pid is
	socket socketID
}

// observe returns the holder there is now.
func observe(f *folder.Folder) *holder {
	pid, _, known := f.Holder()
	return &holder{folder: f, pid: pid, known: known}
}

// alive reports whether the holder has the lock still, and the socket. Where
// we cannot ask who has the lock, the socket has to do: a next holder puts a
// new one in place.
func (h *holder) alive() bool {
	if pid, held, known := h.folder.Holder(); known && h.known && (!held || pid != h.pid) {
		return false
	}
	socket, err := findSocket(h.folder)
	return err == nil && socket == h.socket
}
