package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"coffer/store"
	"coffer/store/folder"
)

// Repair makes a store usable again that is refused because something in it is
// gone. What can be found is kept: a manifest is made anew from the tables that
// are there. It takes nothing away: before it changes anything it copies the
// whole store into a folder in the store. It returns what it did, one sentence
// each, and nothing if there was nothing to do.
//
// The caller has taken the folder's lock; opt is as for OpenIn.
func Repair(f *folder.Folder, opt Options, now time.Time) (did []string, err error) {
	r := repair{dir: f.Path(), mark: opt.Mark}
	if err := r.examine(); err != nil || len(r.steps) == 0 {
		return nil, err
	}
	aside, err := copyAside(f, now)
	if err != nil {
		return nil, err
	}
	for _, s := range r.steps {
		if s.do != nil {
			if err := s.do(); err != nil {
				return did, folder.FileError(err)
			}
		}
		did = append(did, s.sentence)
	}
	opt.accept = true
	s, err := OpenIn(f, opt, func() {})
	if err != nil {
		return did, err
	}
	// Closing puts the logs into tables, where a gap is none any more.
	if err := s.Close(); err != nil {
		return did, err
	}
	return append(did, "the store as it was is in "+aside), nil
}

// A repair is what is to be done to a store that nobody has open.
type repair struct {
	dir   string
	mark  *Mark
	steps []step
}

type step struct {
	sentence string
	do       func() error // nil if opening the store does it
}

func (r *repair) add(do func() error, format string, args ...any) {
	r.steps = append(r.steps, step{fmt.Sprintf(format, args...), do})
}

func (r *repair) examine() error {
	if err := r.examineTables(); err != nil {
		return err
	}
	headers, err := wrongHeaders(r.dir)
	if err != nil {
		return err
	}
	for _, path := range headers {
		r.add(func() error { return zeroHeader(path) }, "%s: its header was damaged", path)
	}
	// It lists keys, of which we use none.
	registry := filepath.Join(r.dir, badger.KeyRegistryFileName)
	k, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{Dir: r.dir, ReadOnly: true})
	if err == nil {
		return k.Close()
	}
	if _, serr := os.Stat(registry); serr == nil {
		r.add(func() error { return os.Remove(registry) }, "%s was damaged, and is made anew: %v", registry, err)
	}
	return nil
}

// examineTables finds out which tables there are, and what is lost still.
func (r *repair) examineTables() error {
	path := filepath.Join(r.dir, badger.ManifestFilename)
	h := holdings{manifest: path}
	m, merr := readManifest(path)
	if merr != nil && !errors.Is(merr, store.ErrCorrupt) && !folder.IsMissing(merr) {
		return merr
	}
	levels := map[uint64]uint8{}
	for id, t := range m.Tables {
		newest, err := examineTable(table.NewFilename(id, r.dir))
		switch {
		case err == nil:
			levels[id] = t.Level
			h.tables = max(h.tables, newest)
		case errors.Is(err, store.ErrCorrupt):
			r.add(nil, "left out, and with it what it held: %v", err)
		default:
			return err
		}
	}
	var err error
	if h.logs, err = readLogs(r.dir); err != nil {
		return err
	}
	changed := len(r.steps) > 0
	if _, _, loss := h.account(r.mark); merr != nil || changed || loss != nil {
		found, err := r.orphans(levels)
		if err != nil {
			return err
		}
		for id, newest := range found {
			levels[id], h.tables = 0, max(h.tables, newest)
		}
		changed = changed || merr != nil && len(levels) > 0 || len(found) > 0
		if len(found) > 0 {
			r.add(nil, "%d tables that it did not name were found again", len(found))
		}
	}
	if changed {
		r.add(func() error { return writeManifest(r.dir, levels) }, "%s is made anew", path)
	}
	if _, _, loss := h.account(r.mark); loss != nil {
		r.add(nil, "revisions %d to %d are lost, with what they changed", loss.From, loss.To)
	}
	return nil
}

