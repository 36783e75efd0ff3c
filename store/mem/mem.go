// Package mem is a store that lives and dies with its process.
//
// It is for tests, and for tokens that are meant to leave nothing behind. It
// writes no file and starts no goroutine.
//
// # Design
//
// Every key keeps its versions and every revision its list of changes, from
// the compacted revision on. By itself the store keeps the last History
// revisions, so that a long life does not cost ever more memory.
//
// One lock guards everything. Reads copy what they return while holding it;
// there is nothing slow to be done under it.
package mem

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"coffer/store"
)

// History is the number of revisions that a store keeps without being told
// to compact. It may keep some more.
const History = 10_000

// Store is one opened handle of a store in memory. It implements
// store.Backend.
type Store struct {
	*data
	once sync.Once
	done chan struct{}
}

var _ store.Backend = (*Store)(nil)

// data is what the handles of one store share.
type data struct {
	name  string
	known atomic.Int64 // newest, for those without the lock

	mu     sync.RWMutex // guards what follows
	keys   index
	log    [][]store.Event // log[i] is the changes of revision floor+1+i
	floor  store.Rev       // the oldest revision that can be read
	newest store.Rev
	newer  chan struct{} // closed and replaced with every revision
	refs   int           // guarded by named.mu for a named store
}

func newData(name string) *data {
	return &data{name: name, newer: make(chan struct{})}
}

// New returns an empty store that nobody else can open.
func New() *Store { return &Store{data: newData(""), done: make(chan struct{})} }

// named holds the stores that Open shares.
var named = struct {
	mu     sync.Mutex
	stores map[string]*data
}{stores: map[string]*data{}}

// Open returns the store of that name, the same for everyone in the process
// who opens it. It is made when the first opens it and forgotten when the
// last has closed it.
func Open(name string) *Store {
	named.mu.Lock()
	defer named.mu.Unlock()
	d := named.stores[name]
	if d == nil {
		d = newData(name)
		named.stores[name] = d
	}
	d.refs++
	return &Store{data: d, done: make(chan struct{})}
}

// Close gives the handle back; its calls and watches end with ErrClosed. What
// the store holds is gone with its last handle.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.done)
		named.mu.Lock()
		defer named.mu.Unlock()
		if s.refs--; s.refs == 0 {
			delete(named.stores, s.name)
		}
	})
	return nil
}

// Done returns a channel that is closed when the handle is.
func (s *Store) Done() <-chan struct{} { return s.done }

