//go:build !amd64 || purego

package rsacrt

import (
	"math/bits"
	"unsafe"
)

// Without kernels crypto/rsa is faster. What follows keeps the rest of the
// package alive for its tests.
const supported = false

func slice(p *uint64, n int) []uint64 { return unsafe.Slice(p, n) }

func mulWide(t, a, b *uint64, blocks int) {
	n := 8 * blocks
	T, A, B := slice(t, 2*n), slice(a, n), slice(b, n)
	clear(T)
	for i := range B {
		T[i+n] = addMul(T[i:i+n], A, B[i])
	}
}

// addMul adds a·b to z and returns the carry.
func addMul(z, a []uint64, b uint64) (carry uint64) {
	for i := range a {
		hi, lo := bits.Mul64(a[i], b)
		var c uint64
		lo, c = bits.Add64(lo, carry, 0)
		hi += c
		z[i], c = bits.Add64(z[i], lo, 0)
		carry = hi + c
	}
	return carry
}

func montReduce(z, t, m *uint64, k0 uint64, blocks int) {
	n := 8 * blocks
	Z, T, M := slice(z, n), slice(t, 2*n), slice(m, n)
	var carry uint64
	for i := range n {
		T[i+n], carry = bits.Add64(T[i+n], addMul(T[i:i+n], M, T[i]*k0), carry)
	}
	subtract(Z, T[n:], M, -carry)
}

func montMul(z, a, b, m *uint64, k0 uint64, t *uint64, blocks int) {
	mulWide(t, a, b, blocks)
	montReduce(z, t, m, k0, blocks)
}

func montSquare(z, a, m *uint64, k0 uint64, t *uint64, blocks, times int) {
	for range times {
		montMul(z, a, a, m, k0, t, blocks)
		a = z
	}
}

func pick(z, table *uint64, index uint64, blocks int) {
	n := 8 * blocks
	Z, T := slice(z, n), slice(table, 32*n)
	clear(Z)
	for k := range uint64(32) {
		mask := ((k ^ index) - 1) >> 63 * ^uint64(0)
		for i := range Z {
			Z[i] |= T[k*uint64(n)+uint64(i)] & mask
		}
	}
}
