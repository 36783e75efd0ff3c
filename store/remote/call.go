package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"coffer/store"
)

// call sends a request and waits for its answer, which is not an error.
func (c *Client) call(ctx context.Context, r *request) (*response, error) {
	answer := make(chan *response, 1)
	c.mu.Lock()
	c.last++
	r.ID = c.last
	c.calls[r.ID] = answer
	c.mu.Unlock()
	resp, err := c.exchange(ctx, r, answer)
	if err != nil {
		c.mu.Lock()
		delete(c.calls, r.ID)
		c.mu.Unlock()
		return nil, err
	}
	if resp.Error != nil {
		if err := ctx.Err(); err != nil {
			return nil, err // which is why, whatever the server says
		}
		return nil, resp.Error.error()
	}
	return resp, nil
}

// cancelGrace is how long a call whose context has ended waits to hear
// whether it was carried out all the same.
const cancelGrace = 250 * time.Millisecond

func (c *Client) exchange(ctx context.Context, r *request, answer <-chan *response) (*response, error) {
	if err := c.write(ctx, r); err != nil {
		return nil, err
	}
	w := c.newWait()
	defer w.stop()
	for {
		select {
		case resp := <-answer:
			return resp, nil
		case <-c.gone:
			return c.lastWord(answer)
		case <-ctx.Done():
			return c.giveUp(ctx, r.ID, answer)
		case <-w.timer.C:
			if err := w.tick(); err != nil {
				c.cancel(r.ID)
				return nil, err
			}
		}
	}
}

// lastWord returns the answer if it came before the connection ended.
func (c *Client) lastWord(answer <-chan *response) (*response, error) {
	select {
	case resp := <-answer:
		return resp, nil
	default:
		return nil, c.err()
	}
}

// giveUp tells the server that nobody waits. He answers soon; then it is
// certain that nothing comes of the call any more.
func (c *Client) giveUp(ctx context.Context, id uint64, answer <-chan *response) (*response, error) {
	c.cancel(id)
	grace := time.NewTimer(cancelGrace)
	defer grace.Stop()
	select {
	case resp := <-answer:
		return resp, nil
	case <-c.gone:
		if resp, err := c.lastWord(answer); err == nil || errors.Is(err, store.ErrClosed) {
			return resp, err
		}
	case <-grace.C:
	}
	return nil, ctx.Err()
}

// cancel does what it can: a server that does not read is not told.
func (c *Client) cancel(id uint64) {
	ctx, stop := context.WithTimeout(context.Background(), cancelGrace)
	defer stop()
	_ = c.write(ctx, &request{ID: id, Cancel: &cancelRequest{}})
}

// write writes a message. If it cannot write all of it, the connection is of
// no more use.
func (c *Client) write(ctx context.Context, message any) error {
	f, err := encodeFrame(message)
	if err != nil {
		return err
	}
	defer f.free()
	timeout := time.NewTimer(c.opt.Timeout)
	defer timeout.Stop()
	select {
	case c.writing <- struct{}{}:
		defer func() { <-c.writing }()
	case <-c.gone:
		return c.err()
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		return c.noAnswer()
	}
	c.conn.SetWriteDeadline(time.Now().Add(c.opt.Timeout))
	if _, err := f.writeTo(quiet{c.conn}); err != nil {
		c.fail(err)
		return c.err()
	}
	return nil
}

func (c *Client) noAnswer() error {
	return fmt.Errorf("%w in %v", store.ErrUnavailable, c.opt.Timeout)
}

// wait is somebody's waiting for the server.
type wait struct {
	c     *Client
	timer *time.Timer
	every time.Duration
	left  time.Duration
}

var timers = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}

func (c *Client) newWait() *wait {
	w := &wait{c: c, timer: timers.Get().(*time.Timer), every: callTick, left: c.opt.Timeout}
	w.timer.Reset(min(w.every, w.left))
	return w
}

func (w *wait) stop() {
	w.timer.Stop()
	timers.Put(w.timer)
}

// tick returns why the waiting is over, if it is, after the timer fired.
func (w *wait) tick() error {
	if err := w.c.check(); err != nil {
		return err
	}
	if w.left -= w.every; w.left <= 0 {
		return w.c.noAnswer()
	}
	w.timer.Reset(min(w.every, w.left))
	return nil
}

// check ends the connection if the server is gone.
func (c *Client) check() error {
	if c.opt.Alive == nil || c.opt.Alive() {
		return nil
	}
	c.fail(fmt.Errorf("%w: the server is gone", ErrLost))
	return c.err()
}
