package seal

import (
	"crypto/sha256"
	"encoding/binary"
)

// A Term is an entry of the search index: it stands for one value of one
// attribute. Equal values have equal terms. Unequal ones that meet would need
// 2^64 tries, which somebody may make for public terms: a searcher compares
// the attribute itself before it believes the index.
type Term [16]byte

// PrivateTerm returns the term of a private object's attribute,
// HMAC-SHA256(index key, attribute ‖ length ‖ value) cut to 128 bits. Without
// the master key it can be neither made nor tested with guesses; that two
// objects have an equal value shows.
func (m *Master) PrivateTerm(attr uint64, value []byte) (Term, error) {
	key, err := m.hold(indexKey)
	if err != nil {
		return Term{}, err
	}
	defer m.release()
	var sum [sha256.Size]byte
	head := termHead(attr, value)
	hmac256(&sum, key, head[:], value)
	return Term(sum[:16]), nil
}

const publicTermLabel = "coffer seal v1 public term"

// PublicTerm returns the term of a public object's attribute. It needs no
// key, and hides nothing: the attribute stands in the record to be read.
func PublicTerm(token TokenID, attr uint64, value []byte) Term {
	var sum [sha256.Size]byte
	head := termHead(attr, value)
	h := sha256.New()
	h.Write([]byte(publicTermLabel))
	h.Write(token[:])
	h.Write(head[:])
	h.Write(value)
	h.Sum(sum[:0])
	return Term(sum[:16])
}

func termHead(attr uint64, value []byte) (head [16]byte) {
	binary.BigEndian.PutUint64(head[:], attr)
	binary.BigEndian.PutUint64(head[8:], uint64(len(value)))
	return head
}
