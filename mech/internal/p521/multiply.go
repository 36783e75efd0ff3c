package p521

import (
	"crypto/elliptic"
	"sync"
)

// curveB and generator are those of FIPS 186-5 (SP 800-186, section 3.2.1.5).
var (
	curveB    = mustElement(elliptic.P521().Params().B.FillBytes(make([]byte, size)))
	generator = affine{
		mustElement(elliptic.P521().Params().Gx.FillBytes(make([]byte, size))),
		mustElement(elliptic.P521().Params().Gy.FillBytes(make([]byte, size))),
	}
)

func mustElement(b []byte) (z element) {
	if !hasKernel { // nobody will ask
		return z
	}
	if !z.setBytes((*[size]byte)(b)) {
		panic("p521: the curve's parameters are wrong")
	}
	return z
}

// baseTable holds d·2^(5i)·G for each window i and d from 1 to 16, in affine
// form: 237 KiB, made when first needed.
var baseTable = sync.OnceValue(func() *[windows][largest]affine {
	var points [windows][largest]point
	g := generator.jacobian()
	for i := range windows {
		row := &points[i]
		row[0] = g
		row[1].double(&g)
		for d := 2; d < largest; d++ {
			row[d].add(&row[d-1], &g)
		}
		g.double(&row[largest-1])
	}
	// One inversion for all: each Z is that of the product of all before it.
	before := make([]element, 0, windows*largest)
	product := one
	for i := range points {
		for d := range points[i] {
			before = append(before, product)
			product.mul(&product, &points[i][d].z)
		}
	}
	var inverse element
	inverse.invert(&product)
	table := new([windows][largest]affine)
	for i := windows - 1; i >= 0; i-- {
		for d := largest - 1; d >= 0; d-- {
			p := &points[i][d]
			var zi, zz element
			zi.mul(&inverse, &before[i*largest+d])
			inverse.mul(&inverse, &p.z)
			zz.square(&zi)
			table[i][d].x.mul(&p.x, &zz)
			zz.mul(&zz, &zi)
			table[i][d].y.mul(&p.y, &zz)
		}
	}
	return table
})

// multiplyBase sets r = k·G for 0 < k < n, in a time that does not depend on k.
//
// No addition meets the exceptions of add but the point at infinity, which is
// chosen away: before the window i the sum is below 2^(5i) by its absolute
// value, and what is added is not. At the last window, where n is exceeded, the
// sum and the addend cannot be equal modulo n either, since their sum is k < n,
// nor opposite, since k is not 0.
func (r *point) multiplyBase(k *[size]byte) {
	table := baseTable()
	*r = point{}
	infinite := ^uint64(0)
	for i := range windows {
		d := digitOf(k, i)
		var entry affine
		for j := range table[i] {
			mask := equalMask(d.abs, uint64(j+1))
			entry.x.choose(&table[i][j].x, mask)
			entry.y.choose(&table[i][j].y, mask)
		}
		entry.y.negateIf(d.minus)
		zero := equalMask(d.abs, 0)
		var sum point
		sum.addAffine(r, &entry)
		first := entry.jacobian()
		sum.choose(&first, infinite)
		r.choose(&sum, ^zero)
		infinite &= zero
	}
}

// multiply sets r = k·q for 0 < k < n, in a time that does not depend on k or
// q.
//
// The sum before an addition is 32·m for an m that is 0 or more than the digit
// by its absolute value. So they are equal or opposite only modulo n. Opposite
// would make k zero. Equal they can be at the last digit, for a few k below n:
// there the doubling is computed too, and chosen if it is so.
func (r *point) multiply(q *affine, k *[size]byte) {
	var table [largest]point
	table[0] = q.jacobian()
	for d := 1; d < largest; d++ {
		if d%2 == 1 {
			table[d].double(&table[d/2])
		} else {
			table[d].addAffine(&table[d-1], q)
		}
	}
	*r = point{}
	infinite := ^uint64(0)
	for i := windows - 1; i >= 0; i-- {
		for range window {
			r.double(r)
		}
		d := digitOf(k, i)
		var entry point
		for j := range table {
			entry.choose(&table[j], equalMask(d.abs, uint64(j+1)))
		}
		entry.y.negateIf(d.minus)
		zero := equalMask(d.abs, 0)
		var sum point
		h, rr := sum.add(r, &entry)
		if i == 0 {
			var twice point
			twice.double(&entry)
			sum.choose(&twice, -uint64(h.isZero()&rr.isZero()))
		}
		sum.choose(&entry, infinite)
		r.choose(&sum, ^zero)
		infinite &= zero
	}
	clear(table[:])
}

// addPublic sets r = a + b for any a and b. Its time shows which case it was.
func (r *point) addPublic(a, b *point) {
	switch {
	case a.isInfinity() == 1:
		*r = *b
	case b.isInfinity() == 1:
		*r = *a
	default:
		var sum point
		h, rr := sum.add(a, b)
		if h.isZero() == 1 && rr.isZero() == 1 {
			sum.double(a)
		}
		*r = sum
	}
}
