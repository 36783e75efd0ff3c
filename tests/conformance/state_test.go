package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

const (
	noState    = p11.CKR_SAVED_STATE_INVALID
	keyChanged = p11.CKR_KEY_CHANGED
)

func (x *stateHost) save() []byte {
	x.Helper()
	return x.Output(func(out *p11.Out) error { return x.GetOperationState(x.s, out) })
}

// stateHost is a host with a session of the user, keys, and what can be running.
type stateHost struct {
	*Host
	s           p11.SessionHandle
	aes, secret p11.ObjectHandle
	rsa         halves
}

func newStateHost(h *Host) *stateHost {
	x := &stateHost{Host: h, s: h.User()}
	x.aes = h.AES(x.s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT))
	x.secret = h.Create(x.s, KeyOf(p11.CKK_GENERIC_SECRET).Own)
	pub, priv := importPair(h, x.s, KeyOf(p11.CKK_RSA))
	x.rsa = halves{public: pub, own: priv}
	return x
}

// begin starts an encryption, a digest and a MAC, and feeds all of them.
func (x *stateHost) begin() {
	x.Helper()
	x.Idle(x.s)
	x.Must(x.EncryptInit(x.s, Mech(p11.CKM_AES_CBC_PAD, zeroIV), x.aes))
	x.Must(x.DigestInit(x.s, Mech(p11.CKM_SHA256)))
	x.Must(x.SignInit(x.s, Mech(p11.CKM_SHA256_HMAC), x.secret))
	x.Must(x.EncryptUpdate(x.s, []byte("the first half of it"), room()))
	x.Must(x.DigestUpdate(x.s, []byte("the first half of it")))
	x.Must(x.SignUpdate(x.s, []byte("the first half of it")))
}

// end finishes all three in a session and returns their results.
func (x *stateHost) end(s p11.SessionHandle) string {
	x.Helper()
	rest := []byte(" and the second half")
	x.Must(x.DigestUpdate(s, rest))
	x.Must(x.SignUpdate(s, rest))
	all := x.Output(func(out *p11.Out) error { return x.EncryptUpdate(s, rest, out) })
	all = append(all, x.Output(func(out *p11.Out) error { return x.EncryptFinal(s, out) })...)
	all = append(all, x.Output(func(out *p11.Out) error { return x.DigestFinal(s, out) })...)
	return string(append(all, x.Output(func(out *p11.Out) error { return x.SignFinal(s, out) })...))
}

