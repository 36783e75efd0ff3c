package badger

import (
	"slices"
	"sync"
	"sync/atomic"

	"coffer/store"
)

// timeline is which revisions there are, and the last of them in memory for
// those who watch.
type timeline struct {
	known *atomic.Int64 // newest, for those without the lock
	mark  *Mark         // and for the next opening

	mu       sync.RWMutex // guards what follows
	newest   store.Rev
	floor    store.Rev     // the oldest revision that can be read
	newer    chan struct{} // closed and replaced with every batch
	watchers int
	recent   [][]store.Event // changes of the newest revisions, without a gap
	bytes    int             // what recent costs
}

// recentBytes bounds what is kept for watchers. One who is slower than that
// reads from disk.
const recentBytes = 1 << 20

func (t *timeline) init(newest, floor store.Rev, opt Options) {
	if t.known = opt.Newest; t.known == nil {
		t.known = new(atomic.Int64)
	}
	if t.mark = opt.Mark; t.mark == nil {
		t.mark = new(Mark)
	}
	t.newest, t.floor, t.newer = newest, floor, make(chan struct{})
	t.tell()
}

// tell lets the newest revision be known.
func (t *timeline) tell() {
	t.mark.Set(t.newest)
	t.known.Store(int64(t.newest))
}

// at returns the newest and the oldest revision.
func (t *timeline) at() (newest, floor store.Rev) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.newest, t.floor
}

// advance makes transactions visible that have become durable. Each is the
// changes of one revision, in order.
func (t *timeline) advance(transactions [][]store.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest += store.Rev(len(transactions))
	t.tell()
	if t.watchers > 0 {
		t.remember(transactions)
	}
	close(t.newer)
	t.newer = make(chan struct{})
}

func (t *timeline) remember(transactions [][]store.Event) {
	for _, changes := range transactions {
		t.recent = append(t.recent, changes)
		t.bytes += size(changes)
	}
	drop := 0
	for ; t.bytes > recentBytes; drop++ {
		t.bytes -= size(t.recent[drop])
		t.recent[drop] = nil
	}
	t.recent = t.recent[drop:]
}

func size(changes []store.Event) int {
	n := 0
	for _, c := range changes {
		n += store.Cost(len(c.KV.Key), len(c.KV.Value))
	}
	return n
}

// raise makes floor the oldest revision.
func (t *timeline) raise(floor store.Rev) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.floor = max(t.floor, floor)
}

// since returns the changes of revisions after+1 to upTo, if they are in
// memory. The events are shared and must not be altered.
func (t *timeline) since(after, upTo store.Rev) ([][]store.Event, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	first := t.newest - store.Rev(len(t.recent)) // the revision before recent
	if after < first {
		return nil, false
	}
	return slices.Clone(t.recent[after-first : upTo-first]), true
}

func (t *timeline) addWatcher() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watchers++
}

func (t *timeline) removeWatcher() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watchers--; t.watchers == 0 {
		t.recent, t.bytes = nil, 0
	}
}

// Newest implements store.Backend.
func (s *Store) Newest() store.Rev { return store.Rev(s.line.known.Load()) }

// Latest implements store.History.
func (s *Store) Latest() (store.Rev, <-chan struct{}) {
	s.line.mu.RLock()
	defer s.line.mu.RUnlock()
	return s.line.newest, s.line.newer
}
