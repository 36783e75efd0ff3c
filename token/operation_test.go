package token

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
)

var zeroIV = p11.IV(make([]byte, 16))

func TestTheTwoCallConvention(t *testing.T) {
	h := newHost(t)
	s := h.user()
	k := h.aes(s, yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT))
	plain := []byte("twenty bytes of text")
	for _, tt := range []struct {
		name string
		want int
		init func() error
		call func(out *p11.Out) error
	}{
		{"encrypt, CBC_PAD", 32, func() error { return h.EncryptInit(s, mechanism(p11.CKM_AES_CBC_PAD, zeroIV), k) },
			func(out *p11.Out) error { return h.Encrypt(s, plain, out) }},
		{"digest", 32, func() error { return h.DigestInit(s, mechanism(p11.CKM_SHA256)) },
			func(out *p11.Out) error { return h.Digest(s, plain, out) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.T = t
			h.must(tt.init())
			out := p11.Out{}
			h.must(tt.call(&out))
			if out.N != tt.want {
				t.Errorf("asking for the length: %d, want %d", out.N, tt.want)
			}
			out = p11.Out{Buf: make([]byte, tt.want-1)}
			h.want(tt.call(&out), p11.CKR_BUFFER_TOO_SMALL)
			if out.N != tt.want || !bytes.Equal(out.Buf, make([]byte, tt.want-1)) {
				t.Errorf("too small: N %d, want %d and the buffer untouched", out.N, tt.want)
			}
			out = p11.Out{Buf: []byte{}}
			h.want(tt.call(&out), p11.CKR_BUFFER_TOO_SMALL)
			out = p11.Out{Buf: make([]byte, tt.want+100)}
			h.must(tt.call(&out))
			if out.N != tt.want {
				t.Errorf("N %d, want %d", out.N, tt.want)
			}
			h.want(tt.call(&out), p11.CKR_OPERATION_NOT_INITIALIZED)
		})
	}
}

func TestAnOutputOfUnknownLengthIsComputedOnce(t *testing.T) {
	h := newHost(t)
	s := h.user()
	k := h.aes(s, yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT))
	plain := []byte("four")
	h.must(h.EncryptInit(s, mechanism(p11.CKM_AES_CBC_PAD, zeroIV), k))
	ct := p11.Out{Buf: make([]byte, 16)}
	h.must(h.Encrypt(s, plain, &ct))
	h.must(h.DecryptInit(s, mechanism(p11.CKM_AES_CBC_PAD, zeroIV), k))
	out := p11.Out{Buf: make([]byte, 2)}
	h.want(h.Decrypt(s, ct.Buf, &out), p11.CKR_BUFFER_TOO_SMALL)
	if out.N != len(plain) {
		t.Errorf("N %d, want %d", out.N, len(plain))
	}
	out = p11.Out{Buf: make([]byte, 4)} // exactly right, and below the bound
	h.must(h.Decrypt(s, ct.Buf, &out))
	if !bytes.Equal(out.Buf, plain) {
		t.Errorf("got %q", out.Buf)
	}
}

