package seal

import (
	"crypto/rand"
	"fmt"
	"io"

	"coffer/token/locked"
)

// A Master is a token's master key, open: 256 random bits, and the sub-keys
// that HKDF-SHA256 derives of them, one for each purpose. It exists from the
// token's creation, wrapped by each PIN, and is open from login to logout.
//
// A *Master is a reference: whoever holds it can unseal, until one of them
// calls Wipe. Calls under way then end well; later ones return
// CKR_USER_NOT_LOGGED_IN. All methods are safe for concurrent use.
type Master struct {
	keys *locked.Secret // each key at its place below
}

// Where the keys are in Master.keys.
const (
	masterKey = iota * keySize // never encrypts or authenticates: it only derives
	objectsKey
	indexKey
	blobsKey
	macKey
	masterSize
)

// The label of each sub-key, the info of RFC 5869. A label is never reused.
var subkeys = []struct {
	at    int
	label string
}{
	{objectsKey, "coffer seal v1 objects"},
	{indexKey, "coffer seal v1 index"},
	{blobsKey, "coffer seal v1 blobs"},
	{macKey, "coffer seal v1 mac"},
}

// NewMaster returns a new random master key, for a new token.
func NewMaster() (*Master, error) {
	return newMaster(func(key []byte) error {
		_, err := rand.Read(key)
		return err
	})
}

// newMaster returns the Master whose key fill writes.
func newMaster(fill func(key []byte) error) (*Master, error) {
	keys, err := locked.New(masterSize)
	if err != nil {
		return nil, err
	}
	b := keys.Bytes()
	if err := fill(b[masterKey:][:keySize]); err != nil {
		keys.Wipe()
		return nil, err
	}
	var sub [keySize]byte
	for _, k := range subkeys {
		expand(&sub, b[masterKey:][:keySize], []byte(k.label))
		copy(b[k.at:], sub[:])
	}
	clear(sub[:])
	return &Master{keys: keys}, nil
}

// hold returns one of the keys, whole until release.
func (m *Master) hold(at int) ([]byte, error) {
	if m == nil {
		m = &Master{}
	}
	b, err := m.keys.Hold()
	if err != nil {
		return nil, err
	}
	return b[at:][:keySize], nil
}

func (m *Master) release() { m.keys.Release() }

// Wipe clears the keys as soon as no call uses them. It may be called twice.
func (m *Master) Wipe() {
	if m != nil {
		m.keys.Wipe()
	}
}

// MAC returns HMAC-SHA256 of data under a key of its own for each label, for
// what is authenticated and not secret: the audit chain, public records.
func (m *Master) MAC(label string, data []byte) ([32]byte, error) {
	var sum [keySize]byte
	key, err := m.hold(macKey)
	if err != nil {
		return sum, err
	}
	defer m.release()
	expand(&sum, key, []byte(label))
	hmac256(&sum, sum[:], data)
	return sum, nil
}

const redacted = "[secret]"

// String returns "[secret]".
func (m *Master) String() string { return redacted }

// Format prints "[secret]" for every verb.
func (m *Master) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }
