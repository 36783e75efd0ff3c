// Package store is the contract of coffer's storage: durable, revisioned bytes.
//
// It holds keys and values that it does not understand. It knows nothing of
// PKCS #11, of objects or of secrets, and it seals nothing: whoever writes
// here has sealed first.
//
// # Design
//
// The model is etcd's. Every transaction that writes makes a new revision of
// the whole store; a revision can be read for as long as it is not compacted;
// a transaction is a list of comparisons and a list of writes, all or nothing;
// a watch tells every change after a revision, in order, each once. That is
// enough to keep a cache right, to make a change of several keys atomic and
// to notice a lost race, and it is as true of one process as of a cluster.
//
// Requests are data. A closure over an open transaction would be more
// convenient and could not travel to another process.
//
// The limits are the intersection of what the engines can do and are enforced
// for all of them by Txn.Validate, so that what works on one engine works on
// every other. The suite in store/storetest is the contract in executable
// form: an engine is finished when it passes.
package store

import (
	"context"
	"iter"
)

// Rev numbers the states of a store. The empty store is at revision 0 and
// every transaction that changes at least one key adds exactly one.
type Rev int64

// KV is one key as it was at some revision.
type KV struct {
	Key, Value []byte
	Create     Rev   // the revision that made the key; a deletion ends a key's life
	Mod        Rev   // the revision that wrote this value
	Version    int64 // how often the key was written since Create, 1 for the first
}

// RangeRequest asks for the keys of a span, in ascending order of their bytes.
type RangeRequest struct {
	Span
	At    Rev    // the revision to read; 0 is the newest
	Limit int    // at most so many keys; 0 is no limit
	Only  Fields // how much of each key to return
}

// Fields says how much of each KV a Range returns.
type Fields uint8

const (
	// Everything is keys, values and revisions.
	Everything Fields = iota
	// KeysOnly leaves Value nil.
	KeysOnly
	// CountOnly returns no KVs, only Page.Count.
	CountOnly
)

// Page is the answer to a RangeRequest.
type Page struct {
	KVs []KV
	// Rev is the revision that was read: At, or the newest when At was 0.
	// Asking for the next page at Rev continues the same snapshot.
	Rev Rev
	// Count is the number of keys found, at most Limit: len(KVs) unless
	// CountOnly was asked for.
	Count int
	// More is true if Limit left keys of the span out.
	More bool
}

// Next returns the request that continues r after its page p: the same span
// beginning behind p's last key, at p's revision. ok is false if p was the
// last page, or if there is no key to continue from (CountOnly).
func (r RangeRequest) Next(p Page) (next RangeRequest, ok bool) {
	if !p.More || len(p.KVs) == 0 {
		return RangeRequest{}, false
	}
	last := p.KVs[len(p.KVs)-1].Key
	r.Key = append(append(make([]byte, 0, len(last)+1), last...), 0)
	r.At = p.Rev
	return r, true
}

// Txn is a transaction: if every comparison of If holds, all of Then is
// written in one new revision; otherwise nothing is.
//
// The operations of Then see the store as it was before the transaction and
// must not touch the same key twice; see Validate. A transaction that changes
// nothing (an empty Then, or only deletions of absent keys) makes no
// revision. One with an empty Then is a way to check comparisons.
type Txn struct {
	If   []Cmp
	Then []Op
}

// Cmp holds if the Mod revision of Key is Mod. Mod 0 means that the key must
// not exist.
type Cmp struct {
	Key []byte
	Mod Rev
}

// Op is one write: exactly one of its fields is set. Put and Delete make one.
type Op struct {
	// Put writes Key and Value. The engine sets the other fields of the KV
	// that it stores and ignores them here. A nil Value is an empty one.
	Put *KV
	// Delete removes every key of the span. That there is none is no error.
	Delete *Span
}

// Put returns the operation that writes value under key.
func Put(key, value []byte) Op { return Op{Put: &KV{Key: key, Value: value}} }

