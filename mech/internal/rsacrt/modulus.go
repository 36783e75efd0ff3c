package rsacrt

import (
	"math/big"
	"math/bits"
)

// blockWords is the number of words that the kernels take at once. A modulus
// has a multiple of it, with zeros on top where it is shorter.
const blockWords = 8

// A modulus is an odd number m with what Montgomery multiplication modulo it
// needs. R is 2^(64n). Numbers modulo m are below R, not necessarily below m,
// unless it is said that they are; see docs/RSA.md for the bounds.
type modulus struct {
	n      int // words
	bits   int // of m
	m      []uint64
	k0     uint64   // -1/m modulo 2^64
	one    []uint64 // R modulo m, below m
	square []uint64 // R² modulo m
}

// newModulus returns the modulus m, which is odd and greater than 1. Of m, the
// time depends on the length alone.
func newModulus(m *big.Int) *modulus {
	blocks := (m.BitLen() + 64*blockWords - 1) / (64 * blockWords)
	n := blocks * blockWords
	o := &modulus{n: n, bits: m.BitLen(), m: fromBig(m, n)}
	// An inverse modulo 2^k is one modulo 2^2k after a step; 1 is one modulo 2.
	inverse := uint64(1)
	for range 6 {
		inverse *= 2 - o.m[0]*inverse
	}
	o.k0 = -inverse
	// From 2^(bits-1), which is below m, by doubling to R, and by b = blocks
	// further ones to 2^b·R. Nine squarings make 2^(512b)·R of it, which is R².
	x := make([]uint64, n)
	x[(o.bits-1)/64] = 1 << ((o.bits - 1) % 64)
	for range 64*n - o.bits + 1 {
		o.double(x)
	}
	o.one = append([]uint64(nil), x...)
	for range blocks {
		o.double(x)
	}
	t := make([]uint64, 2*n)
	o.sqr(x, x, 9, t)
	clear(t)
	o.square = x
	return o
}

func (o *modulus) blocks() int { return o.n / blockWords }

// double makes x = 2x modulo m, for x below m.
func (o *modulus) double(x []uint64) {
	var carry uint64
	for i, w := range x {
		x[i] = w<<1 | carry
		carry = w >> 63
	}
	o.reduceOnce(x, carry)
}

// reduceOnce subtracts m from x + carry·R, which is below 2m, if it is not
// below m.
func (o *modulus) reduceOnce(x []uint64, carry uint64) {
	borrow := less(x, o.m)
	subtract(x, x, o.m, -(carry | (1 - borrow)))
}

// mul makes z = x·y/R modulo m. t has 2n words.
func (o *modulus) mul(z, x, y, t []uint64) {
	montMul(&z[:o.n][0], &x[:o.n][0], &y[:o.n][0], &o.m[0], o.k0, &t[:2*o.n][0], o.blocks())
}

// sqr makes z = x·x/R modulo m, and does so again with z until it has done it
// so many times.
func (o *modulus) sqr(z, x []uint64, times int, t []uint64) {
	montSquare(&z[:o.n][0], &x[:o.n][0], &o.m[0], o.k0, &t[:2*o.n][0], o.blocks(), times)
}

// leave makes z = x/R modulo m, below m. u has n words, t 2n.
func (o *modulus) leave(z, x, u, t []uint64) {
	clear(u)
	u[0] = 1
	o.mul(z, x, u, t) // (x + q·m)/R ≤ m
	o.reduceOnce(z, 0)
}

// wipe clears the modulus, if it is a secret.
func (o *modulus) wipe() {
	clear(o.m)
	clear(o.one)
	clear(o.square)
	*o = modulus{}
}

// windowBits is the number of bits of a secret exponent that are taken at once.
const windowBits = 5

// exp makes z = x^e·R modulo m for x·R in xR, where e is a secret of n words
// that is below 2^bits. z is not xR. table has n·2^windowBits words, t 2n, u n.
// It always squares and multiplies in the same order, and what it takes from
// the table it takes by reading all of it.
func (o *modulus) exp(z, xR, e, table, u, t []uint64) {
	n := o.n
	entry := func(i int) []uint64 { return table[i*n : (i+1)*n] }
	copy(entry(0), o.one)
	copy(entry(1), xR)
	for i := 2; i < 1<<windowBits; i += 2 {
		o.sqr(entry(i), entry(i/2), 1, t)
		o.mul(entry(i+1), entry(i), xR, t)
	}
	at := (o.bits - 1) / windowBits * windowBits
	pick(&z[:n][0], &table[:n<<windowBits][0], window(e, at), o.blocks())
	for at > 0 {
		at -= windowBits
		o.sqr(z, z, windowBits, t)
		pick(&u[:n][0], &table[0], window(e, at), o.blocks())
		o.mul(z, z, u, t)
	}
}

// window returns the windowBits bits of e from bit i up.
func window(e []uint64, i int) uint64 {
	w, s := i/64, uint(i%64)
	v := e[w] >> s
	if s > 64-windowBits && w+1 < len(e) {
		v |= e[w+1] << (64 - s)
	}
	return v & (1<<windowBits - 1)
}

// expPublic makes z = x^e modulo m, below m, for x below m and an e that is no
// secret, odd and at least 3. u and v have n words, t 2n. z is not x.
func (o *modulus) expPublic(z, x []uint64, e uint, u, t []uint64) {
	o.mul(u, x, o.square, t) // x·R
	from := u
	for i := bits.Len(e) - 2; i >= 0; {
		run := 1 // squarings up to the next bit that is set
		for ; e>>i&1 == 0; i-- {
			run++
		}
		i--
		factor := u
		if i < 0 {
			factor = x // and not x·R: so z leaves R. It is below 2m then
		}
		o.sqr(z, from, run, t)
		o.mul(z, z, factor, t)
		from = z
	}
	o.reduceOnce(z, 0)
}
