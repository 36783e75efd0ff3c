package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"syscall"

	"github.com/dgraph-io/badger/v4"

	"coffer/store"
)

// reasons are the system's errors that say more than that something failed.
var reasons = []struct {
	errno syscall.Errno
	is    error
}{
	{syscall.ENOSPC, store.ErrFull},
	{syscall.EDQUOT, store.ErrFull},
	{syscall.EROFS, store.ErrReadOnly},
	{syscall.EACCES, store.ErrReadOnly},
	{syscall.EPERM, store.ErrReadOnly},
	{syscall.ENOENT, store.ErrNotFound},
	{syscall.ENOTDIR, store.ErrNotFound},
	{syscall.EMFILE, store.ErrFailed},
	{syscall.ENFILE, store.ErrFailed},
	{syscall.ENOMEM, store.ErrFailed},
	{syscall.EIO, store.ErrFailed},
}

// fileError gives an error of a file operation, which names its path, its
// sentinel.
func fileError(err error) error {
	if err == nil {
		return nil
	}
	for _, r := range reasons {
		if errors.Is(err, r.errno) {
			return fmt.Errorf("%w: %w", r.is, err)
		}
	}
	return fmt.Errorf("%w: %w", store.ErrFailed, err)
}

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
	for _, r := range reasons {
		// A file that is missing from an existing folder is damage.
		if r.is != store.ErrNotFound && strings.Contains(text, r.errno.Error()) {
			is = r.is
			break
		}
	}
	return fmt.Errorf("%w: %s %s: %w", is, doing, s.dir, err)
}

// isMissing reports whether err says that a file does not exist.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// errorLog is Badger's logger: silent, but it remembers the last error, which
// is often the only trace of what goes wrong in the background.
type errorLog struct {
	mu  sync.Mutex
	err error
}

func (l *errorLog) last() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *errorLog) Errorf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = fmt.Errorf("badger: %s", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (*errorLog) Warningf(string, ...any) {}
func (*errorLog) Infof(string, ...any)    {}
func (*errorLog) Debugf(string, ...any)   {}
