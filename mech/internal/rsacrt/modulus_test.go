package rsacrt

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// toBig returns x as math/big has it.
func toBig(x []uint64) *big.Int {
	b := make([]byte, 8*len(x))
	putBytes(b, x)
	return new(big.Int).SetBytes(b)
}

func power(bits int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(bits)) }

func plus(x *big.Int, n int64) *big.Int { return new(big.Int).Add(x, big.NewInt(n)) }

// edges are numbers below 2^bits that make carries run, or have none.
func edges(bits int) []*big.Int {
	R := power(bits)
	xs := []*big.Int{
		big.NewInt(0), big.NewInt(1), big.NewInt(2), plus(R, -1), plus(R, -2), power(bits - 1), plus(power(bits-1), -1),
		power(bits / 2), plus(power(bits/2), -1), new(big.Int).Sub(R, power(bits/2)), new(big.Int).Sub(R, power(64)),
	}
	for _, pattern := range [][]uint64{{0, ^uint64(0)}, {^uint64(0), 0}, {1 << 63}, {^uint64(0), 1}, {0xaaaaaaaaaaaaaaaa}} {
		x := make([]uint64, bits/64)
		for i := range x {
			x[i] = pattern[i%len(pattern)]
		}
		xs = append(xs, toBig(x))
	}
	return xs
}

// guarded returns n words, zero, before and behind which are others, and a
// function that reports whether those are as they were.
func guarded(n int) ([]uint64, func() bool) {
	const canary = 0x0123456789abcdef
	all := make([]uint64, n+2*blockWords)
	x := all[blockWords : blockWords+n : blockWords+n]
	outside := slices.Concat(all[:blockWords:blockWords], all[blockWords+n:])
	for i := range blockWords {
		all[i], all[blockWords+n+i] = canary, canary
	}
	for i := range outside {
		outside[i] = canary
	}
	return x, func() bool {
		return slices.Equal(slices.Concat(all[:blockWords:blockWords], all[blockWords+n:]), outside)
	}
}

// bare returns the modulus m of so many blocks without what newModulus
// computes.
func bare(m *big.Int, blocks int) *modulus {
	n := blocks * blockWords
	k0 := new(big.Int).ModInverse(new(big.Int).Sub(power(64), new(big.Int).Mod(m, power(64))), power(64))
	return &modulus{n: n, bits: m.BitLen(), m: fromBig(m, n), k0: k0.Uint64()}
}

// checkKernels holds every kernel against math/big for one modulus and two
// numbers below R.
func checkKernels(t *testing.T, o *modulus, a, b *big.Int) {
	t.Helper()
	n, m := o.n, toBig(o.m)
	R := power(64 * n)
	inverse := new(big.Int).ModInverse(R, m)
	if m.Cmp(big.NewInt(1)) == 0 {
		inverse = big.NewInt(0)
	}
	z, zIntact := guarded(n)
	w, wIntact := guarded(2 * n)
	x, y := fromBig(a, n), fromBig(b, n)
	check := func(what string, ab *big.Int) {
		t.Helper()
		want := new(big.Int).Mul(ab, inverse)
		want.Mod(want, m)
		if got := toBig(z); got.Mod(got, m).Cmp(want) != 0 {
			t.Fatalf("%s\nm %x\na %x\nb %x\ngot  %x\nwant %x", what, m, a, b, got, want)
		}
		if !zIntact() || !wIntact() || toBig(x).Cmp(a) != 0 || toBig(y).Cmp(b) != 0 || toBig(o.m).Cmp(m) != 0 {
			t.Fatalf("%s wrote where it must not", what)
		}
	}
	ab, aa := new(big.Int).Mul(a, b), new(big.Int).Mul(a, a)
	o.mul(z, x, y, w)
	check("a·b", ab)
	copy(z, x)
	o.mul(z, z, y, w)
	check("a·b in the place of a", ab)
	copy(z, y)
	o.mul(z, x, z, w)
	check("a·b in the place of b", ab)
	o.sqr(z, x, 1, w)
	check("a²", aa)
	o.sqr(z, x, 3, w)
	u := slices.Clone(x)
	for range 3 {
		o.mul(u, u, u, w)
	}
	if !slices.Equal(u, z) {
		t.Fatalf("three squarings of %x are not three multiplications", a)
	}
	mulWide(&w[0], &x[0], &y[0], o.blocks())
	if toBig(w).Cmp(ab) != 0 || !wIntact() {
		t.Fatalf("%x·%x: got %x", a, b, toBig(w))
	}
	// Any number of 2n words can be reduced, not only a product.
	long := new(big.Int).Add(new(big.Int).Mul(a, R), b)
	copy(w, fromBig(long, 2*n))
	montReduce(&z[0], &w[0], &o.m[0], o.k0, o.blocks())
	check("a·R + b", long)
}

func TestKernels(t *testing.T) {
	for _, blocks := range []int{1, 2, 3, 4, 5, 6, 8, 10, 16, 32} {
		t.Run(fmt.Sprint(512*blocks, " bits"), func(t *testing.T) {
			bits := 512 * blocks
			numbers := edges(bits)
			moduli := []*big.Int{big.NewInt(3), plus(power(64), 13), plus(power(bits/2), 1)}
			for _, x := range numbers {
				if x.Bit(0) == 1 && x.BitLen() > 1 {
					moduli = append(moduli, x)
				}
			}
			random := rand.NewChaCha8([32]byte{byte(blocks)})
			number := func() *big.Int {
				b := make([]byte, bits/8)
				random.Read(b)
				return new(big.Int).SetBytes(b)
			}
			for range 4 {
				moduli = append(moduli, number().SetBit(number(), 0, 1))
			}
			for _, m := range moduli {
				o := bare(m, blocks)
				near := []*big.Int{m, plus(m, -1), plus(m, 1), number(), number()}
				for _, a := range slices.Concat(numbers, near) {
					for _, b := range near {
						if a.BitLen() <= bits && b.BitLen() <= bits {
							checkKernels(t, o, a, b)
						}
					}
				}
				if blocks <= 3 {
					for _, a := range numbers {
						for _, b := range numbers {
							checkKernels(t, o, a, b)
						}
					}
				}
			}
		})
	}
}

