package token

import (
	"errors"
	"math/big"

	"coffer/store"
	"coffer/token/object"
	"coffer/token/seal"
)

// A walk reads the keys of a span although some of them may be damaged. An
// engine answers a request that meets a damaged key with an error and no key;
// a walk halves the span until it knows which it was, and has all others.
type walk struct {
	m    *Module
	at   store.Rev // the revision to read; 0 is the newest
	only store.Fields
	// width is the length of the keys. Of a damaged one that has another, the
	// first bytes are found.
	width   int
	good    func(store.KV) error
	damaged func(key []byte, err error) error
}

// Widths of keys: see storage.go.
const (
	slotKeyWidth   = len("t/") + 8
	objectKeyWidth = len("o/") + len(seal.TokenID{}) + 1 + len(object.ID{})
	termKeyWidth   = objectKeyWidth + len(seal.Term{}) + 1
)

// span walks the keys in ascending order.
func (w *walk) span(span store.Span) error {
	req := store.RangeRequest{Span: span, At: w.at, Limit: pageOfIDs, Only: w.only}
	for more := true; more; {
		page, err := w.m.store.Range(w.m.ctx, req)
		if errors.Is(err, store.ErrCorrupt) {
			return w.halves(req.Span, err)
		}
		if err != nil {
			return deviceError(err)
		}
		for _, kv := range page.KVs {
			if err := w.good(kv); err != nil {
				return err
			}
		}
		req, more = req.Next(page)
	}
	return nil
}

// halves walks a span that has a damaged key in it.
func (w *walk) halves(span store.Span, err error) error {
	from, to := w.number(span.Key), w.number(span.End)
	middle := new(big.Int).Add(from, to)
	middle.Rsh(middle, 1)
	if middle.Cmp(from) == 0 {
		return w.damaged(w.key(from), storeError(err))
	}
	if err := w.span(store.Span{Key: span.Key, End: w.key(middle)}); err != nil {
		return err
	}
	return w.span(store.Span{Key: w.key(middle), End: span.End})
}

// number is the place of a key among those of the width.
func (w *walk) number(key []byte) *big.Int {
	b := make([]byte, w.width)
	copy(b, key)
	return new(big.Int).SetBytes(b)
}

func (w *walk) key(n *big.Int) []byte { return n.FillBytes(make([]byte, w.width)) }
