package p521

// A point is in Jacobian coordinates: x = X/Z², y = Y/Z³, and Z = 0 for the
// point at infinity.
type point struct{ x, y, z element }

// An affine point is not the point at infinity.
type affine struct{ x, y element }

// double sets r = 2a. It is right for every a: there is no point of order two,
// and Z stays 0 at infinity. (dbl-2001-b of the Explicit-Formulas Database,
// for a curve with a = −3.)
func (r *point) double(a *point) {
	var delta, gamma, beta, alpha, t, u element
	delta.square(&a.z)
	gamma.square(&a.y)
	beta.mul(&a.x, &gamma)
	t.sub(&a.x, &delta)
	u.add(&a.x, &delta)
	t.mul(&t, &u)
	alpha.add(&t, &t)
	alpha.add(&alpha, &t) // 3(X−δ)(X+δ)

	t.add(&a.y, &a.z)
	t.square(&t)
	t.sub(&t, &gamma)
	r.z.sub(&t, &delta)

	t.square(&alpha)
	u.shift(&beta, 3)
	beta.shift(&beta, 2)
	r.x.sub(&t, &u)

	gamma.square(&gamma)
	gamma.shift(&gamma, 3)
	t.sub(&beta, &r.x)
	t.mul(&t, &alpha)
	r.y.sub(&t, &gamma)
}

// add sets r = a + b, unless a or b is the point at infinity or they are equal:
// then r means nothing. It returns H and R of the formula (add-1998-cmo-2):
// H = 0 says that x is the same, and R = 0 besides that y is.
func (r *point) add(a, b *point) (h, rr element) {
	var zz1, zz2, u1, s1, hh, hhh, v, t element
	zz1.square(&a.z)
	zz2.square(&b.z)
	u1.mul(&a.x, &zz2)
	h.mul(&b.x, &zz1)
	h.sub(&h, &u1)
	s1.mul(&a.y, &b.z)
	s1.mul(&s1, &zz2)
	rr.mul(&b.y, &a.z)
	rr.mul(&rr, &zz1)
	rr.sub(&rr, &s1)
	hh.square(&h)
	hhh.mul(&hh, &h)
	v.mul(&u1, &hh)
	t.mul(&a.z, &b.z)
	r.z.mul(&t, &h)
	r.finish(&rr, &hhh, &v, &s1)
	return h, rr
}

// addAffine is add for a b with Z = 1.
func (r *point) addAffine(a *point, b *affine) (h, rr element) {
	var zz, s1, hh, hhh, v element
	zz.square(&a.z)
	h.mul(&b.x, &zz)
	h.sub(&h, &a.x)
	rr.mul(&b.y, &a.z)
	rr.mul(&rr, &zz)
	rr.sub(&rr, &a.y)
	hh.square(&h)
	hhh.mul(&hh, &h)
	v.mul(&a.x, &hh)
	s1 = a.y
	r.z.mul(&a.z, &h)
	r.finish(&rr, &hhh, &v, &s1)
	return h, rr
}

// finish is what both additions end with: X = R² − H³ − 2V, Y = R(V − X) − S·H³.
func (r *point) finish(rr, hhh, v, s1 *element) {
	var t element
	r.x.square(rr)
	r.x.sub(&r.x, hhh)
	t.add(v, v)
	r.x.sub(&r.x, &t)
	t.sub(v, &r.x)
	t.mul(&t, rr)
	r.y.mul(s1, hhh)
	r.y.sub(&t, &r.y)
}

func (r *point) choose(a *point, mask uint64) {
	r.x.choose(&a.x, mask)
	r.y.choose(&a.y, mask)
	r.z.choose(&a.z, mask)
}

// negateIf sets y = −y where mask is all ones.
func (y *element) negateIf(mask uint64) {
	var minus element
	minus.sub(&element{}, y)
	y.choose(&minus, mask)
}

func (a *point) isInfinity() int { return a.z.isZero() }

// affine returns the affine form of a, which is not the point at infinity.
func (a *point) affine() (out affine) {
	var zi, zz element
	zi.invert(&a.z)
	zz.square(&zi)
	out.x.mul(&a.x, &zz)
	zz.mul(&zz, &zi)
	out.y.mul(&a.y, &zz)
	return out
}

func (a *affine) jacobian() point { return point{a.x, a.y, one} }

// onCurve reports whether y² = x³ − 3x + b.
func (a *affine) onCurve() bool {
	var l, r, t element
	l.square(&a.y)
	r.square(&a.x)
	t.add(&one, &one)
	t.add(&t, &one)
	r.sub(&r, &t)
	r.mul(&r, &a.x)
	r.add(&r, &curveB)
	return l.equal(&r) == 1
}
