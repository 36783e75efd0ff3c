package token

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/store"
)

// known is the value of the keys of these tests, and message what they sign.
var known, message = []byte("a secret key of thirty-two bytes"), []byte("message")

func knownMAC() []byte {
	m := hmac.New(sha256.New, known)
	m.Write(message)
	return m.Sum(nil)
}

// hmacKey imports the known key.
func (h *host) hmacKey(s p11.SessionHandle, more ...attr.Values) (p11.ObjectHandle, error) {
	return h.CreateObject(s, join(attr.Values{
		attr.NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY),
		attr.NewULong(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET),
		attr.NewBytes(p11.CKA_VALUE, bytes.Clone(known)),
	}, yes(p11.CKA_SIGN, p11.CKA_DERIVE, p11.CKA_EXTRACTABLE), no(p11.CKA_SENSITIVE), join(more...)))
}

// place returns where the value of a key lies, without holding it.
func (h *host) place(o p11.ObjectHandle) []byte {
	h.Helper()
	material, err := h.objects.get(uint64(o)).snap.Load().Material()
	h.must(err)
	return material.([]byte)
}

func TestAKeyIsWipedWhenItIsDropped(t *testing.T) {
	private, public := yes(p11.CKA_PRIVATE), no(p11.CKA_PRIVATE)
	onToken := yes(p11.CKA_TOKEN)
	for _, tt := range []struct {
		name string
		key  attr.Values
		drop func(h *host, s p11.SessionHandle, k p11.ObjectHandle) error
	}{
		{"destroyed", private, func(h *host, s p11.SessionHandle, k p11.ObjectHandle) error { return h.DestroyObject(s, k) }},
		{"destroyed on the token", join(private, onToken), func(h *host, s p11.SessionHandle, k p11.ObjectHandle) error { return h.DestroyObject(s, k) }},
		{"changed", private, func(h *host, s p11.SessionHandle, k p11.ObjectHandle) error {
			return h.SetAttributeValue(s, k, attr.Values{attr.NewString(p11.CKA_LABEL, "new")})
		}},
		{"changed on the token", join(private, onToken), func(h *host, s p11.SessionHandle, k p11.ObjectHandle) error {
			return h.SetAttributeValue(s, k, attr.Values{attr.NewString(p11.CKA_LABEL, "new")})
		}},
		{"logged out", private, func(h *host, s p11.SessionHandle, _ p11.ObjectHandle) error { return h.Logout(s) }},
		{"logged out, on the token", join(private, onToken), func(h *host, s p11.SessionHandle, _ p11.ObjectHandle) error { return h.Logout(s) }},
		{"logged out, a public one on the token", join(public, onToken), func(h *host, s p11.SessionHandle, _ p11.ObjectHandle) error { return h.Logout(s) }},
		{"session closed", private, func(h *host, s p11.SessionHandle, _ p11.ObjectHandle) error { return h.CloseSession(s) }},
		{"all sessions closed", public, func(h *host, _ p11.SessionHandle, _ p11.ObjectHandle) error { return h.CloseAllSessions(0) }},
		{"finalized", join(private, onToken), func(h *host, _ p11.SessionHandle, _ p11.ObjectHandle) error { return h.Close() }},
		{"finalized, a public one", public, func(h *host, _ p11.SessionHandle, _ p11.ObjectHandle) error { return h.Close() }},
		{"token initialised", join(private, onToken), func(h *host, s p11.SessionHandle, _ p11.ObjectHandle) error {
			h.must(h.CloseAllSessions(0))
			return h.InitToken(0, soPIN, "again")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			s := h.user()
			k, err := h.hmacKey(s, tt.key)
			h.must(err)
			value, snap := h.place(k), h.objects.get(uint64(k)).snap.Load()
			if !bytes.Equal(value, known) {
				t.Fatalf("got %x", value)
			}
			h.must(tt.drop(h, s, k))
			if bytes.Equal(value, known) || snap.Hold() == nil {
				t.Error("the key was not wiped")
			}
		})
	}
}

