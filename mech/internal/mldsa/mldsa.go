// Package mldsa is ML-DSA (FIPS 204) as circl has it, with what its public
// functions leave out: the hedge as an argument, HashML-DSA, messages that come
// in parts, and expanded private keys that are checked before they are used.
//
// # Design
//
// crypto/mldsa takes no expanded keys, and neither it nor circl's public
// functions verify HashML-DSA. circl's own ML-DSA.Sign_internal and
// ML-DSA.Verify_internal (FIPS 204, algorithms 7 and 8) do all of it, and are
// two to three times as fast. They are reached by their linker names
// (circl.go), which a test compares with circl's source: it is circl at one
// version that this package is for, and go.mod names that.
//
// No secret decides a branch here. circl's signing tries until a signature
// shows nothing of the key, and its key generation draws until a coefficient is
// in range, as the standard wants; how often is no secret.
package mldsa

import (
	"crypto/sha3"
	"crypto/subtle"
	"errors"
	"reflect"
)

// SeedSize is the length in bytes of the seed ξ.
const SeedSize = 32

// RandomSize is the length in bytes of the hedge of a signature.
const RandomSize = 32

// trSize is the length of the hash of the public key that stands before every
// message.
const trSize = 64

// A Set is a parameter set.
type Set struct {
	// The lengths in bytes: of both halves of a key, and of a signature.
	PublicSize, PrivateSize, SignatureSize int

	k, l int // the dimensions of the matrix A
	eta  int // the bound of the coefficients of s1 and s2
	lib  library
}

// A PrivateKey is a private key ready for use. It is immutable, but for Wipe.
type PrivateKey struct {
	set    *Set
	key    any // circl's
	public []byte
	tr     []byte
}

// A PublicKey is a public key ready for use.
type PublicKey struct {
	set *Set
	key any // circl's
	tr  []byte
}

// The answers to keys that are none.
var (
	ErrLength       = errors.New("the key has not the length of its parameter set")
	ErrInconsistent = errors.New("the parts of the private key do not belong together")
)

// FromSeed returns the key that ML-DSA.KeyGen_internal makes of the seed.
func (s *Set) FromSeed(seed []byte) (*PrivateKey, error) {
	if len(seed) != SeedSize {
		return nil, ErrLength
	}
	scrub()
	defer scrub()
	key, public := s.lib.derive((*[SeedSize]byte)(seed))
	return &PrivateKey{set: s, key: key, public: public, tr: hashKey(public)}, nil
}

// Private returns the key of the encoding sk of FIPS 204, the expanded one. It
// refuses what no seed can have made, as far as that shows: s1 or s2 out of
// range, t0 or the hash of the public key that do not follow from the rest.
func (s *Set) Private(sk []byte) (*PrivateKey, error) {
	if len(sk) != s.PrivateSize {
		return nil, ErrLength
	}
	scrub()
	defer scrub()
	if !s.inRange(sk[64+trSize : 64+trSize+s.smallSize()]) {
		return nil, ErrInconsistent
	}
	key, public := s.lib.private(sk)
	k := &PrivateKey{set: s, key: key, public: public, tr: hashKey(public)}
	if subtle.ConstantTimeCompare(k.tr, sk[64:64+trSize]) != 1 || !s.sameT0(key, sk[64+trSize+s.smallSize():]) {
		k.Wipe()
		return nil, ErrInconsistent
	}
	return k, nil
}

// Public returns the public key of an encoding; every one of the right length
// is a key.
func (s *Set) Public(pk []byte) (*PublicKey, error) {
	if len(pk) != s.PublicSize {
		return nil, ErrLength
	}
	return &PublicKey{set: s, key: s.lib.public(pk), tr: hashKey(pk)}, nil
}

// Bytes returns the expanded encoding. It is the caller's to wipe.
func (k *PrivateKey) Bytes() []byte { return k.set.lib.pack(k.key) }

// Public returns the encoding of the public key, which the caller must not
// change.
func (k *PrivateKey) Public() []byte { return k.public }

// Wipe clears the key, which nobody uses any more.
func (k *PrivateKey) Wipe() { reflect.ValueOf(k.key).Elem().SetZero() }

func hashKey(pk []byte) []byte {
	h := sha3.NewSHAKE256()
	h.Write(pk)
	tr := make([]byte, trSize)
	h.Read(tr)
	return tr
}

// smallSize is the length of s1 and s2 together, as they are packed.
func (s *Set) smallSize() int { return (s.k + s.l) * 256 * s.smallBits() / 8 }

// smallBits is the width of a packed coefficient of s1 and s2.
func (s *Set) smallBits() int {
	if s.eta == 2 {
		return 3
	}
	return 4
}

// inRange reports whether the packed coefficients η - c are those of c from -η
// to η.
func (s *Set) inRange(packed []byte) bool {
	width := s.smallBits()
	var bad, window uint32
	have := 0
	for _, b := range packed {
		window |= uint32(b) << have
		for have += 8; have >= width; have -= width {
			bad |= uint32(2*s.eta) - window&(1<<width-1) // negative if out of range
			window >>= width
		}
	}
	return bad>>31 == 0
}

// sameT0 reports whether t0 is what A, s1 and s2 make (algorithm 6).
func (s *Set) sameT0(key any, packed []byte) bool {
	const q, d = 8380417, 13
	var bad, window uint32
	have := 0
	computed := s.lib.t0(key)
	defer clear(computed)
	for i := range computed {
		for _, c := range computed[i] {
			for ; have < d; have += 8 {
				window |= uint32(packed[0]) << have
				packed = packed[1:]
			}
			bad |= (c + window&(1<<d-1)) ^ (q + 1<<(d-1)) // c is t0 + q, what is packed is 2^12 - t0
			window >>= d
			have -= d
		}
	}
	return bad == 0
}

// scrub clears the stack below its caller, where circl leaves its variables: up
// to 80 KB of them. It is called before as well, so that the stack grows, and so
// moves, while there is nothing on it.
//
//go:noinline
func scrub() {
	var stack [96 << 10]byte
	clearBytes(stack[:])
}

// clearBytes keeps the compiler from finding out that nobody reads them.
//
//go:noinline
func clearBytes(b []byte) { clear(b) }
