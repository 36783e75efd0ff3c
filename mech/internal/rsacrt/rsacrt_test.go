package rsacrt

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
)

// keyOf returns the key of two primes, as crypto/rsa has it.
func keyOf(t testing.TB, p, q *big.Int, e int) *rsa.PrivateKey {
	t.Helper()
	p1, q1 := plus(p, -1), plus(q, -1)
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: e},
		D:         new(big.Int).ModInverse(big.NewInt(int64(e)), new(big.Int).Mul(p1, q1)),
		Primes:    []*big.Int{p, q},
	}
	if key.D == nil {
		t.Fatal("the exponent has no inverse")
	}
	// Precompute leaves out what it cannot use for its own reasons.
	key.Precomputed = rsa.PrecomputedValues{
		Dp: new(big.Int).Mod(key.D, p1), Dq: new(big.Int).Mod(key.D, q1), Qinv: new(big.Int).ModInverse(q, p),
	}
	return key
}

// prime returns a prime of so many bits to which e is no factor less one.
func prime(t testing.TB, bits, e int) *big.Int {
	t.Helper()
	for {
		p, err := rand.Prime(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		if new(big.Int).GCD(nil, nil, plus(p, -1), big.NewInt(int64(e))).Cmp(big.NewInt(1)) == 0 {
			return p
		}
	}
}

func newKey(t testing.TB, pBits, qBits, e int) *rsa.PrivateKey {
	t.Helper()
	for {
		p, q := prime(t, pBits, e), prime(t, qBits, e)
		if p.Cmp(q) != 0 {
			return keyOf(t, p, q, e)
		}
	}
}

func fill(x *big.Int, key *rsa.PrivateKey) []byte { return x.FillBytes(make([]byte, key.Size())) }

// representatives are numbers below the modulus: small ones, large ones, and
// such as are zero modulo a prime.
func representatives(t testing.TB, key *rsa.PrivateKey) []*big.Int {
	t.Helper()
	n, p, q := key.N, key.Primes[0], key.Primes[1]
	xs := []*big.Int{
		big.NewInt(0), big.NewInt(1), big.NewInt(2), plus(n, -1), plus(n, -2), p, q, plus(p, -1), plus(p, 1), plus(q, -1), plus(q, 1),
		new(big.Int).Sub(n, p), new(big.Int).Sub(n, q), power(n.BitLen() - 1), plus(power(n.BitLen()-1), -1),
	}
	for range 5 {
		x, err := rand.Int(rand.Reader, n)
		if err != nil {
			t.Fatal(err)
		}
		xs = append(xs, x)
	}
	return xs
}

// TestPrivate has primes of lengths that fill the words and such that do not,
// the larger first and last, and both exponents of the extremes.
func TestPrivate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ p, q, e int }{
		{512, 512, 65537}, {512, 512, 3}, {513, 513, 1<<31 - 1}, {513, 600, 17}, {600, 513, 5}, {640, 640, 65539}, {1024, 1024, 65537},
		{1000, 1024, 65537}, {1025, 1025, 65537}, {1536, 1536, 65537},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			key := newKey(t, c.p, c.q, c.e)
			k := NewPrivate(key)
			if k == nil {
				t.Fatal("the key was refused")
			}
			defer k.Wipe()
			pub := NewPublic(&key.PublicKey)
			for _, x := range representatives(t, key) {
				in, got := fill(x, key), fill(big.NewInt(0), key)
				if err := k.Exp(got, in); err != nil {
					t.Fatalf("%x: %v", x, err)
				}
				if want := new(big.Int).Exp(x, key.D, key.N); new(big.Int).SetBytes(got).Cmp(want) != 0 {
					t.Errorf("%x^d: got %x; want %x", x, got, want)
				}
				if err := pub.Exp(got, got); err != nil || !bytes.Equal(got, in) {
					t.Errorf("the public operation makes %x of it, %v; want %x", got, err, in)
				}
				if err := k.Exp(in, in); err != nil {
					t.Error(err)
				} else if err := k.Public.Exp(in, in); err != nil || new(big.Int).SetBytes(in).Cmp(x) != 0 {
					t.Errorf("in place: got %x, %v; want %x", in, err, x)
				}
			}
		})
	}
}

