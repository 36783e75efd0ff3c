package mech

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// FuzzGCMStream compares the composition of counter mode and ghash with the
// whole of crypto/cipher.
func FuzzGCMStream(f *testing.F) {
	f.Add(uint64(1), uint16(2), uint16(3), uint16(5), uint16(3))
	f.Add(uint64(2), uint16(12), uint16(ghashChunk+1), uint16(3*ghashChunk), uint16(ghashChunk))
	f.Add(uint64(3), uint16(ghashChunk), uint16(ghashChunk), uint16(2*ghashChunk+15), uint16(ghashChunk+17))
	f.Add(uint64(4), uint16(16), uint16(0), uint16(ghashChunk-1), uint16(1000))
	f.Add(uint64(5), uint16(12), uint16(13), uint16(5*ghashChunk+100), uint16(33))
	f.Fuzz(func(t *testing.T, seed uint64, ivLen, aadLen, plainLen, part uint16) {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], seed)
		random := rand.NewChaCha8(key)
		bytesOf := func(n uint16) []byte {
			b := make([]byte, n)
			random.Read(b)
			return b
		}
		iv, aad, plain := bytesOf(max(ivLen, 1)), bytesOf(aadLen), bytesOf(plainLen)
		block, err := aes.NewCipher(key[:])
		if err != nil {
			t.Fatal(err)
		}
		aead, err := cipher.NewGCMWithNonceSize(block, len(iv))
		if err != nil {
			t.Fatal(err)
		}
		want := aead.Seal(nil, iv, plain, aad)

		s := newGCMStream(block, iv, aad)
		got := bytes.Clone(plain)
		for rest := got; len(rest) > 0; {
			n := min(int(max(part, 1)), len(rest))
			s.encrypt(rest[:n], rest[:n])
			rest = rest[n:]
		}
		tag := s.tag()
		if got = append(got, tag[:]...); !bytes.Equal(got, want) {
			t.Errorf("got %x\nwant %x", got, want)
		}
	})
}

// TestGCMCounterWraps has IVs whose first counter block is close to the end of
// its 32 bits: the counter wraps without touching the rest of the block.
func TestGCMCounterWraps(t *testing.T) {
	block, _ := aes.NewCipher(make([]byte, 16))
	for _, low := range []byte{0xfd, 0xfe, 0xff} {
		first := [16]byte{0: 1, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: low}
		c := newGCMCounter(block, first)
		got := make([]byte, 5*16)
		for i := 0; i < len(got); i += 20 {
			c.XORKeyStream(got[i:i+20], got[i:i+20])
		}
		want := make([]byte, 0, len(got))
		counter := first
		for n := uint32(low) + 1; len(want) < len(got); n++ {
			copy(counter[12:], []byte{0xff, 0xff, 0xff, byte(n)})
			if n > 0xff {
				copy(counter[12:], []byte{0, 0, 0, byte(n)})
			}
			var out [16]byte
			block.Encrypt(out[:], counter[:])
			want = append(want, out[:]...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("from %#x: got %x, want %x", low, got, want)
		}
	}
}

// TestElementTimes has the identities of a field.
func TestElementTimes(t *testing.T) {
	one := element{hi: 1 << 63}
	a, b, c := element{0x0123456789abcdef, 0xfedcba9876543210}, element{3, 5 << 60}, element{1 << 62, 1}
	if a.times(one) != a || one.times(a) != a {
		t.Error("one is not neutral")
	}
	if a.times(b) != b.times(a) || a.times(b).times(c) != a.times(b.times(c)) {
		t.Error("multiplication does not commute and associate")
	}
	if a.times(b.plus(c)) != a.times(b).plus(a.times(c)) {
		t.Error("multiplication does not distribute")
	}
}
