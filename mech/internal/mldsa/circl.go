package mldsa

import (
	"crypto"
	"io"
	_ "unsafe" // for go:linkname

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
)

// poly is a polynomial of circl.
type poly = [256]uint32

// The functions below are circl's, of the same names in the packages named.
// TestLinkedFunctions compares what is declared here with circl's source.

//go:linkname sign44 github.com/cloudflare/circl/sign/mldsa/mldsa44/internal.SignTo
func sign44(sk *mldsa44.PrivateKey, msg func(io.Writer), rnd [RandomSize]byte, signature []byte)

//go:linkname sign65 github.com/cloudflare/circl/sign/mldsa/mldsa65/internal.SignTo
func sign65(sk *mldsa65.PrivateKey, msg func(io.Writer), rnd [RandomSize]byte, signature []byte)

//go:linkname sign87 github.com/cloudflare/circl/sign/mldsa/mldsa87/internal.SignTo
func sign87(sk *mldsa87.PrivateKey, msg func(io.Writer), rnd [RandomSize]byte, signature []byte)

//go:linkname verify44 github.com/cloudflare/circl/sign/mldsa/mldsa44/internal.Verify
func verify44(pk *mldsa44.PublicKey, msg func(io.Writer), signature []byte) bool

//go:linkname verify65 github.com/cloudflare/circl/sign/mldsa/mldsa65/internal.Verify
func verify65(pk *mldsa65.PublicKey, msg func(io.Writer), signature []byte) bool

//go:linkname verify87 github.com/cloudflare/circl/sign/mldsa/mldsa87/internal.Verify
func verify87(pk *mldsa87.PublicKey, msg func(io.Writer), signature []byte) bool

//go:linkname computeT44 github.com/cloudflare/circl/sign/mldsa/mldsa44/internal.(*PrivateKey).computeT0andT1
func computeT44(sk *mldsa44.PrivateKey, t0, t1 *[4]poly)

//go:linkname computeT65 github.com/cloudflare/circl/sign/mldsa/mldsa65/internal.(*PrivateKey).computeT0andT1
func computeT65(sk *mldsa65.PrivateKey, t0, t1 *[6]poly)

//go:linkname computeT87 github.com/cloudflare/circl/sign/mldsa/mldsa87/internal.(*PrivateKey).computeT0andT1
func computeT87(sk *mldsa87.PrivateKey, t0, t1 *[8]poly)

// The parameter sets.
var (
	Set44 = &Set{
		PublicSize: mldsa44.PublicKeySize, PrivateSize: mldsa44.PrivateKeySize, SignatureSize: mldsa44.SignatureSize,
		k: 4, l: 4, eta: 2,
		lib: circl[mldsa44.PublicKey, mldsa44.PrivateKey]{
			mldsa44.NewKeyFromSeed, sign44, verify44,
			func(sk *mldsa44.PrivateKey) []poly {
				t := new([2][4]poly)
				computeT44(sk, &t[0], &t[1])
				return t[0][:]
			},
		},
	}
	Set65 = &Set{
		PublicSize: mldsa65.PublicKeySize, PrivateSize: mldsa65.PrivateKeySize, SignatureSize: mldsa65.SignatureSize,
		k: 6, l: 5, eta: 4,
		lib: circl[mldsa65.PublicKey, mldsa65.PrivateKey]{
			mldsa65.NewKeyFromSeed, sign65, verify65,
			func(sk *mldsa65.PrivateKey) []poly {
				t := new([2][6]poly)
				computeT65(sk, &t[0], &t[1])
				return t[0][:]
			},
		},
	}
	Set87 = &Set{
		PublicSize: mldsa87.PublicKeySize, PrivateSize: mldsa87.PrivateKeySize, SignatureSize: mldsa87.SignatureSize,
		k: 8, l: 7, eta: 2,
		lib: circl[mldsa87.PublicKey, mldsa87.PrivateKey]{
			mldsa87.NewKeyFromSeed, sign87, verify87,
			func(sk *mldsa87.PrivateKey) []poly {
				t := new([2][8]poly)
				computeT87(sk, &t[0], &t[1])
				return t[0][:]
			},
		},
	}
)

// library is circl's package of one parameter set. Keys are pointers to its
// types.
type library interface {
	derive(seed *[SeedSize]byte) (key any, public []byte)
	private(sk []byte) (key any, public []byte)
	public(pk []byte) (key any)
	pack(key any) []byte
	t0(key any) []poly // plus q
	sign(key any, message func(io.Writer), random [RandomSize]byte, signature []byte)
	verify(key any, message func(io.Writer), signature []byte) bool
}

// circl is a library with the types P and S of public and private keys.
type circl[P, S any] struct {
	fromSeed func(*[SeedSize]byte) (*P, *S)
	signTo   func(*S, func(io.Writer), [RandomSize]byte, []byte)
	verifies func(*P, func(io.Writer), []byte) bool
	computeT func(*S) []poly
}

type encoded interface {
	Bytes() []byte
	UnmarshalBinary([]byte) error
}

func (c circl[P, S]) derive(seed *[SeedSize]byte) (any, []byte) {
	public, private := c.fromSeed(seed)
	return private, any(public).(encoded).Bytes()
}

func (c circl[P, S]) private(sk []byte) (any, []byte) {
	key := any(new(S))
	unmarshal(key, sk)
	return key, key.(crypto.Signer).Public().(encoded).Bytes()
}

func (c circl[P, S]) public(pk []byte) any {
	key := any(new(P))
	unmarshal(key, pk)
	return key
}

// unmarshal cannot fail: the length, which is all that circl checks, is right.
func unmarshal(key any, b []byte) {
	if err := key.(encoded).UnmarshalBinary(b); err != nil {
		panic(err)
	}
}

func (c circl[P, S]) pack(key any) []byte { return key.(encoded).Bytes() }

func (c circl[P, S]) t0(key any) []poly { return c.computeT(key.(*S)) }

func (c circl[P, S]) sign(key any, message func(io.Writer), random [RandomSize]byte, signature []byte) {
	c.signTo(key.(*S), message, random, signature)
}

func (c circl[P, S]) verify(key any, message func(io.Writer), signature []byte) bool {
	return c.verifies(key.(*P), message, signature)
}
