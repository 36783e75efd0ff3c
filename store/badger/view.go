package badger

import (
	"bytes"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"coffer/store"
)

// view shows the transactions of a batch the store as it is at a revision,
// with the changes of those before them in the batch on top.
type view struct {
	s   *Store
	txn *badger.Txn
	top map[string]store.Event
	// heads are what was found below: a transaction compares what it then
	// writes, and those of a batch often compare the same.
	heads map[string]head
}

type head struct {
	kv store.KV
	ok bool
}

func (s *Store) viewAt(rev store.Rev) *view {
	return &view{
		s:     s,
		txn:   s.db.NewTransactionAt(uint64(rev), false),
		top:   map[string]store.Event{},
		heads: map[string]head{},
	}
}

func (v *view) close() { v.txn.Discard() }

func (v *view) apply(changes []store.Event) {
	for _, c := range changes {
		v.top[string(c.KV.Key)] = c
	}
}

// Head implements store.View.
func (v *view) Head(key []byte) (store.KV, bool, error) {
	if c, ok := v.top[string(key)]; ok {
		if c.Deleted {
			return store.KV{}, false, nil
		}
		return c.KV, true, nil
	}
	if h, ok := v.heads[string(key)]; ok {
		return h.kv, h.ok, nil
	}
	kv, ok, err := v.s.get(v.txn, key)
	if err == nil {
		kv.Value = nil // which nobody asks for
		v.heads[string(key)] = head{kv, ok}
	}
	return kv, ok, err
}

// Keys implements store.View.
func (v *view) Keys(span store.Span) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, c := range v.top {
			if !c.Deleted && span.Contains(c.KV.Key) && !yield(c.KV.Key, nil) {
				return
			}
		}
		if span.Single() {
			if _, ok := v.top[string(span.Key)]; ok {
				return
			}
			_, ok, err := v.s.get(v.txn, span.Key)
			if ok || err != nil {
				yield(span.Key, err)
			}
			return
		}
		it := newIterator(v.txn, span, badger.IteratorOptions{})
		defer it.Close()
		for ; inSpan(it, span); it.Next() {
			key := it.Item().Key()[1:]
			if _, ok := v.top[string(key)]; !ok && !yield(key, nil) {
				return
			}
		}
	}
}

// newIterator returns an iterator over the keys of span, at its first. The
// options need not have a Prefix.
func newIterator(t *badger.Txn, span store.Span, o badger.IteratorOptions) *badger.Iterator {
	// The prefix spares tables that have nothing of span.
	o.Prefix = []byte{userKey}
	if span.Single() {
		o.Prefix = append(o.Prefix, span.Key...)
	} else if !span.Unbounded() {
		for i := 0; i < min(len(span.Key), len(span.End)) && span.Key[i] == span.End[i]; i++ {
			o.Prefix = append(o.Prefix, span.Key[i])
		}
	}
	it := t.NewIterator(o)
	it.Seek(inBadger(span.Key))
	return it
}

// inSpan reports whether it is at a key of span, behind whose beginning it
// is.
func inSpan(it *badger.Iterator, span store.Span) bool {
	if !it.Valid() {
		return false
	}
	key := it.Item().Key()[1:]
	switch {
	case span.Single():
		return bytes.Equal(key, span.Key)
	case span.Unbounded():
		return true
	}
	return bytes.Compare(key, span.End) < 0
}
