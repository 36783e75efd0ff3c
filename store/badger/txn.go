package badger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"coffer/store"
)

// request is a transaction on its way.
type request struct {
	txn   store.Txn
	name  *store.Attempt // nil of a transaction without one
	taken atomic.Bool    // by a writer, or by its caller who gave up
	done  chan outcome   // has room for the one outcome
}

type outcome struct {
	result store.Result
	err    error
}

// queue holds the requests that wait, oldest first.
type queue struct {
	mu       sync.Mutex
	requests []*request
}

func (q *queue) push(r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests = append(q.requests, r)
}

// maxBatch bounds how long the first of a batch waits for the rest of it, and
// what is in flight when the disk is nearly full.
const maxBatch = 32

// pop removes the requests of a batch, without those whose callers gave up.
func (q *queue) pop() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.requests), maxBatch)
	var batch []*request
	for _, r := range q.requests[:n] {
		if r.taken.CompareAndSwap(false, true) {
			batch = append(batch, r)
		}
	}
	q.requests = append([]*request(nil), q.requests[n:]...)
	return batch
}

// Txn implements store.Backend.
func (s *Store) Txn(ctx context.Context, t store.Txn) (store.Result, error) {
	return s.txn(ctx, &request{txn: t})
}

// TxnOnce implements store.Once.
func (s *Store) TxnOnce(ctx context.Context, t store.Txn, a store.Attempt) (store.Result, error) {
	return s.txn(ctx, &request{txn: t, name: &a})
}

func (s *Store) txn(ctx context.Context, r *request) (store.Result, error) {
	if err := s.enter(ctx); err != nil {
		return store.Result{}, err
	}
	defer s.leave()
	if err := r.txn.Validate(); err != nil {
		return store.Result{}, err
	}
	r.done = make(chan outcome, 1)
	s.queue.push(r)
	for {
		var reason error
		select {
		case o := <-r.done:
			return o.result, o.err
		case s.turn <- struct{}{}:
			s.write(s.queue.pop())
			<-s.turn
			continue
		case <-ctx.Done():
			reason = ctx.Err()
		case <-s.done:
			reason = store.ErrClosed
		}
		if r.taken.CompareAndSwap(false, true) {
			return store.Result{}, reason
		}
		// It is being written, which does not take long: better the truth.
		o := <-r.done
		return o.result, o.err
	}
}

// write carries out a batch and answers every request of it.
func (s *Store) write(batch []*request) {
	if len(batch) == 0 {
		return
	}
	outcomes := make([]outcome, len(batch))
	if err := s.commit(batch, outcomes); err != nil {
		// Those that only compared may have seen what is not durable.
		for i := range outcomes {
			if outcomes[i].err == nil {
				outcomes[i] = outcome{err: err}
			}
		}
	}
	for i, r := range batch {
		r.done <- outcomes[i]
	}
}

// commit evaluates the requests in turn, each on top of those before it,
// writes what they change and makes it durable and visible.
func (s *Store) commit(batch []*request, outcomes []outcome) (err error) {
	defer s.guard(&err)
	defer faults()()
	if err := errors.Join(s.failed(), s.folder.Check()); err != nil {
		return err
	}
	newest, floor := s.line.at()
	view := s.viewAt(newest)
	defer view.close()
	var transactions [][]store.Event
	var names []*store.Attempt // of transactions
	for i, r := range batch {
		if r.name != nil && r.name.Again {
			rev, err := s.carriedOut(*r.name, newest)
			if rev != 0 || err != nil {
				outcomes[i] = outcome{store.Result{Rev: rev, Done: rev != 0}, err}
				continue
			}
		}
		rev := newest + store.Rev(len(transactions)) + 1
		changes, done, err := r.txn.Evaluate(view, rev)
		if err != nil {
			outcomes[i].err = err
			continue
		}
		if len(changes) == 0 {
			rev--
		} else {
			view.apply(changes)
			transactions = append(transactions, changes)
			names = append(names, r.name)
		}
		outcomes[i].result = store.Result{Rev: rev, Done: done}
	}
	if len(transactions) == 0 {
		return nil
	}
	if err := errors.Join(s.room(s.opt.Reserve-s.held()), s.descriptors(transactions), s.holdBallast()); err != nil {
		return err
	}
	s.wrote = true
	raised, err := s.writeAll(transactions, names, floor)
	if err == nil {
		err = s.wal.sync()
	}
	if err != nil {
		// What is in Badger's log now may or may not appear when the store is
		// opened anew. Whatever were written after it would depend on it.
		err = s.translate("writing", err)
		s.fail(err)
		return err
	}
	s.line.advance(transactions)
	s.discardBefore(raised)
	if s.folder.Group() != 0 {
		s.shareFiles()
	}
	return nil
}

// writeTimeout is how long Badger may take for a batch. It stalls while it
// makes room, which should take a second at worst; if it cannot, it waits for
// ever and says why only in its log.
const writeTimeout = 30 * time.Second

// writeAll hands transactions to Badger and waits until they are in its log.
// It returns the floor, raised if it was due.
func (s *Store) writeAll(transactions [][]store.Event, names []*store.Attempt, floor store.Rev) (store.Rev, error) {
	prepared := make([]*badger.Txn, len(transactions))
	for i, changes := range transactions {
		t, err := s.prepare(changes)
		if err != nil {
			return 0, err
		}
		prepared[i] = t
		if names[i] != nil {
			if err := t.Set(nameKey, appendName(nil, names[i].ID)); err != nil {
				return 0, err
			}
		}
		// The first revision records the floor because every store has one.
		rev, was := changes[0].Rev, floor
		if floor = s.policy(rev, floor); floor != was || rev == 1 {
			if err := t.Set(floorKey, appendFloor(nil, floor)); err != nil {
				return 0, err
			}
		}
	}
	written := make(chan error, len(prepared))
	for i, t := range prepared {
		// Badger writes in the order of these calls.
		if err := t.CommitAt(uint64(transactions[i][0].Rev), func(err error) { written <- err }); err != nil {
			return 0, err
		}
	}
	timer := time.NewTimer(writeTimeout)
	defer timer.Stop()
	for range prepared {
		select {
		case err := <-written:
			if err != nil {
				return 0, err
			}
		case <-timer.C:
			return 0, fmt.Errorf("no answer after %v: %w", writeTimeout, s.log.last())
		}
	}
	return floor, nil
}

// prepare makes a transaction of Badger's of the changes of one revision.
func (s *Store) prepare(changes []store.Event) (*badger.Txn, error) {
	t := s.db.NewTransactionAt(uint64(changes[0].Rev), true)
	for _, c := range changes {
		key := inBadger(c.KV.Key)
		var err error
		if c.Deleted {
			err = t.Delete(key)
		} else {
			err = t.Set(key, appendValue(nil, c.KV))
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// inBadger returns the key under which Badger has a key of the user's.
func inBadger(key []byte) []byte {
	return append(append(make([]byte, 0, len(key)+1), userKey), key...)
}
