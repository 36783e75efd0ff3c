package badger

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"coffer/store"
)

// The floor is the oldest revision that can be read. Before Badger is allowed
// to discard what lies below, the floor is durable: a later opening must not
// promise what is gone. It is raised in steps, with a transaction that is
// written anyway.

// policy returns the floor as it is to be with revision rev: raised, if more
// revisions are kept than there need be, by enough to be worth the while.
func (s *Store) policy(rev, floor store.Rev) store.Rev {
	keep := store.Rev(s.opt.History)
	if rev-floor > keep+keep/8 {
		return rev - keep
	}
	return floor
}

var errNoFloor = errors.New("a database, but not of this program, or without its first tables")

// readFloor returns the floor that the store was left with.
func (s *Store) readFloor(newest store.Rev) (store.Rev, error) {
	if newest == 0 {
		return 0, nil
	}
	t := s.db.NewTransactionAt(uint64(newest), false)
	defer t.Discard()
	item, err := t.Get(floorKey)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, fmt.Errorf("%w: %s: %w", store.ErrCorrupt, s.dir, errNoFloor)
	}
	if err != nil {
		return 0, s.translate("opening", err)
	}
	var floor store.Rev
	err = item.Value(func(b []byte) (err error) {
		floor, err = parseFloor(b)
		return err
	})
	if err == nil && floor > newest {
		err = errRecord
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %s: record of the oldest revision: %w", store.ErrCorrupt, s.dir, err)
	}
	return floor, nil
}

// Compact implements store.Backend. It is durable when it returns. Badger
// discards in the background, as it rewrites its tables.
func (s *Store) Compact(ctx context.Context, at store.Rev) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return store.ErrClosed
	}
	return s.compact(at)
}

// compact runs while nobody writes.
func (s *Store) compact(at store.Rev) (err error) {
	defer s.guard(&err)
	defer faults()()
	newest, floor := s.line.at()
	if at > newest {
		return fmt.Errorf("%w: compact at %d, newest is %d", store.ErrFuture, at, newest)
	}
	if at <= floor {
		return nil
	}
	if err := errors.Join(s.failed(), s.room(s.opt.Reserve-s.held()), s.holdBallast()); err != nil {
		return err
	}
	// It must not make a revision, so it joins the newest. That also keeps
	// the number of the newest alive if all its changes are deletions, which
	// Badger may now discard altogether.
	s.wrote = true
	t := s.db.NewTransactionAt(uint64(newest), true)
	err = t.Set(floorKey, appendFloor(nil, at))
	if err == nil {
		err = t.CommitAt(uint64(newest), nil)
	}
	if err == nil {
		err = s.wal.sync()
	}
	if err != nil {
		err = s.translate("compacting", err)
		s.fail(err)
		return err
	}
	s.discardBefore(at)
	return nil
}

// discardBefore allows Badger to discard what only revisions before floor
// need. Readers check the floor after they have taken hold of the tables that
// they read, so it has to be raised first.
func (s *Store) discardBefore(floor store.Rev) {
	s.line.raise(floor)
	s.db.SetDiscardTs(uint64(floor))
}
