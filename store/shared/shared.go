// Package shared is a store on a local disk that any number of processes have
// open at once.
//
// # Design
//
// Badger serves one process. The one that gets the folder's lock is the
// holder: it opens Badger and serves the contract of package store on a socket
// in the folder. The others are peers and speak to it. When the holder closes
// the store, or dies, the peer that next wants something takes the lock, and
// is the holder; nothing runs in a process that wants nothing.
//
//	        ┌──── the lock is free ────▶ holder ──┐
//	nobody ─┤                                     ├─ Close
//	        └─ somebody has it ─▶ peer ───────────┘
//	               ▲                │ the connection is lost
//	               └── or holder ◀──┘
//
// # Who is alive
//
// The lock is the truth; a connection is not: a forked child inherits it, and
// keeps it open when its parent is dead. So a peer that waits longer than a
// moment asks the system who has the lock. If nobody has, or somebody else,
// or if another socket is in place, the holder it speaks to is gone. If the
// holder has the lock and does not answer, because it is stopped, say, the
// peer waits as long as Options.Wait, and then gets ErrUnavailable.
//
// # Exactly once
//
// What was asked of a holder that is gone is asked again of the next. Reading
// may be repeated, and a watch goes on after the last revision that it has
// told. A transaction may have been carried out although its answer was lost.
// So each that a peer sends has a random name, which the holder writes in the
// transaction itself, where the next holder finds it (store.Once).
//
// # The newest revision
//
// Store.Newest must be exact in every process, cost next to nothing, and stay
// so when the holder changes, without peers noticing that at once. So the
// number is in a file of the folder that everyone maps: the holder writes it
// before a transaction is acknowledged, and the next holder goes on in the
// same place. Memory that belonged to a holder would go stale with it.
//
// # One process
//
// Opening a folder again in the same process shares what is there already. A
// second copy of this library in the process knows nothing of that; package
// folder keeps it from taking the lock, and it is a peer of the first.
package shared

import (
	"context"
	"iter"
	"sync"
	"time"

	"coffer/store"
	"coffer/store/folder"
)

// Options are the choices of a store's user. The zero value is good. Of those
// who open the same folder in one process, the first decides.
type Options struct {
	// Wait is how long a call waits for a holder that does not answer: 0 is
	// five seconds, negative is no longer than it takes to see that.
	Wait time.Duration
	// History is how many revisions are kept without being told to compact,
	// if this process is the holder; 0 is the default of package badger.
	History int
	// Group is the id of a group whose members may all use the store; see
	// folder.Options.
	Group int
	// Ballast is badger.Options.Ballast, if this process is the holder.
	Ballast func(fd int, held bool)
}

const (
	defaultWait  = 5 * time.Second
	shortestWait = 100 * time.Millisecond
)

func (o Options) withDefaults() Options {
	switch {
	case o.Wait == 0:
		o.Wait = defaultWait
	case o.Wait < shortestWait:
		o.Wait = shortestWait
	}
	return o
}

// nodes are the stores that this process has open.
var nodes = struct {
	mu   sync.Mutex // guards refs of each, too
	open map[folder.ID]*node
}{open: map[folder.ID]*node{}}

// Store is one opening of a store. It implements store.Backend.
type Store struct {
	node   *node
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	once   sync.Once
	closed error // what Close returned
}

var _ store.Backend = (*Store)(nil)

// Open opens the store in the folder dir, and makes the folder if only it is
// missing.
//
// The errors are those of folder.Open and badger.Open, and ErrUnavailable if
// another process has the store and does not answer, ErrFailed if there is
// something in the folder in place of the socket that must not be there.
func Open(dir string, opt Options) (*Store, error) {
	f, err := folder.Open(dir, folder.Options{Group: opt.Group})
	if err != nil {
		return nil, err
	}
	s := &Store{node: enter(f, opt.withDefaults())}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if _, err := s.node.get(s.ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// enter returns the node of f, which it owns from then on.
func enter(f *folder.Folder, opt Options) *node {
	nodes.mu.Lock()
	defer nodes.mu.Unlock()
	n := nodes.open[f.ID()]
	if n != nil {
		f.Close()
	} else {
		n = newNode(f, opt)
		nodes.open[f.ID()] = n
	}
	n.refs++
	return n
}

// leave gives up what enter gave, and reports whether that was the last.
func leave(n *node) (last bool) {
	nodes.mu.Lock()
	defer nodes.mu.Unlock()
	n.refs--
	if n.refs == 0 {
		delete(nodes.open, n.folder.ID())
	}
	return n.refs == 0
}

// Close implements store.Backend. If this process is the holder, the store is
// free for the next when Close returns.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.cancel()
		if leave(s.node) {
			s.closed = s.node.close()
		}
	})
	return s.closed
}

// begin returns why a call must not be answered, if it must not.
func (s *Store) begin(ctx context.Context) error {
	if s.ctx.Err() != nil {
		return store.ErrClosed
	}
	return ctx.Err()
}

// ended returns err as the caller is to see it.
func (s *Store) ended(err error) error {
	if err != nil && s.ctx.Err() != nil {
		return store.ErrClosed
	}
	return err
}

// Range implements store.Backend.
func (s *Store) Range(ctx context.Context, r store.RangeRequest) (store.Page, error) {
	if err := s.begin(ctx); err != nil {
		return store.Page{}, err
	}
	p, err := s.node.rangePage(ctx, r)
	return p, s.ended(err)
}

// Txn implements store.Backend.
func (s *Store) Txn(ctx context.Context, t store.Txn) (store.Result, error) {
	if err := s.begin(ctx); err != nil {
		return store.Result{}, err
	}
	res, err := s.node.txn(ctx, t)
	return res, s.ended(err)
}

// Watch implements store.Backend.
func (s *Store) Watch(ctx context.Context, span store.Span, from store.Rev) iter.Seq2[[]store.Event, error] {
	return func(yield func([]store.Event, error) bool) {
		if err := s.begin(ctx); err != nil {
			yield(nil, err)
			return
		}
		// The node may outlive this opening of it.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		for events, err := range s.node.watch(ctx, span, from) {
			if s.ctx.Err() != nil {
				events, err = nil, store.ErrClosed
			}
			if !yield(events, err) || err != nil {
				return
			}
		}
	}
}

// Compact implements store.Backend.
func (s *Store) Compact(ctx context.Context, at store.Rev) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	return s.ended(s.node.compact(ctx, at))
}

// Newest implements store.Backend.
func (s *Store) Newest() store.Rev { return s.node.newest() }
