// Package rsacrt is the arithmetic of RSA: m^e and c^d modulo n (RFC 8017,
// sections 5.1 and 5.2), the latter by the Chinese remainder theorem. It knows
// no padding.
//
// # Design
//
// crypto/rsa multiplies with one chain of carries and has no squaring, and
// takes twice the time of OpenSSL for it. The kernels here, made by package
// asm, have both. They exist for amd64 with ADX; elsewhere, and in FIPS mode,
// whose boundary is the standard library, Available is false and the caller
// takes crypto/rsa.
//
// Nothing here branches on a secret or indexes memory with one, and there is no
// division: the time of the private operation depends on the lengths of the
// modulus and of the primes. So it needs no blinding. A result leaves only
// after it was raised to the public exponent and gave the input again: one of
// the halves gone wrong, by a fault of the machine or in the key, would give
// the primes away (Boneh, DeMillo, Lipton). docs/RSA.md has the proofs.
package rsacrt

import (
	"crypto/fips140"
	"crypto/rsa"
	"errors"
	"math/big"
	"sync"
)

//go:generate go run ./asm -out amd64_gen.s -stubs amd64_gen.go -pkg rsacrt

// Available reports whether this processor has what the package needs.
func Available() bool { return supported && !fips140.Enabled() }

// ErrNotBelowModulus reports an input that is no representative.
var ErrNotBelowModulus = errors.New("rsacrt: the number is not less than the modulus")

// ErrFault reports a private operation that went wrong. There is no result.
var ErrFault = errors.New("rsacrt: the RSA operation failed its check")

// A Public is a public key, safe for use by several goroutines.
type Public struct {
	n    *modulus
	e    uint
	size int
}

// NewPublic prepares a public key that crypto/rsa would take: an odd modulus
// and an odd exponent of at least 3.
func NewPublic(key *rsa.PublicKey) *Public {
	return &Public{n: newModulus(key.N), e: uint(key.E), size: key.Size()}
}

// Exp writes m^e mod n to dst. Both have the length of the modulus, and may be
// the same. If m is not below the modulus it is ErrNotBelowModulus.
func (k *Public) Exp(dst, m []byte) error {
	s := newScratch(5 * k.n.n)
	defer s.free()
	x, z, u, t := s.take(k.n.n), s.take(k.n.n), s.take(k.n.n), s.take(2*k.n.n)
	if len(m) != k.size || len(dst) != k.size {
		return ErrNotBelowModulus
	}
	setBytes(x, m)
	if less(x, k.n.m) == 0 {
		return ErrNotBelowModulus
	}
	k.n.expPublic(z, x, k.e, u, t)
	putBytes(dst, z)
	return nil
}

// A Private is a private key of two primes, safe for use by several
// goroutines.
type Private struct {
	Public
	p, q   *modulus
	cube   [2][]uint64 // R³ modulo p and q
	dP, dQ []uint64
	qInvR  []uint64 // R/q modulo p
}

// NewPrivate prepares a private key that crypto/rsa has validated and
// precomputed. It returns nil for one that is not for this package: of more
// than two primes, or of primes too different in length. Nothing of the key is
// kept; see Wipe.
func NewPrivate(key *rsa.PrivateKey) *Private {
	c := &key.Precomputed
	if len(key.Primes) != 2 || c.Dp == nil || c.Dq == nil || c.Qinv == nil {
		return nil
	}
	p, q := key.Primes[0], key.Primes[1]
	if !isResidue(c.Dp, p) || !isResidue(c.Dq, q) || !isResidue(c.Qinv, p) || new(big.Int).Mul(p, q).Cmp(key.N) != 0 {
		return nil
	}
	k := &Private{Public: *NewPublic(&key.PublicKey), p: newModulus(p), q: newModulus(q)}
	if k.p.n != k.q.n {
		k.Wipe()
		return nil
	}
	n := k.p.n
	k.dP, k.dQ, k.qInvR = fromBig(c.Dp, n), fromBig(c.Dq, n), fromBig(c.Qinv, n)
	s := newScratch(2 * n)
	defer s.free()
	t := s.take(2 * n)
	k.p.mul(k.qInvR, k.qInvR, k.p.square, t)
	k.p.reduceOnce(k.qInvR, 0)
	for i, o := range []*modulus{k.p, k.q} {
		k.cube[i] = make([]uint64, n)
		o.mul(k.cube[i], o.square, o.square, t)
	}
	return k
}