func TestWhatEndsAnOperation(t *testing.T) {
	h := newHost(t)
	s := h.user()
	k := h.aes(s, yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY))
	big := func() *p11.Out { return &p11.Out{Buf: make([]byte, 256)} }
	start := func(t *testing.T) {
		h.T = t
		h.must(h.SessionCancel(s, p11.CKF_ENCRYPT|p11.CKF_DECRYPT|p11.CKF_DIGEST|p11.CKF_SIGN|p11.CKF_VERIFY|p11.CKF_FIND_OBJECTS))
	}
	t.Run("an error of a one-shot call", func(t *testing.T) {
		start(t)
		h.must(h.EncryptInit(s, mechanism(p11.CKM_AES_ECB), k))
		h.want(h.Encrypt(s, make([]byte, 15), big()), p11.CKR_DATA_LEN_RANGE)
		h.want(h.Encrypt(s, make([]byte, 16), big()), p11.CKR_OPERATION_NOT_INITIALIZED)
	})
	t.Run("a one-shot call in the middle of parts", func(t *testing.T) {
		start(t)
		h.must(h.EncryptInit(s, mechanism(p11.CKM_AES_ECB), k))
		h.must(h.EncryptUpdate(s, make([]byte, 16), big()))
		h.want(h.Encrypt(s, make([]byte, 16), big()), p11.CKR_OPERATION_ACTIVE)
		h.want(h.EncryptFinal(s, big()), p11.CKR_OPERATION_NOT_INITIALIZED)
	})
	t.Run("a wrong MAC", func(t *testing.T) {
		start(t)
		h.must(h.VerifyInit(s, mechanism(p11.CKM_AES_CMAC), k))
		h.want(h.Verify(s, []byte("x"), make([]byte, 16)), p11.CKR_SIGNATURE_INVALID)
		h.want(h.Verify(s, []byte("x"), make([]byte, 16)), p11.CKR_OPERATION_NOT_INITIALIZED)
	})
	t.Run("not a second Init", func(t *testing.T) {
		start(t)
		h.must(h.DigestInit(s, mechanism(p11.CKM_SHA256)))
		h.must(h.DigestUpdate(s, []byte("abc")))
		h.want(h.DigestInit(s, mechanism(p11.CKM_SHA_1)), p11.CKR_OPERATION_ACTIVE)
		h.must(h.DigestFinal(s, big()))
	})
	t.Run("a NULL mechanism, also when nothing is active", func(t *testing.T) {
		start(t)
		h.must(h.SignInit(s, mechanism(p11.CKM_AES_CMAC), k))
		h.must(h.SignInit(s, nil, 0))
		h.must(h.SignInit(s, nil, 0))
		h.want(h.Sign(s, nil, big()), p11.CKR_OPERATION_NOT_INITIALIZED)
	})
	t.Run("C_SessionCancel of one kind leaves the others", func(t *testing.T) {
		start(t)
		h.must(h.SignInit(s, mechanism(p11.CKM_AES_CMAC), k))
		h.must(h.DigestInit(s, mechanism(p11.CKM_SHA256)))
		h.must(h.FindObjectsInit(s, nil))
		h.must(h.SessionCancel(s, p11.CKF_SIGN|p11.CKF_FIND_OBJECTS))
		h.want(h.Sign(s, nil, big()), p11.CKR_OPERATION_NOT_INITIALIZED)
		h.want(h.FindObjectsFinal(s), p11.CKR_OPERATION_NOT_INITIALIZED)
		h.must(h.Digest(s, nil, big()))
	})
	t.Run("bad arguments of a call that ends it", func(t *testing.T) {
		start(t)
		h.must(h.SignInit(s, mechanism(p11.CKM_AES_CMAC), k))
		h.want(h.BadArguments(s, "C_SignInit"), p11.CKR_ARGUMENTS_BAD)
		h.want(h.BadArguments(s, "C_Sign"), p11.CKR_ARGUMENTS_BAD)
		h.want(h.Sign(s, nil, big()), p11.CKR_OPERATION_NOT_INITIALIZED)
		h.want(h.BadArguments(s+100, "C_Sign"), p11.CKR_SESSION_HANDLE_INVALID)
	})
}

