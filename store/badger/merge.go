package badger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
	_ "unsafe" // for syncManifest

	"github.com/dgraph-io/badger/v4/table"

	"coffer/store"
)

// # Merging tables
//
// When Badger merges tables, it trusts what it reads and does not ask what
// became of what it wrote: a damaged block ends what is merged of its table, and
// a table that could not be made, for want of a descriptor, say, is left out.
// In both cases the tables that were merged are deleted, and what they held is
// gone. So a merge is examined at the last moment before it counts: Badger has
// written the manifest and is about to sync it. That is a function in a variable
// of Badger's, which is replaced here. What is refused is taken out of the
// manifest again, which leaves the tables that were to be merged in force. The
// store is read only from then on, or if it cannot be damage, when it happens
// again and again. Badger believes that the change took place, which matters only
// if it writes its manifest anew; that is refused too.

// syncManifest is Badger's own.
//
//go:linkname syncManifest github.com/dgraph-io/badger/v4.syncFunc
var syncManifest func(*os.File) error

// merges are what the open stores know of their tables, by folder.
var merges = struct {
	mu   sync.Mutex
	once sync.Once
	of   map[string]*merge
}{of: map[string]*merge{}}

// A merge is what is known of the tables of a store.
type merge struct {
	dir  string
	fail func(error) // breaks the store

	mu     sync.Mutex // guards what follows
	levels map[uint64]uint8
	file   os.FileInfo    // the manifest, when
	size   int64          // it was accepted
	added  map[int]uint64 // keys that each of Badger's compactors has put into tables
	tries  int            // that failed since the last that did not
	over   bool           // no further one is made
}

// watchMerges begins to look after the tables of a store that is about to be
// opened. stop ends it.
func watchMerges(dir string, h holdings, fail func(error)) (m *merge, stop func()) {
	m = &merge{dir: dir, fail: fail, levels: h.levels, file: h.file, size: h.size, added: map[int]uint64{}}
	merges.once.Do(func() {
		sync := syncManifest
		syncManifest = func(manifest *os.File) error {
			merges.mu.Lock()
			m := merges.of[filepath.Dir(manifest.Name())]
			merges.mu.Unlock()
			if m != nil {
				if err := m.changed(manifest); err != nil {
					return err
				}
			}
			return sync(manifest)
		}
	})
	merges.mu.Lock()
	defer merges.mu.Unlock()
	merges.of[dir] = m
	return m, func() {
		merges.mu.Lock()
		defer merges.mu.Unlock()
		if merges.of[dir] == m {
			delete(merges.of, dir)
		}
	}
}

// changed examines what Badger has written into the manifest. An error means
// that it was taken out again.
func (m *merge) changed(manifest *os.File) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	// The folder may be another's by now.
	now, err := manifest.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Stat(manifest.Name()); err != nil || !os.SameFile(named, now) {
		return fmt.Errorf("%w: %s is not ours any more", store.ErrFailed, manifest.Name())
	}
	levels, err := m.read(manifest)
	if err == nil {
		err = m.examine(levels)
	}
	if err != nil {
		err = fmt.Errorf("%w: %s: tables were not merged: %w", causeOf(err), m.dir, err)
		if m.tries++; m.tries == maxTries || errors.Is(err, store.ErrCorrupt) {
			m.over = true
			m.fail(err)
		}
		return errors.Join(err, m.undo(manifest, now))
	}
	m.levels, m.tries = levels, 0
	return m.accept(manifest)
}

// maxTries is how often a merge may fail before the store gives up: each leaves
// tables of no use behind, until the store is opened anew.
const maxTries = 3

// accept remembers the manifest as it is.
func (m *merge) accept(manifest *os.File) (err error) {
	if m.size, err = manifest.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	m.file, err = manifest.Stat()
	return err
}

// causeOf returns which error of the store's it is.
func causeOf(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return store.ErrCorrupt
	}
	return store.ErrFailed
}

// read returns what tables a manifest names. It uses the descriptor that there
// is: there may be no other.
func (m *merge) read(manifest *os.File) (map[uint64]uint8, error) {
	if _, err := manifest.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	now, _, err := replayManifest(manifest)
	if err != nil {
		return nil, err
	}
	levels := map[uint64]uint8{}
	for id, t := range now.Tables {
		levels[id] = t.Level
	}
	return levels, nil
}

// examine compares the tables that there are to be with those that there were.
func (m *merge) examine(levels map[uint64]uint8) error {
	merged, keys := 0, uint64(0)
	for id := range m.levels {
		if _, ok := levels[id]; ok {
			continue
		}
		merged++
		// What was read a moment ago is in memory still.
		if err := withTable(table.NewFilename(id, m.dir), (*table.Table).VerifyChecksum); err != nil {
			return err
		}
	}
	if merged == 0 {
		return nil // a table made of a log
	}
	for id := range levels {
		if _, ok := m.levels[id]; ok {
			continue
		}
		if err := withTable(table.NewFilename(id, m.dir), func(t *table.Table) error {
			keys += uint64(t.KeyCount())
			return nil
		}); err != nil {
			return err
		}
	}
	for id, added := range m.added {
		if added == keys {
			delete(m.added, id)
			return nil
		}
	}
	return fmt.Errorf("there are %d keys in the new tables, and there should be %v", keys, m.added)
}

// undo takes out of the manifest what was written last.
func (m *merge) undo(manifest *os.File, now os.FileInfo) error {
	if m.file == nil || !os.SameFile(m.file, now) { // Badger has written it anew
		// From now on it writes what is no longer the manifest, and is refused.
		return writeManifest(m.dir, m.levels)
	}
	if err := manifest.Truncate(m.size); err != nil {
		return err
	}
	_, err := manifest.Seek(m.size, io.SeekStart)
	return errors.Join(err, manifest.Sync())
}

// What Badger says of merging, in its log.
const (
	saysAdded  = "[%d] LOG Compact. Added %d keys."
	saysDone   = "[Compactor: %d] Compaction for level: %d DONE"
	saysFailed = "[Compactor: %d] LOG Compact FAILED"
)

// compactors is how many goroutines of Badger's merge tables: those numbered
// from 0. Others have other numbers.
const compactors = 2

// heard notes what Badger says.
func (m *merge) heard(format string, args ...any) {
	if m == nil || len(args) < 2 {
		return
	}
	id, ok := args[0].(int)
	if !ok {
		return
	}
	m.mu.Lock()
	over, tries := m.over, m.tries
	switch {
	case strings.HasPrefix(format, saysAdded):
		if n, ok := args[1].(uint64); ok {
			m.added[id] += n
		}
	case strings.HasPrefix(format, saysDone), strings.HasPrefix(format, saysFailed):
		delete(m.added, id)
	}
	m.mu.Unlock()
	if id >= compactors || !strings.HasPrefix(format, saysFailed) {
		return
	}
	if over {
		runtime.Goexit()
	}
	time.Sleep(pauseOfMerges << tries)
}

// pauseOfMerges is how long Badger waits after the first merge that failed.
const pauseOfMerges = 50 * time.Millisecond
