// Package ecsig makes and checks ECDSA signatures (FIPS 186-5, section 6.4) with
// a group's own multiplication. crypto/ecdsa is the standard's letter, at
// twice and, for P-521, five times the cost: this package is for the curves
// where a faster group is at hand.
//
// With a private key it computes in a time that depends on nothing secret. The
// one inversion that does not is of a number that was multiplied by a random
// one first, and tells nothing.
package ecsig

import (
	"crypto/hmac"
	"errors"
	"hash"
	"math/big"

	"filippo.io/bigmod"
)

// A Curve is a group of prime order. Coordinates and scalars are Size bytes,
// big-endian.
type Curve struct {
	Size int
	bits int
	n    *bigmod.Modulus
	big  *big.Int
	// baseX sets x to the x-coordinate of k·G for k above 0 and below the order.
	baseX func(x, k []byte)
	hash  func() hash.Hash // for nonces, of the strength of the curve
}

// NewCurve returns the group of the given order. baseX sets x to the
// x-coordinate of k·G, k being above 0 and below the order. newHash is that
// which makes nonces, and is as strong as the curve.
func NewCurve(order *big.Int, baseX func(x, k []byte), newHash func() hash.Hash) *Curve {
	n, err := bigmod.NewModulus(order.Bytes())
	if err != nil {
		panic(err)
	}
	return &Curve{
		Size: (order.BitLen() + 7) / 8, bits: order.BitLen(), n: n, big: order,
		baseX: baseX, hash: newHash,
	}
}

// Random is as much as Sign takes from a source of random bytes.
const Random = 64

var errRange = errors.New("ecsig: the private key is not between 1 and the order of the curve")

// Sign sets sig, of 2·Size bytes, to r and s of a digest, of which as many
// leading bits count as the order has. The nonce is made of the private key, the
// digest and the random bytes, so that it stays a secret as long as one of the
// key and the random bytes is. sig does not overlap what else is given.
func (c *Curve) Sign(sig, d, digest []byte, random *[Random]byte) error {
	dN, err := bigmod.NewNat().SetBytes(d, c.n)
	if err != nil || dN.IsZero() == 1 {
		return errRange
	}
	z := make([]byte, c.Size)
	c.leading(z, digest)
	zN, err := bigmod.NewNat().SetOverflowingBytes(z, c.n)
	if err != nil {
		return err
	}
	nonces := c.newNonces(random, d, z)
	defer nonces.wipe()
	k := make([]byte, c.Size)
	zero := make([]byte, c.Size)
	defer clear(k)
	for {
		kN, err := nonces.next(k)
		if err != nil {
			return err
		}
		// r, the x-coordinate of k·G modulo the order.
		r, s := sig[:c.Size], sig[c.Size:2*c.Size]
		c.baseX(r, k)
		rN, err := bigmod.NewNat().SetOverflowingBytes(r, c.n)
		if err != nil {
			return err
		}
		// 1/k = b/(k·b), for a random b.
		bN, err := nonces.next(k)
		if err != nil {
			return err
		}
		kN.Mul(bN, c.n)
		inverse := new(big.Int).SetBytes(kN.Bytes(c.n))
		inverse.ModInverse(inverse, c.big)
		if kN, err = kN.SetBytes(inverse.FillBytes(k), c.n); err != nil {
			return err
		}
		kN.Mul(bN, c.n)
		// s = (z + r·d)/k.
		sN, err := bigmod.NewNat().SetBytes(d, c.n)
		if err != nil {
			return err
		}
		sN.Mul(rN, c.n).Add(zN, c.n).Mul(kN, c.n)
		copy(r, rN.Bytes(c.n))
		copy(s, sN.Bytes(c.n))
		again := rN.IsZero() | sN.IsZero()
		for _, secret := range []*bigmod.Nat{dN, kN, bN} {
			secret.SetBytes(zero, c.n)
		}
		if again == 0 {
			return nil
		}
	}
}

// leading sets z to the leading bits of a digest, as a number.
func (c *Curve) leading(z, digest []byte) {
	if len(digest) < c.Size {
		copy(z[c.Size-len(digest):], digest)
		return
	}
	copy(z, digest)
	if spare := uint(8*c.Size - c.bits); spare > 0 {
		carry := byte(0)
		for i, b := range z {
			z[i] = b>>spare | carry
			carry = b << (8 - spare)
		}
	}
}

// nonces are numbers below the order, made by HKDF (RFC 5869) of the random
// bytes as salt, and the private key and digest.
type nonces struct {
	c       *Curve
	key     hash.Hash
	block   []byte
	counter byte
}

func (c *Curve) newNonces(random *[Random]byte, d, z []byte) *nonces {
	extract := hmac.New(c.hash, random[:])
	extract.Write(d)
	extract.Write(z)
	prk := extract.Sum(nil)
	defer clear(prk)
	return &nonces{c: c, key: hmac.New(c.hash, prk), block: make([]byte, 0, c.Size+64)}
}

// next sets k to the next number that is above 0 and below the order, and
// returns it. What was tried before and is not tells nothing of it.
func (n *nonces) next(k []byte) (*bigmod.Nat, error) {
	for n.counter < 250 {
		clear(n.block[:cap(n.block)])
		n.block = n.block[:0]
		for len(n.block) < n.c.Size {
			n.counter++
			n.key.Reset()
			n.key.Write([]byte{n.counter})
			n.block = n.key.Sum(n.block)
		}
		copy(k, n.block)
		k[0] &= byte(1<<(8-(8*n.c.Size-n.c.bits)) - 1)
		if x, err := bigmod.NewNat().SetBytes(k, n.c.n); err == nil && x.IsZero() == 0 {
			return x, nil
		}
	}
	return nil, errors.New("ecsig: no nonce was below the order, which does not happen by chance")
}

func (n *nonces) wipe() {
	clear(n.block[:cap(n.block)])
	n.key = nil
}

// Verify reports whether sig, r and s of the same length, is a signature of a
// digest. hasX reports whether x is, modulo the order, the x-coordinate of
// u1·G + u2·Q for the public key Q; u1 and u2 are below the order. All of it is
// public.
func (c *Curve) Verify(sig, digest []byte, hasX func(x, u1, u2 []byte) bool) bool {
	half := len(sig) / 2
	r, s := new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])
	if len(sig)%2 != 0 || r.Sign() == 0 || s.Sign() == 0 || r.Cmp(c.big) >= 0 || s.Cmp(c.big) >= 0 {
		return false
	}
	buf := make([]byte, 3*c.Size)
	z, u2 := buf[:c.Size], buf[c.Size:2*c.Size]
	x := buf[2*c.Size:]
	c.leading(z, digest)
	w := s.ModInverse(s, c.big)
	u := new(big.Int).SetBytes(z)
	u.Mul(u, w).Mod(u, c.big).FillBytes(z)
	r.FillBytes(x)
	u.Mul(r, w).Mod(u, c.big).FillBytes(u2)
	return hasX(x, z, u2)
}
