package mech

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"sync"
	"testing"
)

var paddingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
})

// TestPKCS1SignatureByCryptoRSA: for each hash, and for none, the block is that
// of crypto/rsa, whose signature shows it.
func TestPKCS1SignatureByCryptoRSA(t *testing.T) {
	key := paddingKey()
	data := make([]byte, key.Size()-pkcs1Overhead)
	rand.Read(data)
	check := func(h crypto.Hash, data []byte) {
		t.Helper()
		sig, err := rsa.SignPKCS1v15(nil, key, h, data)
		if err != nil {
			t.Fatal(err)
		}
		want := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
		em := bytes.Repeat([]byte{7}, key.Size())
		padPKCS1Signature(em, h, data)
		if !bytes.Equal(em, want) {
			t.Errorf("%v, %d bytes: got %x; want %x", h, len(data), em, want)
		}
	}
	for h := range digestInfos {
		check(h, data[:h.Size()])
	}
	for n := range data {
		check(0, data[:n])
	}
	check(0, data)
	n := 0
	for _, m := range rsaPKCS1Mechanisms() {
		if m.Type.String() != "CKM_RSA_PKCS" {
			n++
		}
	}
	if n != len(digestInfos) {
		t.Errorf("there are %d mechanisms with a hash and %d encodings", n, len(digestInfos))
	}
}

