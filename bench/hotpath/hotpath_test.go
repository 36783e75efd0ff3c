// Package hotpath counts what the calls that do the work allocate, once their Init has been made: the same
// operation through token.Module and through Go's standard library alone. What the module allocates more is
// its own, and should be nothing. Times are no concern of it; the driver in bench reads the counts.
package hotpath

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store/mem"
	"coffer/token"
)

// A call is one operation: begin is not counted, call is. begin may be nil.
type call struct {
	begin func() error
	call  func() error
}

func (c call) count(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		if c.begin != nil {
			b.StopTimer()
			if err := c.begin(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		if err := c.call(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHotPath(b *testing.B) {
	m := open(b)
	for _, c := range []struct {
		name         string
		module, bare call
	}{
		{"encrypt-gcm", m.encrypt(), bareSeal(b)},
		{"sign-p256", m.sign(p11.CKM_ECDSA, m.pair(p11.CKM_EC_KEY_PAIR_GEN, p256)), bareECDSA(b)},
		{"sign-ed25519", m.sign(p11.CKM_EDDSA, m.pair(p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, edwards25519)), bareEd25519(b)},
		{"sign-rsa2048", m.sign(p11.CKM_SHA256_RSA_PKCS, m.pair(p11.CKM_RSA_PKCS_KEY_PAIR_GEN, rsa2048)), bareRSA(b)},
		{"digest-sha256", m.digest(), bareDigest()},
		{"digest-update", m.digestUpdate(), bareDigestUpdate()},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.Run("module", c.module.count)
			b.Run("bare", c.bare.count)
		})
	}
}

// What chooses the curve or the size of a pair.
var (
	p256         = attr.NewBytes(p11.CKA_EC_PARAMS, []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07})
	edwards25519 = attr.NewBytes(p11.CKA_EC_PARAMS, []byte{0x06, 0x03, 0x2b, 0x65, 0x70})
	rsa2048      = attr.NewULong(p11.CKA_MODULUS_BITS, 2048)
)

// A session is a logged-in session of a token in memory.
type session struct {
	b      *testing.B
	module *token.Module
	handle p11.SessionHandle
	data   []byte
	out    *p11.Out
	buf    []byte
}

func open(b *testing.B) *session {
	b.Helper()
	m, err := token.Open(token.Config{Store: mem.New()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close() })
	slots, err := m.GetSlotList(false, true)
	if err != nil {
		b.Fatal(err)
	}
	so, user := []byte("bench-so-pin"), []byte("bench-user-pin")
	if err := m.InitToken(slots[0], so, "bench"); err != nil {
		b.Fatal(err)
	}
	h, err := m.OpenSession(slots[0], p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err != nil {
		b.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return m.Login(h, p11.CKU_SO, so) },
		func() error { return m.InitPIN(h, user) },
		func() error { return m.Logout(h) },
		func() error { return m.Login(h, p11.CKU_USER, user) },
	} {
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
	return &session{b: b, module: m, handle: h, data: make([]byte, 32), out: new(p11.Out), buf: make([]byte, 1024)}
}

// pair generates a key pair on the token and returns its private half.
func (s *session) pair(mechanism p11.MechanismType, which attr.Value) p11.ObjectHandle {
	public := attr.Values{attr.NewBool(p11.CKA_TOKEN, true), attr.NewBool(p11.CKA_VERIFY, true), which}
	private := attr.Values{attr.NewBool(p11.CKA_TOKEN, true), attr.NewBool(p11.CKA_SIGN, true)}
	_, key, err := s.module.GenerateKeyPair(s.handle, &p11.Mechanism{Type: mechanism}, public, private)
	if err != nil {
		s.b.Fatal(err)
	}
	return key
}

func (s *session) encrypt() call {
	key, err := s.module.GenerateKey(s.handle, &p11.Mechanism{Type: p11.CKM_AES_KEY_GEN}, attr.Values{
		attr.NewBool(p11.CKA_TOKEN, true),
		attr.NewBool(p11.CKA_ENCRYPT, true),
		attr.NewULong(p11.CKA_VALUE_LEN, 32),
	})
	if err != nil {
		s.b.Fatal(err)
	}
	mechanism := &p11.Mechanism{Type: p11.CKM_AES_GCM, Params: p11.GCMParams{IV: make([]byte, 12), TagBits: 128}}
	return call{
		func() error { return s.module.EncryptInit(s.handle, mechanism, key) },
		func() error { return s.module.Encrypt(s.handle, s.data, s.room()) },
	}
}

func (s *session) sign(mechanism p11.MechanismType, key p11.ObjectHandle) call {
	m := &p11.Mechanism{Type: mechanism}
	return call{
		func() error { return s.module.SignInit(s.handle, m, key) },
		func() error { return s.module.Sign(s.handle, s.data, s.room()) },
	}
}

func (s *session) digest() call {
	m := &p11.Mechanism{Type: p11.CKM_SHA256}
	return call{
		func() error { return s.module.DigestInit(s.handle, m) },
		func() error { return s.module.Digest(s.handle, s.data, s.room()) },
	}
}

// digestUpdate goes on with one operation; a second session leaves the first one's digests alone.
func (s *session) digestUpdate() call {
	info, err := s.module.GetSessionInfo(s.handle)
	if err != nil {
		s.b.Fatal(err)
	}
	h, err := s.module.OpenSession(info.Slot, p11.CKF_SERIAL_SESSION)
	if err != nil {
		s.b.Fatal(err)
	}
	if err := s.module.DigestInit(h, &p11.Mechanism{Type: p11.CKM_SHA256}); err != nil {
		s.b.Fatal(err)
	}
	return call{call: func() error { return s.module.DigestUpdate(h, s.data) }}
}

// result takes what the standard library returns: a caller needs it, and a signature that nobody looks at
// might be spared its place on the heap.
var result []byte

// room is the caller's buffer, empty again.
func (s *session) room() *p11.Out {
	*s.out = p11.Out{Buf: s.buf}
	return s.out
}

func bareSeal(b *testing.B) call {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	iv, src, dst := make([]byte, 12), make([]byte, 32), make([]byte, 0, 64)
	return call{call: func() error {
		aead.Seal(dst, iv, src, nil)
		return nil
	}}
}

func bareECDSA(b *testing.B) call {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := make([]byte, 32)
	return call{call: func() error {
		var err error
		result, err = ecdsa.SignASN1(rand.Reader, key, digest)
		return err
	}}
}

func bareEd25519(b *testing.B) call {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 32)
	return call{call: func() error {
		result = ed25519.Sign(key, message)
		return nil
	}}
}

func bareRSA(b *testing.B) call {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	digest := make([]byte, 32)
	return call{call: func() error {
		var err error
		result, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest)
		return err
	}}
}

func bareDigest() call {
	h, src, dst := sha256.New(), make([]byte, 32), make([]byte, 0, sha256.Size)
	return call{call: func() error {
		h.Reset()
		h.Write(src)
		h.Sum(dst)
		return nil
	}}
}

func bareDigestUpdate() call {
	h, src := sha256.New(), make([]byte, 32)
	return call{call: func() error {
		_, err := h.Write(src)
		return err
	}}
}