// FuzzKernels takes the words of a modulus, a and b, eight of each.
func FuzzKernels(f *testing.F) {
	f.Add(slices.Repeat([]byte{0xff}, 3*64))
	f.Add(make([]byte, 3*128))
	f.Fuzz(func(t *testing.T, in []byte) {
		blocks := min(len(in)/(3*64), 4)
		if blocks == 0 {
			t.Skip()
		}
		size := 64 * blocks
		number := func(i int) *big.Int { return new(big.Int).SetBytes(in[i*size : (i+1)*size]) }
		m := number(0)
		checkKernels(t, bare(m.SetBit(m, 0, 1), blocks), number(1), number(2))
	})
}

func TestModulus(t *testing.T) {
	for _, m := range slices.Concat([]*big.Int{big.NewInt(3), big.NewInt(5), plus(power(511), 1), plus(power(512), 1), plus(power(1000), 9)},
		[]*big.Int{plus(power(512), -1), plus(power(1536), -3), plus(power(2047), 1), plus(power(4096), -1), plus(power(4095), 1)}) {
		o := newModulus(m)
		R := power(64 * o.n)
		if o.n%blockWords != 0 || o.n*64 < m.BitLen() || o.n*64-m.BitLen() >= 512 {
			t.Errorf("%x has %d words", m, o.n)
		}
		if toBig(o.one).Cmp(new(big.Int).Mod(R, m)) != 0 {
			t.Errorf("R mod %x is not %x", m, toBig(o.one))
		}
		got := toBig(o.square)
		if got.Mod(got, m).Cmp(new(big.Int).Mod(new(big.Int).Mul(R, R), m)) != 0 {
			t.Errorf("R² mod %x is not %x", m, got)
		}
		w, u, z := make([]uint64, 2*o.n), make([]uint64, o.n), make([]uint64, o.n)
		for _, x := range []*big.Int{big.NewInt(0), big.NewInt(1), plus(m, -1), m, plus(R, -1)} {
			o.mul(z, fromBig(x, o.n), o.square, w)
			o.leave(z, z, u, w)
			if toBig(z).Cmp(new(big.Int).Mod(x, m)) != 0 {
				t.Errorf("%x mod %x came back as %x", x, m, toBig(z))
			}
		}
		if o.wipe(); o.m != nil {
			t.Error("not wiped")
		}
	}
}

func TestExponents(t *testing.T) {
	m := plus(power(700), -177)
	o := newModulus(m)
	n := o.n
	table, u, v, w, z := make([]uint64, n<<windowBits), make([]uint64, n), make([]uint64, n), make([]uint64, 2*n), make([]uint64, n)
	for _, x := range []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), plus(m, -1), plus(power(699), 12345)} {
		xR := make([]uint64, n)
		for _, e := range []uint{3, 5, 7, 17, 257, 65537, 65539, 1<<31 - 1, 1<<31 - 3, 1<<30 + 1} {
			o.expPublic(z, fromBig(x, n), e, u, w)
			if want := new(big.Int).Exp(x, new(big.Int).SetUint64(uint64(e)), m); toBig(z).Cmp(want) != 0 {
				t.Errorf("%x^%d: got %x; want %x", x, e, toBig(z), want)
			}
		}
		for _, e := range []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(31), big.NewInt(32), power(64), power(699), plus(power(700), -1), plus(m, -1)} {
			o.mul(xR, fromBig(x, n), o.square, w)
			o.exp(z, xR, fromBig(e, n), table, u, w)
			o.leave(z, z, v, w)
			if want := new(big.Int).Exp(x, e, m); toBig(z).Cmp(want) != 0 {
				t.Errorf("%x^%x: got %x; want %x", x, e, toBig(z), want)
			}
		}
	}
}

func TestPick(t *testing.T) {
	for _, blocks := range []int{1, 2, 3, 4, 8} {
		n := 8 * blocks
		table, intact := guarded(n << windowBits)
		for i := range table {
			table[i] = uint64(i)*0x9e3779b97f4a7c15 + 1
		}
		z, zIntact := guarded(n)
		for i := range uint64(1 << windowBits) {
			pick(&z[0], &table[0], i, blocks)
			if !slices.Equal(z, table[int(i)*n:int(i+1)*n]) {
				t.Errorf("%d words: entry %d is not what was picked", n, i)
			}
		}
		if !intact() || !zIntact() {
			t.Error("pick wrote where it must not")
		}
	}
}

func TestBytes(t *testing.T) {
	for size := range 40 {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(i + 1)
		}
		x := make([]uint64, 5)
		setBytes(x, b)
		got := make([]byte, size)
		putBytes(got, x)
		if !slices.Equal(got, b) || toBig(x).Cmp(new(big.Int).SetBytes(b)) != 0 {
			t.Errorf("%x became %x and %x", b, x, got)
		}
	}
	if x := fromBig(big.NewInt(7), 2); x[0] != 7 || x[1] != 0 || binary.BigEndian.Uint64([]byte{0, 0, 0, 0, 0, 0, 0, 7}) != x[0] {
		t.Errorf("7 is %x", x)
	}
}
