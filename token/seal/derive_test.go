package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

func TestHMACIsTheLibrarys(t *testing.T) {
	for _, keyLen := range []int{0, 1, 32, 63, 64} {
		for _, n := range []int{0, 1, 55, 56, 64, 65, 1000} {
			key, msg := bytes.Repeat([]byte{0x5a}, keyLen), bytes.Repeat([]byte{0x17}, n)
			var got [keySize]byte
			hmac256(&got, key, msg[:n/3], nil, msg[n/3:])
			h := hmac.New(sha256.New, key)
			h.Write(msg)
			if want := h.Sum(nil); !bytes.Equal(got[:], want) {
				t.Errorf("key of %d, message of %d: got %x, want %x", keyLen, n, got, want)
			}
		}
	}
}

func TestHKDFIsTheLibrarys(t *testing.T) {
	key, salt := bytes.Repeat([]byte{3}, 32), bytes.Repeat([]byte{4}, 32)
	for _, n := range []int{0, 21, 100, 300} {
		info := bytes.Repeat([]byte{5}, n)
		var got [keySize]byte
		derive(&got, key, salt, info[:n/2], info[n/2:])
		want, err := hkdf.Key(sha256.New, key, salt, string(info), keySize)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got[:], want) {
			t.Errorf("derive, info of %d: got %x, want %x", n, got, want)
		}
		expand(&got, key, info)
		want, err = hkdf.Expand(sha256.New, key, string(info), keySize)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got[:], want) {
			t.Errorf("expand, info of %d: got %x, want %x", n, got, want)
		}
	}
}
