// Package p521 is the arithmetic of the curve P-521 (SP 800-186, section
// 3.2.1.5) for ECDSA and ECDH. The standard library has no assembly for it, and
// is three times as slow as OpenSSL.
//
// What depends on a secret scalar takes a time that does not: no branch, no
// address, no division. Field multiplication is in assembly; where the
// processor lacks what it needs, Available is false and the caller takes the
// standard library. So it does in FIPS mode.
package p521

import (
	"crypto/fips140"
	"crypto/subtle"
	"errors"
)

// Size is the length in bytes of a coordinate and of a scalar, big-endian.
const Size = size

// Available reports whether this processor has what the package needs.
func Available() bool { return hasKernel && !fips140.Enabled() }

// A Point is a point of the curve, not that at infinity.
type Point struct{ a affine }

// NewPoint returns the point with the coordinates x and y, or an error if there
// is none.
func NewPoint(x, y *[Size]byte) (*Point, error) {
	var p Point
	if !p.a.x.setBytes(x) || !p.a.y.setBytes(y) || !p.a.onCurve() {
		return nil, errors.New("the coordinates are not those of a point of P-521")
	}
	return &p, nil
}

// BaseX sets x to the x-coordinate of k·G. k is above 0 and below the order.
func BaseX(x, k *[Size]byte) {
	var r point
	r.multiplyBase(k)
	out := r.affine()
	out.x.bytes(x)
	r, out = point{}, affine{}
}

// MultiplyX sets x to the x-coordinate of k·p, which is what ECDH gives. k is
// above 0 and below the order, so there is one.
func (p *Point) MultiplyX(x, k *[Size]byte) {
	var r point
	r.multiply(&p.a, k)
	out := r.affine()
	out.x.bytes(x)
	r, out = point{}, affine{}
}

// HasX reports whether x is, modulo the order, the x-coordinate of u1·G + u2·p:
// the last step of a verification. x, u1 and u2 are below the order. The time it
// takes shows what they are.
func (p *Point) HasX(x, u1, u2 *[Size]byte) bool {
	var sum, q point
	if *u1 != [Size]byte{} {
		sum.multiplyBase(u1)
	}
	if *u2 != [Size]byte{} {
		q.multiply(&p.a, u2)
	}
	sum.addPublic(&sum, &q)
	if sum.isInfinity() == 1 {
		return false
	}
	var got [Size]byte
	a := sum.affine()
	a.x.bytes(&got)
	reduceByOrder(&got)
	return subtle.ConstantTimeCompare(got[:], x[:]) == 1
}
