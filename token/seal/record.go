package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math"

	"coffer/p11"
	"coffer/token/locked"
)

// A Header is what a record says of the object that it holds. Token and
// Object are not stored: whoever reads says which object it asked for, and
// the seal says whether that is the one it got.
type Header struct {
	Token      TokenID
	Object     ObjectID
	Class      uint32 // CKA_CLASS
	Generation uint64 // counts the object's changes
}

// A record:
//
//	version 1 | 'O' | flags | 0 | class 4 | generation 8 | len public 4 | salt 32 | public |
//	nonce 12 | encrypted secret | tag 16     if sealed
//	checksum 16                              if plain
//
// Numbers are big-endian; the salt of a plain record is zero. The associated
// data is the token, the object and all that stands before the nonce.
const (
	recordVersion = 1

	recordSaltAt = 20
	publicAt     = recordSaltAt + 32
	checksumSize = 16
)

// Flags. Exactly one is set.
const (
	flagSealed = 1 << iota
	flagPlain
)

var (
	recordLabel   = []byte("coffer seal v1 record")
	checksumLabel = []byte("coffer seal v1 checksum")
)

// Seal returns a record that holds public as it is and secret encrypted, and
// that authenticates both and h. An empty secret is sealed too, for the sake
// of the public part. Seal keeps neither slice.
func (m *Master) Seal(h Header, public, secret []byte) ([]byte, error) {
	key, err := m.hold(objectsKey)
	if err != nil {
		return nil, err
	}
	defer m.release()
	if uint64(len(secret)) > math.MaxUint32 {
		return nil, p11.Errorf(p11.CKR_DEVICE_MEMORY, "object %v: secret part of %d bytes", h.Object, len(secret))
	}
	// The ids stand before the record, so that the associated data is one run.
	buf, err := appendPrefix(h, flagSealed, public, len(secret)+overhead)
	if err != nil {
		return nil, err
	}
	rec := buf[idsSize:]
	salt := rec[recordSaltAt:publicAt]
	rand.Read(salt)

	var k [keySize]byte
	derive(&k, key, salt, recordLabel, h.Token[:], h.Object[:])
	aead := newGCM(&k)
	clear(k[:])
	return aead.Seal(rec, nil, secret, buf), nil
}

// Open returns what Seal was given. It returns CKR_DEVICE_ERROR for a record
// that is malformed, altered, cut, plain, of another object or token, or
// sealed under another master key. An older record of the same object is
// whole, and opens: the caller compares the generation.
//
// public is a part of record. The caller wipes secret, which is never nil.
func (m *Master) Open(token TokenID, object ObjectID, record []byte) (h Header, public []byte, secret *locked.Secret, err error) {
	key, err := m.hold(objectsKey)
	if err != nil {
		return Header{}, nil, nil, err
	}
	defer m.release()
	h, flags, body, err := parseRecord(token, object, record)
	if err != nil {
		return Header{}, nil, nil, err
	}
	if flags != flagSealed {
		return Header{}, nil, nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "record of object %v is not sealed", object)
	}
	prefix, sealed := record[:body], record[body:]

	var k [keySize]byte
	derive(&k, key, record[recordSaltAt:publicAt], recordLabel, token[:], object[:])
	aead := newGCM(&k)
	clear(k[:])
	aad := make([]byte, 0, idsSize+body)
	aad = append(append(append(aad, token[:]...), object[:]...), prefix...)
	secret, err = locked.New(len(sealed) - overhead)
	if err != nil {
		return Header{}, nil, nil, err
	}
	if _, err := aead.Open(secret.Bytes()[:0], nil, sealed, aad); err != nil {
		secret.Wipe()
		return Header{}, nil, nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "record of object %v of token %v was altered, moved or sealed under another key", object, token)
	}
	return h, record[publicAt:body:body], secret, nil
}

// Plain returns a record of a public object, written while nobody is logged
// in and the master key is closed. It has a checksum, for accidents; it is
// not protected from anybody who can write to the store.
func Plain(h Header, public []byte) ([]byte, error) {
	buf, err := appendPrefix(h, flagPlain, public, checksumSize)
	if err != nil {
		return nil, err
	}
	sum := checksum(buf)
	return append(buf[idsSize:], sum[:]...), nil
}