func TestSnapshotsThatAreTooManyAreWiped(t *testing.T) {
	h := newHost(t)
	s := h.user()
	k, err := h.hmacKey(s, yes(p11.CKA_TOKEN))
	h.must(err)
	value := h.place(k)
	e := h.objects.get(uint64(k))
	e.token.entries.kept = maxSnapshots
	_, err = h.hmacKey(s, yes(p11.CKA_TOKEN))
	h.must(err)
	if bytes.Equal(value, known) {
		t.Error("the key was not wiped")
	}
	h.signs(s, k) // and is opened anew
}

func (h *host) signs(s p11.SessionHandle, k p11.ObjectHandle) {
	h.Helper()
	out := p11.Out{Buf: make([]byte, 32)}
	h.must(h.SignInit(s, mechanism(p11.CKM_SHA256_HMAC), k))
	h.must(h.Sign(s, message, &out))
	if !bytes.Equal(out.Buf, knownMAC()) {
		h.Errorf("signed %x, want %x", out.Buf, knownMAC())
	}
}

func TestAnOperationOutlivesItsKey(t *testing.T) {
	h := newHost(t)
	s, other := h.user(), h.session(rw)
	k, err := h.hmacKey(other)
	h.must(err)
	value := h.place(k)
	h.must(h.SignInit(s, mechanism(p11.CKM_SHA256_HMAC), k))
	h.must(h.DestroyObject(other, k))
	out := p11.Out{Buf: make([]byte, 32)}
	h.must(h.Sign(s, message, &out))
	if !bytes.Equal(out.Buf, knownMAC()) {
		t.Errorf("signed %x, want %x", out.Buf, knownMAC())
	}
	if bytes.Equal(value, known) {
		t.Error("the key was not wiped with the end of the operation")
	}
}

func TestAnOperationThatDoesNotBeginHoldsNoKey(t *testing.T) {
	h := newHost(t)
	s := h.user()
	k, err := h.hmacKey(s, attr.Values{attr.NewBytes(p11.CKA_ALLOWED_MECHANISMS, []byte{0x51, 2, 0, 0, 0, 0, 0, 0})})
	h.must(err)
	value := h.place(k)
	h.want(h.SignInit(s, mechanism(p11.CKM_SHA512_HMAC), k), p11.CKR_MECHANISM_INVALID)
	h.want(h.EncryptInit(s, mechanism(p11.CKM_AES_ECB), k), p11.CKR_KEY_TYPE_INCONSISTENT)
	_, err = h.DeriveKey(s, mechanism(p11.CKM_HKDF_DERIVE), k, nil)
	if err == nil {
		t.Error("derived without a parameter")
	}
	h.must(h.DestroyObject(s, k))
	if bytes.Equal(value, known) {
		t.Error("the key is held by what never began")
	}
}

// users do what a key can be used for, over and over, and check what comes out.
func (h *host) users(n int, key func() p11.ObjectHandle, mayFail []p11.RV, stop *atomic.Bool, wg *sync.WaitGroup) *atomic.Int64 {
	var done atomic.Int64
	sum := sha256.Sum256(known)
	check := func(what string, got, want []byte, err error) {
		switch {
		case err == nil && !bytes.Equal(got, want):
			h.Errorf("%s: got %x, want %x", what, got, want)
		case err == nil:
			done.Add(1)
		case !slices.Contains(mayFail, p11.Code(err)):
			h.Errorf("%s: %v", what, err)
		}
	}
	for range n {
		s := h.session(rw)
		wg.Go(func() {
			for !stop.Load() {
				k := key()
				out := p11.Out{Buf: make([]byte, 32)}
				switch rand.IntN(4) {
				case 0:
					err := h.SignInit(s, mechanism(p11.CKM_SHA256_HMAC), k)
					if err == nil {
						err = h.Sign(s, message, &out)
					}
					check("sign", out.Buf, knownMAC(), err)
				case 1:
					err := h.DigestInit(s, mechanism(p11.CKM_SHA256))
					if err == nil {
						err = h.DigestKey(s, k)
					}
					if err == nil {
						err = h.DigestFinal(s, &out)
					}
					check("digest", out.Buf, sum[:], err)
				case 2:
					q := []Query{{Type: p11.CKA_VALUE, Buf: out.Buf}}
					err := h.GetAttributeValue(s, k, q)
					check("read", out.Buf, known, err)
				case 3:
					c, err := h.CopyObject(s, k, attr.Values{attr.NewBool(p11.CKA_TOKEN, false)})
					if err == nil {
						q := []Query{{Type: p11.CKA_VALUE, Buf: out.Buf}}
						err = h.GetAttributeValue(s, c, q)
						h.DestroyObject(s, c)
					}
					check("copy", out.Buf, known, err)
				}
			}
		})
	}
	return &done
}

