package mech

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"testing"
)

// FuzzKeyUnwrap feeds both unwraps with garbage, and with what wraps garbage:
// the second reaches the checks behind the first one.
func FuzzKeyUnwrap(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Add([]byte("\xa6\x59\x59\xa6\x00\x00\x00\x09123456789\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\xa6\x59\x59\xa6\x00\x00\x00\x0812345678"))
	f.Add([]byte("\xa6\x59\x59\xa6\xff\xff\xff\xff12345678"))
	f.Add([]byte("\xa6\x59\x59\xa6\x00\x00\x00\x0012345678abcdefgh"))
	f.Add(bytes.Repeat([]byte{0xa6}, 24))
	block, _ := aes.NewCipher(make([]byte, 16))
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(wrapped []byte) {
			if plain, err := kwUnwrap(block, kwIV, wrapped); err == nil {
				back := make([]byte, len(wrapped))
				if _, err := kwWrap(block, kwIV, back, plain); err != nil || !bytes.Equal(back, wrapped) {
					t.Errorf("%x unwraps to %x, which wraps to %x, %v", wrapped, plain, back, err)
				}
			}
			if plain, err := kwpUnwrap(block, kwpAIV, wrapped); err == nil {
				back := make([]byte, len(wrapped))
				if _, err := kwpWrap(block, kwpAIV, back, plain); err != nil || !bytes.Equal(back, wrapped) {
					t.Errorf("%x unwraps to %x, which wraps to %x, %v", wrapped, plain, back, err)
				}
			}
		}
		check(b)
		if len(b) < 16 || len(b)%8 != 0 {
			return
		}
		wrapped := bytes.Clone(b)
		if len(b) == 16 {
			block.Encrypt(wrapped, wrapped)
		} else {
			wrapBlocks(block, wrapped)
		}
		check(wrapped)
	})
}

// TestKWPRefusesWrongLengthsAndPadding makes each fault that RFC 5649, section
// 3, tells to look for.
func TestKWPRefusesWrongLengthsAndPadding(t *testing.T) {
	block, _ := aes.NewCipher(make([]byte, 16))
	wrapped := func(size uint32, padded string) []byte {
		b := binary.BigEndian.AppendUint32(bytes.Clone(kwpAIV), size)
		b = append(b, padded...)
		if len(b) == 16 {
			block.Encrypt(b, b)
		} else {
			wrapBlocks(block, b)
		}
		return b
	}
	for _, size := range []uint32{9, 15, 16} {
		if _, err := kwpUnwrap(block, kwpAIV, wrapped(size, "123456789\x00\x00\x00\x00\x00\x00\x00")); err != nil {
			t.Errorf("a length of %d, of 16: %v", size, err)
		}
	}
	for _, size := range []uint32{0, 1, 7, 8, 17, 24, 1 << 31, 1<<32 - 1} {
		if _, err := kwpUnwrap(block, kwpAIV, wrapped(size, "123456789\x00\x00\x00\x00\x00\x00\x00")); err != errWrapIntegrity {
			t.Errorf("a length of %d, of 16: %v", size, err)
		}
	}
	for _, size := range []uint32{0, 9, 16} {
		if _, err := kwpUnwrap(block, kwpAIV, wrapped(size, "\x00\x00\x00\x00\x00\x00\x00\x00")); err != errWrapIntegrity {
			t.Errorf("a length of %d, of 8: %v", size, err)
		}
	}
	for i := 9; i < 16; i++ {
		padded := []byte("123456789\x00\x00\x00\x00\x00\x00\x00")
		padded[i] = 1
		if _, err := kwpUnwrap(block, kwpAIV, wrapped(9, string(padded))); err != errWrapIntegrity {
			t.Errorf("padding that is not zero at %d: %v", i, err)
		}
	}
}

// FuzzPadding compares the check in constant time with a plain one.
func FuzzPadding(f *testing.F) {
	for n := range 18 {
		f.Add(bytes.Repeat([]byte{byte(n)}, 16))
	}
	f.Add([]byte("0123456789abcd\x01\x02"))
	f.Add([]byte("0123456789abcd\x02\x02"))
	f.Add([]byte("0123456789abcdefghi"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var last [16]byte
		copy(last[:], b)
		n := int(last[15])
		want := n >= 1 && n <= 16 && bytes.Equal(last[16-min(n, 16):], bytes.Repeat([]byte{byte(n)}, min(n, 16)))
		pad, ok := padding(last[:])
		if (ok == 1) != want || want && pad != n {
			t.Errorf("%x: got %d, %d; want %d, %v", last, pad, ok, n, want)
		}
	})
}
