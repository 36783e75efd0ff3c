package shared

import (
	"coffer/store/badger"
	"coffer/store/remote"
)

// hold makes this process the holder. It has the folder's lock.
//
// The socket is there before Badger is open, so that those who come meanwhile
// wait in it and not in vain; and it is removed before the lock is given up,
// so that it is never a successor's.
func (n *node) hold() (*way, error) {
	f := n.folder
	p, err := mapPage(f, writing)
	if err != nil {
		f.Unlock()
		return nil, err
	}
	l, err := listen(f)
	if err != nil {
		p.detach()
		f.Unlock()
		return nil, err
	}
	socket, err := findSocket(f)
	if err != nil {
		p.detach()
		l.Close()
		f.Unlock()
		return nil, err
	}
	b, err := badger.OpenIn(f, badger.Options{History: n.opt.History, Newest: p.rev, Mark: p.mark, Ballast: n.opt.Ballast}, func() {
		// The folder may be another's by now, with another's socket.
		if now, err := findSocket(f); err == nil && now == socket {
			removeSocket(f)
		}
		f.Unlock()
	})
	if err != nil {
		p.detach()
		l.Close()
		return nil, err
	}
	n.use(p)
	s := remote.NewServer(b, policy(f))
	s.Serve(l) // it is not closed
	return &way{
		Once: b,
		gone: make(chan struct{}), // not while we live
		close: func() error {
			s.Close()
			return b.Close()
		},
	}, nil
}