// Delete returns the operation that removes the keys of span.
func Delete(span Span) Op { return Op{Delete: &span} }

// Result is the outcome of a Txn that was carried out.
type Result struct {
	// Rev is the revision that the transaction made, or the newest one if it
	// changed nothing.
	Rev Rev
	// Done is false if a comparison failed; nothing was written then.
	Done bool
}

// Event is the change of one key.
type Event struct {
	// KV is the key after the change. Of a deleted key only Key and Mod are
	// set, Mod being the revision that deleted it.
	KV KV
	// Rev is the transaction's revision, and equals KV.Mod.
	Rev Rev
	// Deleted is true if the key was removed.
	Deleted bool
}

// Backend is a store. Implementations are safe for concurrent use and pass
// storetest.Run.
//
// Bytes that a Backend returns are the caller's to keep and change; bytes
// that it is given are copied before the call returns.
//
// A method given a context that ends while it waits returns the context's
// error. A Txn that was interrupted like this may have been carried out or
// may yet be; the caller learns which by reading. After Close every method
// returns ErrClosed.
type Backend interface {
	// Range reads the keys of a span at one revision. It sees every
	// transaction that was acknowledged before the call.
	//
	// At a revision not yet made it returns ErrFuture, at one compacted
	// ErrCompacted, for a malformed request ErrInvalid.
	Range(ctx context.Context, r RangeRequest) (Page, error)

	// Txn carries a transaction out. When it returns without an error, what
	// it wrote is durable, to the extent that the engine is.
	//
	// A malformed transaction is ErrInvalid, one over the limits ErrTooLarge;
	// both are found before anything is written, as is ErrFull. After any
	// other error the transaction may have been carried out, wholly or not
	// at all.
	Txn(ctx context.Context, t Txn) (Result, error)

	// Watch yields the changes of span after revision from: those that
	// happened already, then those that happen, for ever. A slice holds the
	// part of exactly one transaction that lies in span, complete, in the
	// order of the keys, and never empty. Slices come in the order of their
	// revisions and each once.
	//
	// From 0 is from the beginning; from the newest revision, only what is
	// to come; from a revision in the future is ErrFuture.
	//
	// The first error ends the sequence: the context's, ErrClosed,
	// ErrInvalid, or ErrCompacted if from was compacted, or if the consumer
	// is so slow that what it has not seen yet is. After ErrCompacted the
	// consumer has to read the span anew and watch from that Page's Rev.
	//
	// The sequence does its work in the consumer's goroutine: it holds no
	// queue and nothing outlives the loop. It can be ranged over more than
	// once and then begins again at from.
	Watch(ctx context.Context, span Span, from Rev) iter.Seq2[[]Event, error]

	// Newest returns the newest acknowledged revision, which is known without
	// asking: it costs one atomic load and cannot wait or fail. It never goes
	// back, and is never behind what a Txn, in any process, returned before
	// the call. So whoever remembers what it was before he read may take what
	// he read for the present state for as long as it is the same. After
	// Close it is what it was last, or newer.
	Newest() Rev

	// Compact allows the engine to forget the revisions before at: reading
	// them, or watching from them, is ErrCompacted from now on. The keys as
	// they are at revision at, and all that was written since, stay. At a
	// revision already compacted it does nothing; in the future it is
	// ErrFuture. Space is given back when the engine sees fit.
	//
	// Engines may also compact by themselves, by a policy they document.
	Compact(ctx context.Context, at Rev) error

	// Close ends calls in progress with ErrClosed, releases everything and
	// loses nothing that was acknowledged. A second Close does nothing.
	Close() error
}

// Get returns the newest KV of key, and false if there is none.
func Get(ctx context.Context, b Backend, key []byte) (KV, bool, error) {
	page, err := b.Range(ctx, RangeRequest{Span: Key(key)})
	if err != nil || len(page.KVs) == 0 {
		return KV{}, false, err
	}
	return page.KVs[0], true, nil
}