func TestOperationsGoOnFromASavedState(t *testing.T) {
	Each(t, func(h *Host) {
		x := newStateHost(h)
		x.begin()
		want := x.end(x.s)
		x.begin()
		state := x.save()
		if got := x.end(x.s); got != want {
			h.Error("saving disturbs the operations")
		}
		other := h.Session(RW)
		for name, restore := range map[string]func(s p11.SessionHandle) error{
			"without handles":   func(s p11.SessionHandle) error { return h.SetOperationState(s, state, 0, 0) },
			"with both handles": func(s p11.SessionHandle) error { return h.SetOperationState(s, state, x.aes, x.secret) },
			"with one":          func(s p11.SessionHandle) error { return h.SetOperationState(s, state, 0, x.secret) },
		} {
			for where, s := range map[string]p11.SessionHandle{"in its session": x.s, "in another": other} {
				h.Case(name+", "+where, func(h *Host) {
					x.Host = h
					h.Must(h.FindObjectsInit(s, nil))
					h.Must(restore(s))
					h.Want(h.FindObjectsFinal(s), notInitialized) // everything else is cancelled
					h.Want(h.EncryptInit(s, Mech(p11.CKM_AES_ECB), x.aes), active)
					if got := x.end(s); got != want {
						h.Errorf("%x, want %x", got, want)
					}
				})
			}
		}
		x.Host = h
		h.Case("an operation that has had no input", func(h *Host) {
			h.Must(h.DigestInit(x.s, Mech(p11.CKM_SHA256)))
			state := x.save()
			h.Must(h.SetOperationState(other, state, 0, 0))
			h.Want(h.Digest(other, []byte("in one part"), room()), ok)
			h.Idle(x.s)
		})
		h.Case("a verification", func(h *Host) {
			h.Must(h.SignInit(x.s, Mech(p11.CKM_SHA256_RSA_PKCS), x.rsa.own))
			sig := h.Output(func(out *p11.Out) error { return h.Sign(x.s, []byte("signed"), out) })
			h.Must(h.VerifyInit(x.s, Mech(p11.CKM_SHA256_RSA_PKCS), x.rsa.public))
			h.Must(h.VerifyUpdate(x.s, []byte("sig")))
			state := x.save()
			h.Must(h.VerifyUpdate(x.s, []byte("NED")))
			h.Want(h.VerifyFinal(x.s, sig), p11.CKR_SIGNATURE_INVALID)
			h.Must(h.SetOperationState(x.s, state, 0, x.rsa.public))
			h.Must(h.VerifyUpdate(x.s, []byte("ned")))
			h.Want(h.VerifyFinal(x.s, sig), ok)
		})
		h.Case("a session that nobody has logged in to", func(h *Host) {
			h.Must(h.Logout(x.s))
			h.Must(h.DigestInit(x.s, Mech(p11.CKM_SHA3_256)))
			h.Must(h.DigestUpdate(x.s, []byte("in ")))
			state := x.save()
			h.Must(h.DigestInit(other, Mech(p11.CKM_SHA_1)))
			h.Must(h.SetOperationState(other, state, 0, 0))
			h.Must(h.DigestUpdate(other, []byte("parts")))
			got := h.Output(func(out *p11.Out) error { return h.DigestFinal(other, out) })
			h.Must(h.DigestInit(other, Mech(p11.CKM_SHA3_256)))
			if want := h.Output(func(out *p11.Out) error { return h.Digest(other, []byte("in parts"), out) }); !bytes.Equal(got, want) {
				h.Errorf("%x, want %x", got, want)
			}
			h.Idle(x.s)
			h.Must(h.Close()) // the key of the process is gone with it
			h.Start()
			h.Want(h.SetOperationState(h.Session(RW), state, 0, 0), noState)
		})
	})
}

func TestTheLengthOfASavedState(t *testing.T) {
	Each(t, func(h *Host) {
		x := newStateHost(h)
		h.Want(h.GetOperationState(x.s, &p11.Out{}), notInitialized)
		h.Must(h.FindObjectsInit(x.s, nil))
		h.Must(h.SignRecoverInit(x.s, Mech(p11.CKM_RSA_PKCS), x.rsa.own))
		h.Want(h.GetOperationState(x.s, &p11.Out{}), notInitialized) // neither is one that is saved
		x.begin()
		out := p11.Out{}
		h.Must(h.GetOperationState(x.s, &out))
		n := out.N
		out.Buf = make([]byte, n-1)
		h.Want(h.GetOperationState(x.s, &out), tooSmall)
		if out.N != n {
			h.Errorf("%d bytes are needed, then %d", n, out.N)
		}
		out.Buf = make([]byte, n+5)
		h.Must(h.GetOperationState(x.s, &out))
		if out.N != n {
			h.Errorf("%d bytes were announced, %d came", n, out.N)
		}
		h.Want(h.GetOperationState(x.s+99, &p11.Out{}), p11.CKR_SESSION_HANDLE_INVALID)
		h.Want(h.SetOperationState(x.s+99, out.Buf[:n], 0, 0), p11.CKR_SESSION_HANDLE_INVALID)
	})
}

