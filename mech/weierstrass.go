package mech

import (
	"crypto/subtle"
	"math/big"
	"sync"

	"filippo.io/bigmod"
)

// This file has the arithmetic of the short Weierstrass curves of prime order
// that crypto/elliptic lacks: secp256k1 and Brainpool's. The modules that have
// them (decred's and ProtonMail's) branch on secrets. Here additions are the
// complete ones of Renes, Costello and Batina (https://eprint.iacr.org/2015/1060,
// Algorithm 1), which have no special case, over filippo.io/bigmod, whose
// operations take a time that depends on the sizes only.

// A weierstrass is a curve y² = x³ + ax + b over the integers mod p, with a
// base point of the prime order n, which is all of the curve.
type weierstrass struct {
	p, n      *bigmod.Modulus
	a, b, b3  *bigmod.Nat // b3 is 3b
	base      *wsPoint
	invertP   []byte // p - 2
	invertN   []byte // n - 2
	sqrt      []byte // (p + 1) / 4: every p here is 3 mod 4
	fieldSize int    // bytes of p and, for these curves, of n
}

// A wsPoint is (x : y : z) in projective coordinates; z is 0 for the point at
// infinity.
type wsPoint struct{ x, y, z *bigmod.Nat }

// weierstrassOf returns newWeierstrass, which is called when first needed.
func weierstrassOf(p, a, b, gx, gy, n string) func() *weierstrass {
	return sync.OnceValue(func() *weierstrass { return newWeierstrass(p, a, b, gx, gy, n) })
}

// newWeierstrass returns the curve of constants in hexadecimal digits. p and n
// have equally many whole bytes.
func newWeierstrass(p, a, b, gx, gy, n string) *weierstrass {
	c := &weierstrass{fieldSize: len(p) / 2}
	c.p, c.n = modulusOf(p), modulusOf(n)
	c.a, c.b = c.constant(a), c.constant(b)
	c.b3 = c.element().Add(c.b, c.p).Add(c.b, c.p).Add(c.b, c.p)
	c.base = &wsPoint{c.constant(gx), c.constant(gy), c.one()}
	number := func(n *big.Int) []byte { return n.FillBytes(make([]byte, c.fieldSize)) }
	c.invertP = number(new(big.Int).Sub(bigHex(p), big.NewInt(2)))
	c.invertN = number(new(big.Int).Sub(bigHex(n), big.NewInt(2)))
	root := new(big.Int).Add(bigHex(p), big.NewInt(1))
	c.sqrt = number(root.Rsh(root, 2))
	return c
}

func modulusOf(hex string) *bigmod.Modulus {
	m, err := bigmod.NewModulus(bigHex(hex).Bytes())
	if err != nil {
		panic("mech: no modulus: " + hex)
	}
	return m
}

func (c *weierstrass) constant(hex string) *bigmod.Nat {
	x, err := c.element().SetBytes(bigHex(hex).FillBytes(make([]byte, c.fieldSize)), c.p)
	if err != nil {
		panic("mech: no element of the field: " + hex)
	}
	return x
}

// element returns 0.
func (c *weierstrass) element() *bigmod.Nat { return bigmod.NewNat().ExpandFor(c.p) }

func (c *weierstrass) one() *bigmod.Nat {
	x := c.element()
	x.Bits()[0] = 1
	return x
}

// infinity returns the neutral point.
func (c *weierstrass) infinity() *wsPoint { return &wsPoint{c.element(), c.one(), c.element()} }

func (p *wsPoint) set(q *wsPoint) {
	copy(p.x.Bits(), q.x.Bits())
	copy(p.y.Bits(), q.y.Bits())
	copy(p.z.Bits(), q.z.Bits())
}

func (p *wsPoint) wipe() {
	for _, n := range []*bigmod.Nat{p.x, p.y, p.z} {
		clear(n.Bits())
	}
}

// choose sets p to the point of the table with the index i, at a price that
// says nothing about i.
func (p *wsPoint) choose(table *[16]*wsPoint, i byte) {
	p.wipe()
	for j, q := range table {
		mask := -uint(subtle.ConstantTimeByteEq(i, byte(j)))
		for _, c := range [][2]*bigmod.Nat{{p.x, q.x}, {p.y, q.y}, {p.z, q.z}} {
			to, from := c[0].Bits(), c[1].Bits()
			for k := range to {
				to[k] |= from[k] & mask
			}
		}
	}
}

// A wsAdder adds points; it has the memory for it.
type wsAdder struct {
	c       *weierstrass
	t       [6]*bigmod.Nat
	x, y, z *bigmod.Nat
	result  *bigmod.Nat
}

func (c *weierstrass) adder() *wsAdder {
	d := &wsAdder{c: c, x: c.element(), y: c.element(), z: c.element(), result: c.element()}
	for i := range d.t {
		d.t[i] = c.element()
	}
	return d
}

func (d *wsAdder) wipe() {
	for _, n := range append(d.t[:], d.x, d.y, d.z, d.result) {
		clear(n.Bits())
	}
}

func (d *wsAdder) mul(r, a, b *bigmod.Nat) {
	copy(d.result.Bits(), a.Bits())
	copy(r.Bits(), d.result.Mul(b, d.c.p).Bits())
}

func (d *wsAdder) plus(r, a, b *bigmod.Nat) {
	copy(d.result.Bits(), a.Bits())
	copy(r.Bits(), d.result.Add(b, d.c.p).Bits())
}

func (d *wsAdder) minus(r, a, b *bigmod.Nat) {
	copy(d.result.Bits(), a.Bits())
	copy(r.Bits(), d.result.Sub(b, d.c.p).Bits())
}