// TestPaddedForCryptoRSA has crypto/rsa decrypt what is padded here, for each
// length of a message.
func TestPaddedForCryptoRSA(t *testing.T) {
	key := paddingKey()
	encrypted := func(em []byte) []byte {
		return new(big.Int).Exp(new(big.Int).SetBytes(em), big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
	}
	message := make([]byte, key.Size())
	rand.Read(message)
	for n := 0; n <= key.Size()-pkcs1Overhead; n++ {
		em := bytes.Repeat([]byte{7}, key.Size())
		padPKCS1(em, message[:n])
		//lint:ignore SA1019 it is what is tested
		got, err := rsa.DecryptPKCS1v15(nil, key, encrypted(em))
		if err != nil || !bytes.Equal(got, message[:n]) {
			t.Errorf("PKCS #1, %d bytes: got %x, %v", n, got, err)
		}
		if start, ok := unpadPKCS1(em); !ok || !bytes.Equal(em[start:], message[:n]) {
			t.Errorf("PKCS #1, %d bytes: it is not found again", n)
		}
	}
	for i := range hashAlgs {
		hash, mgf := &hashAlgs[i], &hashAlgs[(i+1)%5]
		e := &oaep{hash: hash, mgf: mgf, label: []byte("label")}
		for n := 0; n <= e.most(key.Size()); n++ {
			em := bytes.Repeat([]byte{7}, key.Size())
			e.pad(em, message[:n])
			got, err := key.Decrypt(nil, encrypted(em), e.options())
			if err != nil || !bytes.Equal(got, message[:n]) {
				t.Errorf("OAEP with %s and %s, %d bytes: got %x, %v", hash.Name, mgf.Name, n, got, err)
			}
			if start, ok := e.unpad(em); !ok || !bytes.Equal(em[start:], message[:n]) {
				t.Errorf("OAEP with %s and %s, %d bytes: it is not found again", hash.Name, mgf.Name, n)
			}
		}
	}
}

// unpadLikeCryptoRSA compares what is found in a block with what crypto/rsa
// finds in it.
func unpadLikeCryptoRSA(t *testing.T, em []byte, e *oaep) {
	t.Helper()
	key := paddingKey()
	x := new(big.Int).SetBytes(em)
	if len(em) != key.Size() || x.Cmp(key.N) >= 0 {
		return
	}
	c := x.Exp(x, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
	for name, way := range map[string]struct {
		unpad  func([]byte) (int, bool)
		crypto func() ([]byte, error)
	}{
		//lint:ignore SA1019 it is what is tested
		"PKCS #1": {unpadPKCS1, func() ([]byte, error) { return rsa.DecryptPKCS1v15(nil, key, c) }},
		"OAEP":    {e.unpad, func() ([]byte, error) { return key.Decrypt(nil, c, e.options()) }},
	} {
		block := bytes.Clone(em)
		want, err := way.crypto()
		start, ok := way.unpad(block)
		if ok != (err == nil) || ok && !bytes.Equal(block[start:], want) {
			t.Errorf("%s: from %x, got %v from byte %d on; crypto/rsa has %x, %v", name, em, ok, start, want, err)
		}
	}
}

// secretLikeCryptoRSA compares the secret of so many bytes that is put in place
// of another, or not, with that which crypto/rsa puts there.
func secretLikeCryptoRSA(t *testing.T, k *rsaPrivateKey, em []byte, n int) {
	t.Helper()
	c := new(big.Int).SetBytes(em)
	if len(em) != k.Size() || c.Cmp(k.N) >= 0 {
		return
	}
	in := c.Exp(c, big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, k.Size()))
	got, want := bytes.Repeat([]byte{0x55}, n), bytes.Repeat([]byte{0x55}, n)
	//lint:ignore SA1019 it is what is tested
	if err := rsa.DecryptPKCS1v15SessionKey(nil, k.PrivateKey, in, want); err != nil {
		t.Fatal(err)
	}
	if err := k.openSecret(got, in); err != nil || !bytes.Equal(got, want) {
		t.Errorf("of %x, got %x, %v; want %x", em, got, err, want)
	}
}

func TestOpenSecretLikeCryptoRSA(t *testing.T) {
	k := newRSAPrivateKey(paddingKey())
	size := k.Size()
	message := bytes.Repeat([]byte{9}, size)
	for _, length := range []int{1, 2, 48, size - pkcs1Overhead - 1, size - pkcs1Overhead} {
		em := make([]byte, size)
		padPKCS1(em, message[:length])
		for _, n := range []int{length - 1, length, length + 1} {
			secretLikeCryptoRSA(t, k, em, min(n, size-pkcs1Overhead))
		}
		for i := range size {
			damaged := bytes.Clone(em)
			damaged[i] ^= 1
			secretLikeCryptoRSA(t, k, damaged, length)
			damaged[i] = 0
			secretLikeCryptoRSA(t, k, damaged, length)
		}
	}
	ones := bytes.Repeat([]byte{0xff}, size)
	if err := k.openSecret(make([]byte, 8), ones); err == nil {
		t.Error("a ciphertext that is not below the modulus is taken")
	}
}

// TestUnpadLikeCryptoRSA damages each byte of padded blocks.
func TestUnpadLikeCryptoRSA(t *testing.T) {
	e := &oaep{hash: &hashAlgs[0], mgf: &hashAlgs[2], label: []byte("label")}
	size := paddingKey().Size()
	db := make([]byte, size)
	for _, n := range []int{1, e.most(size)} {
		em := make([]byte, size)
		padPKCS1(em, make([]byte, n))
		plain := bytes.Clone(em)
		e.pad(em, db[:n])
		for i := range size {
			for _, b := range []byte{0, 1, 0x80} {
				damaged := bytes.Clone(plain)
				damaged[i] = b
				unpadLikeCryptoRSA(t, damaged, e)
				damaged = bytes.Clone(em)
				damaged[i] ^= b
				unpadLikeCryptoRSA(t, damaged, e)
				// Within DB, below the mask.
				damaged = bytes.Clone(em)
				seed, masked := e.split(damaged)
				mgf1XOR(e.mgf, seed, masked)
				mgf1XOR(e.mgf, masked, seed)
				damaged[i] = b
				mgf1XOR(e.mgf, masked, seed)
				mgf1XOR(e.mgf, seed, masked)
				unpadLikeCryptoRSA(t, damaged, e)
			}
		}
		if t.Failed() {
			t.Fatal(fmt.Sprint("with ", n, " bytes"))
		}
	}
}

func FuzzUnpadRSA(f *testing.F) {
	size := paddingKey().Size()
	em := make([]byte, size)
	padPKCS1(em, []byte("message"))
	f.Add(em, []byte(nil), byte(0))
	for i := range hashAlgs {
		e := &oaep{hash: &hashAlgs[i], mgf: &hashAlgs[i%5], label: []byte("label")}
		if e.most(size) >= 7 {
			em := make([]byte, size)
			e.pad(em, []byte("message"))
			f.Add(em, []byte("label"), byte(i))
		}
	}
	f.Fuzz(func(t *testing.T, em, label []byte, which byte) {
		e := &oaep{hash: &hashAlgs[int(which)%len(hashAlgs)], mgf: &hashAlgs[int(which>>4)%5], label: label}
		if e.most(size) < 0 {
			t.Skip()
		}
		unpadLikeCryptoRSA(t, em, e)
	})
}
