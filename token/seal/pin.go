package seal

import (
	"crypto/rand"
	"encoding/binary"

	"golang.org/x/crypto/argon2"

	"coffer/p11"
)

// Argon2 is the cost of trying a PIN: the parameters of Argon2id (RFC 9106,
// section 3.1). They are stored in each PIN record, so that they can grow.
type Argon2 struct {
	MemoryKiB uint32 // m
	Time      uint32 // t, passes over the memory
	Threads   uint8  // p
}

// DefaultArgon2 is the smallest setting that OWASP's password storage cheat
// sheet recommends, since the memory is the host's. RFC 9106, section 4,
// recommends 64 MiB, 3 passes and 4 threads where memory is short: an
// operator who can spend it sets that.
var DefaultArgon2 = Argon2{MemoryKiB: 19 << 10, Time: 2, Threads: 1}

// Bounds of what a record may ask of the process that reads it: a hostile
// store costs a login at most 1 GiB and some seconds.
const (
	maxMemoryKiB = 1 << 20
	maxTime      = 64
	maxThreads   = 16
	maxWork      = 4 << 20 // MemoryKiB × Time: 4 GiB filled
)

// Validate returns CKR_ARGUMENTS_BAD if a is outside RFC 9106 or our bounds.
func (a Argon2) Validate() error {
	switch {
	case a.Threads < 1 || a.Threads > maxThreads:
		return p11.Errorf(p11.CKR_ARGUMENTS_BAD, "argon2: %d threads, want 1 to %d", a.Threads, maxThreads)
	case a.Time < 1 || a.Time > maxTime:
		return p11.Errorf(p11.CKR_ARGUMENTS_BAD, "argon2: %d passes, want 1 to %d", a.Time, maxTime)
	case a.MemoryKiB < 8*uint32(a.Threads) || a.MemoryKiB > maxMemoryKiB:
		return p11.Errorf(p11.CKR_ARGUMENTS_BAD, "argon2: %d KiB, want 8 a thread to %d", a.MemoryKiB, maxMemoryKiB)
	case uint64(a.MemoryKiB)*uint64(a.Time) > maxWork:
		return p11.Errorf(p11.CKR_ARGUMENTS_BAD, "argon2: %d KiB in %d passes, want a product to %d", a.MemoryKiB, a.Time, maxWork)
	}
	return nil
}

// A PIN record:
//
//	version 1 | 'P' | role | threads | memory KiB 4 | time 4 | salt 16 |
//	nonce 12 | encrypted master key 32 | tag 16
//
// Numbers are big-endian. The associated data is pinLabel, the token and all
// that stands before the nonce.
const (
	pinVersion = 1
	pinLabel   = "coffer seal v1 pin"

	pinSaltAt   = 12
	pinSealedAt = pinSaltAt + 16 // RFC 9106, section 3.1: 16 bytes of salt for passwords
	pinSize     = pinSealedAt + keySize + overhead
)

// WrapPIN returns a record that OpenPIN opens with the same token, role and
// PIN. The caller owns pin, and wipes it.
func (m *Master) WrapPIN(token TokenID, role Role, pin []byte, p Argon2) ([]byte, error) {
	if role != User && role != SO {
		return nil, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "wrap PIN: %v", role)
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	rec := make([]byte, pinSealedAt, pinSize)
	rec[0], rec[1], rec[2], rec[3] = pinVersion, kindPIN, byte(role), p.Threads
	binary.BigEndian.PutUint32(rec[4:], p.MemoryKiB)
	binary.BigEndian.PutUint32(rec[8:], p.Time)
	rand.Read(rec[pinSaltAt:])

	var kek [keySize]byte
	defer clear(kek[:])
	pinKEK(&kek, pin, p, rec[pinSaltAt:])
	key, err := m.hold(masterKey)
	if err != nil {
		return nil, err
	}
	defer m.release()
	return newGCM(&kek).Seal(rec, nil, key, pinAAD(token, rec)), nil
}

// OpenPIN opens the master key with a PIN. It returns CKR_PIN_INCORRECT for a
// wrong PIN, and also for a record that was altered or belongs to another
// token: a wrong key and a wrong ciphertext look the same by design.
// CKR_DEVICE_ERROR is for what is not a PIN record of this role at all. The
// caller has counted the try before, owns pin, and wipes it.
func OpenPIN(token TokenID, role Role, pin, record []byte) (*Master, error) {
	p, err := parsePIN(role, record)
	if err != nil {
		return nil, err
	}
	var kek [keySize]byte
	defer clear(kek[:])
	pinKEK(&kek, pin, p, record[pinSaltAt:pinSealedAt])
	return newMaster(func(key []byte) error {
		prefix, sealed := record[:pinSealedAt], record[pinSealedAt:]
		if _, err := newGCM(&kek).Open(key[:0:keySize], nil, sealed, pinAAD(token, prefix)); err != nil {
			return p11.Errorf(p11.CKR_PIN_INCORRECT, "the %v PIN does not open token %v (or its PIN record was altered)", role, token)
		}
		return nil
	})
}

// parsePIN returns the parameters of a PIN record whose shape is right.
func parsePIN(role Role, record []byte) (p Argon2, err error) {
	switch {
	case len(record) < 4:
		return p, p11.Errorf(p11.CKR_DEVICE_ERROR, "PIN record of %d bytes", len(record))
	case record[1] != kindPIN:
		return p, p11.Errorf(p11.CKR_DEVICE_ERROR, "not a PIN record")
	case record[0] != pinVersion:
		return p, p11.Errorf(p11.CKR_DEVICE_ERROR, "PIN record of format %d, this build reads %d", record[0], pinVersion)
	case len(record) != pinSize:
		return p, p11.Errorf(p11.CKR_DEVICE_ERROR, "PIN record of %d bytes, want %d", len(record), pinSize)
	case Role(record[2]) != role:
		return p, p11.Errorf(p11.CKR_DEVICE_ERROR, "PIN record of the %v, want the %v's", Role(record[2]), role)
	}
	p = Argon2{
		Threads:   record[3],
		MemoryKiB: binary.BigEndian.Uint32(record[4:]),
		Time:      binary.BigEndian.Uint32(record[8:]),
	}
	if err := p.Validate(); err != nil {
		return p, p11.Errorf(p11.CKR_DEVICE_ERROR, "PIN record: %v", err)
	}
	return p, nil
}

func pinKEK(kek *[keySize]byte, pin []byte, p Argon2, salt []byte) {
	k := argon2.IDKey(pin, salt, p.Time, p.MemoryKiB, p.Threads, keySize)
	copy(kek[:], k)
	clear(k)
}

func pinAAD(token TokenID, prefix []byte) []byte {
	aad := append(make([]byte, 0, 64), pinLabel...)
	aad = append(aad, token[:]...)
	return append(aad, prefix...)
}
