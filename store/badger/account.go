package badger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"sync/atomic"

	"coffer/store"
)

// # What was acknowledged
//
// Badger does not miss what a damaged file no longer shows: it takes the first
// entry of its log that it cannot read for the end of the log, and a manifest
// that ends early for a shorter one, and removes the rest. So the store keeps
// account of the newest revision that it has acknowledged, in a place that
// outlives the process (Options.Mark). It is written when the revision is
// durable, and never before, so that whatever a loss of power leaves of it is
// never ahead of what is there. Since every revision leaves a trace and they
// are dense, one number tells whether anything is missing: the tables hold all
// up to some revision, the logs all from there on, and together they must reach
// what was acknowledged.

// A Mark is the newest revision that was acknowledged, with a checksum, in one
// word. 0 is none.
type Mark struct{ word atomic.Uint64 }

// markBits are the bits of the checksum.
const markBits = 16

func markSum(rev store.Rev) uint64 {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(rev))
	return uint64(crc32.Checksum(b[:], castagnoli) >> (32 - markBits))
}

// Set makes rev the newest.
func (m *Mark) Set(rev store.Rev) { m.word.Store(uint64(rev)<<markBits | markSum(rev)) }

// Get returns the newest. known is false if it was never set, or damaged.
func (m *Mark) Get() (rev store.Rev, known bool) {
	w := m.word.Load()
	rev = store.Rev(w >> markBits)
	return rev, w != 0 && w&(1<<markBits-1) == markSum(rev)
}

// A Loss is an ErrCorrupt: revisions that were acknowledged are not there. The
// store is refused until Repair accepts that.
type Loss struct {
	From, To store.Rev // those that are missing
	File     string    // where they should be
	At       int64     // where it ends, if it is a log
}

func (l *Loss) Error() string {
	where := l.File + " does not tell of them"
	if l.At > 0 {
		where = fmt.Sprintf("%s cannot be read from byte %d on", l.File, l.At)
	}
	return fmt.Sprintf("%v: revisions %d to %d, which were acknowledged, are lost: %s; "+
		"restore a backup, or go on without them by coffer store repair", store.ErrCorrupt, l.From, l.To, where)
}

// Is makes it an ErrCorrupt.
func (*Loss) Is(target error) bool { return target == store.ErrCorrupt }

// holdings are what is in a folder before Badger opens it.
type holdings struct {
	levels    map[uint64]uint8 // of each table
	levelZero int              // how many tables there are in level 0
	tables    store.Rev        // the newest revision in a table
	manifest  string
	file      os.FileInfo // of the manifest, nil if there is none
	size      int64       // of what is whole in it
	logs      []logged
}

// account compares what is there with what was acknowledged. It returns how
// many of the logs count, and the newest revision in what counts. Logs after a
// gap hold nothing that was acknowledged, and must go, unless there is a loss: a
// loss of power can leave the beginning of a log whose predecessor was not
// written to its end.
func (h holdings) account(mark *Mark) (count int, newest store.Rev, loss *Loss) {
	acknowledged, known := store.Rev(0), false
	if mark != nil {
		acknowledged, known = mark.Get()
	}
	newest = h.tables
	file, end := h.manifest, int64(0)
	for i, l := range h.logs {
		if gap := l.first > newest+1; gap && known && acknowledged <= newest {
			return i, newest, nil
		} else if gap && loss == nil {
			loss = &Loss{From: newest + 1, To: l.first - 1, File: file, At: end}
		}
		newest = max(newest, l.last)
		if l.last > 0 || end == 0 { // a log after a damaged one has just been begun
			file, end = l.path, max(l.end, 1)
		}
	}
	if known && acknowledged > newest && loss == nil {
		loss = &Loss{From: newest + 1, To: acknowledged, File: file, At: end}
	}
	return len(h.logs), newest, loss
}
