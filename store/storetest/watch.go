package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"coffer/store"
)

// collect reads n slices of a watch and ends it.
func collect(t *testing.T, b store.Backend, s store.Span, from store.Rev, n int) [][]store.Event {
	t.Helper()
	var got [][]store.Event
	if n == 0 {
		return nil
	}
	for events, err := range b.Watch(within(t), s, from) {
		if err != nil {
			t.Fatalf("Watch from %d after %d slices: %v", from, len(got), err)
		}
		if got = append(got, events); len(got) == n {
			break
		}
	}
	return got
}

// watchError returns the error of a watch that has nothing to tell but that.
func watchError(ctx context.Context, b store.Backend, s store.Span, from store.Rev) error {
	for events, err := range b.Watch(ctx, s, from) {
		if err != nil {
			return err
		}
		return fmt.Errorf("got %s", describeEvents([][]store.Event{events}))
	}
	return errors.New("the watch ended without an error")
}

func testWatch(t *testing.T, open func(t *testing.T) store.Backend) {
	script := func(t *testing.T, b store.Backend) (slices []string) {
		write(t, b, put("a", 1))                                            // 1
		write(t, b, put("c", 1), put("a", 2), put("b", 1))                  // 2
		write(t, b, del("a"), put("d", 1))                                  // 3
		write(t, b, store.Delete(span("b", "d")))                           // 4
		write(t, b, put("a", 3), store.Delete(store.Key([]byte("absent")))) // 5
		return []string{
			"1+a=1 | ", "2+a=2 2+b=1 2+c=1 | ", "3-a 3+d=1 | ", "4-b 4-c | ", "5+a=3 | ",
		}
	}
	t.Run("history is told from any revision", func(t *testing.T) {
		b := open(t)
		want := script(t, b)
		for from := range want {
			got := describeEvents(collect(t, b, all, store.Rev(from), len(want)-from))
			wantString(t, fmt.Sprint("from ", from), got, join(want[from:]))
		}
	})
	t.Run("a span is told its part of a transaction", func(t *testing.T) {
		b := open(t)
		script(t, b)
		for _, c := range []struct {
			span store.Span
			n    int
			want string
		}{
			{store.Key([]byte("a")), 4, "1+a=1 | 2+a=2 | 3-a | 5+a=3 | "},
			{span("b", "d"), 2, "2+b=1 2+c=1 | 4-b 4-c | "},
			{store.Prefix([]byte("d")), 1, "3+d=1 | "},
			{store.Span{Key: []byte("c"), End: []byte{0}}, 3, "2+c=1 | 3+d=1 | 4-c | "},
		} {
			got := describeEvents(collect(t, b, c.span, 0, c.n))
			wantString(t, fmt.Sprintf("span %q", c.span), got, c.want)
		}
	})
	t.Run("events carry the whole KV", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		write(t, b, put("a", 2))
		write(t, b, del("a"))
		got := collect(t, b, all, 1, 2)
		wantString(t, "put", describe([]store.KV{got[0][0].KV}), "a=2@1/2#2 ")
		wantString(t, "deletion", describe([]store.KV{got[1][0].KV}), "a=@0/3#0 ")
	})
	t.Run("what is to come is told as it happens", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 0))
		var got [][]store.Event
		// Writing from inside the loop shows that nothing is locked there.
		next, want := 1, ""
		write(t, b, put("a", next))
		for events, err := range b.Watch(within(t), all, 1) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, events)
			want += fmt.Sprintf("%d+a=%d | ", next+1, next)
			if next++; next > 50 {
				break
			}
			write(t, b, put("a", next))
		}
		wantString(t, "events", describeEvents(got), want)
	})
	t.Run("it resumes anywhere without a gap or a repetition", func(t *testing.T) {
		b := open(t)
		const n = 60
		for i := range n {
			write(t, b, put("a", i), put("b", i))
		}
		var got [][]store.Event
		from := store.Rev(0)
		for step := 1; len(got) < n; step++ {
			part := collect(t, b, all, from, min(step, n-len(got)))
			got = append(got, part...)
			from = part[len(part)-1][0].Rev
		}
		for i, events := range got {
			want := fmt.Sprintf("%d+a=%d %d+b=%d | ", i+1, i, i+1, i)
			wantString(t, "event", describeEvents([][]store.Event{events}), want)
		}
	})
	t.Run("the sequence can be ranged over again", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		write(t, b, put("a", 2))
		seq := b.Watch(within(t), all, 0)
		for range 2 {
			for events, err := range seq {
				if err != nil || events[0].Rev != 1 {
					t.Errorf("got %v, %v, want revision 1", events, err)
				}
				break
			}
		}
	})
	t.Run("what is told is the consumer's", func(t *testing.T) {
		b := open(t)
		watcher := start(t, b, all, 0) // so that there is a live watch as well
		write(t, b, put("key", "value"))
		for range 2 {
			events := collect(t, b, all, 0, 1)
			wantString(t, "after changing what was told", describeEvents(events), "1+key=value | ")
			events[0][0].KV.Key[0], events[0][0].KV.Value[0] = 'X', 'X'
		}
		live := watcher.next(t)
		live[0].KV.Key[0], live[0].KV.Value[0] = 'X', 'X'
		kv, _ := get(t, b, "key")
		wantString(t, "key", describe([]store.KV{kv}), "key=value@1/1#1 ")
	})
	t.Run("an idle watch ends with its context", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		w := start(t, b, store.Key([]byte("quiet")), 0)
		write(t, b, put("a", 2)) // nothing for this watch
		w.cancel()
		wantError(t, "watch", w.end(t), context.Canceled)
		canceled, cancel := context.WithCancel(within(t))
		cancel()
		wantError(t, "canceled before", watchError(canceled, b, all, 0), context.Canceled)
	})
	t.Run("a context that ends in the loop ends the loop", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		write(t, b, put("a", 2))
		ctx, cancel := context.WithCancel(within(t))
		defer cancel()
		n := 0
		for _, err := range b.Watch(ctx, all, 0) {
			if n++; n == 1 {
				cancel()
				continue
			}
			wantError(t, "second turn", err, context.Canceled)
		}
		if n != 2 {
			t.Errorf("got %d turns, want 2", n)
		}
	})
	t.Run("impossible watches are refused", func(t *testing.T) {
		b := open(t)
		write(t, b, put("a", 1))
		ctx := within(t)
		wantError(t, "future", watchError(ctx, b, all, 2), store.ErrFuture)
		wantError(t, "no key", watchError(ctx, b, store.Span{}, 0), store.ErrInvalid)
		wantError(t, "inverted span", watchError(ctx, b, span("b", "a"), 0), store.ErrInvalid)
	})
}