func TestEveryKindOfOperationRunsAtOnceInOneSession(t *testing.T) {
	h := newHost(t)
	s := h.user()
	k := h.aes(s, yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY))
	data := bytes.Repeat([]byte("0123456789abcdef"), 8)
	out := func() *p11.Out { return &p11.Out{Buf: make([]byte, 256)} }
	h.must(h.EncryptInit(s, mechanism(p11.CKM_AES_CBC, zeroIV), k))
	h.must(h.SignInit(s, mechanism(p11.CKM_AES_CMAC), k))
	h.must(h.DigestInit(s, mechanism(p11.CKM_SHA256)))
	h.must(h.FindObjectsInit(s, nil))
	var ct []byte
	for i := 0; i < len(data); i += 32 {
		part := append([]byte(nil), data[i:i+32]...)
		o := p11.Out{Buf: part} // in place
		h.must(h.SignEncryptUpdate(s, part, &o))
		ct = append(ct, o.Buf[:o.N]...)
		h.must(h.DigestUpdate(s, data[i:i+32]))
	}
	h.must(h.EncryptFinal(s, out()))
	mac, sum := out(), out()
	h.must(h.SignFinal(s, mac))
	h.must(h.DigestFinal(s, sum))
	h.must(h.FindObjectsFinal(s))

	h.must(h.DecryptInit(s, mechanism(p11.CKM_AES_CBC, zeroIV), k))
	h.must(h.VerifyInit(s, mechanism(p11.CKM_AES_CMAC), k))
	h.must(h.DigestInit(s, mechanism(p11.CKM_SHA256)))
	o := out()
	h.must(h.DecryptVerifyUpdate(s, ct[:64], o))
	if !bytes.Equal(o.Buf[:o.N], data[:64]) {
		t.Error("decrypted otherwise")
	}
	h.must(h.VerifyUpdate(s, nil))
	h.must(h.DigestUpdate(s, data[:64]))
	o = out()
	h.must(h.DecryptDigestUpdate(s, ct[64:], o))
	h.must(h.VerifyUpdate(s, data[64:]))
	h.must(h.VerifyFinal(s, mac.Buf[:mac.N]))
	again := out()
	h.must(h.DigestFinal(s, again))
	if !bytes.Equal(again.Buf[:again.N], sum.Buf[:sum.N]) {
		t.Error("digested otherwise")
	}
}

func TestBuffersThatOverlapOtherThanInPlaceAreRight(t *testing.T) {
	h := newHost(t)
	s := h.user()
	k := h.aes(s, yes(p11.CKA_ENCRYPT))
	data := bytes.Repeat([]byte("overlap "), 8)
	want := p11.Out{Buf: make([]byte, 64)}
	h.must(h.EncryptInit(s, mechanism(p11.CKM_AES_CBC, zeroIV), k))
	h.must(h.Encrypt(s, data, &want))
	for shift := -17; shift <= 17; shift++ {
		mem := make([]byte, 128)
		copy(mem[20:], data)
		out := p11.Out{Buf: mem[20+shift : 84+shift]}
		h.must(h.EncryptInit(s, mechanism(p11.CKM_AES_CBC, zeroIV), k))
		h.must(h.Encrypt(s, mem[20:84], &out))
		if !bytes.Equal(out.Buf, want.Buf) {
			t.Errorf("shifted by %d: %x", shift, out.Buf)
		}
	}
}

func TestAlwaysAuthenticate(t *testing.T) {
	h := newHost(t)
	s := h.user()
	_, k, err := h.GenerateKeyPair(s, mechanism(p11.CKM_EC_KEY_PAIR_GEN),
		attr.Values{attr.NewBytes(p11.CKA_EC_PARAMS, []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7})},
		yes(p11.CKA_ALWAYS_AUTHENTICATE, p11.CKA_SIGN, p11.CKA_PRIVATE, p11.CKA_DERIVE))
	h.must(err)
	out := func() *p11.Out { return &p11.Out{Buf: make([]byte, 64)} }
	data := make([]byte, 32)

	h.must(h.SignInit(s, mechanism(p11.CKM_ECDSA), k))
	h.want(h.Sign(s, data, out()), p11.CKR_USER_NOT_LOGGED_IN)
	h.want(h.Sign(s, data, out()), p11.CKR_OPERATION_NOT_INITIALIZED)

	h.must(h.SignInit(s, mechanism(p11.CKM_ECDSA), k))
	h.want(h.Login(s, p11.CKU_CONTEXT_SPECIFIC, []byte("wrong")), p11.CKR_PIN_INCORRECT)
	h.must(h.Login(s, p11.CKU_CONTEXT_SPECIFIC, userPIN))
	h.must(h.Sign(s, data, &p11.Out{})) // asking for the length costs no authentication
	h.must(h.Sign(s, data, out()))

	h.must(h.SignInit(s, mechanism(p11.CKM_ECDSA), k)) // once, not for ever
	h.want(h.Sign(s, data, out()), p11.CKR_USER_NOT_LOGGED_IN)

	h.must(h.SignInit(s, mechanism(p11.CKM_ECDSA_SHA256), k))
	h.want(h.SignUpdate(s, data), p11.CKR_USER_NOT_LOGGED_IN)

	// Another session's operation is not authorised by this one's login.
	s2 := h.user()
	h.must(h.SignInit(s, mechanism(p11.CKM_ECDSA), k))
	h.must(h.SignInit(s2, mechanism(p11.CKM_ECDSA), k))
	h.must(h.Login(s, p11.CKU_CONTEXT_SPECIFIC, userPIN))
	h.want(h.Sign(s2, data, out()), p11.CKR_USER_NOT_LOGGED_IN)
	h.must(h.Sign(s, data, out()))

	// There is no moment to authenticate a derivation.
	_, err = h.DeriveKey(s, mechanism(p11.CKM_ECDH1_DERIVE, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: make([]byte, 65)}), k, nil)
	h.want(err, p11.CKR_USER_NOT_LOGGED_IN)
}

