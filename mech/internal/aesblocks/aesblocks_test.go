package aesblocks

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// need ends a test on a processor that the package does nothing for.
func need(t testing.TB) {
	if !Available() {
		if runtime.GOARCH == "amd64" {
			t.Skip("this processor has no AES instructions, or FIPS mode is on")
		}
		t.Skip("there are no kernels for this processor")
	}
}

// alone runs f with each set of kernels that a processor may have.
func alone(t *testing.T, f func(t *testing.T)) {
	all := kernels
	defer func() { kernels = all }()
	for i := range all {
		kernels = all[i:]
		t.Run(fmt.Sprintf("up to %d blocks", kernels[0].blocks), f)
	}
}

// compare holds every function against crypto/aes, apart and in place.
func compare(t *testing.T, key, text []byte, iv [BlockSize]byte) {
	t.Helper()
	c, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	ours := New(key)
	each := func(f func(dst, src []byte)) []byte {
		out := make([]byte, len(text))
		for i := 0; i < len(text); i += BlockSize {
			f(out[i:], text[i:])
		}
		return out
	}
	chained := make([]byte, len(text))
	cipher.NewCBCDecrypter(c, iv[:]).CryptBlocks(chained, text)
	var last [BlockSize]byte
	for _, m := range []struct {
		name string
		do   func(dst, src []byte)
		want []byte
	}{
		{"EncryptECB", ours.EncryptECB, each(c.Encrypt)},
		{"DecryptECB", ours.DecryptECB, each(c.Decrypt)},
		{"DecryptCBC", func(dst, src []byte) { last = iv; ours.DecryptCBC(dst, src, &last) }, chained},
	} {
		// A guard on both sides shows a kernel that writes too much.
		out := bytes.Repeat([]byte{0xa5}, len(text)+64)
		m.do(out[32:32+len(text)], text)
		if !bytes.Equal(out[32:32+len(text)], m.want) {
			t.Fatalf("%s of %d bytes under %d is wrong", m.name, len(text), len(key))
		}
		for i, b := range out {
			if (i < 32 || i >= 32+len(text)) && b != 0xa5 {
				t.Fatalf("%s of %d bytes wrote outside", m.name, len(text))
			}
		}
		same := bytes.Clone(text)
		m.do(same, same)
		if !bytes.Equal(same, m.want) {
			t.Fatalf("%s of %d bytes in place is wrong", m.name, len(text))
		}
	}
	want := iv
	if len(text) > 0 {
		want = [BlockSize]byte(text[len(text)-BlockSize:])
	}
	if last != want {
		t.Fatalf("DecryptCBC of %d bytes leaves %x for the next call, not the last ciphertext %x", len(text), last, want)
	}
}

// TestAgainstStandardLibrary has every length that takes a different way
// through the kernels.
func TestAgainstStandardLibrary(t *testing.T) {
	need(t)
	alone(t, func(t *testing.T) {
		r := rand.NewChaCha8([32]byte{1})
		for _, n := range []int{16, 24, 32} {
			key := make([]byte, n)
			text := make([]byte, 70*BlockSize)
			var iv [BlockSize]byte
			for blocks := range 70 {
				r.Read(key)
				r.Read(text)
				r.Read(iv[:])
				compare(t, key, text[:blocks*BlockSize], iv)
			}
		}
	})
}

// TestCBCInParts: what a call leaves in iv is what the next needs.
func TestCBCInParts(t *testing.T) {
	need(t)
	key, text := make([]byte, 32), make([]byte, 100*BlockSize)
	rand.NewChaCha8([32]byte{2}).Read(text)
	c, _ := aes.NewCipher(key)
	want := make([]byte, len(text))
	cipher.NewCBCDecrypter(c, make([]byte, BlockSize)).CryptBlocks(want, text)
	var iv [BlockSize]byte
	got := make([]byte, len(text))
	for at, n := 0, 1; at < len(text); n = n*2 + 1 {
		end := min(len(text), at+n*BlockSize)
		New(key).DecryptCBC(got[at:end], text[at:end], &iv)
		at = end
	}
	if !bytes.Equal(got, want) {
		t.Error("parts do not give what the whole gives")
	}
}

func TestBounds(t *testing.T) {
	need(t)
	c := New(make([]byte, 16))
	for _, f := range map[string]func(){
		"dst too short":  func() { c.EncryptECB(make([]byte, 16), make([]byte, 32)) },
		"half a block":   func() { c.DecryptECB(make([]byte, 24), make([]byte, 24)) },
		"a short block":  func() { c.Decrypt(make([]byte, 16), make([]byte, 15)) },
		"short, chained": func() { c.DecryptCBC(nil, make([]byte, 256), new([BlockSize]byte)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("memory that is not there was not refused")
				}
			}()
			f()
		}()
	}
	for n := range 64 {
		if ok := New(make([]byte, n)) != nil; ok != (n == 16 || n == 24 || n == 32) {
			t.Errorf("a key of %d bytes: %v", n, ok)
		}
	}
}

func TestWipe(t *testing.T) {
	need(t)
	c := New(bytes.Repeat([]byte{7}, 32))
	c.Wipe()
	if *c != (Cipher{}) {
		t.Error("something is left of the key")
	}
}

func FuzzAgainstStandardLibrary(f *testing.F) {
	need(f)
	f.Add(make([]byte, 32), make([]byte, 512), uint8(2))
	f.Fuzz(func(t *testing.T, key, text []byte, size uint8) {
		k := make([]byte, 16+8*int(size%3))
		copy(k, key)
		var iv [BlockSize]byte
		copy(iv[:], text)
		compare(t, k, text[:len(text)&^(BlockSize-1)], iv)
	})
}

func BenchmarkDecryptCBC(b *testing.B) {
	need(b)
	for _, n := range []int{16, 1 << 10, 16 << 10} {
		buf := make([]byte, n)
		var iv [BlockSize]byte
		b.Run(fmt.Sprintf("%d/kernels", n), func(b *testing.B) {
			c := New(make([]byte, 32))
			b.SetBytes(int64(n))
			for b.Loop() {
				c.DecryptCBC(buf, buf, &iv)
			}
		})
		b.Run(fmt.Sprintf("%d/standard", n), func(b *testing.B) {
			c, _ := aes.NewCipher(make([]byte, 32))
			m := cipher.NewCBCDecrypter(c, iv[:])
			b.SetBytes(int64(n))
			for b.Loop() {
				m.CryptBlocks(buf, buf)
			}
		})
	}
	b.Run("New", func(b *testing.B) {
		key := make([]byte, 32)
		for b.Loop() {
			New(key)
		}
	})
	b.Run("standard New", func(b *testing.B) {
		key := make([]byte, 32)
		for b.Loop() {
			aes.NewCipher(key)
		}
	})
}
