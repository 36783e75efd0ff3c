package remote

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"coffer/store"
)

// clientWatch is a watch as the client has it. Its queue is bounded by what
// the server may send ahead.
type clientWatch struct {
	id    uint64
	ready chan struct{} // holds a token after a push

	mu      sync.Mutex // guards what follows
	begun   bool
	queue   []delivery
	queued  int   // bytes in queue
	granted int   // bytes consumed and not yet granted
	err     error // ends the watch, after queue
}

type delivery struct {
	events []store.Event
	size   int
}

// Watch implements store.Backend.
func (c *Client) Watch(ctx context.Context, s store.Span, from store.Rev) iter.Seq2[[]store.Event, error] {
	return func(yield func([]store.Event, error) bool) {
		err := s.Validate()
		if err == nil {
			err = c.begin(ctx)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		w := c.register()
		defer c.unregister(w)
		err = c.write(ctx, &request{ID: w.id, Watch: &watchRequest{Span: spanOf(s), From: from}})
		for err == nil {
			var d delivery
			if d, err = c.next(ctx, w); err != nil {
				break
			}
			if !yield(d.events, nil) {
				return
			}
			err = c.consumed(ctx, w, d.size)
		}
		yield(nil, err)
	}
}

func (c *Client) register() *clientWatch {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	w := &clientWatch{id: c.last, ready: make(chan struct{}, 1)}
	c.watches[w.id] = w
	return w
}

// unregister ends a watch, at the server too unless it ended there.
func (c *Client) unregister(w *clientWatch) {
	c.mu.Lock()
	delete(c.watches, w.id)
	c.mu.Unlock()
	w.mu.Lock()
	over := w.err != nil
	w.mu.Unlock()
	if !over {
		c.cancel(w.id)
	}
}

// next waits for the next of w. Until the server has said that it watches,
// the wait is bounded.
func (c *Client) next(ctx context.Context, w *clientWatch) (delivery, error) {
	wait := c.newWait()
	defer wait.stop()
	for {
		if err := c.begin(ctx); err != nil {
			return delivery{}, err
		}
		d, begun, err := w.pop()
		if d.events != nil || err != nil {
			return d, err
		}
		select {
		case <-w.ready:
		case <-c.gone:
		case <-ctx.Done():
		case <-wait.timer.C:
			if begun {
				if err := c.check(); err != nil {
					return delivery{}, err
				}
				wait.timer.Reset(watchTick)
			} else if err := wait.tick(); err != nil {
				return delivery{}, err
			}
		}
	}
}

// consumed grants the server the room of what was consumed, when it is worth
// a message.
func (c *Client) consumed(ctx context.Context, w *clientWatch, size int) error {
	w.mu.Lock()
	w.granted += size
	grant := w.granted
	if grant < window/2 {
		w.mu.Unlock()
		return nil
	}
	w.granted = 0
	w.mu.Unlock()
	return c.write(ctx, &request{ID: w.id, Grant: &grant})
}

// push takes a message of the watch. The caller has the client's lock.
func (w *clientWatch) push(r *response, size int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return fmt.Errorf("%w: a watch goes on after its end", errProtocol)
	case r.Error != nil:
		w.err = r.Error.error()
	case !w.begun:
		w.begun = true
	case len(r.Events) == 0:
		return fmt.Errorf("%w: a watch with nothing to tell", errProtocol)
	case w.queued >= window:
		return fmt.Errorf("%w: a watch runs ahead", errProtocol)
	default:
		events, err := storeEvents(r.Events)
		if err != nil {
			return err
		}
		w.queue = append(w.queue, delivery{events, size})
		w.queued += size
	}
	select {
	case w.ready <- struct{}{}:
	default:
	}
	return nil
}

// pop returns the next delivery, if there is one, whether the server watches,
// and the watch's end after all deliveries.
func (w *clientWatch) pop() (d delivery, begun bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return delivery{}, w.begun, w.err
	}
	d = w.queue[0]
	w.queue[0] = delivery{}
	w.queue = w.queue[1:]
	w.queued -= d.size
	return d, true, nil
}
