// Package slhdsa is SLH-DSA (FIPS 205) as circl has it, with what its public
// functions leave out: the randomness of a signature as an argument, and
// digests that somebody else made.
//
// # Design
//
// circl's own slh_sign_internal and slh_verify_internal (FIPS 205, algorithms
// 19 and 20) take the M' of every variant. They are reached by their linker
// names, which a test compares with circl's source.
package slhdsa

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"reflect"
	_ "unsafe" // for go:linkname

	"github.com/cloudflare/circl/sign/slhdsa"
)

//go:linkname sign github.com/cloudflare/circl/sign/slhdsa.slhSignInternal
func sign(sk *slhdsa.PrivateKey, message, addRand []byte) ([]byte, error)

//go:linkname verify github.com/cloudflare/circl/sign/slhdsa.slhVerifyInternal
func verify(pub *slhdsa.PublicKey, message, sigBytes []byte) bool

// A Set is a parameter set, by circl's name for it.
type Set struct{ id slhdsa.ID }

// NewSet returns the parameter set of a name such as "SLH-DSA-SHA2-128s".
func NewSet(name string) (Set, error) {
	id, err := slhdsa.IDByName(name)
	return Set{id}, err
}

// PublicSize is the length of a public key in bytes: 2n.
func (s Set) PublicSize() int { return s.id.Scheme().PublicKeySize() }

// PrivateSize is the length of a private key in bytes: 4n.
func (s Set) PrivateSize() int { return s.id.Scheme().PrivateKeySize() }

// SignatureSize is the length of a signature in bytes.
func (s Set) SignatureSize() int { return s.id.Scheme().SignatureSize() }

// A PrivateKey is a private key ready for use. It is immutable, but for Wipe.
type PrivateKey struct {
	key   slhdsa.PrivateKey
	bytes []byte
}

// A PublicKey is a public key ready for use.
type PublicKey struct{ key slhdsa.PublicKey }

// The answers to keys that are none.
var (
	ErrLength       = errors.New("the key has not the length of its parameter set")
	ErrInconsistent = errors.New("the parts of the private key do not belong together")
)

// Generate returns a new key.
func (s Set) Generate() (*PrivateKey, error) {
	seeds := make([]byte, s.PrivateSize()*3/4) // SK.seed ‖ SK.prf ‖ PK.seed
	defer clear(seeds)
	rand.Read(seeds)
	return s.grow(seeds)
}

func (s Set) grow(seeds []byte) (*PrivateKey, error) {
	_, key, err := slhdsa.GenerateKey(bytes.NewReader(seeds), s.id)
	if err != nil {
		return nil, err
	}
	b, err := key.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return &PrivateKey{key, b}, nil
}

// Private returns the key of an encoding. It computes the root anew, which
// takes as long as making a key, a tenth of the time of a signature: a key with
// another root makes signatures that give it away.
func (s Set) Private(sk []byte) (*PrivateKey, error) {
	if len(sk) != s.PrivateSize() {
		return nil, ErrLength
	}
	k, err := s.grow(sk[:len(sk)*3/4])
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(k.bytes, sk) != 1 {
		k.Wipe()
		return nil, ErrInconsistent
	}
	return k, nil
}

// Public returns the public key of an encoding; every one of the right length
// is a key.
func (s Set) Public(pk []byte) (*PublicKey, error) {
	k := &PublicKey{slhdsa.PublicKey{ID: s.id}}
	if len(pk) != s.PublicSize() || k.key.UnmarshalBinary(pk) != nil {
		return nil, ErrLength
	}
	return k, nil
}

// Bytes returns a copy of the encoding. It is the caller's to wipe.
func (k *PrivateKey) Bytes() []byte { return bytes.Clone(k.bytes) }

// Public returns a copy of the encoding of the public key, the second half of
// the private one.
func (k *PrivateKey) Public() []byte { return bytes.Clone(k.bytes[len(k.bytes)/2:]) }

// Wipe clears the key, which nobody uses any more.
func (k *PrivateKey) Wipe() {
	clear(k.bytes)
	for _, secret := range []string{"seed", "prfKey"} {
		clear(reflect.ValueOf(&k.key).Elem().FieldByName(secret).Bytes())
	}
}

// HedgeSize is the length of the randomness of a signature in bytes: n.
func (k *PrivateKey) HedgeSize() int { return len(k.bytes) / 4 }

// Sign signs M', hedged with the random bytes or, if there are none,
// deterministically.
func (k *PrivateKey) Sign(message, random []byte) ([]byte, error) {
	if random == nil {
		random = k.bytes[len(k.bytes)/2 : len(k.bytes)*3/4] // PK.seed
	}
	return sign(&k.key, message, random)
}

// Verify reports whether signature is one of M'.
func (k *PublicKey) Verify(message, signature []byte) bool { return verify(&k.key, message, signature) }
