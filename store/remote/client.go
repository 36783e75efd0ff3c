package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"coffer/store"
)

// ClientOptions are what a client has to know.
type ClientOptions struct {
	// Newest returns the server's newest revision, as store.Backend.Newest
	// promises it.
	Newest func() store.Rev
	// Timeout bounds the wait for an answer; 0 is DefaultTimeout.
	Timeout time.Duration
	// Alive, which may be nil, is asked now and then while a call waits. If
	// it returns false the server is gone, whatever the connection says: a
	// forked child of the server keeps that open.
	Alive func() bool
	// Policy says who may be the server.
	Policy Policy
}

// How often Alive is asked: by calls, and by watches, which wait for ever.
const (
	callTick  = 50 * time.Millisecond
	watchTick = 200 * time.Millisecond
)

// Client is a store.Backend that a Server at the other end of a connection
// has. It does not connect again.
type Client struct {
	opt    ClientOptions
	conn   *net.UnixConn
	server string // its name
	wg     sync.WaitGroup

	writing chan struct{} // holds a token while somebody writes

	gone chan struct{} // closed with the connection

	mu      sync.Mutex // guards what follows
	reason  error      // why it is gone
	last    uint64     // the last number given to a call
	calls   map[uint64]chan *response
	watches map[uint64]*clientWatch
}

var _ store.Once = (*Client)(nil)

// NewClient greets the server at the other end of c and owns c, also when it
// fails. The error wraps store.ErrUnavailable: ErrLost if the connection ended
// or Alive said so, ErrRefused if the server is not one to speak to.
func NewClient(ctx context.Context, c *net.UnixConn, opt ClientOptions) (*Client, error) {
	if opt.Timeout == 0 {
		opt.Timeout = DefaultTimeout
	}
	cl := &Client{
		opt:     opt,
		conn:    c,
		writing: make(chan struct{}, 1),
		gone:    make(chan struct{}),
		calls:   map[uint64]chan *response{},
		watches: map[uint64]*clientWatch{},
	}
	if err := opt.Policy.Check(c); err != nil {
		hangUp(c)
		return nil, err
	}
	// The greeting is the answer to a call of number 0 that is not sent.
	greeted := make(chan error, 1)
	cl.wg.Go(func() { cl.read(greeted) })
	err := cl.await(ctx, greeted)
	if err == nil {
		err = cl.write(ctx, greeting{Magic: magic, Version: version})
	}
	if err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}

func (c *Client) await(ctx context.Context, greeted <-chan error) error {
	w := c.newWait()
	defer w.stop()
	for {
		select {
		case err := <-greeted:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-w.timer.C:
			if err := w.tick(); err != nil {
				return err
			}
		}
	}
}

// read gives the responses to those who wait for them.
func (c *Client) read(greeted chan<- error) {
	frames := newFrameReader(c.conn)
	err := c.readGreeting(frames)
	if err != nil {
		c.fail(err)
		greeted <- c.err()
		return
	}
	greeted <- nil
	for err == nil {
		r := new(response)
		var n int
		if n, err = frames.next(r); err == nil {
			err = c.deliver(r, n)
		}
	}
	c.fail(err)
}

func (c *Client) readGreeting(frames *frameReader) error {
	var g greeting
	if _, err := frames.next(&g); err != nil {
		return err
	}
	if g.Magic != magic || g.Version != version {
		return fmt.Errorf("%w: the server speaks %.20q version %d, not %q version %d",
			ErrRefused, g.Magic, g.Version, magic, version)
	}
	c.server = string(g.Server)
	return nil
}

func (c *Client) deliver(r *response, size int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.watches[r.ID]; w != nil {
		return w.push(r, size)
	}
	if answer := c.calls[r.ID]; answer != nil {
		delete(c.calls, r.ID)
		answer <- r
		return nil
	}
	if r.ID == 0 || r.ID > c.last {
		return fmt.Errorf("%w: answer to call %d, which was not made", errProtocol, r.ID)
	}
	return nil // somebody gave up
}

