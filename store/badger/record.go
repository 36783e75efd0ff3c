package badger

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"coffer/store"
)

// Keys in Badger begin with a byte that says whose they are.
const (
	userKey = 'k'
	metaKey = 'm'
)

// floorKey holds the oldest revision that is kept. It is there from the first
// revision on, and so also tells our stores from other databases of Badger's.
var floorKey = []byte{metaKey, 'f'}

// nameKey holds the name of the newest transaction that has one. Its history
// is that of the store, and so tells of every revision which transaction it
// was.
var nameKey = []byte{metaKey, 't'}

// A record begins with the version of its format.
const (
	valueFormat = 1
	floorFormat = 1
	nameFormat  = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errRecord = errors.New("damaged record")

// appendValue appends what Badger stores for kv:
//
//	format, 1 byte
//	Create, uvarint
//	Version, uvarint
//	CRC-32C of key, Mod as 8 bytes, all of the above and the value; 4 bytes
//	Value
//
// Mod is Badger's own version of the entry.
func appendValue(b []byte, kv store.KV) []byte {
	start := len(b)
	b = append(b, valueFormat)
	b = binary.AppendUvarint(b, uint64(kv.Create))
	b = binary.AppendUvarint(b, uint64(kv.Version))
	b = binary.BigEndian.AppendUint32(b, checksum(kv.Key, kv.Mod, b[start:], kv.Value))
	return append(b, kv.Value...)
}

// parseValue is the inverse of appendValue, given key and Mod. The KV's Value
// lies in b.
func parseValue(b, key []byte, mod store.Rev) (store.KV, error) {
	rest, ok := cutFormat(b, valueFormat)
	create, rest, ok1 := cutRev(rest, ok)
	version, rest, ok2 := cutRev(rest, ok1)
	if !ok2 || len(rest) < 4 {
		return store.KV{}, errRecord
	}
	header := b[:len(b)-len(rest)]
	sum, value := binary.BigEndian.Uint32(rest), rest[4:]
	if sum != checksum(key, mod, header, value) {
		return store.KV{}, errRecord
	}
	return store.KV{Key: key, Value: value, Create: create, Mod: mod, Version: int64(version)}, nil
}

// appendFloor appends the record of floorKey: format, revision as uvarint,
// CRC-32C of both.
func appendFloor(b []byte, floor store.Rev) []byte {
	start := len(b)
	b = append(b, floorFormat)
	b = binary.AppendUvarint(b, uint64(floor))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func parseFloor(b []byte) (store.Rev, error) {
	rest, ok := cutFormat(b, floorFormat)
	floor, rest, ok := cutRev(rest, ok)
	if !ok || len(rest) != 4 ||
		binary.BigEndian.Uint32(rest) != crc32.Checksum(b[:len(b)-4], castagnoli) {
		return 0, errRecord
	}
	return floor, nil
}

// appendName appends the record of nameKey: format, name, CRC-32C of both.
func appendName(b []byte, id [16]byte) []byte {
	start := len(b)
	b = append(append(b, nameFormat), id[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func parseName(b []byte) (id [16]byte, err error) {
	rest, ok := cutFormat(b, nameFormat)
	if !ok || len(rest) != len(id)+4 ||
		binary.BigEndian.Uint32(rest[len(id):]) != crc32.Checksum(b[:len(b)-4], castagnoli) {
		return id, errRecord
	}
	copy(id[:], rest)
	return id, nil
}

func checksum(key []byte, mod store.Rev, header, value []byte) uint32 {
	sum := crc32.Checksum(key, castagnoli)
	sum = crc32.Update(sum, castagnoli, binary.BigEndian.AppendUint64(nil, uint64(mod)))
	sum = crc32.Update(sum, castagnoli, header)
	return crc32.Update(sum, castagnoli, value)
}

func cutFormat(b []byte, format byte) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != format {
		return nil, false
	}
	return b[1:], true
}

// cutRev cuts a uvarint that is no larger than a Rev off b, if ok.
func cutRev(b []byte, ok bool) (store.Rev, []byte, bool) {
	if !ok {
		return 0, nil, false
	}
	v, n := binary.Uvarint(b)
	if n <= 0 || int64(v) < 0 {
		return 0, nil, false
	}
	return store.Rev(v), b[n:], true
}
