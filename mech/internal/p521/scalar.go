package p521

// A scalar is cut into windows of five bits, each a digit from −16 to 16, so
// that a table needs the multiples from 1 to 16 only (Booth's recoding).
const (
	window  = 5
	windows = 105 // 5·105 bits hold a scalar of 521, and a sign
	largest = 1 << (window - 1)
)

// A digit is a sign (all ones for minus) and a magnitude from 0 to 16.
type digit struct{ minus, abs uint64 }

// digitOf returns the digit with the weight 2^(5i) of a scalar in 66 bytes,
// big-endian.
func digitOf(k *[size]byte, i int) digit {
	// The six bits from 5i−1 on. Which they are is no secret, what they hold is.
	bits := uint64(0)
	for j := 5; j >= 0; j-- {
		at := window*i - 1 + j
		bits <<= 1
		if at >= 0 && at < 8*size {
			bits |= uint64(k[size-1-at/8]>>(at%8)) & 1
		}
	}
	minus := -(bits >> 5)
	v := (bits + 1) >> 1 // 0 to 32: the digit, or 32 more than it
	return digit{minus, (v ^ minus) + (minus & 33)}
}

// equalMask is all ones if a and b, both below 2⁶³, are equal, else zero.
func equalMask(a, b uint64) uint64 { return uint64(int64((a^b)-1) >> 63) }