// fail ends the connection, once, and all calls with it.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil {
		return
	}
	if !errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ErrLost, err)
	}
	c.reason = err
	close(c.gone)
	hangUp(c.conn)
}

// err returns why the connection ended, after it has.
func (c *Client) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// Close implements store.Backend.
func (c *Client) Close() error {
	c.fail(store.ErrClosed)
	c.wg.Wait()
	return nil
}

// Gone returns a channel that is closed when the connection ends.
func (c *Client) Gone() <-chan struct{} { return c.gone }

// Server returns the server's name, which is another for every Server.
func (c *Client) Server() string { return c.server }

// Newest implements store.Backend.
func (c *Client) Newest() store.Rev { return c.opt.Newest() }

// Range implements store.Backend.
func (c *Client) Range(ctx context.Context, r store.RangeRequest) (store.Page, error) {
	if err := c.begin(ctx); err != nil {
		return store.Page{}, err
	}
	if err := r.Validate(); err != nil {
		return store.Page{}, err
	}
	for {
		p, err := c.readAll(ctx, r)
		// The newest revision was compacted between two parts.
		if r.At == 0 && errors.Is(err, store.ErrCompacted) {
			continue
		}
		return p, err
	}
}

// readAll asks for one part after the other.
func (c *Client) readAll(ctx context.Context, r store.RangeRequest) (store.Page, error) {
	var all store.Page
	for next := r; ; {
		resp, err := c.call(ctx, &request{Range: rangeOf(next)})
		if err != nil {
			return store.Page{}, err
		}
		if resp.Page == nil {
			return store.Page{}, c.broken()
		}
		part := resp.Page.store()
		all.KVs = append(all.KVs, part.KVs...)
		all.Rev, all.Count, all.More = part.Rev, all.Count+part.Count, part.More
		if n := len(part.KVs); n > 0 && bytes.Compare(part.KVs[n-1].Key, next.Key) < 0 {
			return store.Page{}, c.broken() // it would never end
		}
		var more bool
		if next, more = r.Next(part); !more || all.Count == r.Limit {
			return all, nil
		}
		if r.Limit > 0 {
			next.Limit = r.Limit - all.Count
			if next.Limit < 0 {
				return store.Page{}, c.broken()
			}
		}
	}
}

// Txn implements store.Backend.
func (c *Client) Txn(ctx context.Context, t store.Txn) (store.Result, error) {
	return c.TxnOnce(ctx, t, NewAttempt(c.Newest()))
}

// NewAttempt returns a first attempt at a transaction; newest is what Newest
// is.
func NewAttempt(newest store.Rev) store.Attempt {
	a := store.Attempt{Since: newest}
	rand.Read(a.ID[:])
	return a
}

// TxnOnce implements store.Once.
func (c *Client) TxnOnce(ctx context.Context, t store.Txn, a store.Attempt) (store.Result, error) {
	if err := c.begin(ctx); err != nil {
		return store.Result{}, err
	}
	if err := t.Validate(); err != nil {
		return store.Result{}, err
	}
	resp, err := c.call(ctx, &request{Txn: txnOf(t, a)})
	if err != nil {
		return store.Result{}, err
	}
	if resp.Result == nil {
		return store.Result{}, c.broken()
	}
	return store.Result{Rev: resp.Result.Rev, Done: resp.Result.Done}, nil
}

// Compact implements store.Backend.
func (c *Client) Compact(ctx context.Context, at store.Rev) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	_, err := c.call(ctx, &request{Compact: &at})
	return err
}

// begin returns why a call must not be made, if it must not.
func (c *Client) begin(ctx context.Context) error {
	select {
	case <-c.gone:
		return c.err()
	default:
		return ctx.Err()
	}
}

// broken ends the connection to a server that answers another question.
func (c *Client) broken() error {
	c.fail(errProtocol)
	return c.err()
}
