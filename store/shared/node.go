package shared

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"coffer/store"
	"coffer/store/folder"
	"coffer/store/remote"
)

// node is a store as this process has it: a folder, and the way to what is in
// it, which may change.
type node struct {
	folder *folder.Folder
	opt    Options
	refs   int // guarded by nodes.mu

	page atomic.Pointer[page]

	ctx    context.Context // ends when close begins
	cancel context.CancelFunc
	turn   chan struct{} // holds a token while somebody changes way
	way    atomic.Pointer[way]
}

// way is how the store is reached: by having it, or by a connection.
type way struct {
	store.Once
	gone  <-chan struct{} // closed when it leads nowhere any more
	name  string          // of the server, if there is one
	close func() error
}

func newNode(f *folder.Folder, opt Options) *node {
	n := &node{folder: f, opt: opt, turn: make(chan struct{}, 1)}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

// get returns the way to the store, and finds one if there is none.
func (n *node) get(ctx context.Context) (*way, error) {
	if w := n.way.Load(); w != nil && w.leads() {
		return w, nil
	}
	timeout := time.NewTimer(n.opt.Wait)
	defer timeout.Stop()
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-n.ctx.Done():
		return nil, store.ErrClosed
	case <-timeout.C:
		return nil, fmt.Errorf("%w: nobody serves %s", store.ErrUnavailable, n.folder.Path())
	}
	old := n.way.Load()
	if old != nil && old.leads() {
		return old, nil
	}
	if n.ctx.Err() != nil {
		return nil, store.ErrClosed
	}
	if old != nil {
		old.close() // a connection that is lost: no error
	}
	w, err := n.find(ctx)
	if err == nil {
		n.way.Store(w)
	}
	return w, err
}

// use makes p the page that newest reads.
func (n *node) use(p *page) {
	if old := n.page.Swap(p); old != nil {
		old.detach()
	}
}

func (w *way) leads() bool {
	select {
	case <-w.gone:
		return false
	default:
		return true
	}
}

// Pauses between tries: a holder needs some milliseconds to begin.
const (
	firstPause = time.Millisecond
	maxPause   = 20 * time.Millisecond
)

// find becomes the holder, or a peer of the one there is.
func (n *node) find(ctx context.Context) (*way, error) {
	deadline := time.Now().Add(n.opt.Wait)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		w, err := n.try(ctx, deadline)
		if err == nil || !errors.Is(err, remote.ErrLost) {
			return w, err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return nil, err
		}
		timer := time.NewTimer(min(pause, left))
		select {
		case <-timer.C:
		case <-ctx.Done():
			err = ctx.Err()
		case <-n.ctx.Done():
			err = store.ErrClosed
		}
		timer.Stop()
		if !errors.Is(err, remote.ErrLost) {
			return nil, err
		}
	}
}

// try does so once. ErrLost means that it is worth trying again.
func (n *node) try(ctx context.Context, deadline time.Time) (*way, error) {
	locked := n.folder.Lock()
	if locked == nil {
		return n.hold()
	}
	if !errors.Is(locked, store.ErrLocked) {
		return nil, locked
	}
	w, err := n.join(ctx, max(time.Until(deadline), time.Millisecond))
	if errors.Is(err, store.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", err, locked) // which says who has it
	}
	return w, err
}

// close ends everything.
func (n *node) close() error {
	n.cancel()
	n.turn <- struct{}{} // whoever looks for a way gives up
	var err error
	if w := n.way.Load(); w != nil {
		err = w.close()
	}
	if p := n.page.Load(); p != nil {
		p.detach()
	}
	// If Badger could not be closed, nobody may open it while we live.
	if !n.folder.Locked() {
		n.folder.Close()
	}
	return err
}

// do carries out a call that may be repeated.
func (n *node) do(ctx context.Context, call func(*way) error) error {
	var deadline time.Time
	for {
		w, err := n.get(ctx)
		if err != nil {
			return err
		}
		if err = call(w); !errors.Is(err, remote.ErrLost) {
			return n.closedOr(err)
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(n.opt.Wait)
		} else if time.Now().After(deadline) {
			return err
		}
	}
}

// closedOr returns ErrClosed in place of an error that comes of closing.
func (n *node) closedOr(err error) error {
	if err != nil && n.ctx.Err() != nil {
		return store.ErrClosed
	}
	return err
}

func (n *node) rangePage(ctx context.Context, r store.RangeRequest) (p store.Page, err error) {
	err = n.do(ctx, func(w *way) (err error) {
		p, err = w.Range(ctx, r)
		return err
	})
	return p, err
}

func (n *node) compact(ctx context.Context, at store.Rev) error {
	return n.do(ctx, func(w *way) error { return w.Compact(ctx, at) })
}

// txn carries a transaction out. If the holder is lost before it answers, the
// next one is asked whether it has been carried out.
func (n *node) txn(ctx context.Context, t store.Txn) (res store.Result, err error) {
	var attempt store.Attempt
	var asked string // the server that was asked before
	err = n.do(ctx, func(w *way) (err error) {
		switch {
		case attempt.Again && w.name == asked && asked != "":
			// The same holder as before: the connection broke for another
			// reason than its end, and the attempt may go on there.
			return fmt.Errorf("%w: the transaction may have been carried out", store.ErrUnavailable)
		case attempt.Again:
			res, err = w.TxnOnce(ctx, t, attempt)
			if errors.Is(err, store.ErrCompacted) {
				err = fmt.Errorf("%w: the transaction may have been carried out: %w", store.ErrUnavailable, err)
			}
		case w.name == "":
			// If this process dies, nobody waits for the answer.
			res, err = w.Txn(ctx, t)
		default:
			attempt = remote.NewAttempt(n.newest())
			res, err = w.TxnOnce(ctx, t, attempt)
		}
		if errors.Is(err, remote.ErrLost) {
			attempt.Again, asked = true, w.name
		}
		return err
	})
	return res, err
}

// watch follows the changes of span from holder to holder.
func (n *node) watch(ctx context.Context, span store.Span, from store.Rev) iter.Seq2[[]store.Event, error] {
	return func(yield func([]store.Event, error) bool) {
		// Ranging again begins at from again.
		for at := from; ; {
			w, err := n.get(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for events, err := range w.Watch(ctx, span, at) {
				if errors.Is(err, remote.ErrLost) {
					break
				}
				if err = n.closedOr(err); !yield(events, err) || err != nil {
					return
				}
				at = events[0].Rev
			}
		}
	}
}

// newest returns the newest acknowledged revision.
func (n *node) newest() store.Rev {
	if rev, ok := n.page.Load().load(); ok {
		return rev
	}
	return n.ask()
}

// ask finds the newest revision out when the page cannot be read. It is slow,
// and 0 if nobody answers; then nothing else is answered either.
func (n *node) ask() store.Rev {
	p, _ := n.rangePage(n.ctx, store.RangeRequest{Span: store.Key([]byte{0}), Only: store.CountOnly})
	return p.Rev
}
