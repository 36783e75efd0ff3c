package seal

import (
	"encoding/hex"
	"fmt"
)

// TokenID names a token for ever. It is bound into everything that is sealed
// for that token.
type TokenID [16]byte

// ObjectID names an object of a token for ever.
type ObjectID [16]byte

func (t TokenID) String() string  { return hex.EncodeToString(t[:]) }
func (o ObjectID) String() string { return hex.EncodeToString(o[:]) }

// Role says whose PIN it is.
type Role uint8

const (
	User Role = iota + 1 // CKU_USER
	SO                   // CKU_SO
)

func (r Role) String() string {
	switch r {
	case User:
		return "user"
	case SO:
		return "SO"
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// What a stored value is: its second byte, after the format version. The two
// differ in every value, so that one kind is never taken for another.
const (
	kindPIN    = 'P'
	kindRecord = 'O'
	kindBlob   = 'B'
)
