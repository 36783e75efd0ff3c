package p521

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

var p = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 521), big.NewInt(1))

var bound = new(big.Int).Lsh(big.NewInt(1), 522)

func (z *element) big() *big.Int {
	n := new(big.Int)
	for i := 8; i >= 0; i-- {
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(z[i]))
	}
	return n
}

func fromBig(n *big.Int) (z element) {
	for i := range z {
		z[i] = new(big.Int).Rsh(n, uint(64*i)).Uint64()
	}
	return z
}

// edges are the elements where carries run far, in all forms they may have.
func edges() []element {
	var out []element
	for _, n := range []*big.Int{
		big.NewInt(0), big.NewInt(1), big.NewInt(2), p,
		new(big.Int).Sub(p, big.NewInt(1)), new(big.Int).Add(p, big.NewInt(1)),
		new(big.Int).Lsh(big.NewInt(1), 521),
		bound, new(big.Int).Sub(bound, big.NewInt(1)),
		new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 522), big.NewInt(2)),
		new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 512), big.NewInt(1)),
		new(big.Int).Lsh(big.NewInt(511), 512),
		new(big.Int).Lsh(big.NewInt(1023), 512),
		new(big.Int).Rsh(p, 1),
	} {
		out = append(out, fromBig(n))
	}
	for i := range 9 {
		var e element
		e[i] = 1<<64 - 1
		if i == 8 {
			e[i] = 1023
		}
		out = append(out, e)
	}
	return out
}

func some(r *rand.Rand) (z element) {
	for i := range z {
		z[i] = r.Uint64()
		switch r.IntN(4) {
		case 0:
			z[i] = 0
		case 1:
			z[i] = 1<<64 - 1
		}
	}
	z[8] &= 1023
	return z
}

func check(t *testing.T, what string, z *element, want *big.Int) {
	t.Helper()
	if z.big().Cmp(bound) > 0 {
		t.Fatalf("%s: %x is above 2⁵²²", what, z.big())
	}
	if got := new(big.Int).Mod(z.big(), p); got.Cmp(new(big.Int).Mod(want, p)) != 0 {
		t.Fatalf("%s: %x, want %x", what, got, want)
	}
}

func checkAll(t *testing.T, a, b element) {
	t.Helper()
	x, y := a.big(), b.big()
	var z element
	z.mul(&a, &b)
	check(t, "mul", &z, new(big.Int).Mul(x, y))
	z.square(&a)
	check(t, "square", &z, new(big.Int).Mul(x, x))
	z.add(&a, &b)
	check(t, "add", &z, new(big.Int).Add(x, y))
	z.sub(&a, &b)
	check(t, "sub", &z, new(big.Int).Sub(x, y))
	for n := range uint(9) {
		z.shift(&a, n)
		check(t, "shift", &z, new(big.Int).Lsh(x, n))
	}
	z = b
	z.sub(&a, &z)
	check(t, "sub in place", &z, new(big.Int).Sub(x, y))
	z = a
	z.mul(&z, &z)
	check(t, "mul in place", &z, new(big.Int).Mul(x, x))
	z = a
	z.square(&z)
	check(t, "square in place", &z, new(big.Int).Mul(x, x))
	z = a
	z.reduce()
	if z.big().Cmp(new(big.Int).Mod(x, p)) != 0 {
		t.Fatalf("reduce: %x of %x", z.big(), x)
	}
	if want := new(big.Int).Sub(x, y); (new(big.Int).Mod(want, p).Sign() == 0) != (a.equal(&b) == 1) {
		t.Fatalf("equal: %x and %x", x, y)
	}
	var buf [size]byte
	a.bytes(&buf)
	if !z.setBytes(&buf) || a.equal(&z) != 1 {
		t.Fatalf("bytes and back: %x", x)
	}
}

func needKernel(t testing.TB) {
	if !hasKernel {
		t.Skip("this processor has no MULX and ADX")
	}
}

func TestField(t *testing.T) {
	needKernel(t)
	for _, a := range edges() {
		for _, b := range edges() {
			checkAll(t, a, b)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		checkAll(t, some(r), some(r))
	}
}

func TestInvert(t *testing.T) {
	needKernel(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		a := some(r)
		var z element
		z.invert(&a)
		z.mul(&z, &a)
		if z.equal(&one) != 1 {
			t.Fatalf("a·1/a is not 1 for %x", a.big())
		}
	}
	var z element
	zero := fromBig(p)
	if z.invert(&zero); z.isZero() != 1 {
		t.Error("1/0 is not 0")
	}
}

func TestSetBytesRefuses(t *testing.T) {
	for _, n := range []*big.Int{p, new(big.Int).Add(p, big.NewInt(1)), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 528), big.NewInt(1))} {
		var z element
		if z.setBytes((*[size]byte)(n.FillBytes(make([]byte, size)))) {
			t.Errorf("%x was taken, which is not below p", n)
		}
	}
}

func BenchmarkField(b *testing.B) {
	needKernel(b)
	x, y := edges()[7], edges()[12]
	b.Run("mul", func(b *testing.B) {
		for b.Loop() {
			x.mul(&x, &y)
		}
	})
	b.Run("square", func(b *testing.B) {
		for b.Loop() {
			x.square(&x)
		}
	})
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			x.add(&x, &y)
		}
	})
	b.Run("sub", func(b *testing.B) {
		for b.Loop() {
			x.sub(&x, &y)
		}
	})
	b.Run("invert", func(b *testing.B) {
		for b.Loop() {
			x.invert(&y)
		}
	})
}
