package rsacrt

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// A number is a []uint64, the lowest word first, of a length that its modulus
// rules. All of this file takes a time that the lengths alone decide.

// fromBig returns the n words of x, which has no more.
func fromBig(x *big.Int, n int) []uint64 {
	z := make([]uint64, n)
	b := x.FillBytes(make([]byte, 8*n))
	setBytes(z, b)
	clear(b)
	return z
}

// setBytes makes z of bytes, the highest first, of which there are not more
// than in z.
func setBytes(z []uint64, b []byte) {
	i := 0
	for ; len(b) >= 8; i++ {
		z[i] = binary.BigEndian.Uint64(b[len(b)-8:])
		b = b[:len(b)-8]
	}
	clear(z[i:])
	for j, v := range b {
		z[i] |= uint64(v) << (8 * (len(b) - 1 - j))
	}
}

// putBytes fills b with x, whose words that do not fit are zero.
func putBytes(b []byte, x []uint64) {
	i := 0
	for ; len(b) >= 8; i++ {
		binary.BigEndian.PutUint64(b[len(b)-8:], x[i])
		b = b[:len(b)-8]
	}
	for j := range b {
		b[j] = byte(x[i] >> (8 * (len(b) - 1 - j)))
	}
}

// subtract makes z = x - (y & mask) and returns the borrow. z may be x or y.
func subtract(z, x, y []uint64, mask uint64) (borrow uint64) {
	for i := range z {
		z[i], borrow = bits.Sub64(x[i], y[i]&mask, borrow)
	}
	return borrow
}

// add makes z = x + (y & mask) and returns the carry. z may be x or y; y may be
// shorter.
func add(z, x, y []uint64, mask uint64) (carry uint64) {
	for i := range y {
		z[i], carry = bits.Add64(x[i], y[i]&mask, carry)
	}
	for i := len(y); i < len(z); i++ {
		z[i], carry = bits.Add64(x[i], 0, carry)
	}
	return carry
}

// less reports, as 1 or 0, whether x is less than y.
func less(x, y []uint64) (borrow uint64) {
	for i := range x {
		_, borrow = bits.Sub64(x[i], y[i], borrow)
	}
	return borrow
}

// differ is zero if x and y are equal.
func differ(x, y []uint64) (d uint64) {
	for i := range x {
		d |= x[i] ^ y[i]
	}
	return d
}
