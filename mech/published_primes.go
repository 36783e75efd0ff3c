package mech

import (
	"math/big"
	"sync"
)

// A publishedGroup is a safe prime that RFC 2409, 3526 or 7919 defines, whose
// base is 2 and generates the residues: of so many bits, the 64 highest and
// lowest set, and in between the leading bits of π or e plus a small number.
type publishedGroup struct {
	bits, plus int
	of         func(bits int) *big.Int // ⌊2^bits · π⌋ or of e
	prefer     bool                    // CKM_DH_PKCS_PARAMETER_GEN gives it for that length
}

var publishedGroups = []publishedGroup{
	{1024, 129093, scaledPi, true}, // RFC 2409, section 6.2
	{1536, 741804, scaledPi, true}, // RFC 3526
	{2048, 124476, scaledPi, false},
	{3072, 1690314, scaledPi, false},
	{4096, 240904, scaledPi, false},
	{6144, 929484, scaledPi, false},
	{8192, 4743158, scaledPi, false},
	{2048, 560316, scaledE, true}, // RFC 7919, appendix A
	{3072, 2625351, scaledE, true},
	{4096, 5736041, scaledE, true},
	{6144, 15705020, scaledE, true},
	{8192, 10965728, scaledE, true},
}

// prime returns 2^b - 2^(b-64) + (⌊2^(b-130) · π or e⌋ + plus) · 2^64 - 1.
func (g *publishedGroup) prime() *big.Int {
	one := big.NewInt(1)
	power := func(n int) *big.Int { return new(big.Int).Lsh(one, uint(n)) }
	p := power(g.bits)
	p.Sub(p, power(g.bits-64))
	middle := g.of(g.bits - 130)
	middle.Add(middle, big.NewInt(int64(g.plus)))
	p.Add(p, middle.Lsh(middle, 64))
	return p.Sub(p, one)
}

// publishedPrimes are the primes of publishedGroups, by their index.
var publishedPrimes = sync.OnceValue(func() (ps []*big.Int) {
	for i := range publishedGroups {
		ps = append(ps, publishedGroups[i].prime())
	}
	return ps
})

func isPublishedPrime(p *big.Int) bool {
	for _, q := range publishedPrimes() {
		if q.Cmp(p) == 0 {
			return true
		}
	}
	return false
}

// preferredPrime returns the published prime of so many bits, nil if there is
// none.
func preferredPrime(bits int) *big.Int {
	for i, g := range publishedGroups {
		if g.prefer && g.bits == bits {
			return new(big.Int).Set(publishedPrimes()[i])
		}
	}
	return nil
}

// guardBits are computed beyond those that are asked for, so that what the
// series leave out does not matter.
const guardBits = 128

// scaledE returns ⌊2^bits · e⌋, by the series of 1/n!.
func scaledE(bits int) *big.Int {
	term := new(big.Int).Lsh(big.NewInt(1), uint(bits+guardBits))
	sum := new(big.Int)
	for n := int64(1); term.Sign() != 0; n++ {
		sum.Add(sum, term)
		term.Quo(term, big.NewInt(n))
	}
	return sum.Rsh(sum, guardBits)
}

// scaledPi returns ⌊2^bits · π⌋, by Machin's formula: π = 16 arctan(1/5) - 4
// arctan(1/239).
func scaledPi(bits int) *big.Int {
	arctan := func(inverse int64) *big.Int {
		term := new(big.Int).Lsh(big.NewInt(1), uint(bits+guardBits))
		term.Quo(term, big.NewInt(inverse))
		square := big.NewInt(inverse * inverse)
		sum := new(big.Int)
		for n := int64(1); term.Sign() != 0; n += 2 {
			part := new(big.Int).Quo(term, big.NewInt(n))
			if n%4 == 1 {
				sum.Add(sum, part)
			} else {
				sum.Sub(sum, part)
			}
			term.Quo(term, square)
		}
		return sum
	}
	pi := arctan(5)
	pi.Lsh(pi, 4)
	return pi.Sub(pi, new(big.Int).Lsh(arctan(239), 2)).Rsh(pi, guardBits)
}
