package store

import (
	"context"
	"fmt"
	"iter"
)

// History is what Follow needs of an engine to make a Watch of it.
type History interface {
	// Latest returns the newest revision and a channel that is closed when
	// there is a newer one.
	Latest() (Rev, <-chan struct{})
	// Changes yields the transactions after revision after, up to and with
	// upTo, each clipped to span, leaving out those that have no part in it.
	// It ends at the first error. It must not hold a lock while it yields:
	// the consumer may do anything, even close the store.
	Changes(ctx context.Context, span Span, after, upTo Rev) iter.Seq2[[]Event, error]
	// Done returns a channel that is closed when the store is.
	Done() <-chan struct{}
}

// Follow implements Backend.Watch: what happened, then waiting for what
// happens. The position is all that it remembers, so a slow consumer costs
// nothing but its own delay.
func Follow(ctx context.Context, h History, span Span, from Rev) iter.Seq2[[]Event, error] {
	return func(yield func([]Event, error) bool) {
		if err := span.Validate(); err != nil {
			yield(nil, err)
			return
		}
		if err := ended(ctx, h); err != nil {
			yield(nil, err)
			return
		}
		if newest, _ := h.Latest(); from < 0 || from > newest {
			yield(nil, fmt.Errorf("%w: watch from %d, newest is %d", ErrFuture, from, newest))
			return
		}
		for at := from; ; {
			if err := ended(ctx, h); err != nil {
				yield(nil, err)
				return
			}
			newest, newer := h.Latest()
			if at == newest {
				select {
				case <-newer:
				case <-h.Done():
				case <-ctx.Done():
				}
				continue
			}
			for changes, err := range h.Changes(ctx, span, at, newest) {
				if err == nil {
					err = ended(ctx, h)
				}
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield(changes, nil) {
					return
				}
			}
			at = newest
		}
	}
}

// ended returns why a watch must not go on, if it must not. A closed store is
// the more telling reason of the two.
func ended(ctx context.Context, h History) error {
	select {
	case <-h.Done():
		return ErrClosed
	default:
		return ctx.Err()
	}
}
