package badger

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"coffer/store"
)

// Changes implements store.History: from memory if all is there, otherwise
// from disk.
func (s *Store) Changes(ctx context.Context, span store.Span, after, upTo store.Rev) iter.Seq2[[]store.Event, error] {
	return func(yield func([]store.Event, error) bool) {
		if recent, ok := s.line.since(after, upTo); ok {
			for _, changes := range recent {
				if in := store.Clip(changes, span); len(in) > 0 && !yield(in, nil) {
					return
				}
			}
			return
		}
		traces, err := s.traces(ctx, span, after, upTo)
		for len(traces) > 0 && err == nil {
			n := 1
			for n < len(traces) && traces[n].rev == traces[0].rev {
				n++
			}
			var changes []store.Event
			if changes, err = s.replay(ctx, traces[:n]); err == nil && !yield(changes, nil) {
				return
			}
			traces = traces[n:]
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// trace is where a change is found. History is stored by key and wanted by
// revision; sorting traces costs little memory even for a million changes.
type trace struct {
	rev     store.Rev
	key     []byte
	deleted bool
}

// traces returns those of the changes in span after revision after, up to and
// with upTo, in the order of revisions and, within one, of keys.
func (s *Store) traces(ctx context.Context, span store.Span, after, upTo store.Rev) (found []trace, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	defer s.guard(&err)
	defer faults()()
	t := s.db.NewTransactionAt(uint64(upTo), false)
	defer t.Discard()
	it := newIterator(t, span, badger.IteratorOptions{AllVersions: true, SinceTs: uint64(after)})
	defer it.Close()
	if _, floor := s.line.at(); after < floor {
		return nil, fmt.Errorf("%w: watch is at %d, oldest is %d", store.ErrCompacted, after, floor)
	}
	for n := 0; inSpan(it, span); it.Next() {
		if n++; n%interruptEvery == 0 {
			if err := s.interrupted(ctx); err != nil {
				return nil, err
			}
		}
		item := it.Item()
		found = append(found, trace{
			rev:     store.Rev(item.Version()),
			key:     bytes.Clone(item.Key()[1:]),
			deleted: item.IsDeletedOrExpired(),
		})
	}
	slices.SortStableFunc(found, func(a, b trace) int { return cmp.Compare(a.rev, b.rev) })
	return found, nil
}

// replay returns the changes that traces, all of one revision, lead to.
func (s *Store) replay(ctx context.Context, traces []trace) (changes []store.Event, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	defer s.guard(&err)
	defer faults()()
	rev := traces[0].rev
	t := s.db.NewTransactionAt(uint64(rev), false)
	defer t.Discard()
	missing := false
	for _, tr := range traces {
		e := store.Event{KV: store.KV{Key: tr.key, Mod: rev}, Rev: rev, Deleted: tr.deleted}
		if !tr.deleted {
			kv, ok, err := s.get(t, tr.key)
			if err != nil {
				return nil, err
			}
			e.KV, missing = kv, missing || !ok || kv.Mod != rev
		}
		changes = append(changes, e)
	}
	// A version may have been discarded since it left its trace. Then the
	// watch is too slow; if not, it must be there.
	if _, floor := s.line.at(); rev <= floor {
		return nil, fmt.Errorf("%w: watch is at %d, oldest is %d", store.ErrCompacted, rev-1, floor)
	}
	if missing {
		return nil, fmt.Errorf("%w: %s: revision %d is incomplete", store.ErrCorrupt, s.dir, rev)
	}
	return changes, nil
}
