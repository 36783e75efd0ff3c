package p521

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
)

// size is the length in bytes of an element and of a scalar.
const size = 66

// An element is a number modulo p = 2⁵²¹ − 1 in limbs of 64 bits, the lowest
// first. It is at most 2⁵²² and need not be below p; every function takes such
// and gives such.
type element [9]uint64

var one = element{1}

const top = 1<<9 - 1 // of limb 8, what is below 2⁵²¹

// fold brings z, of 576 bits, below 2⁵²¹ + 2⁵⁵: 2⁵²¹ is 1 modulo p.
func (z *element) fold() {
	h := z[8] >> 9
	z[8] &= top
	var c uint64
	z[0], c = bits.Add64(z[0], h, 0)
	z[1], c = bits.Add64(z[1], 0, c)
	z[2], c = bits.Add64(z[2], 0, c)
	z[3], c = bits.Add64(z[3], 0, c)
	z[4], c = bits.Add64(z[4], 0, c)
	z[5], c = bits.Add64(z[5], 0, c)
	z[6], c = bits.Add64(z[6], 0, c)
	z[7], c = bits.Add64(z[7], 0, c)
	z[8] += c
}

// add sets z = a + b.
func (z *element) add(a, b *element) {
	var c uint64
	z[0], c = bits.Add64(a[0], b[0], 0)
	z[1], c = bits.Add64(a[1], b[1], c)
	z[2], c = bits.Add64(a[2], b[2], c)
	z[3], c = bits.Add64(a[3], b[3], c)
	z[4], c = bits.Add64(a[4], b[4], c)
	z[5], c = bits.Add64(a[5], b[5], c)
	z[6], c = bits.Add64(a[6], b[6], c)
	z[7], c = bits.Add64(a[7], b[7], c)
	z[8], _ = bits.Add64(a[8], b[8], c)
	z.fold()
}

// sub sets z = a − b. It is a − b + 2⁵²³, which is not below 2⁵²² and not above
// 3·2⁵²²; its bits from 2⁵²¹ on are h, from 2 to 6. As 2⁵²³ is 4, the difference
// is the lower bits and h − 4, and p more is not negative either: 2⁵²¹ and h − 5.
func (z *element) sub(a, b *element) {
	var c uint64
	z[0], c = bits.Sub64(a[0], b[0], 0)
	z[1], c = bits.Sub64(a[1], b[1], c)
	z[2], c = bits.Sub64(a[2], b[2], c)
	z[3], c = bits.Sub64(a[3], b[3], c)
	z[4], c = bits.Sub64(a[4], b[4], c)
	z[5], c = bits.Sub64(a[5], b[5], c)
	z[6], c = bits.Sub64(a[6], b[6], c)
	z[7], c = bits.Sub64(a[7], b[7], c)
	h, _ := bits.Sub64(a[8]+1<<11, b[8], c)
	z[8] = h&top + 1<<9
	h = h>>9 - 5
	sign := uint64(int64(h) >> 63)
	z[0], c = bits.Add64(z[0], h, 0)
	z[1], c = bits.Add64(z[1], sign, c)
	z[2], c = bits.Add64(z[2], sign, c)
	z[3], c = bits.Add64(z[3], sign, c)
	z[4], c = bits.Add64(z[4], sign, c)
	z[5], c = bits.Add64(z[5], sign, c)
	z[6], c = bits.Add64(z[6], sign, c)
	z[7], c = bits.Add64(z[7], sign, c)
	z[8], _ = bits.Add64(z[8], sign, c)
}

// shift sets z = a·2ⁿ for n up to 8.
func (z *element) shift(a *element, n uint) {
	m := 64 - n
	z[8] = a[8]<<n | a[7]>>m
	z[7] = a[7]<<n | a[6]>>m
	z[6] = a[6]<<n | a[5]>>m
	z[5] = a[5]<<n | a[4]>>m
	z[4] = a[4]<<n | a[3]>>m
	z[3] = a[3]<<n | a[2]>>m
	z[2] = a[2]<<n | a[1]>>m
	z[1] = a[1]<<n | a[0]>>m
	z[0] = a[0] << n
	z.fold()
}

func (z *element) mul(a, b *element) { mul(z, a, b) }

func (z *element) square(a *element) { square(z, a) }

// squares sets z = a to the power 2ⁿ.
func (z *element) squares(a *element, n int) {
	z.square(a)
	for range n - 1 {
		z.square(z)
	}
}

// invert sets z = 1/a, and 0 for 0: a to the power p − 2 = 2⁵²¹ − 3.
func (z *element) invert(a *element) {
	// The exponent is 519 ones, then 01. e(n) is a to the power 2ⁿ − 1, and
	// e(m+n) = e(m)^(2ⁿ)·e(n).
	var e, e7, t element
	e.square(a)
	e.mul(&e, a) // e(2)
	t.square(&e)
	t.mul(&t, a) // e(3)
	e7.squares(&t, 3)
	e7.mul(&e7, &t) // e(6)
	e7.square(&e7)
	e7.mul(&e7, a) // e(7)
	t.square(&e7)
	e.mul(&t, a) // e(8)
	for n := 8; n < 512; n *= 2 {
		t.squares(&e, n)
		e.mul(&t, &e)
	}
	t.squares(&e, 7)
	t.mul(&t, &e7) // e(519)
	t.squares(&t, 2)
	z.mul(&t, a)
}

// reduce brings z below p.
func (z *element) reduce() {
	z.fold() // at most 2⁵²¹, now that it was below 2⁵²²
	z.fold() // below 2⁵²¹, or p itself
	// z + 1 reaches 2⁵²¹ only if z is p.
	t := *z
	var c uint64
	t[0], c = bits.Add64(t[0], 1, 0)
	for i := 1; i < 9; i++ {
		t[i], c = bits.Add64(t[i], 0, c)
	}
	isP := -(t[8] >> 9)
	for i := range z {
		z[i] &^= isP
	}
}

// bytes returns z in 66 bytes, big-endian.
func (z *element) bytes(out *[size]byte) {
	t := *z
	t.reduce()
	binary.BigEndian.PutUint16(out[:2], uint16(t[8]))
	for i := range 8 {
		binary.BigEndian.PutUint64(out[2+8*i:], t[7-i])
	}
}

// setBytes sets z to the number in 66 bytes, and reports whether it is below p.
func (z *element) setBytes(b *[size]byte) bool {
	z[8] = uint64(binary.BigEndian.Uint16(b[:2]))
	for i := range 8 {
		z[7-i] = binary.BigEndian.Uint64(b[2+8*i:])
	}
	var again [size]byte
	t := *z
	t[8] &= top
	t.bytes(&again)
	return subtle.ConstantTimeCompare(again[:], b[:]) == 1
}

// equal reports whether a and b are the same modulo p, as 1 or 0.
func (a *element) equal(b *element) int {
	var x, y [size]byte
	a.bytes(&x)
	b.bytes(&y)
	return subtle.ConstantTimeCompare(x[:], y[:])
}

func (z *element) isZero() int { return z.equal(&element{}) }

// choose sets z = a where mask is all ones, and leaves it where it is zero.
func (z *element) choose(a *element, mask uint64) {
	for i := range z {
		z[i] ^= (z[i] ^ a[i]) & mask
	}
}
