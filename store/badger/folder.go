package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
	badgeroptions "github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
	"golang.org/x/sys/unix"

	"coffer/store"
	"coffer/store/folder"
)

// examine makes sure that Badger can open what is in dir, and returns what is
// there.
//
// Badger would delete all tables that the manifest does not name, whoever
// lost it, and it opens tables in goroutines in which a damaged one would
// panic or exit. Tables keep their summary at their end, so that reading it
// twice costs little.
func examine(dir string) (h holdings, err error) {
	h.manifest = filepath.Join(dir, badger.ManifestFilename)
	file, err := os.Open(h.manifest)
	if folder.IsMissing(err) {
		return h, checkFresh(dir)
	}
	if err != nil {
		return h, folder.FileError(err)
	}
	defer file.Close()
	manifest, size, err := replayManifest(file)
	if err != nil {
		return h, fmt.Errorf("%w: %s: %w", store.ErrCorrupt, h.manifest, err)
	}
	h.size = size
	if h.file, err = file.Stat(); err != nil {
		return h, folder.FileError(err)
	}
	h.levels = map[uint64]uint8{}
	for id, t := range manifest.Tables {
		newest, err := examineTable(table.NewFilename(id, dir))
		if err != nil {
			return h, err
		}
		h.levels[id] = t.Level
		h.tables = max(h.tables, newest)
	}
	if len(manifest.Levels) > 0 {
		h.levelZero = len(manifest.Levels[0].Tables)
	}
	h.logs, err = readLogs(dir)
	return h, err
}

// checkFresh refuses a folder in which a store has been.
func checkFresh(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return folder.FileError(err)
	}
	for _, e := range entries {
		if slices.Contains([]string{".sst", ".mem"}, filepath.Ext(e.Name())) {
			return fmt.Errorf("%w: %s has %s but no %s", store.ErrCorrupt, dir, e.Name(), badger.ManifestFilename)
		}
	}
	return nil
}

// examineTable returns the newest revision in a table.
func examineTable(path string) (newest store.Rev, err error) {
	err = withTable(path, func(t *table.Table) error {
		newest = store.Rev(t.MaxVersion())
		return nil
	})
	return newest, err
}

// withTable opens a table for do.
func withTable(path string, do func(*table.Table) error) (err error) {
	defer faults()()
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %s: unreadable table", store.ErrCorrupt, path)
		}
	}()
	file, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	switch {
	case err == nil:
		defer file.Close(-1)
	case folder.IsMissing(err):
		return fmt.Errorf("%w: %s is missing", store.ErrCorrupt, path)
	case errors.Is(err, unix.EINVAL): // cannot map an empty file
		return fmt.Errorf("%w: %s is empty", store.ErrCorrupt, path)
	default:
		return folder.FileError(err)
	}
	t, err := table.OpenTable(file, table.Options{
		ReadOnly: true,
		ChkMode:  badgeroptions.OnBlockRead,
	})
	if err == nil {
		err = do(t)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrCorrupt, path, err)
	}
	return nil
}

// restrictFiles gives the files of the store their modes, which Badger chooses
// otherwise.
func restrictFiles(f *folder.Folder) error {
	entries, err := os.ReadDir(f.Path())
	if err != nil {
		return folder.FileError(err)
	}
	for _, e := range entries {
		// Badger removes files when it has no more use for them.
		if !ownFile(e.Name()) {
			continue
		}
		if err := f.Restrict(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// ownFile reports whether a file of that name is ours. There can be others in
// the folder: a socket, or whatever the user has put there.
func ownFile(name string) bool {
	switch name {
	case badger.ManifestFilename, badger.KeyRegistryFileName, "DISCARD", ballastFile:
		return true
	}
	return slices.Contains([]string{".sst", ".mem", ".vlog"}, filepath.Ext(name))
}

// room returns ErrFull if the file system has less than need bytes left.
func (s *Store) room(need int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrFailed, s.dir, err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < need {
		return fmt.Errorf("%w: %s has %d KiB free, and %d KiB must be",
			store.ErrFull, s.dir, free>>10, need>>10)
	}
	return nil
}

// spareDescriptors are so many that a new log and the table of the old one can be
// made.
const spareDescriptors = 4

// descriptors returns ErrFailed if Badger may need a new log to write
// transactions, and there are no descriptors for that: it would not recover.
func (s *Store) descriptors(transactions [][]store.Event) error {
	for _, changes := range transactions {
		// A node of the table in memory has up to 100 bytes beyond the log's.
		s.wal.fill += 2 * size(changes)
	}
	if s.wal.fill < memTableSize {
		return nil
	}
	var fds [spareDescriptors]int
	for i := range fds {
		fd, err := unix.FcntlInt(uintptr(s.folder.FD()), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", store.ErrFailed, s.dir, err)
		}
		fds[i] = fd
		defer unix.Close(fd)
	}
	return nil
}

// shareFiles sees to it that the other members of the folder's group can go on
// with the files that Badger has begun since it last did: a new log, or a
// manifest written anew. What it cannot do is no concern of this transaction's.
func (s *Store) shareFiles() {
	_ = s.folder.Restrict(badger.ManifestFilename)
	if s.shared != s.wal.id && restrictFiles(s.folder) == nil {
		s.shared = s.wal.id
	}
}
