// Package badger is the store on a local disk: one folder, opened by one
// process at a time, over github.com/dgraph-io/badger/v4.
//
// # Design
//
// Badger in managed mode is the contract almost as it stands. A revision is a
// commit timestamp, so that reading at a revision is a transaction at that
// timestamp, history is the versions that Badger keeps anyway, and Compact
// raises the timestamp below which it may discard them. What Badger does not
// know, the revision that made a key and how often it was written, stands in
// a small header before each value (record.go), with a checksum: Badger's own
// would turn a damaged block into keys that are silently missing.
//
// Writers queue, and whoever finds no one at work carries out all that is
// queued (txn.go): each transaction is evaluated on top of the ones before
// it, given the next revision and handed to Badger, and one sync of Badger's
// log makes them all durable (wal.go). Revisions are dense, and become
// visible in order and only when they are durable.
//
// By itself the store keeps the last Options.History revisions. What is older
// can be discarded and is ErrCompacted, also for a watch that has fallen
// behind so far. The oldest revision kept stands in the store, so that it is
// as true after opening it anew, with other options (compact.go).
//
// # A library inside somebody else's program
//
// Badger is written for servers. Here it must not print, exit, or panic
// through its host. Its logger is replaced by one that remembers the last
// error; its calls of log.Fatal are intercepted and its panics recovered
// (fatal.go), and the store says ErrFailed from then on. Tables are examined
// before Badger opens them, because it does that in goroutines of its own,
// where no panic can be recovered (folder.go).
//
// Badger writes through memory maps of sparse files, where a full disk is a
// fault and not an error. So a transaction is refused with ErrFull while the
// file system has less than Options.Reserve left, enough for all that can be
// in flight, and so is opening the store. For a disk that another program fills
// within the moments that a flush or a compaction takes, there is a file to give
// up (ballast.go), if there is somebody to do that: a handler of SIGBUS.
//
// Values are never so large that Badger puts them in its value log (a
// transaction is limited to store.MaxBytes), so there is none to collect and
// none to sync.
package badger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"coffer/store"
	"coffer/store/folder"
)

// Options are the choices of a store's user. The zero value is good.
type Options struct {
	// Wait is how long Open waits for whoever has the store open: 0 is two
	// seconds, negative is not at all.
	Wait time.Duration
	// History is how many revisions are kept without being told to compact;
	// the store may keep some more. 0 is 10 000.
	History int
	// Newest, if not nil, is where the store keeps its newest revision, for
	// others to see as Store.Newest does. It may be in memory that is shared
	// with other processes, and must stay there as long as the store.
	Newest *atomic.Int64
	// Mark, if not nil, is where the store keeps account of what it has
	// acknowledged, and compares it with what is there when it is opened. It
	// is to be in memory that is a file's.
	Mark *Mark
	// accept says that the store is opened although something is lost.
	accept bool
	// Group is folder.Options.Group.
	Group int
	// Ballast, if not nil, is told of the descriptor of a file that may be cut
	// to nothing, at any time and by anyone, when a page of a memory map has no
	// block on a full disk; and when that must not be done any more.
	Ballast func(fd int, held bool)
	// Reserve is how many bytes must be free on the file system for a
	// transaction to be carried out; half of it must be to open the store and
	// to close it. 0 is 32 MiB. Less is a risk: see the package comment.
	Reserve int64
}

func (o Options) withDefaults() Options {
	if o.Wait == 0 {
		o.Wait = 2 * time.Second
	}
	if o.History <= 0 {
		o.History = 10_000
	}
	if o.Reserve <= 0 {
		o.Reserve = 32 << 20
	}
	return o
}

// Store is an opened store. It implements store.Backend.
type Store struct {
	dir     string
	opt     Options
	db      *badger.DB
	folder  *folder.Folder
	release func() // gives the lock of the folder up
	log     *errorLog
	unwatch func() // ends watchMerges
	wal     *wal
	line    timeline

	// inside is held for reading by every call that uses db, and for writing
	// to close it.
	inside sync.RWMutex
	once   sync.Once
	done   chan struct{} // closed when Close begins
	closed error         // what Close returned

	ballast   int // descriptor, or -1; guarded by turn
	noBallast bool

	queue  queue
	turn   chan struct{} // holds a token while somebody writes
	wrote  bool          // guarded by turn
	shared int           // the log whose mode was seen to; guarded by turn
	broken atomic.Pointer[error]
}

