package badger

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"coffer/store/folder"
)

// wal syncs the logs in which Badger keeps what it has not yet put into
// tables: files that are called by a number, 00001.mem, of which it writes
// the last.
//
// Badger could sync by itself, but would sync every transaction of a batch
// separately, and with each also its value log, which is not used here. Its
// files are written through a memory map; a sync of the file is a sync of
// the map.
type wal struct {
	dir  string
	id   int
	file *os.File // the last log as far as we know
	fill int      // at most so many bytes are in it
}

const (
	walSuffix  = ".mem"
	vlogSuffix = ".vlog"
)

// openWAL finds the log that Badger, just opened, writes. Should Badger ever
// keep its log elsewhere, this fails, and with it opening the store.
func openWAL(dir string) (*wal, error) {
	w := &wal{dir: dir}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), walSuffix)
		if id, err := strconv.Atoi(name); ok && err == nil {
			w.id = max(w.id, id)
		}
	}
	if w.file, err = w.open(w.id); err != nil {
		return nil, fmt.Errorf("badger's log is not where it should be: %w", err)
	}
	// The file was just made, and Badger does not sync the folder for it.
	return w, folder.Sync(dir)
}

func (w *wal) path(id int) string {
	return filepath.Join(w.dir, fmt.Sprintf("%05d%s", id, walSuffix))
}

func (w *wal) open(id int) (*os.File, error) { return os.OpenFile(w.path(id), os.O_RDWR, 0) }

// sync makes durable what Badger has written. Nobody writes meanwhile.
func (w *wal) sync() error {
	began := w.id
	for {
		// When a log is full, Badger goes on in the next, and what is at the
		// end of the full one may not have been synced.
		// Asking needs no descriptor, of which the host may have left none.
		if _, err := os.Stat(w.path(w.id + 1)); folder.IsMissing(err) {
			break
		}
		next, err := w.open(w.id + 1)
		if err != nil {
			return err
		}
		if err := unix.Fdatasync(int(w.file.Fd())); err != nil {
			next.Close()
			return err
		}
		w.file.Close()
		w.file, w.id, w.fill = next, w.id+1, 0
	}
	if err := unix.Fdatasync(int(w.file.Fd())); err != nil {
		return err
	}
	if w.id != began {
		return folder.Sync(w.dir)
	}
	return nil
}

// readyLogs makes the logs ready for Badger that an earlier process has left
// when it died. It may have died between writing a transaction and syncing
// it: whoever reads that now must not see it disappear with the next loss of
// power. And it may have died between making a file and giving it its size:
// Badger takes an empty file for a new one, and that for an error.
func readyLogs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != walSuffix && ext != vlogSuffix {
			continue
		}
		if err := readyLog(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// dropLogs removes logs in which nothing counts.
func dropLogs(logs []logged) error {
	for _, l := range logs {
		if err := os.Remove(l.path); err != nil {
			return err
		}
	}
	return nil
}

func readyLog(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return os.Remove(path)
	}
	if err := unix.Fdatasync(int(file.Fd())); err != nil {
		return &os.PathError{Op: "fdatasync", Path: path, Err: err}
	}
	return nil
}

func (w *wal) close() { w.file.Close() }
