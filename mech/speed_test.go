package mech_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"coffer/mech"
	"coffer/p11"
)

// hotPaths are the operations that are done by the million, with the same done
// by Go's packages alone.
var hotPaths = []struct {
	name  string
	typ   p11.MechanismType
	p     p11.Params
	start func(*mech.Mechanism) func(mech.Key, p11.Params) (mech.Op, error)
	bare  func(dst, src []byte) func()
}{
	{
		"GCM encryption", p11.CKM_AES_GCM, p11.GCMParams{IV: make([]byte, 12), TagBits: 128}, encryption,
		func(dst, src []byte) func() {
			block, _ := aes.NewCipher(make([]byte, 32))
			aead, _ := cipher.NewGCM(block)
			nonce := make([]byte, 12)
			return func() { aead.Seal(dst[:0], nonce, src, nil) }
		},
	},
	{
		"GCM encryption with a tag of 96 bits", p11.CKM_AES_GCM, p11.GCMParams{IV: make([]byte, 12), TagBits: 96}, encryption,
		func(dst, src []byte) func() {
			block, _ := aes.NewCipher(make([]byte, 32))
			aead, _ := cipher.NewGCMWithTagSize(block, 12)
			nonce := make([]byte, 12)
			return func() { aead.Seal(dst[:0], nonce, src, nil) }
		},
	},
	{
		"CBC encryption", p11.CKM_AES_CBC, p11.IV(make([]byte, 16)), encryption,
		func(dst, src []byte) func() {
			block, _ := aes.NewCipher(make([]byte, 32))
			mode := cipher.NewCBCEncrypter(block, make([]byte, 16))
			return func() { mode.CryptBlocks(dst, src) }
		},
	},
	{
		"CTR encryption", p11.CKM_AES_CTR, p11.CTRParams{CounterBits: 128}, encryption,
		func(dst, src []byte) func() {
			block, _ := aes.NewCipher(make([]byte, 32))
			stream := cipher.NewCTR(block, make([]byte, 16))
			return func() { stream.XORKeyStream(dst, src) }
		},
	},
	{
		"HMAC", p11.CKM_SHA256_HMAC, nil, signing,
		func(dst, src []byte) func() {
			h := hmac.New(sha256.New, make([]byte, 32))
			return func() { h.Reset(); h.Write(src); h.Sum(dst[:0]) }
		},
	},
	{"CMAC", p11.CKM_AES_CMAC, nil, signing, nil},
	{"GMAC", p11.CKM_AES_GMAC, p11.GCMParams{IV: make([]byte, 12), TagBits: 128}, signing, nil},
	{"XTS encryption", p11.CKM_AES_XTS, p11.IV(make([]byte, 16)), encryption, nil},
	{"OFB", p11.CKM_AES_OFB, p11.IV(make([]byte, 16)), encryption, nil},
	{"CFB decryption", p11.CKM_AES_CFB128, p11.IV(make([]byte, 16)), func(m *mech.Mechanism) func(mech.Key, p11.Params) (mech.Op, error) { return m.Decrypt }, nil},
	{
		"ChaCha20-Poly1305 encryption", p11.CKM_CHACHA20_POLY1305, p11.ChaCha20Poly1305Params{Nonce: make([]byte, 12)}, encryption,
		func(dst, src []byte) func() {
			aead, _ := chacha20poly1305.New(make([]byte, 32))
			nonce := make([]byte, 12)
			return func() { aead.Seal(dst[:0], nonce, src, nil) }
		},
	},
	{"ChaCha20", p11.CKM_CHACHA20, p11.ChaCha20Params{CounterBits: 64, Nonce: make([]byte, 8)}, encryption, nil},
	{
		"digest", p11.CKM_SHA256, nil,
		func(m *mech.Mechanism) func(mech.Key, p11.Params) (mech.Op, error) {
			return func(_ mech.Key, p p11.Params) (mech.Op, error) { return m.Digest(p) }
		},
		func(dst, src []byte) func() {
			h := sha256.New()
			return func() { h.Reset(); h.Write(src); h.Sum(dst[:0]) }
		},
	},
}

func encryption(m *mech.Mechanism) func(mech.Key, p11.Params) (mech.Op, error) { return m.Encrypt }
func signing(m *mech.Mechanism) func(mech.Key, p11.Params) (mech.Op, error)    { return m.Sign }

func hotKey(m *mech.Mechanism) mech.Key {
	if len(m.Keys) == 0 {
		return nil
	}
	return keyFor(m, make([]byte, 32))
}

// TestHotPathsDoNotAllocate: after Init, one part costs no memory, and no more
// does each of several.
func TestHotPathsDoNotAllocate(t *testing.T) {
	for _, h := range hotPaths {
		t.Run(h.name, func(t *testing.T) {
			m := lookup(t, h.typ)
			const runs = 50
			ops := make([]mech.Op, 0, runs+1) // AllocsPerRun runs once more
			for range runs + 1 {
				op, err := h.start(m)(hotKey(m), h.p)
				if err != nil {
					t.Fatal(err)
				}
				ops = append(ops, op)
			}
			src := make([]byte, 4096)
			dst := make([]byte, ops[0].FinalSize(len(src)).Max)
			if n := testing.AllocsPerRun(runs, func() {
				op := ops[len(ops)-1]
				ops = ops[:len(ops)-1]
				if _, err := op.Final(dst, src); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("one part allocates %v times", n)
			}
			op, err := h.start(m)(hotKey(m), h.p)
			if err != nil {
				t.Fatal(err)
			}
			if n := testing.AllocsPerRun(runs, func() {
				if _, err := op.Update(dst, src[:1000]); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("Update allocates %v times", n)
			}
		})
	}
}

// TestCCMDoesNotAllocate is the same for CCM, whose parameter says how long the
// data is.
func TestCCMDoesNotAllocate(t *testing.T) {
	m := lookup(t, p11.CKM_AES_CCM)
	const runs = 50
	src := make([]byte, 4096)
	dst := make([]byte, len(src)+16)
	op, err := m.Encrypt(hotKey(m), p11.CCMParams{DataLen: uint64(len(src) * (runs + 2)), Nonce: make([]byte, 12), MACLen: 16})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(runs, func() {
		if _, err := op.Update(dst, src); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Update allocates %v times", n)
	}
	if _, err := op.Final(dst, src); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkSecretKeys(b *testing.B) {
	for _, h := range hotPaths {
		m := lookup(b, h.typ)
		for _, size := range []int{64, 4096, 1 << 20} {
			src, dst := make([]byte, size), make([]byte, size+64)
			b.Run(fmt.Sprintf("%s/%d/init and final", h.name, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				k := hotKey(m)
				for b.Loop() {
					op, err := h.start(m)(k, h.p)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := op.Final(dst, src); err != nil {
						b.Fatal(err)
					}
					op.Wipe()
				}
			})
			b.Run(fmt.Sprintf("%s/%d/update", h.name, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				op, err := h.start(m)(hotKey(m), h.p)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if _, err := op.Update(dst, src); err != nil {
						b.Fatal(err)
					}
				}
			})
			if h.bare != nil {
				run := h.bare(dst, src)
				b.Run(fmt.Sprintf("%s/%d/bare Go", h.name, size), func(b *testing.B) {
					b.SetBytes(int64(size))
					for b.Loop() {
						run()
					}
				})
			}
		}
	}
}