var _ store.Once = (*Store)(nil)

// Open opens the store in the folder dir, and makes the folder if only it is
// missing, accessible to its owner alone.
//
// The error wraps ErrNotFound if there is no folder to make dir in, ErrLocked
// if it is in use, ErrReadOnly if it may not be written, ErrFull, ErrCorrupt,
// or ErrFailed for anything else. Each names the path.
func Open(dir string, opt Options) (*Store, error) {
	f, err := folder.Open(dir, folder.Options{Group: opt.Group})
	if err != nil {
		return nil, err
	}
	opt = opt.withDefaults()
	if err := wait(f, opt.Wait); err != nil {
		f.Close()
		return nil, err
	}
	return OpenIn(f, opt, f.Close)
}

// OpenIn opens the store in a folder of which the caller has taken the lock.
// release gives the lock up. It is called when the store is closed, or could
// not be opened; but not if something goes on that may still write.
func OpenIn(f *folder.Folder, opt Options, release func()) (*Store, error) {
	s := &Store{
		dir:     f.Path(),
		opt:     opt.withDefaults(),
		folder:  f,
		release: release,
		log:     new(errorLog),
		done:    make(chan struct{}),
		turn:    make(chan struct{}, 1),
		ballast: -1,
	}
	if err := s.open(); err != nil {
		// A panic has left goroutines behind that may still write; nobody
		// may open the folder while they live.
		if !errors.As(err, new(*panicked)) {
			release()
		}
		return nil, err
	}
	return s, nil
}

// The first try after the first is soon: a command that writes one thing
// holds the lock for some milliseconds.
const (
	firstPause = 2 * time.Millisecond
	maxPause   = 50 * time.Millisecond
)

// wait takes the lock of f and waits for it for some time.
func wait(f *folder.Folder, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := f.Lock()
		left := time.Until(deadline)
		if err == nil || !errors.Is(err, store.ErrLocked) || left <= 0 {
			return err
		}
		time.Sleep(min(pause, left))
	}
}

func (s *Store) open() (err error) {
	interceptFatal()
	defer s.guard(&err)
	defer faults()()
	removeBallast(s.folder)
	if err := errors.Join(s.failed(), s.room(s.opt.Reserve/2)); err != nil {
		return err
	}
	h, err := examine(s.dir)
	if err != nil {
		return err
	}
	count, newest, loss := h.account(s.opt.Mark)
	if loss != nil && !s.opt.accept {
		return loss
	}
	if err := errors.Join(dropLogs(h.logs[count:]), readyLogs(s.dir)); err != nil {
		return folder.FileError(err)
	}
	s.log.merge, s.unwatch = watchMerges(s.dir, h, s.fail)
	defer func() {
		if err != nil {
			s.unwatch()
		}
	}()
	s.db, err = badger.OpenManaged(options(s.dir, s.log, h.levelZero))
	if err != nil {
		return s.translate("opening", err)
	}
	defer func() {
		if err != nil {
			if s.wal != nil {
				s.wal.close()
			}
			s.db.Close()
		}
	}()
	// Badger leaves a table out whose index is damaged, and only logs it.
	if err := s.log.last(); err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrCorrupt, s.dir, err)
	}
	if s.wal, err = openWAL(s.dir); err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrFailed, s.dir, err)
	}
	if has := store.Rev(s.db.MaxVersion()); has != newest {
		return fmt.Errorf("%w: %s: the newest revision should be %d, and is %d", store.ErrCorrupt, s.dir, newest, has)
	}
	floor, err := s.readFloor(newest)
	if lost := errors.Is(err, errNoFloor) && s.opt.accept; err != nil && !lost {
		return err
	} else if lost {
		s.line.init(newest, 0, s.opt)
		if err := s.compact(newest); err != nil {
			return err
		}
		floor = newest
	}
	s.line.init(newest, floor, s.opt)
	s.db.SetDiscardTs(uint64(floor))
	return restrictFiles(s.folder)
}

