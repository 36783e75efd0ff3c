package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"coffer/store"
)

// Server lets clients use a store. It does not own the store.
type Server struct {
	backend store.Backend
	policy  Policy
	name    []byte

	ctx    context.Context // ends when Close stops waiting
	cancel context.CancelFunc

	mu        sync.Mutex // guards what follows
	closing   bool
	listeners []*net.UnixListener
	conns     map[*serverConn]struct{}
	wg        sync.WaitGroup // one for each listener and connection
}

// NewServer returns a Server of b for those whom policy admits. If b is a
// store.Once, a transaction tried again is recognised.
func NewServer(b store.Backend, policy Policy) *Server {
	s := &Server{backend: b, policy: policy, name: make([]byte, 16), conns: map[*serverConn]struct{}{}}
	rand.Read(s.name)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Serve accepts connections from l, in a goroutine, until Close. It owns l.
func (s *Server) Serve(l *net.UnixListener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		l.Close()
		return store.ErrClosed
	}
	s.listeners = append(s.listeners, l)
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		s.accept(l)
	}()
	return nil
}

// acceptPause is how long the server waits when the process has no file
// descriptor left for a connection.
const acceptPause = 20 * time.Millisecond

func (s *Server) accept(l *net.UnixListener) {
	for {
		c, err := l.AcceptUnix()
		if err == nil {
			s.ServeConn(c)
			continue
		}
		if !errors.Is(err, unix.EMFILE) && !errors.Is(err, unix.ENFILE) && !errors.Is(err, unix.ECONNABORTED) {
			return // closed
		}
		select {
		case <-time.After(acceptPause):
		case <-s.ctx.Done():
			return
		}
	}
}

// ServeConn serves the client at the other end of c, in goroutines, until
// Close or until the client is gone. It owns c.
func (s *Server) ServeConn(c *net.UnixConn) {
	if s.policy.Check(c) != nil {
		hangUp(c)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		hangUp(c)
		return
	}
	sc := newServerConn(s, c)
	s.conns[sc] = struct{}{}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		sc.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, sc)
	}()
}

// closeGrace is how long Close lets calls in progress end by themselves, and
// clients take their answers.
const closeGrace = 50 * time.Millisecond

// Close ends every connection, after the calls that are being carried out,
// and returns when no goroutine of the server is left. Calls that take longer
// than a moment are canceled. The clients find the connection lost.
func (s *Server) Close() {
	s.mu.Lock()
	s.closing = true
	for _, l := range s.listeners {
		stopListening(l)
	}
	for c := range s.conns {
		c.finish()
	}
	s.mu.Unlock()
	grace := time.AfterFunc(closeGrace, s.cancel)
	defer grace.Stop()
	s.wg.Wait()
	s.cancel()
}

// stopListening makes l refuse connections, also where a forked child has
// inherited it: closing alone would leave it as it is there.
func stopListening(l *net.UnixListener) {
	if raw, err := l.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
	l.Close()
}

// hangUp ends a connection, also where a forked child has inherited it.
func hangUp(c *net.UnixConn) {
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
	c.Close()
}

// txn carries a transaction out, so that it can be recognised if the store is
// capable of that.
func (s *Server) txn(ctx context.Context, t store.Txn, a store.Attempt) (store.Result, error) {
	if once, ok := s.backend.(store.Once); ok {
		return once.TxnOnce(ctx, t, a)
	}
	if a.Again {
		return store.Result{}, fmt.Errorf("%w: this store does not remember transactions", store.ErrUnavailable)
	}
	return s.backend.Txn(ctx, t)
}

// readPart answers a Range with so much of it as a message should carry, in a
// Page as if r.Limit had been that much.
func (s *Server) readPart(ctx context.Context, r store.RangeRequest) (store.Page, error) {
	if r.Only == store.CountOnly {
		return s.backend.Range(ctx, r)
	}
again:
	// How large keys are shows only when they are read.
	out, size, next, step := store.Page{}, 0, r, 16
	if r.Only == store.KeysOnly {
		step = partBytes / store.MaxKey
	}
	for {
		left := partKeys - out.Count
		if r.Limit > 0 {
			left = min(left, r.Limit-out.Count)
		}
		next.Limit = min(step, left)
		p, err := s.backend.Range(ctx, next)
		if r.At == 0 && out.Count > 0 && errors.Is(err, store.ErrCompacted) {
			goto again
		}
		if err != nil {
			return store.Page{}, err
		}
		out.Rev, out.More = p.Rev, p.More
		for i, k := range p.KVs {
			out.KVs = append(out.KVs, k)
			size += store.Cost(len(k.Key), len(k.Value))
			if size >= partBytes {
				out.More = p.More || i < len(p.KVs)-1
				break
			}
		}
		out.Count = len(out.KVs)
		var ok bool
		if next, ok = next.Next(p); !ok || size >= partBytes || out.Count == partKeys || out.Count == r.Limit {
			return out, nil
		}
		step = max(1, (partBytes-size)*out.Count/size)
	}
}
