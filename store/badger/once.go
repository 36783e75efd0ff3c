package badger

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"coffer/store"
)

// carriedOut returns the revision that the transaction called a.ID made, of
// those up to newest, and 0 if it made none. It runs while nobody writes.
func (s *Store) carriedOut(a store.Attempt, newest store.Rev) (store.Rev, error) {
	if a.Since < 0 || a.Since > newest {
		return 0, fmt.Errorf("%w: attempt since %d, newest is %d", store.ErrFuture, a.Since, newest)
	}
	t := s.db.NewTransactionAt(uint64(newest), false)
	defer t.Discard()
	it := t.NewKeyIterator(nameKey, badger.IteratorOptions{AllVersions: true, SinceTs: uint64(a.Since)})
	defer it.Close()
	if _, floor := s.line.at(); a.Since < floor {
		return 0, fmt.Errorf("%w: whether a transaction was carried out after %d; oldest revision is %d",
			store.ErrCompacted, a.Since, floor)
	}
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		var id [16]byte
		err := item.Value(func(b []byte) (err error) {
			id, err = parseName(b)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("%w: %s: name of transaction %d: %w", store.ErrCorrupt, s.dir, item.Version(), err)
		}
		if id == a.ID {
			return store.Rev(item.Version()), nil
		}
	}
	return 0, nil
}