const memTableSize = 7 << 20

// options are chosen for a store that costs its host little: it opens in a
// few milliseconds and a few megabytes, whatever it holds.
func options(dir string, log badger.Logger, levelZero int) badger.Options {
	o := badger.DefaultOptions(dir)
	o.MetricsEnabled = false
	o.Logger = log
	o.BypassLockGuard = true // see package folder
	o.DetectConflicts = false
	// The wal syncs, once for a batch.
	o.SyncWrites = false

	// Badger takes transactions up to 15% of a memtable, which must exceed
	// store.MaxBytes, and no more entries than nodes of 96 bytes fit there.
	o.MemTableSize = memTableSize
	o.NumMemtables = 2
	// Larger than any value of a transaction of store.MaxBytes.
	o.ValueThreshold = 1 << 20
	// Nothing is in it; Badger maps twice this.
	o.ValueLogFileSize = 1 << 20
	o.BaseTableSize = 2 << 20
	o.BlockCacheSize = 0
	o.IndexCacheSize = 0
	o.Compression = 0

	// Every opening that writes leaves a table in level 0. A stall blocks
	// closing, so it comes late; and tables that short lives without a
	// compaction have piled up are compacted in closing.
	o.NumCompactors = compactors
	o.NumLevelZeroTables = 2
	o.NumLevelZeroTablesStall = 12
	o.CompactL0OnClose = levelZero >= 4
	o.NumGoroutines = 1

	// Above the discard timestamp all versions are kept, below it the last.
	o.NumVersionsToKeep = 1
	return o
}

// enter begins a call that uses the database; leave ends it. Between the two
// the store is not closed. Nobody may enter twice.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.inside.RLock()
	select {
	case <-s.done:
		s.inside.RUnlock()
		return store.ErrClosed
	default:
		return nil
	}
}

func (s *Store) leave() { s.inside.RUnlock() }

// interrupted returns why a long read must not go on, if it must not.
func (s *Store) interrupted(ctx context.Context) error {
	select {
	case <-s.done:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}

// Done implements store.History.
func (s *Store) Done() <-chan struct{} { return s.done }

// closeTimeout is how long Close waits for Badger. Everything acknowledged is
// in its log; what Badger does in closing saves only the next opening time.
const closeTimeout = 10 * time.Second

// Close implements store.Backend. If Badger cannot finish, because the disk
// is full or does not answer, Close returns an error and the folder stays
// locked until the process ends; nothing acknowledged is lost.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.done)
		s.inside.Lock()
		//lint:ignore SA2001 the lock is taken to wait for the calls inside, which see done and leave
		s.inside.Unlock()
		s.closed = s.close()
	})
	return s.closed
}

func (s *Store) close() error {
	s.wal.close()
	if err := s.failed(); errors.As(err, new(*panicked)) {
		return err
	}
	if s.wrote {
		if err := s.room(s.opt.Reserve / 2); err != nil {
			return err
		}
	}
	finished := make(chan error, 1)
	go func() {
		err := s.closeDB()
		if !errors.As(err, new(*panicked)) {
			s.release()
		}
		finished <- err
	}()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case err := <-finished:
		return err
	case <-timer.C:
		return fmt.Errorf("%w: closing %s takes too long: %w", store.ErrFailed, s.dir, s.log.last())
	}
}

func (s *Store) closeDB() (err error) {
	defer s.guard(&err)
	defer s.unwatch()
	defer s.dropBallast()
	was := s.log.last()
	s.log.closing.Store(true)
	err = s.translate("closing", s.db.Close())
	if now := s.log.last(); err == nil && now != was {
		err = s.translate("closing", now)
	}
	return errors.Join(err, restrictFiles(s.folder))
}

// Watch implements store.Backend.
func (s *Store) Watch(ctx context.Context, span store.Span, from store.Rev) iter.Seq2[[]store.Event, error] {
	return func(yield func([]store.Event, error) bool) {
		s.line.addWatcher()
		defer s.line.removeWatcher()
		store.Follow(ctx, s, span, from)(yield)
	}
}