func TestNotBelowModulus(t *testing.T) {
	key := newKey(t, 513, 513, 65537)
	k := NewPrivate(key)
	ones := bytes.Repeat([]byte{0xff}, key.Size())
	for _, in := range [][]byte{fill(key.N, key), fill(plus(key.N, 1), key), ones, nil, fill(big.NewInt(1), key)[1:], append(ones, 0)} {
		for name, exp := range map[string]func(dst, in []byte) error{"private": k.Exp, "public": k.Public.Exp} {
			dst := bytes.Repeat([]byte{7}, key.Size())
			if err := exp(dst, in); !errors.Is(err, ErrNotBelowModulus) {
				t.Errorf("%s, %x: got %v", name, in, err)
			}
			if !bytes.Equal(dst, bytes.Repeat([]byte{7}, key.Size())) {
				t.Errorf("%s, %x: it wrote", name, in)
			}
			if err := exp(dst[1:], fill(big.NewInt(1), key)); err == nil {
				t.Errorf("%s wrote to too short a slice", name)
			}
		}
	}
}

// TestFaultNeverLeaves damages each part of a key in turn, as a fault of the
// memory would, a bit at a time: one half of the result is right then and the
// other wrong, and their difference has a prime in it.
func TestFaultNeverLeaves(t *testing.T) {
	key := newKey(t, 512, 512, 65537)
	k := NewPrivate(key)
	in := fill(new(big.Int).Rsh(key.N, 3), key)
	for name, part := range map[string][]uint64{
		"p": k.p.m, "q": k.q.m, "dP": k.dP, "dQ": k.dQ, "qInv": k.qInvR, "R² mod p": k.p.square,
		"R³ mod p": k.cube[0], "R³ mod q": k.cube[1], "n": k.n.m, "R² mod n": k.n.square,
	} {
		for _, bit := range []int{1, 63, 64, 300, 511} {
			part[bit/64] ^= 1 << (bit % 64)
			dst := bytes.Repeat([]byte{7}, key.Size())
			if err := k.Exp(dst, in); !errors.Is(err, ErrFault) && !errors.Is(err, ErrNotBelowModulus) {
				t.Errorf("bit %d of %s: got %v", bit, name, err)
			}
			if !bytes.Equal(dst, bytes.Repeat([]byte{7}, key.Size())) {
				t.Errorf("bit %d of %s: a result left", bit, name)
			}
			part[bit/64] ^= 1 << (bit % 64)
		}
	}
	if err := k.Exp(in, in); err != nil {
		t.Errorf("undamaged: %v", err)
	}
}

func TestRefusedKeys(t *testing.T) {
	key := newKey(t, 512, 512, 65537)
	for name, change := range map[string]func(k *rsa.PrivateKey){
		"three primes":     func(k *rsa.PrivateKey) { k.Primes = append(slices.Clone(k.Primes), big.NewInt(3)) },
		"one prime":        func(k *rsa.PrivateKey) { k.Primes = k.Primes[:1] },
		"no dP":            func(k *rsa.PrivateKey) { k.Precomputed.Dp = nil },
		"no dQ":            func(k *rsa.PrivateKey) { k.Precomputed.Dq = nil },
		"no qInv":          func(k *rsa.PrivateKey) { k.Precomputed.Qinv = nil },
		"another modulus":  func(k *rsa.PrivateKey) { k.N = plus(k.N, 2) },
		"dP not below p":   func(k *rsa.PrivateKey) { k.Precomputed.Dp = k.Primes[0] },
		"dQ not below q":   func(k *rsa.PrivateKey) { k.Precomputed.Dq = key.N },
		"qInv not below p": func(k *rsa.PrivateKey) { k.Precomputed.Qinv = key.N },
		"a negative dP":    func(k *rsa.PrivateKey) { k.Precomputed.Dp = big.NewInt(-1) },
		"an even prime":    func(k *rsa.PrivateKey) { k.Primes = []*big.Int{big.NewInt(2), k.Primes[1]} },
		"primes of 0":      func(k *rsa.PrivateKey) { k.Primes = []*big.Int{big.NewInt(0), big.NewInt(0)} },
		"primes of 1":      func(k *rsa.PrivateKey) { k.Primes = []*big.Int{big.NewInt(1), k.N} },
		"negative primes": func(k *rsa.PrivateKey) {
			k.Primes = []*big.Int{new(big.Int).Neg(k.Primes[0]), new(big.Int).Neg(k.Primes[1])}
		},
		"primes unlike in length": func(k *rsa.PrivateKey) { *k = *newKey(t, 300, 724, 65537) },
	} {
		changed := *key
		change(&changed)
		if NewPrivate(&changed) != nil {
			t.Errorf("%s: a key was made", name)
		}
	}
}

