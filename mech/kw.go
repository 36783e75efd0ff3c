package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math"
)

// Key wrap with and without padding over a block cipher of 128 bits (RFC 3394,
// RFC 5649, NIST SP 800-38F). The functions here know no return codes; their
// errors are these two.
var (
	errWrapLength    = errors.New("the length is not one that key wrap takes")
	errWrapIntegrity = errors.New("the integrity check failed")
)

const semiblock = 8

// The initial values of RFC 3394, section 2.2.3.1, and RFC 5649, section 3.
var (
	kwIV   = []byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}
	kwpAIV = []byte{0xa6, 0x59, 0x59, 0xa6}
)

// kwSize returns the length of n bytes wrapped without padding.
func kwSize(n int) (int, error) {
	if n < 2*semiblock || n%semiblock != 0 {
		return 0, errWrapLength
	}
	return n + semiblock, nil
}

// kwpSize returns the length of n bytes wrapped with padding.
func kwpSize(n int) (int, error) {
	if n < 1 || uint64(n) > math.MaxUint32 {
		return 0, errWrapLength
	}
	return (n+semiblock-1)&^(semiblock-1) + semiblock, nil
}

// kwWrap wraps plain into dst, which may overlap it. iv has 8 bytes.
func kwWrap(b cipher.Block, iv, dst, plain []byte) (int, error) {
	n, err := kwSize(len(plain))
	if err != nil {
		return 0, err
	}
	copy(dst[semiblock:n], plain)
	copy(dst, iv)
	wrapBlocks(b, dst[:n])
	return n, nil
}

// kwUnwrap returns a new slice with what was wrapped.
func kwUnwrap(b cipher.Block, iv, wrapped []byte) ([]byte, error) {
	if len(wrapped) < 3*semiblock || len(wrapped)%semiblock != 0 {
		return nil, errWrapLength
	}
	buf := append([]byte(nil), wrapped...)
	unwrapBlocks(b, buf)
	if subtle.ConstantTimeCompare(buf[:semiblock], iv) != 1 {
		clear(buf)
		return nil, errWrapIntegrity
	}
	return buf[semiblock:], nil
}

// kwpWrap wraps plain into dst, which may overlap it. aiv has 4 bytes.
func kwpWrap(b cipher.Block, aiv, dst, plain []byte) (int, error) {
	n, err := kwpSize(len(plain))
	if err != nil {
		return 0, err
	}
	size := len(plain)
	copy(dst[semiblock:n], plain)
	clear(dst[semiblock+size : n])
	copy(dst, aiv)
	binary.BigEndian.PutUint32(dst[4:], uint32(size))
	if n == aes.BlockSize {
		b.Encrypt(dst[:n], dst[:n])
	} else {
		wrapBlocks(b, dst[:n])
	}
	return n, nil
}

// kwpUnwrap returns a new slice with what was wrapped. Which of the checks
// failed shows neither in the error nor in the time.
func kwpUnwrap(b cipher.Block, aiv, wrapped []byte) ([]byte, error) {
	if len(wrapped) < 2*semiblock || len(wrapped)%semiblock != 0 || uint64(len(wrapped)) > math.MaxUint32 {
		return nil, errWrapLength
	}
	buf := append([]byte(nil), wrapped...)
	if len(buf) == aes.BlockSize {
		b.Decrypt(buf, buf)
	} else {
		unwrapBlocks(b, buf)
	}
	padded := len(buf) - semiblock
	size := binary.BigEndian.Uint32(buf[4:])
	pad := uint32(padded) - size // 0 to 7, or the length is wrong
	ok := subtle.ConstantTimeCompare(buf[:4], aiv)
	ok &= subtle.ConstantTimeEq(int32(pad/semiblock), 0)
	var rest byte // what should be zero
	for i := range semiblock {
		inside := subtle.ConstantTimeLessOrEq(i+1, int(pad%semiblock))
		rest |= buf[len(buf)-1-i] & byte(-inside)
	}
	ok &= subtle.ConstantTimeByteEq(rest, 0)
	if ok != 1 {
		clear(buf)
		return nil, errWrapIntegrity
	}
	return buf[semiblock : semiblock+int(size)], nil
}

// kwPKCS7Size returns the length of n bytes wrapped with the padding of PKCS #7
// to whole semiblocks.
func kwPKCS7Size(n int) (int, error) { return kwSize(n&^(semiblock-1) + semiblock) }

// kwPKCS7Wrap pads plain to whole semiblocks and wraps it into dst, which may
// overlap it. iv has 8 bytes.
func kwPKCS7Wrap(b cipher.Block, iv, dst, plain []byte) (int, error) {
	n, err := kwPKCS7Size(len(plain))
	if err != nil {
		return 0, err
	}
	size := len(plain)
	copy(dst[semiblock:n], plain)
	pad := n - semiblock - size
	for i := n - pad; i < n; i++ {
		dst[i] = byte(pad)
	}
	copy(dst, iv)
	wrapBlocks(b, dst[:n])
	return n, nil
}

// kwPKCS7Unwrap returns a new slice with what was wrapped.
func kwPKCS7Unwrap(b cipher.Block, iv, wrapped []byte) ([]byte, error) {
	padded, err := kwUnwrap(b, iv, wrapped)
	if err != nil {
		return nil, err
	}
	pad, ok := padding(padded[len(padded)-semiblock:])
	if ok != 1 {
		clear(padded)
		return nil, errWrapIntegrity
	}
	return padded[:len(padded)-pad], nil
}

// wrapBlocks is W of SP 800-38F, section 6.1, in place: buf begins with the
// initial value.
func wrapBlocks(b cipher.Block, buf []byte) {
	var a [aes.BlockSize]byte
	copy(a[:], buf[:semiblock])
	t := uint64(0)
	for range 6 {
		for r := buf[semiblock:]; len(r) > 0; r = r[semiblock:] {
			t++
			copy(a[semiblock:], r)
			b.Encrypt(a[:], a[:])
			copy(r, a[semiblock:])
			binary.BigEndian.PutUint64(a[:], binary.BigEndian.Uint64(a[:])^t)
		}
	}
	copy(buf, a[:semiblock])
	clear(a[:])
}

// unwrapBlocks is the inverse of wrapBlocks.
func unwrapBlocks(b cipher.Block, buf []byte) {
	var a [aes.BlockSize]byte
	copy(a[:], buf[:semiblock])
	t := 6 * uint64(len(buf)/semiblock-1)
	for range 6 {
		for i := len(buf) - semiblock; i > 0; i -= semiblock {
			r := buf[i : i+semiblock]
			binary.BigEndian.PutUint64(a[:], binary.BigEndian.Uint64(a[:])^t)
			copy(a[semiblock:], r)
			b.Decrypt(a[:], a[:])
			copy(r, a[semiblock:])
			t--
		}
	}
	copy(buf, a[:semiblock])
	clear(a[:])
}
