package remote

import (
	"context"
	"iter"
	"sync/atomic"

	"coffer/store"
	"coffer/store/mem"
)

// counting counts the slices that its watches yield.
type counting struct {
	*mem.Store
	told atomic.Int64
}

func (c *counting) Watch(ctx context.Context, span store.Span, from store.Rev) iter.Seq2[[]store.Event, error] {
	return func(yield func([]store.Event, error) bool) {
		for events, err := range c.Store.Watch(ctx, span, from) {
			c.told.Add(1)
			if !yield(events, err) {
				return
			}
		}
	}
}