func TestStatesThatCannotBeSaved(t *testing.T) {
	Each(t, func(h *Host) {
		x := newStateHost(h)
		s := x.s
		cbc := Mech(p11.CKM_AES_CBC_PAD, zeroIV)
		h.Must(h.EncryptInit(s, cbc, x.aes))
		ct := h.Output(func(out *p11.Out) error { return h.Encrypt(s, make([]byte, 20), out) })
		for name, begin := range map[string]func(){
			"an authenticated cipher, whose nonce would serve twice": func() { h.Must(h.EncryptInit(s, Mech(p11.CKM_AES_GCM, gcm), x.aes)) },
			"a signature of one part":                                func() { h.Must(h.SignInit(s, Mech(p11.CKM_RSA_PKCS), x.rsa.own)) },
			"a digest of a key": func() {
				h.Must(h.DigestInit(s, Mech(p11.CKM_SHA256)))
				h.Must(h.DigestKey(s, x.secret))
			},
			"a result that waits for a buffer": func() {
				h.Must(h.DecryptInit(s, cbc, x.aes))
				h.Want(h.Decrypt(s, ct, &p11.Out{Buf: make([]byte, 3)}), tooSmall)
			},
		} {
			h.Case(name, func(h *Host) {
				h.Idle(s)
				begin()
				h.Want(h.GetOperationState(s, &p11.Out{}), p11.CKR_STATE_UNSAVEABLE)
				h.Must(h.VerifyInit(s, Mech(p11.CKM_SHA256_RSA_PKCS), x.rsa.public)) // which could be, by itself
				h.Want(h.GetOperationState(s, &p11.Out{}), p11.CKR_STATE_UNSAVEABLE)
			})
		}
	})
}

func TestWhatIsNoSavedState(t *testing.T) {
	Each(t, func(h *Host) {
		x := newStateHost(h)
		x.begin()
		state := x.save()
		x.begin()
		refused := func(h *Host, s p11.SessionHandle, state []byte) {
			h.Helper()
			h.Want(h.SetOperationState(s, state, 0, 0), noState)
		}
		for i := 0; i < len(state); i += 7 {
			changed := bytes.Clone(state)
			changed[i] ^= 1
			refused(h, x.s, changed)
		}
		for _, bad := range [][]byte{{}, state[:1], state[:len(state)-1], append(bytes.Clone(state), 0), make([]byte, 300)} {
			refused(h, x.s, bad)
		}
		h.Want(h.EncryptInit(x.s, Mech(p11.CKM_AES_ECB), x.aes), active) // a failure changes nothing
		x.end(x.s)
		h.Case("of a session in another state", func(h *Host) { refused(h, h.Session(RO), state) })
		h.Case("of another token", func(h *Host) {
			h.Must(h.InitToken(1, SOPIN, "second"))
			so, err := h.OpenSession(1, RW)
			h.Must(err)
			h.Must(h.Login(so, p11.CKU_SO, SOPIN))
			h.Must(h.InitPIN(so, UserPIN))
			h.Must(h.Logout(so))
			h.Must(h.Login(so, p11.CKU_USER, UserPIN))
			refused(h, so, state)
		})
		h.Case("after a logout", func(h *Host) {
			h.Must(h.Logout(x.s))
			refused(h, x.s, state)
		})
	})
}

func TestTheKeysOfASavedState(t *testing.T) {
	Each(t, func(h *Host) {
		x := newStateHost(h)
		h.Must(h.DigestInit(x.s, Mech(p11.CKM_SHA256)))
		h.Must(h.DigestUpdate(x.s, []byte("digest")))
		digest := x.save()
		h.Want(h.SetOperationState(x.s, digest, x.aes, 0), p11.CKR_KEY_NOT_NEEDED)
		h.Want(h.SetOperationState(x.s, digest, 0, x.secret), p11.CKR_KEY_NOT_NEEDED)
		x.begin()
		state := x.save()
		another := h.AES(x.s, Yes(p11.CKA_ENCRYPT))
		for name, keys := range map[string][2]p11.ObjectHandle{
			"another key":             {another, x.secret},
			"the other's":             {x.secret, x.aes},
			"a handle that is nobody": {1 << 40, x.secret},
			"no key":                  {h.Create(x.s, Data("no key")), x.secret},
		} {
			h.Case(name, func(h *Host) { h.Want(h.SetOperationState(x.s, state, keys[0], keys[1]), keyChanged) })
		}
		h.Case("a key of the same value", func(h *Host) {
			twin, err := h.CopyObject(x.s, x.aes, nil)
			h.Must(err)
			h.Want(h.SetOperationState(x.s, state, twin, 0), keyChanged)
		})
		h.Case("a key that was destroyed", func(h *Host) {
			h.Must(h.DestroyObject(x.s, x.secret))
			h.Want(h.SetOperationState(x.s, state, 0, 0), keyChanged)
		})
		h.Case("a key of the token, in the next process, and changed", func(h *Host) {
			k := h.AES(x.s, Yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT), attr.Values{Label("kept")})
			encrypt := func(s p11.SessionHandle, part string) []byte {
				return h.Output(func(out *p11.Out) error { return h.EncryptUpdate(s, []byte(part), out) })
			}
			h.Idle(x.s)
			h.Must(h.EncryptInit(x.s, Mech(p11.CKM_AES_CTR, ctr), k))
			encrypt(x.s, "the first part")
			state := x.save()
			want := encrypt(x.s, "the second")
			h.Reopen()
			s := h.User()
			h.Must(h.SetOperationState(s, state, 0, 0))
			if got := encrypt(s, "the second"); !bytes.Equal(got, want) {
				h.Errorf("%x, want %x", got, want)
			}
			k = h.Find(s, Label("kept"))[0]
			h.Must(h.SetOperationState(s, state, k, 0))
			h.Must(h.SetAttributeValue(s, k, No(p11.CKA_DECRYPT)))
			h.Want(h.SetOperationState(s, state, k, 0), keyChanged)
		})
	})
}

