package mech

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"testing"
)

func TestHMACIsThatOfTheLibrary(t *testing.T) {
	for _, h := range allHashes() {
		if n := h.New().BlockSize(); n > maxBlock {
			t.Fatalf("%s has blocks of %d bytes", h.Name, n)
		}
		for _, n := range []int{1, 16, 20, 63, 64, 65, 104, 127, 128, 129, 136, 143, 144, 145, 500} {
			key, data := make([]byte, n), make([]byte, 300)
			rand.Read(key)
			rand.Read(data)
			want := hmac.New(h.New, key)
			got := newHMAC(h, key)
			for range 2 {
				for _, part := range [][]byte{data[:1], data[1 : n%200+1], data[n%200+1:]} {
					want.Write(part)
					got.Write(part)
					if a, b := got.Sum([]byte("x")), want.Sum([]byte("x")); !bytes.Equal(a, b) {
						t.Fatalf("%s, a key of %d bytes: got %x, want %x", h.Name, n, a, b)
					}
				}
				want.Reset()
				got.Reset()
			}
			got.wipe()
			got.wipe()
			if got.pad != [maxBlock]byte{} || got.sum != [maxDigest]byte{} {
				t.Errorf("%s: not wiped", h.Name)
			}
		}
	}
}

func TestHKDFIsThatOfTheLibrary(t *testing.T) {
	for i := range hashAlgs {
		h := &hashAlgs[i]
		for _, n := range []int{1, 20, 64, 65, 200, 255 * h.Size()} {
			secret, salt := make([]byte, 33), make([]byte, n%150)
			rand.Read(secret)
			rand.Read(salt)
			prk, err := hkdf.Extract(h.New, secret, salt)
			if err != nil {
				t.Fatal(err)
			}
			if got := hkdfExtract(h, secret, salt); !bytes.Equal(got, prk) {
				t.Errorf("%s: extracted %x, want %x", h.Name, got, prk)
			}
			want, err := hkdf.Expand(h.New, prk, "info", n)
			if err != nil {
				t.Fatal(err)
			}
			if got := hkdfExpand(h, prk, []byte("info"), n); !bytes.Equal(got, want) {
				t.Errorf("%s, %d bytes: expanded to something else", h.Name, n)
			}
		}
	}
}

// What begins with the key has to end with the operation.
func TestErase(t *testing.T) {
	key := []byte("0123456789abcdef")
	block, err := newAES(key)
	if err != nil {
		t.Fatal(err)
	}
	var iv [16]byte
	stream := newCTR(block, &iv)
	a, b := make([]byte, 16), make([]byte, 16)
	stream.XORKeyStream(a, a)
	erase(stream)
	stream.XORKeyStream(b, b)
	block.Encrypt(iv[:], make([]byte, 16))
	if bytes.Equal(a, b) {
		t.Error("the stream goes on after it was erased")
	}
	if !bytes.Equal(a, iv[:]) {
		t.Error("the block cipher went with the stream")
	}
	erase(block)
	block.Encrypt(b, make([]byte, 16))
	if bytes.Equal(b, a) {
		t.Error("the block cipher goes on after it was erased")
	}
}