// ReadPublic returns the header and the public part of a record without the
// master key. If sealed is true, they are what the store says, and only Open
// tells whether the store says the truth; if it is false, the record is
// Plain's, there is no more to it, and its checksum is right. Whoever can
// write to the store can replace a sealed record by a plain one: the caller
// refuses a plain record where it expects a secret or a private object.
//
// public is a part of record.
func ReadPublic(token TokenID, object ObjectID, record []byte) (h Header, public []byte, sealed bool, err error) {
	h, flags, body, err := parseRecord(token, object, record)
	if err != nil {
		return Header{}, nil, false, err
	}
	if flags == flagPlain {
		buf := make([]byte, 0, idsSize+body)
		buf = append(append(append(buf, token[:]...), object[:]...), record[:body]...)
		sum := checksum(buf)
		if subtle.ConstantTimeCompare(sum[:], record[body:]) != 1 {
			return Header{}, nil, false, p11.Errorf(p11.CKR_DEVICE_ERROR, "record of object %v of token %v has a wrong checksum", object, token)
		}
	}
	return h, record[publicAt:body:body], flags == flagSealed, nil
}

// idsSize is the length of the token's and the object's id.
const idsSize = 32

// appendPrefix returns the ids and a record up to its body, with a zero salt
// and room for the body.
func appendPrefix(h Header, flags byte, public []byte, body int) ([]byte, error) {
	if uint64(len(public)) > math.MaxUint32 {
		return nil, p11.Errorf(p11.CKR_DEVICE_MEMORY, "object %v: public part of %d bytes", h.Object, len(public))
	}
	b := make([]byte, idsSize+publicAt, idsSize+publicAt+len(public)+body)
	copy(b, h.Token[:])
	copy(b[len(h.Token):], h.Object[:])
	rec := b[idsSize:]
	rec[0], rec[1], rec[2] = recordVersion, kindRecord, flags
	binary.BigEndian.PutUint32(rec[4:], h.Class)
	binary.BigEndian.PutUint64(rec[8:], h.Generation)
	binary.BigEndian.PutUint32(rec[16:], uint32(len(public)))
	return append(b, public...), nil
}

// parseRecord checks the shape of a record and returns where its body begins.
func parseRecord(token TokenID, object ObjectID, rec []byte) (h Header, flags byte, body int, err error) {
	bad := func(format string, args ...any) (Header, byte, int, error) {
		return Header{}, 0, 0, p11.Errorf(p11.CKR_DEVICE_ERROR, "record of object %v: "+format, append([]any{object}, args...)...)
	}
	if len(rec) < publicAt {
		return bad("%d bytes are not a record", len(rec))
	}
	if rec[1] != kindRecord {
		return bad("not an object's record")
	}
	if rec[0] != recordVersion {
		return bad("format %d, this build reads %d", rec[0], recordVersion)
	}
	public := uint64(binary.BigEndian.Uint32(rec[16:]))
	if public > uint64(len(rec)-publicAt) {
		return bad("cut short")
	}
	body = publicAt + int(public)
	tail := len(rec) - body
	switch flags = rec[2]; {
	case rec[3] != 0 || flags != flagSealed && flags != flagPlain:
		return bad("unknown flags %#02x%02x", rec[2], rec[3])
	case flags == flagSealed && tail < overhead, flags == flagPlain && tail < checksumSize:
		return bad("cut short")
	case flags == flagPlain && tail > checksumSize:
		return bad("%d bytes too many", tail-checksumSize)
	}
	return Header{
		Token:      token,
		Object:     object,
		Class:      binary.BigEndian.Uint32(rec[4:]),
		Generation: binary.BigEndian.Uint64(rec[8:]),
	}, flags, body, nil
}

func checksum(idsAndPrefix []byte) (sum [checksumSize]byte) {
	h := sha256.New()
	h.Write(checksumLabel)
	h.Write(idsAndPrefix)
	var full [sha256.Size]byte
	h.Sum(full[:0])
	copy(sum[:], full[:])
	return sum
}
