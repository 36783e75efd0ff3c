package shared

import (
	"errors"
	"path/filepath"
	"time"

	"coffer/store"
	"coffer/store/badger"
	"coffer/store/folder"
)

// Verify is badger.Verify of the store in the folder dir.
func Verify(dir string) (problems []string, err error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return badger.Verify(path)
}

// Repair is badger.Repair of the store in the folder dir. A store that somebody
// has open needs none.
func Repair(dir string, opt Options) (did []string, err error) {
	f, err := folder.Open(dir, folder.Options{Group: opt.Group})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Lock(); errors.Is(err, store.ErrLocked) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	p, err := mapPage(f, writing)
	if err != nil {
		return nil, err
	}
	defer p.detach()
	return badger.Repair(f, badger.Options{History: opt.History, Newest: p.rev, Mark: p.mark}, time.Now())
}
