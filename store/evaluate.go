package store

import (
	"bytes"
	"iter"
	"slices"
)

// View is the newest state of a store, as an engine shows it to
// Txn.Evaluate.
type View interface {
	// Head returns the newest KV of key, of which Value may be missing, and
	// false if there is none.
	Head(key []byte) (KV, bool, error)
	// Keys yields the keys of span, in any order.
	Keys(span Span) iter.Seq2[[]byte, error]
}

// Evaluate is what a transaction means. It returns the changes that t makes
// to v as revision rev, in the order of their keys, and whether the
// comparisons hold; if they do not, there are no changes. It copies what it
// keeps of t.
//
// It is written once so that engines cannot differ: an engine validates t,
// evaluates it while nobody else writes, and stores what comes out.
func (t Txn) Evaluate(v View, rev Rev) (changes []Event, done bool, err error) {
	for _, c := range t.If {
		kv, _, err := v.Head(c.Key)
		if err != nil {
			return nil, false, err
		}
		if kv.Mod != c.Mod {
			return nil, false, nil
		}
	}
	deleted := 0
	for _, op := range t.Then {
		if op.Put != nil {
			kv, err := successor(v, op.Put, rev)
			if err != nil {
				return nil, false, err
			}
			changes = append(changes, Event{KV: kv, Rev: rev})
			continue
		}
		for key, err := range v.Keys(*op.Delete) {
			if err == nil {
				deleted += Cost(len(key), 0)
				err = t.CheckDeletes(deleted)
			}
			if err != nil {
				return nil, false, err
			}
			kv := KV{Key: bytes.Clone(key), Mod: rev}
			changes = append(changes, Event{KV: kv, Rev: rev, Deleted: true})
		}
	}
	slices.SortFunc(changes, func(a, b Event) int { return bytes.Compare(a.KV.Key, b.KV.Key) })
	return changes, true, nil
}

// successor returns what put makes of the key it writes.
func successor(v View, put *KV, rev Rev) (KV, error) {
	old, ok, err := v.Head(put.Key)
	if err != nil {
		return KV{}, err
	}
	kv := KV{
		Key:     bytes.Clone(put.Key),
		Value:   append([]byte{}, put.Value...),
		Create:  rev,
		Mod:     rev,
		Version: 1,
	}
	if ok {
		kv.Create, kv.Version = old.Create, old.Version+1
	}
	return kv, nil
}

// Clone returns a KV that shares no bytes with kv.
func (kv KV) Clone() KV {
	kv.Key, kv.Value = bytes.Clone(kv.Key), bytes.Clone(kv.Value)
	return kv
}

// Clip returns those of changes, one transaction's in the order of their
// keys, that lie in span, as copies.
func Clip(changes []Event, span Span) []Event {
	var in []Event
	for _, e := range changes {
		if span.Contains(e.KV.Key) {
			e.KV = e.KV.Clone()
			in = append(in, e)
		}
	}
	return in
}
