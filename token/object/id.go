package object

import (
	"encoding/hex"
	"fmt"
	"io"

	"coffer/p11"
)

// An ID is the identity of an object on its token: 128 random bits.
type ID [16]byte

// NewID returns an ID from random.
func NewID(random io.Reader) (ID, error) {
	var id ID
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return id, p11.Errorf(p11.CKR_FUNCTION_FAILED, "making an object's ID: %w", err)
	}
	return id, nil
}

// ParseID reads a CKA_UNIQUE_ID, so that a search for one is a lookup. It
// reports false for what String never writes: such an object does not exist.
func ParseID(raw []byte) (ID, bool) {
	var id ID
	if len(raw) != hex.EncodedLen(len(id)) {
		return id, false
	}
	if _, err := hex.Decode(id[:], raw); err != nil || id.String() != string(raw) {
		return ID{}, false
	}
	return id, true
}

// String returns the CKA_UNIQUE_ID of the object: 32 lower-case hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Format writes String for every verb.
func (id ID) Format(f fmt.State, _ rune) { io.WriteString(f, id.String()) }
