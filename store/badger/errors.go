package badger

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"coffer/store"
	"coffer/store/folder"
)

// translate makes an error of Badger's ours. Badger formats most errors into
// the next and drops their identity, so the system's are found by their text.
// What is left is, in opening, a folder that makes no sense to Badger.
func (s *Store) translate(doing string, err error) error {
	if err == nil {
		return nil
	}
	is := store.ErrFailed
	if doing == "opening" {
		is = store.ErrCorrupt
	}
	if errors.Is(err, badger.ErrDBClosed) || errors.Is(err, badger.ErrBlockedWrites) {
		is = store.ErrClosed
	}
	text := err.Error()
	for _, r := range folder.Reasons {
		// A file that is missing from an existing folder is damage.
		if r.Is != store.ErrNotFound && strings.Contains(text, r.Errno.Error()) {
			is = r.Is
			break
		}
	}
	return fmt.Errorf("%w: %s %s: %w", is, doing, s.dir, err)
}

// errorLog is Badger's logger: silent, but it remembers the last error, which
// is often the only trace of what goes wrong in the background.
type errorLog struct {
	merge   *merge      // which listens, if it is not nil
	closing atomic.Bool // the database is being closed
	mu      sync.Mutex
	err     error
}

func (l *errorLog) last() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// saysNotFlushed is what Badger says when it could not make a table of a log. It
// tries again for ever, also if it is to close.
const saysNotFlushed = "error flushing memtable to disk"

func (l *errorLog) Errorf(format string, args ...any) {
	l.mu.Lock()
	l.err = fmt.Errorf("badger: %s", strings.TrimSpace(fmt.Sprintf(format, args...)))
	l.mu.Unlock()
	if l.closing.Load() && strings.HasPrefix(format, saysNotFlushed) {
		runtime.Goexit() // which closing waits for; what is in the log stays there
	}
}

func (l *errorLog) Warningf(format string, args ...any) { l.merge.heard(format, args...) }
func (*errorLog) Infof(string, ...any)                  {}
func (l *errorLog) Debugf(format string, args ...any)   { l.merge.heard(format, args...) }