// watcher is a watch in a goroutine of its own.
type watcher struct {
	cancel context.CancelFunc
	events chan []store.Event
	err    chan error
}

// start begins a watch from a revision that exists.
func start(t *testing.T, b store.Backend, s store.Span, from store.Rev) *watcher {
	ctx, cancel := context.WithCancel(within(t))
	t.Cleanup(cancel)
	w := &watcher{cancel: cancel, events: make(chan []store.Event), err: make(chan error, 1)}
	go func() {
		for events, err := range b.Watch(ctx, s, from) {
			if err != nil {
				w.err <- err
				return
			}
			select {
			case w.events <- events:
			case <-ctx.Done():
				w.err <- ctx.Err()
				return
			}
		}
		w.err <- errors.New("the watch ended without an error")
	}()
	return w
}

func (w *watcher) next(t *testing.T) []store.Event {
	t.Helper()
	select {
	case events := <-w.events:
		return events
	case err := <-w.err:
		t.Fatalf("the watch ended: %v", err)
	}
	return nil
}

func (w *watcher) end(t *testing.T) error {
	t.Helper()
	select {
	case events := <-w.events:
		t.Fatalf("the watch goes on with %s", describeEvents([][]store.Event{events}))
	case err := <-w.err:
		return err
	}
	return nil
}

func join(parts []string) (s string) {
	for _, p := range parts {
		s += p
	}
	return s
}