// FuzzPrivate makes a key of any numbers that pass NewPrivate's checks. What
// comes out is right or an error.
func FuzzPrivate(f *testing.F) {
	key := newKey(f, 128, 128, 65537)
	c := key.Precomputed
	f.Add(key.Primes[0].Bytes(), key.Primes[1].Bytes(), c.Dp.Bytes(), c.Dq.Bytes(), c.Qinv.Bytes(), []byte("input"))
	f.Add([]byte{3}, []byte{5}, []byte{1}, []byte{3}, []byte{2}, []byte{7})
	f.Add([]byte{9}, []byte{9}, []byte{1}, []byte{3}, []byte{2}, []byte{7})
	f.Fuzz(func(t *testing.T, p, q, dP, dQ, qInv, c []byte) {
		if len(p) > 300 || len(q) > 300 {
			t.Skip()
		}
		number := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
		key := &rsa.PrivateKey{Primes: []*big.Int{number(p), number(q)}, PublicKey: rsa.PublicKey{E: 65537}}
		key.N = new(big.Int).Mul(key.Primes[0], key.Primes[1])
		key.Precomputed = rsa.PrecomputedValues{Dp: number(dP), Dq: number(dQ), Qinv: number(qInv)}
		k := NewPrivate(key)
		if k == nil {
			t.Skip()
		}
		in := fill(new(big.Int).Mod(number(c), key.N), key)
		dst := make([]byte, len(in))
		if err := k.Exp(dst, in); err == nil {
			if got := new(big.Int).Exp(number(dst), big.NewInt(65537), key.N); got.Cmp(number(in)) != 0 || number(dst).Cmp(key.N) >= 0 {
				t.Errorf("%x is no root of %x modulo %x", dst, in, key.N)
			}
		} else if !errors.Is(err, ErrFault) {
			t.Error(err)
		}
		k.Wipe()
	})
}

// TestScratchIsCleared: nothing of an operation stays in the memory that the
// next one gets.
func TestScratchIsCleared(t *testing.T) {
	key := newKey(t, 512, 512, 65537)
	k := NewPrivate(key)
	in := fill(big.NewInt(12345), key)
	s := newScratch(2000)
	words := s.words
	s.free()
	for range 100 { // the pool may give another one
		if err := k.Exp(in, in); err != nil {
			t.Fatal(err)
		}
	}
	if slices.ContainsFunc(words, func(w uint64) bool { return w != 0 }) {
		t.Error("it was not cleared")
	}
	s = newScratch(10)
	s.take(10)[3] = 1
	words = s.words
	if s.free(); words[3] != 0 {
		t.Error("it was not cleared")
	}
}

func TestWipe(t *testing.T) {
	k := NewPrivate(newKey(t, 512, 512, 65537))
	parts := [][]uint64{k.p.m, k.q.m, k.p.one, k.q.one, k.p.square, k.q.square, k.cube[0], k.cube[1], k.dP, k.dQ, k.qInvR}
	k.Wipe()
	for i, part := range parts {
		if slices.ContainsFunc(part, func(w uint64) bool { return w != 0 }) {
			t.Errorf("part %d was not cleared", i)
		}
	}
}

// TestTogether has one key in use by several goroutines, beside another of
// another length.
func TestTogether(t *testing.T) {
	a, b := newKey(t, 512, 512, 65537), newKey(t, 1024, 1024, 65537)
	var wg sync.WaitGroup
	for i, key := range []*rsa.PrivateKey{a, b} {
		k := NewPrivate(key)
		for j := range 4 {
			wg.Go(func() {
				in := fill(big.NewInt(int64(1000*i+j+2)), key)
				for range 20 {
					dst := make([]byte, len(in))
					if err := k.Exp(dst, in); err != nil {
						t.Error(err)
					} else if err := k.Public.Exp(dst, dst); err != nil || !bytes.Equal(dst, in) {
						t.Errorf("got %x, %v; want %x", dst, err, in)
					}
				}
			})
		}
	}
	wg.Wait()
}
