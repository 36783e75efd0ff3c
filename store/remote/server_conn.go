package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"coffer/store"
)

// serverConn is a client, as the server sees it.
type serverConn struct {
	s      *Server
	conn   *net.UnixConn
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc

	writing sync.Mutex // serialises frames
	slots   chan struct{}
	wg      sync.WaitGroup // calls and watches

	mu       sync.Mutex // guards what follows
	finished bool       // no more calls
	calls    map[uint64]context.CancelFunc
	watches  map[uint64]*serverWatch
}

func newServerConn(s *Server, c *net.UnixConn) *serverConn {
	sc := &serverConn{
		s:       s,
		conn:    c,
		slots:   make(chan struct{}, maxCalls),
		calls:   map[uint64]context.CancelFunc{},
		watches: map[uint64]*serverWatch{},
	}
	sc.ctx, sc.cancel = context.WithCancel(s.ctx)
	return sc
}

// serve reads requests until there are no more, and returns when all that
// they began has ended.
func (c *serverConn) serve() {
	stop := context.AfterFunc(c.ctx, func() { hangUp(c.conn) })
	defer stop()
	// Whatever it is that ends the reading, there is nobody to tell.
	_ = c.read()
	if c.isFinished() {
		c.wg.Wait() // the server closes: calls get their answers
	}
	c.cancel()
	hangUp(c.conn)
	c.wg.Wait()
}

// finish ends the connection when the calls in progress are answered.
func (c *serverConn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finished = true
	for _, w := range c.watches {
		w.cancel()
	}
	c.conn.SetReadDeadline(time.Now())
}

func (c *serverConn) isFinished() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.finished
}

func (c *serverConn) read() error {
	if err := c.write(greeting{Magic: magic, Version: version, Server: c.s.name}); err != nil {
		return err
	}
	frames := newFrameReader(c.conn)
	var hello greeting
	if _, err := frames.next(&hello); err != nil {
		return err
	}
	if hello.Magic != magic || hello.Version != version {
		return errProtocol
	}
	for {
		var r request
		if _, err := frames.next(&r); err != nil {
			return err
		}
		if err := c.dispatch(&r); err != nil {
			return err
		}
	}
}

func (c *serverConn) write(message any) error {
	f, err := encodeFrame(message)
	if err != nil {
		return err
	}
	defer f.free()
	return c.writeFrame(f)
}

func (c *serverConn) writeFrame(f frame) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := f.writeTo(quiet{c.conn})
	return err
}

// dispatch begins what r asks for. An error is the client's and ends the
// connection.
func (c *serverConn) dispatch(r *request) error {
	if n := r.fields(); n != 1 {
		return fmt.Errorf("%w: a request for %d things", errProtocol, n)
	}
	switch {
	case r.Grant != nil:
		return c.grant(r.ID, *r.Grant)
	case r.Cancel != nil:
		c.cancelCall(r.ID)
		return nil
	case r.Watch != nil:
		return c.watch(r.ID, r.Watch)
	}
	select {
	case c.slots <- struct{}{}:
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	ctx, err := c.begin(r.ID, nil)
	if err != nil {
		<-c.slots
		return err
	}
	work := func() {
		defer c.wg.Done()
		defer func() { <-c.slots }()
		defer c.end(r.ID)
		c.answer(ctx, r)
	}
	if r.Range != nil && r.Range.Span.End == nil {
		work() // one key: done sooner than another goroutine is begun
	} else {
		go work()
	}
	return nil
}

func (r *request) fields() (n int) {
	for _, set := range []bool{r.Range != nil, r.Txn != nil, r.Watch != nil, r.Compact != nil, r.Grant != nil, r.Cancel != nil} {
		if set {
			n++
		}
	}
	return n
}

// begin registers a call, or a watch if w is not nil, and adds it to wg.
func (c *serverConn) begin(id uint64, w *serverWatch) (context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.finished:
		return nil, store.ErrClosed
	case c.calls[id] != nil || c.watches[id] != nil:
		return nil, fmt.Errorf("%w: call %d is in progress", errProtocol, id)
	case w != nil && len(c.watches) == maxWatches:
		return nil, fmt.Errorf("%w: more than %d watches", errProtocol, maxWatches)
	}
	ctx, cancel := context.WithCancel(c.ctx)
	if w != nil {
		w.cancel = cancel
		c.watches[id] = w
	} else {
		c.calls[id] = cancel
	}
	c.wg.Add(1)
	return ctx, nil
}

func (c *serverConn) end(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.calls[id]; cancel != nil {
		cancel()
		delete(c.calls, id)
	}
	if w := c.watches[id]; w != nil {
		w.cancel()
		delete(c.watches, id)
	}
}

// cancelCall ends a call early. It may have ended already.
func (c *serverConn) cancelCall(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.calls[id]; cancel != nil {
		cancel()
	}
	if w := c.watches[id]; w != nil {
		w.cancel()
	}
}

// unanswered reports whether err only says that the store or the connection
// is closed here, which is not the client's answer: he will find the
// connection lost. That he canceled a call himself is an answer.
func (c *serverConn) unanswered(err error) bool {
	if errors.Is(err, store.ErrClosed) {
		return true
	}
	return errors.Is(err, context.Canceled) && (c.isFinished() || c.ctx.Err() != nil)
}

// answer carries a call out and writes the response.
func (c *serverConn) answer(ctx context.Context, r *request) {
	out := response{ID: r.ID}
	var err error
	switch {
	case r.Range != nil:
		var p store.Page
		if p, err = c.s.readPart(ctx, r.Range.store()); err == nil {
			out.Page = pageOf(p)
		}
	case r.Txn != nil:
		t, attempt := r.Txn.store()
		var res store.Result
		if res, err = c.s.txn(ctx, t, attempt); err == nil {
			out.Result = &result{Rev: res.Rev, Done: res.Done}
		}
	case r.Compact != nil:
		err = c.s.backend.Compact(ctx, *r.Compact)
	}
	if c.unanswered(err) {
		return
	}
	if err != nil {
		out.Error = failureOf(err)
	}
	if c.write(out) != nil {
		c.cancel()
	}
}
