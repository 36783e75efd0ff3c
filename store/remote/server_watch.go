package remote

import (
	"context"
	"fmt"
	"sync"
)

// serverWatch is a watch of a client's. It reads from the engine only what
// the client has granted.
type serverWatch struct {
	cancel context.CancelFunc

	mu    sync.Mutex    // guards ahead
	ahead int           // bytes sent and not granted again
	wake  chan struct{} // holds a token after a grant
}

// watch begins a watch.
func (c *serverConn) watch(id uint64, r *watchRequest) error {
	w := &serverWatch{wake: make(chan struct{}, 1)}
	ctx, err := c.begin(id, w)
	if err != nil {
		return err
	}
	go func() {
		defer c.wg.Done()
		defer c.end(id)
		if c.follow(ctx, w, id, r) != nil {
			c.cancel()
		}
	}()
	return nil
}

// follow sends a watch's events. An error is the connection's.
func (c *serverConn) follow(ctx context.Context, w *serverWatch, id uint64, r *watchRequest) error {
	if err := c.write(response{ID: id}); err != nil {
		return err
	}
	for events, err := range c.s.backend.Watch(ctx, r.Span.store(), r.From) {
		if err == nil {
			if err := c.send(w, response{ID: id, Events: eventsOf(events)}); err != nil {
				return err
			}
			err = w.wait(ctx)
		}
		if c.unanswered(err) {
			return nil
		}
		if err != nil {
			return c.write(response{ID: id, Error: failureOf(err)})
		}
	}
	return nil
}

// send writes a message of the watch and counts it. The count comes first:
// the grant for it may be there before the writing returns.
func (c *serverConn) send(w *serverWatch, r response) error {
	f, err := encodeFrame(r)
	if err != nil {
		return err
	}
	defer f.free()
	w.mu.Lock()
	w.ahead += f.len()
	w.mu.Unlock()
	return c.writeFrame(f)
}

// wait returns when the client may be sent more.
func (w *serverWatch) wait(ctx context.Context) error {
	for {
		w.mu.Lock()
		ahead := w.ahead
		w.mu.Unlock()
		if ahead < window {
			return nil
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// grant counts n bytes as consumed. The watch may have ended.
func (c *serverConn) grant(id uint64, n int) error {
	c.mu.Lock()
	w := c.watches[id]
	c.mu.Unlock()
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < 0 || n > w.ahead {
		return fmt.Errorf("%w: grant of %d bytes", errProtocol, n)
	}
	w.ahead -= n
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}
