package p521

import (
	"bytes"
	"crypto/ecdh"
	"crypto/elliptic"
	"math/big"
	"math/rand/v2"
	"testing"
)

var n = elliptic.P521().Params().N

// coordinates of k·G by the standard library.
func standardBase(t testing.TB, k *big.Int) (x, y [Size]byte) {
	t.Helper()
	key, err := ecdh.P521().NewPrivateKey(k.FillBytes(make([]byte, Size)))
	if err != nil {
		t.Fatal(err)
	}
	raw := key.PublicKey().Bytes()
	return [Size]byte(raw[1 : 1+Size]), [Size]byte(raw[1+Size:])
}

// scalars are random ones and those where the recoding or an addition is at its
// edge: small ones, those just below the order, those with long runs of ones or
// zeros.
func scalars(r *rand.Rand, count int) []*big.Int {
	var out []*big.Int
	for i := int64(1); i <= 70; i++ {
		out = append(out, big.NewInt(i), new(big.Int).Sub(n, big.NewInt(i)))
	}
	for i := uint(5); i < 520; i += 31 {
		x := new(big.Int).Lsh(big.NewInt(1), i)
		out = append(out, x, new(big.Int).Sub(x, big.NewInt(1)), new(big.Int).Sub(n, x), new(big.Int).Add(x, big.NewInt(16)))
	}
	for range count {
		b := make([]byte, Size)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		k := new(big.Int).Mod(new(big.Int).SetBytes(b), n)
		if k.Sign() > 0 {
			out = append(out, k)
		}
	}
	return out
}

func bytesOf(k *big.Int) *[Size]byte { return (*[Size]byte)(k.FillBytes(make([]byte, Size))) }

func TestBaseX(t *testing.T) {
	needKernel(t)
	for _, k := range scalars(rand.New(rand.NewPCG(1, 1)), 50) {
		want, _ := standardBase(t, k)
		var got [Size]byte
		BaseX(&got, bytesOf(k))
		if got != want {
			t.Fatalf("%x·G", k)
		}
	}
}

func TestMultiplyX(t *testing.T) {
	needKernel(t)
	r := rand.New(rand.NewPCG(2, 2))
	for _, j := range []*big.Int{big.NewInt(1), big.NewInt(2), new(big.Int).Sub(n, big.NewInt(1)), scalars(r, 1)[140+17*4-1]} {
		x, y := standardBase(t, j)
		p, err := NewPoint(&x, &y)
		if err != nil {
			t.Fatal(err)
		}
		remote, err := ecdh.P521().NewPublicKey(append(append([]byte{4}, x[:]...), y[:]...))
		if err != nil {
			t.Fatal(err)
		}
		all := scalars(r, 10)
		if j.Cmp(big.NewInt(1)) != 0 {
			all = all[60:80] // those around the edges of the recoding
		}
		for _, k := range all {
			key, _ := ecdh.P521().NewPrivateKey(bytesOf(k)[:])
			want, err := key.ECDH(remote)
			if err != nil {
				t.Fatal(err)
			}
			var got [Size]byte
			p.MultiplyX(&got, bytesOf(k))
			if !bytes.Equal(got[:], want) {
				t.Fatalf("%x times %x·G", k, j)
			}
		}
	}
}

// TestHasX has the sums that meet every case of an addition.
func TestHasX(t *testing.T) {
	needKernel(t)
	r := rand.New(rand.NewPCG(3, 3))
	d := scalars(r, 1)[200]
	x, y := standardBase(t, d)
	p, err := NewPoint(&x, &y)
	if err != nil {
		t.Fatal(err)
	}
	mod := func(k *big.Int) *big.Int { return new(big.Int).Mod(k, n) }
	try := func(u1, u2 *big.Int) {
		t.Helper()
		sum := mod(new(big.Int).Add(u1, new(big.Int).Mul(u2, d)))
		if sum.Sign() == 0 {
			if p.HasX(&[Size]byte{}, bytesOf(u1), bytesOf(u2)) {
				t.Fatal("the point at infinity has an x-coordinate")
			}
			return
		}
		want, _ := standardBase(t, sum)
		w := bytesOf(mod(new(big.Int).SetBytes(want[:])))
		if !p.HasX(w, bytesOf(u1), bytesOf(u2)) {
			t.Fatalf("%x·G + %x·P", u1, u2)
		}
		w[65] ^= 1
		if p.HasX(w, bytesOf(u1), bytesOf(u2)) {
			t.Fatalf("%x·G + %x·P has two x-coordinates", u1, u2)
		}
	}
	for range 30 {
		s := scalars(r, 2)
		try(s[len(s)-1], s[len(s)-2])
	}
	u2 := scalars(r, 1)[150]
	same := mod(new(big.Int).Mul(u2, d))
	try(same, u2)                        // a doubling
	try(mod(new(big.Int).Neg(same)), u2) // infinity
	try(new(big.Int), u2)                // nothing of G
	try(u2, new(big.Int))                // nothing of P
	try(new(big.Int), new(big.Int))      // nothing at all
}

func TestNewPointRefuses(t *testing.T) {
	needKernel(t)
	x, y := standardBase(t, big.NewInt(5))
	for i := range Size {
		bad := y
		bad[i] ^= 1
		if _, err := NewPoint(&x, &bad); err == nil {
			t.Fatal("a point off the curve was taken")
		}
	}
	if _, err := NewPoint(&[Size]byte{}, &[Size]byte{}); err == nil {
		t.Error("(0, 0) was taken")
	}
	// The same point with a coordinate that is not below p.
	big521 := new(big.Int).Add(new(big.Int).SetBytes(x[:]), p)
	if _, err := NewPoint(bytesOf(big521), &y); err == nil {
		t.Error("a coordinate above p was taken")
	}
}

func TestReduceByOrder(t *testing.T) {
	for _, k := range []*big.Int{big.NewInt(0), big.NewInt(7), n, new(big.Int).Sub(n, big.NewInt(1)), new(big.Int).Add(n, big.NewInt(9)), new(big.Int).Sub(p, big.NewInt(1))} {
		b := bytesOf(k)
		reduceByOrder(b)
		if want := new(big.Int).Mod(k, n); new(big.Int).SetBytes(b[:]).Cmp(want) != 0 {
			t.Errorf("%x modulo the order is %x", k, b)
		}
	}
}

func BenchmarkMultiply(b *testing.B) {
	needKernel(b)
	k := bytesOf(new(big.Int).Rsh(n, 1))
	var x [Size]byte
	b.Run("base", func(b *testing.B) {
		for b.Loop() {
			BaseX(&x, k)
		}
	})
	g := &Point{generator}
	b.Run("any", func(b *testing.B) {
		for b.Loop() {
			g.MultiplyX(&x, k)
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			g.HasX(&x, k, k)
		}
	})
}