// begin returns why a call must not be answered, if it must not.
func (s *Store) begin(ctx context.Context) error {
	select {
	case <-s.done:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}

// Range implements store.Backend.
func (s *Store) Range(ctx context.Context, r store.RangeRequest) (store.Page, error) {
	if err := s.begin(ctx); err != nil {
		return store.Page{}, err
	}
	if err := r.Validate(); err != nil {
		return store.Page{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	at := r.At
	switch {
	case at == 0:
		at = s.newest
	case at > s.newest:
		return store.Page{}, fmt.Errorf("%w: %d, newest is %d", store.ErrFuture, at, s.newest)
	case at < s.floor:
		return store.Page{}, fmt.Errorf("%w: %d, oldest is %d", store.ErrCompacted, at, s.floor)
	}
	page := store.Page{Rev: at}
	for e := range s.keys.span(r.Span) {
		kv, ok := e.at(at)
		if !ok {
			continue
		}
		if r.Limit > 0 && page.Count == r.Limit {
			page.More = true
			break
		}
		page.Count++
		switch r.Only {
		case store.KeysOnly:
			kv.Value = nil
			fallthrough
		case store.Everything:
			page.KVs = append(page.KVs, kv.Clone())
		}
	}
	return page, nil
}

// Txn implements store.Backend.
func (s *Store) Txn(ctx context.Context, t store.Txn) (store.Result, error) {
	if err := s.begin(ctx); err != nil {
		return store.Result{}, err
	}
	if err := t.Validate(); err != nil {
		return store.Result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, done, err := t.Evaluate(view{s.data}, s.newest+1)
	if err != nil {
		return store.Result{}, err
	}
	if len(changes) > 0 {
		s.apply(changes)
	}
	return store.Result{Rev: s.newest, Done: done}, nil
}

// apply makes a revision of changes.
func (d *data) apply(changes []store.Event) {
	for _, c := range changes {
		e := d.keys.insert(c.KV.Key)
		e.versions = append(e.versions, c)
	}
	d.log = append(d.log, changes)
	d.newest++
	d.known.Store(int64(d.newest))
	close(d.newer)
	d.newer = make(chan struct{})
	// Not with every revision: a compaction copies what it keeps of the log.
	if d.newest-d.floor > History+History/8 {
		d.compact(d.newest - History)
	}
}

// Compact implements store.Backend.
func (s *Store) Compact(ctx context.Context, at store.Rev) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at > s.newest {
		return fmt.Errorf("%w: compact at %d, newest is %d", store.ErrFuture, at, s.newest)
	}
	if at > s.floor {
		s.compact(at)
	}
	return nil
}

// compact forgets the revisions before at. Only keys that changed in those
// can have versions to drop.
func (d *data) compact(at store.Rev) {
	n := int(at - d.floor)
	for _, changes := range d.log[:n] {
		for _, c := range changes {
			d.keys.prune(c.KV.Key, at)
		}
	}
	d.log = append([][]store.Event(nil), d.log[n:]...)
	d.floor = at
}

// Watch implements store.Backend.
func (s *Store) Watch(ctx context.Context, span store.Span, from store.Rev) iter.Seq2[[]store.Event, error] {
	return store.Follow(ctx, s, span, from)
}

// Newest implements store.Backend.
func (s *Store) Newest() store.Rev { return store.Rev(s.known.Load()) }

// Latest implements store.History.
func (s *Store) Latest() (store.Rev, <-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.newest, s.newer
}

// Changes implements store.History.
func (s *Store) Changes(_ context.Context, span store.Span, after, upTo store.Rev) iter.Seq2[[]store.Event, error] {
	return func(yield func([]store.Event, error) bool) {
		for rev := after + 1; rev <= upTo; rev++ {
			changes, err := s.revision(rev)
			if err != nil {
				yield(nil, err)
				return
			}
			if in := store.Clip(changes, span); len(in) > 0 && !yield(in, nil) {
				return
			}
		}
	}
}

// revision returns the changes of rev, which exists or existed. They are
// never altered, so they can be read without the lock.
func (d *data) revision(rev store.Rev) ([]store.Event, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if rev <= d.floor {
		return nil, fmt.Errorf("%w: watch is at %d, oldest is %d", store.ErrCompacted, rev-1, d.floor)
	}
	return d.log[rev-d.floor-1], nil
}

// view shows the store to a transaction, which holds the lock.
type view struct{ *data }

func (v view) Head(key []byte) (store.KV, bool, error) {
	if e := v.keys.find(key); e != nil {
		kv, ok := e.at(v.newest)
		return kv, ok, nil
	}
	return store.KV{}, false, nil
}

func (v view) Keys(span store.Span) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for e := range v.keys.span(span) {
			if _, ok := e.at(v.newest); ok && !yield(e.key, nil) {
				return
			}
		}
	}
}

// entry is a key with what became of it.
type entry struct {
	key      []byte
	versions []store.Event // oldest first, never empty
}

// at returns the key as it was at rev, and false if it did not exist.
func (e *entry) at(rev store.Rev) (store.KV, bool) {
	for i := len(e.versions) - 1; i >= 0; i-- {
		if v := &e.versions[i]; v.Rev <= rev {
			if v.Deleted {
				break
			}
			return v.KV, true
		}
	}
	return store.KV{}, false
}

func (e *entry) compare(key []byte) int { return bytes.Compare(e.key, key) }
