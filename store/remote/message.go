package remote

import (
	"fmt"

	"coffer/store"
)

// greeting is the first frame in each direction.
type greeting struct {
	_       struct{} `cbor:",toarray"`
	Magic   string
	Version int
	// Server is the server's name, random and anew for each; nothing in a
	// client's greeting.
	Server []byte
}

const magic = "coffer store"

// request is a frame to the server. Exactly one of its fields but ID is set.
// ID is the client's number of the call, new with every one but for Grant and
// Cancel, which are about an earlier call and are not answered.
type request struct {
	ID      uint64        `cbor:"1,keyasint"`
	Range   *rangeRequest `cbor:"2,keyasint,omitempty"`
	Txn     *txnRequest   `cbor:"3,keyasint,omitempty"`
	Watch   *watchRequest `cbor:"4,keyasint,omitempty"`
	Compact *store.Rev    `cbor:"5,keyasint,omitempty"`
	// Grant is how many bytes of a watch were consumed.
	Grant *int `cbor:"6,keyasint,omitempty"`
	// Cancel ends a call or a watch. A call is answered all the same.
	Cancel *cancelRequest `cbor:"7,keyasint,omitempty"`
}

type cancelRequest struct {
	_ struct{} `cbor:",toarray"`
}

type rangeRequest struct {
	_     struct{} `cbor:",toarray"`
	Span  span
	At    store.Rev
	Limit int
	Only  store.Fields
}

type watchRequest struct {
	_    struct{} `cbor:",toarray"`
	Span span
	From store.Rev
}

type txnRequest struct {
	_     struct{} `cbor:",toarray"`
	ID    [16]byte
	Since store.Rev
	Again bool
	If    []comparison
	Then  []operation
}

type comparison struct {
	_   struct{} `cbor:",toarray"`
	Key []byte
	Mod store.Rev
}

// operation is a put if Delete is nil.
type operation struct {
	_          struct{} `cbor:",toarray"`
	Key, Value []byte
	Delete     *span
}

// span is a store.Span. A nil End is null on the wire, which an empty one is
// not.
type span struct {
	_        struct{} `cbor:",toarray"`
	Key, End []byte
}

// response is a frame to the client: the answer to a call, or one of the
// several that a watch has: first an empty one, then Events, at last an Error.
type response struct {
	ID     uint64   `cbor:"1,keyasint"`
	Error  *failure `cbor:"2,keyasint,omitempty"`
	Page   *page    `cbor:"3,keyasint,omitempty"`
	Result *result  `cbor:"4,keyasint,omitempty"`
	Events []event  `cbor:"5,keyasint,omitempty"`
}

// failure is an error: its sentinel (errors.go) and its sentence.
type failure struct {
	_    struct{} `cbor:",toarray"`
	Code code
	Text string
}

type page struct {
	_     struct{} `cbor:",toarray"`
	KVs   []kv
	Rev   store.Rev
	Count int
	More  bool
}

type result struct {
	_    struct{} `cbor:",toarray"`
	Rev  store.Rev
	Done bool
}

type kv struct {
	_           struct{} `cbor:",toarray"`
	Key, Value  []byte
	Create, Mod store.Rev
	Version     int64
}

type event struct {
	_       struct{} `cbor:",toarray"`
	KV      kv
	Deleted bool
}

func (s span) store() store.Span { return store.Span{Key: s.Key, End: s.End} }

func spanOf(s store.Span) span { return span{Key: s.Key, End: s.End} }

func (r *rangeRequest) store() store.RangeRequest {
	return store.RangeRequest{Span: r.Span.store(), At: r.At, Limit: r.Limit, Only: r.Only}
}

func rangeOf(r store.RangeRequest) *rangeRequest {
	return &rangeRequest{Span: spanOf(r.Span), At: r.At, Limit: r.Limit, Only: r.Only}
}

func (t *txnRequest) store() (store.Txn, store.Attempt) {
	var txn store.Txn
	for _, c := range t.If {
		txn.If = append(txn.If, store.Cmp{Key: c.Key, Mod: c.Mod})
	}
	for _, op := range t.Then {
		if op.Delete != nil {
			txn.Then = append(txn.Then, store.Delete(op.Delete.store()))
		} else {
			txn.Then = append(txn.Then, store.Put(op.Key, op.Value))
		}
	}
	return txn, store.Attempt{ID: t.ID, Since: t.Since, Again: t.Again}
}

// txnOf returns the message for a transaction that is valid.
func txnOf(t store.Txn, a store.Attempt) *txnRequest {
	m := &txnRequest{ID: a.ID, Since: a.Since, Again: a.Again}
	for _, c := range t.If {
		m.If = append(m.If, comparison{Key: c.Key, Mod: c.Mod})
	}
	for _, op := range t.Then {
		if op.Delete != nil {
			s := spanOf(*op.Delete)
			m.Then = append(m.Then, operation{Delete: &s})
		} else {
			m.Then = append(m.Then, operation{Key: op.Put.Key, Value: op.Put.Value})
		}
	}
	return m
}

func (k kv) store() store.KV {
	return store.KV{Key: k.Key, Value: k.Value, Create: k.Create, Mod: k.Mod, Version: k.Version}
}

func kvOf(k store.KV) kv {
	return kv{Key: k.Key, Value: k.Value, Create: k.Create, Mod: k.Mod, Version: k.Version}
}

func (p *page) store() store.Page {
	out := store.Page{Rev: p.Rev, Count: p.Count, More: p.More}
	for _, k := range p.KVs {
		out.KVs = append(out.KVs, k.store())
	}
	return out
}

func pageOf(p store.Page) *page {
	out := &page{Rev: p.Rev, Count: p.Count, More: p.More}
	for _, k := range p.KVs {
		out.KVs = append(out.KVs, kvOf(k))
	}
	return out
}

// eventsOf returns the message for a slice of a watch. Rev is each KV's Mod.
func eventsOf(events []store.Event) []event {
	out := make([]event, len(events))
	for i, e := range events {
		out[i] = event{KV: kvOf(e.KV), Deleted: e.Deleted}
	}
	return out
}

// storeEvents is the inverse of eventsOf.
func storeEvents(events []event) ([]store.Event, error) {
	out := make([]store.Event, len(events))
	for i, e := range events {
		out[i] = store.Event{KV: e.KV.store(), Rev: e.KV.Mod, Deleted: e.Deleted}
		if out[i].Rev != out[0].Rev {
			return nil, fmt.Errorf("%w: events of two revisions at once", errProtocol)
		}
	}
	return out, nil
}
