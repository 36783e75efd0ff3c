package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"

	"coffer/mech"
	"coffer/p11"
)

// A secretKey is a mech.Key with a value.
type secretKey struct {
	typ   p11.KeyType
	value []byte
}

func (k *secretKey) Class() p11.ObjectClass { return p11.CKO_SECRET_KEY }
func (k *secretKey) Type() p11.KeyType      { return k.typ }
func (k *secretKey) Bits() int              { return 8 * len(k.value) }
func (k *secretKey) Material() (any, error) { return k.value, nil }

func newSecret(t p11.KeyType, n int) *secretKey { return &secretKey{t, random(n)} }

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// secretTests have wrong inputs of two kinds each, which are refused in the
// same time if nothing tells the kinds apart: the padding of CBC that is wrong
// in its last byte or in its first, the MAC or tag that is wrong in its first
// byte or in its last, the wrapped key whose length or whose padding is wrong.
func secretTests() []test {
	const size = 256
	k := newSecret(p11.CKK_AES, 32)
	block := must(aes.NewCipher(k.value))
	zero := make([]byte, aes.BlockSize)
	encrypted := func(plain []byte) []byte {
		out := make([]byte, len(plain))
		cipher.NewCBCEncrypter(block, zero).CryptBlocks(out, plain)
		return out
	}
	padding := func(end ...byte) []byte { return encrypted(append(random(size-len(end)), end...)) }
	full := func(first byte) []byte { return append([]byte{first}, bytes.Repeat([]byte{16}, 15)...) }
	mac := newSecret(p11.CKK_GENERIC_SECRET, 32)
	gcm := p11.GCMParams{IV: make([]byte, 12), TagBits: 128}
	return []test{
		{"CBC: padding wrong in the last byte, or in the first of 16", func(class int) ([]byte, func([]byte)) {
			in := [][]byte{padding(0), padding(full(15)...)}[class]
			return in, decrypts(p11.CKM_AES_CBC_PAD, k, p11.IV(zero), size)
		}},
		{"CBC: padding of 1 byte that is wrong, or of 17", func(class int) ([]byte, func([]byte)) {
			in := [][]byte{padding(2, 1, 2), padding(2, 17)}[class]
			return in, decrypts(p11.CKM_AES_CBC_PAD, k, p11.IV(zero), size)
		}},
		{"GCM: tag wrong in the first byte, or in the last", func(class int) ([]byte, func([]byte)) {
			in := must(cipher.NewGCM(block)).Seal(nil, gcm.IV, random(size), nil)
			in[size+15*class] ^= 1
			return in, decrypts(p11.CKM_AES_GCM, k, gcm, size)
		}},
		{"HMAC: wrong in the first byte, or in the last", func(class int) ([]byte, func([]byte)) { return wrongMAC(p11.CKM_SHA256_HMAC, mac, class) }},
		{"CMAC: wrong in the first byte, or in the last", func(class int) ([]byte, func([]byte)) { return wrongMAC(p11.CKM_AES_CMAC, k, class) }},
		{"RFC 5649: the length wrong, or the padding", func(class int) ([]byte, func([]byte)) {
			m := must(registry.Lookup(p11.CKM_AES_KEY_WRAP_KWP))
			// Under CKM_AES_KEY_WRAP with the initial value of the other: 40 bytes, of
			// which the value says 50, or 38 and two that are not zero.
			iv := append([]byte{0xa6, 0x59, 0x59, 0xa6, 0, 0, 0}, []byte{50, 38}[class])
			in := must(must(registry.Lookup(p11.CKM_AES_KEY_WRAP)).Wrap(k, p11.IV(iv), random(40)))
			return in, func(in []byte) { m.Unwrap(k, nil, in) }
		}},
	}
}

// decrypts returns what decrypts; whether it works is no concern of the test.
func decrypts(mechanism p11.MechanismType, k mech.Key, p p11.Params, size int) func([]byte) {
	m := must(registry.Lookup(mechanism))
	out := make([]byte, size)
	return func(in []byte) {
		op := must(m.Decrypt(k, p))
		op.Final(out, in)
		op.Wipe()
	}
}

// wrongMAC returns a MAC of random data that is wrong in one byte, and what
// verifies it.
func wrongMAC(mechanism p11.MechanismType, k mech.Key, class int) ([]byte, func([]byte)) {
	m := must(registry.Lookup(mechanism))
	data := random(64)
	op := must(m.Sign(k, nil))
	sig := make([]byte, op.FinalSize(len(data)).Max)
	must(op.Final(sig, data))
	op.Wipe()
	sig[class*(len(sig)-1)] ^= 1
	return sig, func(in []byte) {
		check := must(m.Verify(k, nil))
		check.Verify(data, in)
		check.Wipe()
	}
}