// isResidue reports whether m is a modulus and x is below it.
func isResidue(x, m *big.Int) bool {
	return m.Bit(0) == 1 && m.Cmp(big.NewInt(1)) > 0 && x.Sign() >= 0 && x.Cmp(m) < 0
}

// Wipe clears the key, which nobody uses any more.
func (k *Private) Wipe() {
	k.p.wipe()
	k.q.wipe()
	for _, x := range [][]uint64{k.cube[0], k.cube[1], k.dP, k.dQ, k.qInvR} {
		clear(x)
	}
	*k = Private{}
}

// Exp writes c^d mod n to dst. Both have the length of the modulus, and may be
// the same. If c is not below the modulus it is ErrNotBelowModulus; if the
// result fails its check it is ErrFault. Nothing is written then.
func (k *Private) Exp(dst, c []byte) error {
	n, m := k.p.n, k.n.n
	s := newScratch(37*n + 2*n + 2*n + 2*n + 5*m)
	defer s.free()
	// z has 2n words, which may be more than n has; the rest of them are zero.
	x, z, m1, m2 := s.take(2*n), s.take(2*n), s.take(n), s.take(n)
	if len(c) != k.size || len(dst) != k.size {
		return ErrNotBelowModulus
	}
	setBytes(x, c)
	if less(x[:m], k.n.m) == 0 {
		return ErrNotBelowModulus
	}
	table, u, t := s.take(n<<windowBits), s.take(n), s.take(2*n)
	k.half(k.p, m1, x, k.cube[0], k.dP, table, u, t)
	k.half(k.q, m2, x, k.cube[1], k.dQ, table, u, t)
	k.combine(z, m1, m2, u, t)

	check, v, w := s.take(m), s.take(m), s.take(2*m)
	k.n.expPublic(check, z[:m], k.e, v, w)
	if differ(check, x[:m]) != 0 {
		return ErrFault
	}
	putBytes(dst, z)
	return nil
}

// half makes z = c^d modulo o, below o, for c of 2n words.
func (k *Private) half(o *modulus, z, c, cube, d, table, u, t []uint64) {
	copy(t, c)
	montReduce(&u[0], &t[0], &o.m[0], o.k0, o.blocks()) // c/R: c is below R²
	x := table[o.n : 2*o.n]                             // where exp wants it
	o.mul(x, u, cube, t)                                // c·R
	o.exp(z, x, d, table, u, t)
	o.leave(z, z, u, t)
}

// combine makes z = m2 + q·((m1-m2)/q modulo p), for m1 below p and m2 below q.
// That is below n: (q-1) + q·(p-1) = n-1.
func (k *Private) combine(z, m1, m2, u, t []uint64) {
	h := z[:k.p.n]
	k.p.mul(h, m2, k.p.square, t)
	k.p.leave(h, h, u, t) // m2 modulo p
	borrow := subtract(h, m1, h, ^uint64(0))
	add(h, h, k.p.m, -borrow)
	k.p.mul(h, h, k.qInvR, t) // both are below p: h is below 2p
	k.p.reduceOnce(h, 0)
	copy(u, h)
	mulWide(&z[0], &u[0], &k.q.m[0], k.p.blocks())
	add(z, z, m2, ^uint64(0))
}

// A scratch is memory for one operation. It is zero before and after.
type scratch struct {
	words []uint64
	used  int
}

var scratches sync.Pool

func newScratch(words int) *scratch {
	if s, ok := scratches.Get().(*scratch); ok && len(s.words) >= words {
		return s
	}
	return &scratch{words: make([]uint64, words)}
}

// take returns n words that nobody else has.
func (s *scratch) take(n int) []uint64 {
	s.used += n
	return s.words[s.used-n : s.used : s.used]
}

// free clears what was used and keeps it for the next operation.
func (s *scratch) free() {
	clear(s.words[:s.used])
	s.used = 0
	scratches.Put(s)
}