// rounds is how often a key goes while it is used.
func rounds() int {
	if testing.Short() {
		return 50
	}
	return 400
}

// A key that is changed, dropped from the cache, or read by another process is
// there all the time: nobody may see anything else.
func TestAKeyThatIsOpenedAnewIsNeverMissed(t *testing.T) {
	h := newHost(t)
	s := h.user()
	k, err := h.hmacKey(s, yes(p11.CKA_TOKEN))
	h.must(err)
	var stop atomic.Bool
	var wg sync.WaitGroup
	done := h.users(3, func() p11.ObjectHandle { return k }, nil, &stop, &wg)
	e := h.objects.get(uint64(k))
	for i := 0; i < rounds() || done.Load() == 0; i++ {
		switch i % 3 {
		case 0:
			h.must(h.SetAttributeValue(s, k, attr.Values{attr.NewString(p11.CKA_LABEL, utoa(uint64(i)))}))
		case 1:
			e.set(nil)
		case 2:
			_, err := h.store.Txn(h.ctx, store.Txn{Then: []store.Op{store.Put([]byte("zz"), nil)}})
			h.must(err)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// A key that is destroyed, or goes with a logout, is there or it is not.
func TestAKeyThatGoesIsThereOrNot(t *testing.T) {
	h := newHost(t)
	s := h.user()
	var k atomic.Uint64
	renew := func(onToken bool) {
		o, err := h.hmacKey(s, attr.Values{attr.NewBool(p11.CKA_TOKEN, onToken)})
		h.must(err)
		k.Store(uint64(o))
	}
	renew(false)
	var stop atomic.Bool
	var wg sync.WaitGroup
	done := h.users(3, func() p11.ObjectHandle { return p11.ObjectHandle(k.Load()) }, []p11.RV{
		p11.CKR_KEY_HANDLE_INVALID, p11.CKR_OBJECT_HANDLE_INVALID, p11.CKR_USER_NOT_LOGGED_IN,
		p11.CKR_OPERATION_NOT_INITIALIZED,
	}, &stop, &wg)
	for i := 0; i < rounds() || done.Load() == 0; i++ {
		if i%4 == 3 {
			h.must(h.Logout(s))
			h.must(h.Login(s, p11.CKU_USER, userPIN))
		} else {
			h.must(h.DestroyObject(s, p11.ObjectHandle(k.Load())))
		}
		renew(i%2 == 0)
	}
	stop.Store(true)
	wg.Wait()
}

func TestAHundredThousandSessionKeys(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	h := newHost(t)
	s := h.user()
	var keys []p11.ObjectHandle
	for range n {
		k, err := h.hmacKey(s)
		h.must(err)
		keys = append(keys, k)
	}
	h.signs(s, keys[0])
	h.signs(s, keys[n-1])
	value := h.place(keys[n-1])
	h.must(h.Logout(s))
	if bytes.Equal(value, known) {
		t.Error("the last key was not wiped")
	}
}
