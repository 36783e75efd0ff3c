package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math"
	"math/bits"

	"coffer/p11"
)

// ctrOp is counter mode (PKCS #11 v3.2, section 6.11). The counter may not
// overflow its bits: where it would, the standard wants CKR_DATA_LEN_RANGE, in
// both directions. So the counter of crypto/cipher, which has all 128 bits,
// never carries into the part that must stay.
type ctrOp struct {
	block   cipher.Block // which the stream has a copy of
	counter [aes.BlockSize]byte
	stream  cipher.Stream
	done    uint64 // bytes, as far as they are counted
	left    uint64 // bytes until the counter would overflow
}

func newCTROp(k Key, p p11.Params) (Op, error) {
	ctr, err := paramAs[p11.CTRParams](p)
	if err != nil {
		return nil, err
	}
	if ctr.CounterBits < 1 || ctr.CounterBits > 128 {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the counter has %d bits; it can have 1 to 128", ctr.CounterBits)
	}
	block, err := aesOf(k)
	if err != nil {
		return nil, err
	}
	return &ctrOp{
		block:   block,
		counter: ctr.Counter,
		stream:  newCTR(block, &ctr.Counter),
		left:    counterRoom(&ctr.Counter, int(ctr.CounterBits)),
	}, nil
}

// seek sets an operation that was just begun behind n bytes.
func (o *ctrOp) seek(n uint64) {
	at := o.counter
	low, carry := bits.Add64(binary.BigEndian.Uint64(at[8:]), n/aes.BlockSize, 0)
	binary.BigEndian.PutUint64(at[8:], low)
	binary.BigEndian.PutUint64(at[:], binary.BigEndian.Uint64(at[:])+carry)
	erase(o.stream)
	o.stream = newCTR(o.block, &at)
	var skipped [aes.BlockSize]byte
	o.stream.XORKeyStream(skipped[:n%aes.BlockSize], skipped[:n%aes.BlockSize])
	clear(skipped[:])
	o.took(n)
}

// took counts n bytes.
func (o *ctrOp) took(n uint64) {
	o.done += n
	if o.left != math.MaxUint64 {
		o.left -= n
	}
}

// newCTR is cipher.NewCTR, and leaves nothing on the stack.
func newCTR(block cipher.Block, counter *[aes.BlockSize]byte) cipher.Stream {
	defer scrub()
	return cipher.NewCTR(block, counter[:])
}

// counterRoom returns how many bytes can be encrypted from the counter on
// before its low width bits overflow, or more than memory holds.
func counterRoom(counter *[aes.BlockSize]byte, width int) uint64 {
	hi, lo := binary.BigEndian.Uint64(counter[:8]), binary.BigEndian.Uint64(counter[8:])
	// 2^width - counter, modulo 2^width: zero stands for 2^width.
	lo, borrow := bits.Sub64(0, lo, 0)
	hi, _ = bits.Sub64(0, hi, borrow)
	if width <= 64 {
		hi = 0
		lo &= math.MaxUint64 >> (64 - width)
	} else {
		hi &= math.MaxUint64 >> (128 - width)
	}
	if hi == 0 && lo == 0 {
		hi, lo = power2(width)
	}
	if hi != 0 || lo > math.MaxUint64/aes.BlockSize {
		return math.MaxUint64
	}
	return lo * aes.BlockSize
}

// power2 returns 2ⁿ as two words; 2¹²⁸ as the most they hold.
func power2(n int) (hi, lo uint64) {
	switch {
	case n < 64:
		return 0, 1 << n
	case n < 128:
		return 1 << (n - 64), 0
	default:
		return math.MaxUint64, math.MaxUint64
	}
}

func (o *ctrOp) Update(dst, src []byte) (int, error) {
	if uint64(len(src)) > o.left {
		return 0, p11.Errorf(p11.CKR_DATA_LEN_RANGE, "%d bytes would overflow the counter", len(src))
	}
	o.took(uint64(len(src)))
	o.stream.XORKeyStream(dst, src)
	return len(src), nil
}

func (o *ctrOp) UpdateSize(n int) Size { return Size{Max: n, Exact: true} }

func (o *ctrOp) Final(dst, src []byte) (int, error) { return o.Update(dst, src) }

func (o *ctrOp) FinalSize(n int) Size { return o.UpdateSize(n) }

func (o *ctrOp) Wipe() {
	if o.stream != nil {
		erase(o.stream)
		erase(o.block)
	}
	o.stream, o.block = nil, nil
}