// add sets r to p + q, any of which may be the same. The lines are those of
// Algorithm 1.
func (d *wsAdder) add(r, p, q *wsPoint) {
	t, x, y, z := &d.t, d.x, d.y, d.z
	d.mul(t[0], p.x, q.x)
	d.mul(t[1], p.y, q.y)
	d.mul(t[2], p.z, q.z)
	d.plus(t[3], p.x, p.y)
	d.plus(t[4], q.x, q.y)
	d.mul(t[3], t[3], t[4])
	d.plus(t[4], t[0], t[1])
	d.minus(t[3], t[3], t[4])
	d.plus(t[4], p.x, p.z)
	d.plus(t[5], q.x, q.z)
	d.mul(t[4], t[4], t[5])
	d.plus(t[5], t[0], t[2])
	d.minus(t[4], t[4], t[5])
	d.plus(t[5], p.y, p.z)
	d.plus(x, q.y, q.z)
	d.mul(t[5], t[5], x)
	d.plus(x, t[1], t[2])
	d.minus(t[5], t[5], x)
	d.mul(z, d.c.a, t[4])
	d.mul(x, d.c.b3, t[2])
	d.plus(z, x, z)
	d.minus(x, t[1], z)
	d.plus(z, t[1], z)
	d.mul(y, x, z)
	d.plus(t[1], t[0], t[0])
	d.plus(t[1], t[1], t[0])
	d.mul(t[2], d.c.a, t[2])
	d.mul(t[4], d.c.b3, t[4])
	d.plus(t[1], t[1], t[2])
	d.minus(t[2], t[0], t[2])
	d.mul(t[2], d.c.a, t[2])
	d.plus(t[4], t[4], t[2])
	d.mul(t[0], t[1], t[4])
	d.plus(y, y, t[0])
	d.mul(t[0], t[5], t[4])
	d.mul(x, t[3], x)
	d.minus(x, x, t[0])
	d.mul(t[0], t[3], t[1])
	d.mul(z, t[5], z)
	d.plus(z, z, t[0])
	r.set(&wsPoint{x, y, z})
}

// multiply returns k times p. k is big-endian and may be as long as n.
func (c *weierstrass) multiply(p *wsPoint, k []byte) *wsPoint {
	d := c.adder()
	defer d.wipe()
	var table [16]*wsPoint
	table[0] = c.infinity()
	for i := 1; i < len(table); i++ {
		table[i] = c.infinity()
		d.add(table[i], table[i-1], p)
	}
	sum, chosen := c.infinity(), c.infinity()
	for i := range 2 * len(k) {
		for range 4 {
			d.add(sum, sum, sum)
		}
		nibble := k[i/2] >> (4 * (1 - i%2)) & 15
		chosen.choose(&table, nibble)
		d.add(sum, sum, chosen)
	}
	chosen.wipe()
	return sum
}

// affine returns x and y of a point, or false for the point at infinity.
func (c *weierstrass) affine(p *wsPoint) (x, y *bigmod.Nat, ok bool) {
	if p.z.IsZero() == 1 {
		return nil, nil, false
	}
	inverse := bigmod.NewNat().Exp(p.z, c.invertP, c.p)
	x, y = c.element(), c.element()
	copy(x.Bits(), p.x.Bits())
	copy(y.Bits(), p.y.Bits())
	return x.Mul(inverse, c.p), y.Mul(inverse, c.p), true
}

// encode returns 04 || x || y of a point that is not the one at infinity.
func (c *weierstrass) encode(p *wsPoint) ([]byte, bool) {
	x, y, ok := c.affine(p)
	if !ok {
		return nil, false
	}
	return append(append([]byte{4}, x.Bytes(c.p)...), y.Bytes(c.p)...), true
}

// right returns x³ + ax + b.
func (c *weierstrass) right(x *bigmod.Nat) *bigmod.Nat {
	r := c.element()
	copy(r.Bits(), x.Bits())
	return r.Mul(x, c.p).Add(c.a, c.p).Mul(x, c.p).Add(c.b, c.p)
}

// decode returns the point in 04 || x || y, or false if it is not on the curve.
func (c *weierstrass) decode(raw []byte) (*wsPoint, bool) {
	if len(raw) != 1+2*c.fieldSize || raw[0] != 4 {
		return nil, false
	}
	x, errX := bigmod.NewNat().SetBytes(raw[1:1+c.fieldSize], c.p)
	y, errY := bigmod.NewNat().SetBytes(raw[1+c.fieldSize:], c.p)
	if errX != nil || errY != nil {
		return nil, false
	}
	square := c.element()
	copy(square.Bits(), y.Bits())
	if square.Mul(y, c.p).Equal(c.right(x)) != 1 {
		return nil, false
	}
	return &wsPoint{x, y, c.one()}, true
}

// decompress returns 04 || x || y of the point in 02 || x or 03 || x, or false
// if no point has that x.
func (c *weierstrass) decompress(raw []byte) ([]byte, bool) {
	if len(raw) != 1+c.fieldSize || raw[0]&^1 != 2 {
		return nil, false
	}
	x, err := bigmod.NewNat().SetBytes(raw[1:], c.p)
	if err != nil {
		return nil, false
	}
	square := c.right(x)
	y := bigmod.NewNat().Exp(square, c.sqrt, c.p)
	if uint(raw[0]&1) != y.IsOdd() {
		y = c.element().Sub(y, c.p)
	}
	p := &wsPoint{x, y, c.one()}
	out, _ := c.encode(p)
	if _, ok := c.decode(out); !ok {
		return nil, false
	}
	return out, true
}