func TestLogoutEndsWhatThePrivateKeysWereDoing(t *testing.T) {
	h := newHost(t)
	s := h.user()
	private := h.aes(s, yes(p11.CKA_ENCRYPT))
	public := h.aes(s, yes(p11.CKA_ENCRYPT), no(p11.CKA_PRIVATE))
	s2 := h.user()
	h.must(h.EncryptInit(s, mechanism(p11.CKM_AES_ECB), private))
	h.must(h.EncryptInit(s2, mechanism(p11.CKM_AES_ECB), public))
	h.must(h.Logout(s2))
	out := &p11.Out{Buf: make([]byte, 16)}
	h.want(h.Encrypt(s, make([]byte, 16), out), p11.CKR_OPERATION_NOT_INITIALIZED)
	h.must(h.Encrypt(s2, make([]byte, 16), out))
	h.want(h.EncryptInit(s, mechanism(p11.CKM_AES_ECB), private), p11.CKR_KEY_HANDLE_INVALID)
	h.must(h.Login(s, p11.CKU_USER, userPIN))
	h.want(h.EncryptInit(s, mechanism(p11.CKM_AES_ECB), private), p11.CKR_KEY_HANDLE_INVALID)
}

func TestHotPathsMakeNoGarbage(t *testing.T) {
	h := newHost(t)
	s := h.user()
	k := h.aes(s, yes(p11.CKA_ENCRYPT, p11.CKA_SIGN, p11.CKA_TOKEN))
	data, buf := make([]byte, 1024), make([]byte, 1100)
	for _, tt := range []struct {
		name string
		init func() error
		call func(out *p11.Out) error
	}{
		{"C_EncryptUpdate, CTR",
			func() error { return h.EncryptInit(s, mechanism(p11.CKM_AES_CTR, p11.CTRParams{CounterBits: 128}), k) },
			func(out *p11.Out) error { return h.EncryptUpdate(s, data, out) }},
		{"C_EncryptUpdate, CBC",
			func() error { return h.EncryptInit(s, mechanism(p11.CKM_AES_CBC, zeroIV), k) },
			func(out *p11.Out) error { return h.EncryptUpdate(s, data, out) }},
		{"C_EncryptUpdate, GCM",
			func() error {
				return h.EncryptInit(s, mechanism(p11.CKM_AES_GCM, p11.GCMParams{IV: make([]byte, 12), TagBits: 128}), k)
			},
			func(out *p11.Out) error { return h.EncryptUpdate(s, data, out) }},
		{"C_DigestUpdate",
			func() error { return h.DigestInit(s, mechanism(p11.CKM_SHA256)) },
			func(*p11.Out) error { return h.DigestUpdate(s, data) }},
		{"C_SignUpdate",
			func() error { return h.SignInit(s, mechanism(p11.CKM_AES_CMAC), k) },
			func(*p11.Out) error { return h.SignUpdate(s, data) }},
		{"C_GetSessionInfo",
			func() error { return nil },
			func(*p11.Out) error { _, err := h.GetSessionInfo(s); return err }},
		{"C_GenerateRandom",
			func() error { return nil },
			func(*p11.Out) error { return h.GenerateRandom(s, buf[:32]) }},
	} {
		h.must(h.SessionCancel(s, ^p11.Flags(0)))
		h.must(tt.init())
		out := p11.Out{Buf: buf}
		if n := testing.AllocsPerRun(100, func() {
			if err := tt.call(&out); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a call", tt.name, n)
		}
	}
}