// TestASavedStateIsNoWayAround: what C_…Init would refuse, a state does not
// bring back.
func TestASavedStateIsNoWayAround(t *testing.T) {
	Each(t, func(h *Host) {
		x := newStateHost(h)
		s := x.s
		h.Case("CKA_SIGN that was taken away", func(h *Host) {
			k := h.Create(s, KeyOf(p11.CKK_GENERIC_SECRET).Own, Yes(p11.CKA_SIGN))
			h.Must(h.SignInit(s, Mech(p11.CKM_SHA256_HMAC), k))
			state := x.save()
			h.Must(h.SetAttributeValue(s, k, No(p11.CKA_SIGN)))
			h.Idle(s)
			h.Want(h.SetOperationState(s, state, 0, 0), noState, keyChanged)
			h.Want(h.Sign(s, nil, room()), notInitialized)
		})
		h.Case("CKA_ALWAYS_AUTHENTICATE", func(h *Host) {
			sign := Mech(p11.CKM_SHA256_RSA_PKCS)
			k := h.Create(s, KeyOf(p11.CKK_RSA).Own, Yes(p11.CKA_ALWAYS_AUTHENTICATE, p11.CKA_PRIVATE, p11.CKA_SIGN))
			sig := func() error { return h.SignFinal(s, &p11.Out{Buf: make([]byte, 256)}) }
			h.Idle(s)
			h.Must(h.SignInit(s, sign, k))
			h.Must(h.Login(s, p11.CKU_CONTEXT_SPECIFIC, UserPIN))
			h.Must(h.SignUpdate(s, []byte("once")))
			state := x.save()
			h.Want(sig(), ok)
			h.Must(h.SetOperationState(s, state, 0, k))
			h.Want(sig(), p11.CKR_USER_NOT_LOGGED_IN) // the PIN was for one signature
			h.Must(h.SetOperationState(s, state, 0, k))
			h.Must(h.Login(s, p11.CKU_CONTEXT_SPECIFIC, UserPIN))
			h.Want(sig(), ok)
		})
		h.Case("a login that is over, and another", func(h *Host) {
			h.Idle(s)
			h.Must(h.SignInit(s, Mech(p11.CKM_SHA256_HMAC), x.secret)) // a private session object
			state := x.save()
			h.Must(h.Logout(s))
			h.Want(h.SetOperationState(s, state, 0, 0), noState)
			h.Must(h.Login(s, p11.CKU_SO, SOPIN))
			h.Want(h.SetOperationState(s, state, 0, 0), noState)
			h.Must(h.Logout(s))
			h.Must(h.Login(s, p11.CKU_USER, UserPIN))
			h.Want(h.SetOperationState(s, state, 0, 0), keyChanged) // destroyed by the logout
		})
	})
}