// orphans returns the whole tables in the folder that are not known, each with
// its newest revision.
func (r *repair) orphans(known map[uint64]uint8) (map[uint64]store.Rev, error) {
	paths, err := filepath.Glob(filepath.Join(r.dir, "*.sst"))
	if err != nil {
		return nil, err
	}
	found := map[uint64]store.Rev{}
	for _, path := range paths {
		id, ok := table.ParseFileID(path)
		if _, is := known[id]; is || !ok {
			continue
		}
		err := withTable(path, func(t *table.Table) error {
			err := t.VerifyChecksum()
			if err == nil {
				found[id] = store.Rev(t.MaxVersion())
			}
			return err
		})
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			return nil, err
		}
	}
	return found, nil
}

// keyInHeader is how long the part of a log's header is that names the key it
// is encrypted with, which is none.
const keyInHeader = 8

// wrongHeaders returns the logs that claim to be encrypted.
func wrongHeaders(dir string) ([]string, error) {
	var wrong []string
	for _, pattern := range []string{"*" + walSuffix, "*" + vlogSuffix} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			file, err := os.Open(path)
			if err != nil {
				return nil, folder.FileError(err)
			}
			var key [keyInHeader]byte
			_, err = io.ReadFull(file, key[:])
			file.Close()
			if err == nil && binary.BigEndian.Uint64(key[:]) != 0 {
				wrong = append(wrong, path)
			}
		}
	}
	return wrong, nil
}

func zeroHeader(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(make([]byte, keyInHeader), 0)
	return errors.Join(err, file.Sync(), file.Close())
}

// copyAside copies all files of the store into a new folder in it.
func copyAside(f *folder.Folder, now time.Time) (string, error) {
	entries, err := os.ReadDir(f.Path())
	if err != nil {
		return "", folder.FileError(err)
	}
	aside := filepath.Join(f.Path(), "damaged-"+now.UTC().Format("20060102T150405Z"))
	if err := os.Mkdir(aside, 0o700); err != nil {
		return "", folder.FileError(err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == ballastFile {
			continue
		}
		if err := copyFile(filepath.Join(f.Path(), e.Name()), filepath.Join(aside, e.Name())); err != nil {
			os.RemoveAll(aside)
			return "", fmt.Errorf("keeping a copy of the store: %w", folder.FileError(err))
		}
	}
	return aside, folder.FileError(errors.Join(folder.Sync(aside), folder.Sync(f.Path())))
}

// copyFile copies a file and makes it durable. Logs are mostly holes, which
// stay such.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	info, err := in.Stat()
	block, zeros := make([]byte, 1<<16), make([]byte, 1<<16)
	for at := int64(0); err == nil; {
		var n int
		n, err = io.ReadFull(in, block)
		if !bytes.Equal(block[:n], zeros[:n]) {
			if _, werr := out.WriteAt(block[:n], at); werr != nil {
				err = werr
			}
		}
		at += int64(n)
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = out.Truncate(info.Size())
	}
	return errors.Join(err, out.Sync(), out.Close())
}

// Verify reads all tables of the store in dir and returns what is wrong with
// them, one sentence each. It needs no lock: tables do not change, and one that
// is merged into another meanwhile is left out.
func Verify(dir string) (problems []string, err error) {
	manifest := filepath.Join(dir, badger.ManifestFilename)
	before, err := readManifest(manifest)
	if folder.IsMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for id := range before.Tables {
		bad := withTable(table.NewFilename(id, dir), (*table.Table).VerifyChecksum)
		if bad == nil {
			continue
		}
		after, err := readManifest(manifest)
		if err != nil {
			return nil, err
		}
		if _, ok := after.Tables[id]; !ok {
			continue
		}
		if !errors.Is(bad, store.ErrCorrupt) {
			return nil, bad
		}
		problems = append(problems, fmt.Sprintf("%v; what it holds may be missing without another sign", bad))
	}
	return problems, nil
}
