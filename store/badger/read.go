package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"coffer/store"
)

// Range implements store.Backend.
func (s *Store) Range(ctx context.Context, r store.RangeRequest) (store.Page, error) {
	if err := s.enter(ctx); err != nil {
		return store.Page{}, err
	}
	defer s.leave()
	if err := r.Validate(); err != nil {
		return store.Page{}, err
	}
	for {
		at, err := s.readable(r.At)
		if err != nil {
			return store.Page{}, err
		}
		page, err := s.read(ctx, r, at)
		// The newest revision was compacted while it was being read: rare,
		// and none of the caller's concern.
		if r.At == 0 && errors.Is(err, store.ErrCompacted) {
			continue
		}
		return page, err
	}
}

// readable returns the revision that at means.
func (s *Store) readable(at store.Rev) (store.Rev, error) {
	newest, floor := s.line.at()
	switch {
	case at == 0:
		return newest, nil
	case at > newest:
		return 0, fmt.Errorf("%w: %d, newest is %d", store.ErrFuture, at, newest)
	case at < floor:
		return 0, fmt.Errorf("%w: %d, oldest is %d", store.ErrCompacted, at, floor)
	}
	return at, nil
}

func (s *Store) read(ctx context.Context, r store.RangeRequest, at store.Rev) (page store.Page, err error) {
	defer s.guard(&err)
	defer faults()()
	t := s.db.NewTransactionAt(uint64(at), false)
	defer t.Discard()
	if r.Single() {
		page, err = s.readOne(r, t)
	} else {
		page, err = s.readSpan(ctx, r, t)
	}
	if err != nil {
		return store.Page{}, err
	}
	page.Rev = at
	return page, nil
}

func (s *Store) readOne(r store.RangeRequest, t *badger.Txn) (store.Page, error) {
	kv, ok, err := s.get(t, r.Key)
	if err == nil {
		err = s.kept(t)
	}
	if !ok || err != nil {
		return store.Page{}, err
	}
	page := store.Page{Count: 1}
	switch r.Only {
	case store.KeysOnly:
		kv.Value = nil
		fallthrough
	case store.Everything:
		page.KVs = []store.KV{kv}
	}
	return page, nil
}

// interruptEvery is how many keys a read goes on without looking whether
// anybody waits for it to end.
const interruptEvery = 256

func (s *Store) readSpan(ctx context.Context, r store.RangeRequest, t *badger.Txn) (store.Page, error) {
	it := newIterator(t, r.Span, badger.IteratorOptions{})
	defer it.Close()
	// The iterator holds on to its tables: what it has now, it keeps.
	if err := s.kept(t); err != nil {
		return store.Page{}, err
	}
	var page store.Page
	for ; inSpan(it, r.Span); it.Next() {
		if r.Limit > 0 && page.Count == r.Limit {
			page.More = true
			break
		}
		if page.Count%interruptEvery == 0 {
			if err := s.interrupted(ctx); err != nil {
				return store.Page{}, err
			}
		}
		page.Count++
		if r.Only == store.CountOnly {
			continue
		}
		kv, err := s.decode(it.Item())
		if err != nil {
			return store.Page{}, err
		}
		if r.Only == store.KeysOnly {
			kv.Value = nil
		}
		page.KVs = append(page.KVs, kv)
	}
	return page, nil
}

// kept returns ErrCompacted if t's revision is older than the oldest that is
// kept, so that what was read may have been incomplete.
func (s *Store) kept(t *badger.Txn) error {
	if _, floor := s.line.at(); store.Rev(t.ReadTs()) < floor {
		return fmt.Errorf("%w: %d, oldest is %d", store.ErrCompacted, t.ReadTs(), floor)
	}
	return nil
}

// get returns the KV of key that t sees, as the caller's own.
func (s *Store) get(t *badger.Txn, key []byte) (store.KV, bool, error) {
	item, err := t.Get(inBadger(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return store.KV{}, false, nil
	}
	if err != nil {
		return store.KV{}, false, s.translate("reading", err)
	}
	kv, err := s.decode(item)
	return kv, err == nil, err
}

// decode returns the KV of an item, as the caller's own.
func (s *Store) decode(item *badger.Item) (kv store.KV, err error) {
	key := bytes.Clone(item.Key()[1:])
	valueErr := item.Value(func(b []byte) error {
		kv, err = parseValue(b, key, store.Rev(item.Version()))
		kv.Value = append([]byte{}, kv.Value...)
		return nil
	})
	if valueErr != nil {
		return store.KV{}, s.translate("reading", valueErr)
	}
	if err != nil {
		return store.KV{}, fmt.Errorf("%w: %s: key %x at revision %d: %w",
			store.ErrCorrupt, s.dir, key, item.Version(), err)
	}
	return kv, nil
}
