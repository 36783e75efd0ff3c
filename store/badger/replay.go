package badger

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4/y"

	"coffer/store"
	"coffer/store/folder"
)

// A logged is what one of Badger's logs holds, as Badger will read it: it takes
// the first entry that it cannot read for the end, and cuts off what is behind.
// So the logs are read before it does that.
type logged struct {
	path        string
	id          int
	first, last store.Rev // 0 of a log without a whole transaction
	end         int64     // where the last whole transaction ends
}

// readLogs reads the logs in dir, oldest first.
func readLogs(dir string) ([]logged, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var logs []logged
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), walSuffix)
		id, err := strconv.Atoi(name)
		if !ok || err != nil {
			continue
		}
		l := logged{path: filepath.Join(dir, e.Name()), id: id}
		file, err := os.Open(l.path)
		if err != nil {
			return nil, folder.FileError(err)
		}
		err = l.read(file)
		file.Close()
		if err != nil {
			return nil, folder.FileError(err)
		}
		logs = append(logs, l)
	}
	slices.SortFunc(logs, func(a, b logged) int { return cmp.Compare(a.id, b.id) })
	return logs, nil
}

// Badger's format of a log: a header, then transactions. Each is its entries,
// marked inTxn, and one marked endsTxn, whose value is the revision in decimal.
// An entry is
//
//	meta, user meta, 1 byte each
//	length of key, length of value, expiry: uvarints
//	key, which ends with the revision; value
//	CRC-32C of all that, 4 bytes
const (
	logHeader = 20
	longest   = 1 << 16 // key
	inTxn     = 1 << 6
	endsTxn   = 1 << 7
)

// read reads a log to its end. An error is one of the device's.
func (l *logged) read(file io.Reader) error {
	in := logReader{in: bufio.NewReaderSize(file, 1<<16), sum: crc32.New(castagnoli)}
	if _, err := in.in.Discard(logHeader); err != nil {
		return notTheEnd(err)
	}
	in.at, l.end = logHeader, logHeader
	var current store.Rev // of the transaction that has begun
	for {
		e, err := in.entry()
		if err != nil {
			return notTheEnd(err)
		}
		switch {
		case e.meta&inTxn != 0:
			if current == 0 {
				current = e.rev
			}
			if current != e.rev {
				return nil
			}
		case e.meta&endsTxn != 0:
			if current == 0 || e.ends != current {
				return nil
			}
			if l.first == 0 {
				l.first = current
			}
			l.last, l.end, current = current, in.at, 0
		default: // we write nothing without a transaction
			return nil
		}
	}
}

// errLogEnd means that there is no further entry.
var errLogEnd = errors.New("end of the log")

// notTheEnd returns err unless it says that the log ends here, in whatever way.
func notTheEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errLogEnd) {
		return nil
	}
	return err
}

// A logEntry is what we want to know of an entry.
type logEntry struct {
	meta byte
	rev  store.Rev // in the key
	ends store.Rev // the value of an entry that ends a transaction
}

type logReader struct {
	in  *bufio.Reader
	sum hash.Hash32 // of the entry so far
	at  int64
	buf bytes.Buffer
}

// ReadByte is for the lengths.
func (r *logReader) ReadByte() (byte, error) {
	b, err := r.in.ReadByte()
	if err == nil {
		r.at++
		r.sum.Write([]byte{b})
	}
	return b, err
}

func (r *logReader) entry() (logEntry, error) {
	r.sum.Reset()
	var meta [2]byte
	var lengths [3]uint64
	var err error
	for i := range meta {
		if meta[i], err = r.ReadByte(); err != nil {
			return logEntry{}, err
		}
	}
	for i := range lengths {
		if lengths[i], err = binary.ReadUvarint(r); err != nil {
			return logEntry{}, errLogEnd
		}
	}
	e := logEntry{meta: meta[0]}
	// A transaction of ours is smaller than a log; zeros are where it has not
	// been written.
	if lengths[0] == 0 || lengths[0] > longest || lengths[1] > 2*memTableSize {
		return e, errLogEnd
	}
	key, err := r.bytes(lengths[0])
	if err != nil {
		return e, err
	}
	if len(key) > 8 {
		e.rev = store.Rev(y.ParseTs(key))
	}
	value, err := r.bytes(lengths[1])
	if err != nil {
		return e, err
	}
	if e.meta&endsTxn != 0 {
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return e, errLogEnd
		}
		e.ends = store.Rev(n)
	}
	want := r.sum.Sum32()
	sum, err := r.bytes(crc32.Size)
	if err == nil && binary.BigEndian.Uint32(sum) != want {
		err = errLogEnd
	}
	return e, err
}

// bytes reads so many bytes, but does not believe that there are so many before
// it has them. They are good until the next call.
func (r *logReader) bytes(n uint64) ([]byte, error) {
	r.buf.Reset()
	m, err := io.CopyN(&r.buf, r.in, int64(n))
	r.at += m
	r.sum.Write(r.buf.Bytes())
	return r.buf.Bytes(), err
}
