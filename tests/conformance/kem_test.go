package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A kem is a mechanism that encapsulates, with a key that is known.
type kem struct {
	m   *p11.Mechanism
	key p11.KeyType
	// template is what the new key needs: most need a length.
	template attr.Values
	// rejects says that a ciphertext that is wrong gives another key, not an
	// error.
	rejects bool
}

var (
	aes16  = attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES), Length(16)}
	secret = attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET)}
)

// kems has every mechanism with CKF_ENCAPSULATE.
var kems = []kem{
	{m: Mech(p11.CKM_RSA_PKCS), key: p11.CKK_RSA, template: aes16, rejects: true},
	{m: Mech(p11.CKM_RSA_PKCS_OAEP, oaep), key: p11.CKK_RSA, template: aes16},
	{m: Mech(p11.CKM_RSA_X_509), key: p11.CKK_RSA, template: secret, rejects: true},
	{m: Mech(p11.CKM_ECDH1_DERIVE, p11.ECDH1Params{KDF: p11.CKD_SHA256_KDF, Shared: []byte("shared")}), key: p11.CKK_EC, template: aes16},
	{m: Mech(p11.CKM_ECDH1_DERIVE, p11.ECDH1Params{KDF: p11.CKD_NULL}), key: p11.CKK_EC_MONTGOMERY, template: secret, rejects: true},
	{m: Mech(p11.CKM_ECDH1_COFACTOR_DERIVE, p11.ECDH1Params{KDF: p11.CKD_NULL}), key: p11.CKK_EC, template: aes16},
	{m: Mech(p11.CKM_ML_KEM), key: p11.CKK_ML_KEM, template: secret, rejects: true},
	{m: Mech(p11.CKM_DH_PKCS_DERIVE), key: p11.CKK_DH, template: secret},
	{m: Mech(p11.CKM_X9_42_DH_DERIVE, p11.X942DH1Params{KDF: p11.CKD_SHA1_KDF_CONCATENATE}), key: p11.CKK_X9_42_DH, template: aes16},
}

func (k *kem) name() string { return k.m.Type.String() + " with " + k.key.String() }

// pair imports the halves of the pair.
func (k *kem) pair(h *Host, s p11.SessionHandle, parts ...attr.Values) (pub, priv p11.ObjectHandle) {
	h.Helper()
	more := Join(parts...)
	return h.Create(s, KeyOf(k.key).Public, Yes(p11.CKA_ENCAPSULATE), more),
		h.Create(s, KeyOf(k.key).Own, Yes(p11.CKA_DECAPSULATE), more)
}

func (k *kem) encapsulate(h *Host, s p11.SessionHandle, pub p11.ObjectHandle, parts ...attr.Values) (o p11.ObjectHandle, ciphertext []byte, err error) {
	var out p11.Out
	template := Join(k.template, Join(parts...))
	if _, err := h.EncapsulateKey(s, k.m, pub, template, &out); err != nil {
		return 0, nil, err
	}
	out.Buf = make([]byte, out.N)
	o, err = h.EncapsulateKey(s, k.m, pub, template, &out)
	return o, out.Buf[:out.N], err
}

func (k *kem) decapsulate(h *Host, s p11.SessionHandle, priv p11.ObjectHandle, ciphertext []byte, parts ...attr.Values) (p11.ObjectHandle, error) {
	return h.DecapsulateKey(s, k.m, priv, Join(k.template, Join(parts...)), ciphertext)
}

func eachKEM(t *testing.T, f func(h *Host, s p11.SessionHandle, k *kem)) {
	Each(t, func(h *Host) {
		for i := range kems {
			h.Case(kems[i].name(), func(h *Host) {
				h.Fresh()
				f(h, h.User(), &kems[i])
			})
		}
	})
}

func TestEveryEncapsulation(t *testing.T) {
	Each(t, func(h *Host) {
		known := map[p11.MechanismType]bool{}
		for _, k := range kems {
			known[k.m.Type] = true
		}
		list, err := h.GetMechanismList(0)
		h.Must(err)
		for _, m := range list {
			info, err := h.GetMechanismInfo(0, m)
			h.Must(err)
			both := p11.CKF_ENCAPSULATE | p11.CKF_DECAPSULATE
			if got := info.Flags & both; got != 0 && got != both || (got == both) != known[m] {
				h.Errorf("%v: the flags have %#x, the table of this test: %v", m, uint64(got), known[m])
			}
		}
	})
	eachKEM(t, func(h *Host, s p11.SessionHandle, k *kem) {
		pub, priv := k.pair(h, s)
		mine, ciphertext, err := k.encapsulate(h, s, pub, openly)
		h.Must(err)
		theirs, err := k.decapsulate(h, s, priv, ciphertext, openly)
		h.Must(err)
		a, b := h.Read(s, mine, p11.CKA_VALUE), h.Read(s, theirs, p11.CKA_VALUE)
		if !bytes.Equal(a, b) || len(a) < 16 {
			h.Errorf("the keys are %x and %x", a, b)
		}
		if bytes.Contains(ciphertext, a) {
			h.Error("the ciphertext has the key in it")
		}
		guards(func(sensitive, extractable bool, template attr.Values) {
			mine, ciphertext, err := k.encapsulate(h, s, pub, template)
			h.Must(err)
			theirs, err := k.decapsulate(h, s, priv, ciphertext, template)
			h.Must(err)
			for _, o := range []p11.ObjectHandle{mine, theirs} {
				wantOrigin(h, s, o, k.name(), origin{false, false, false, unknown})
				if h.ReadTrue(s, o, p11.CKA_SENSITIVE) != sensitive || h.ReadTrue(s, o, p11.CKA_EXTRACTABLE) != extractable {
					h.Error("the template's CKA_SENSITIVE or CKA_EXTRACTABLE was not kept")
				}
			}
		})
		mine, _, err = k.encapsulate(h, s, pub, Yes(p11.CKA_TOKEN))
		h.Must(err)
		if !h.ReadTrue(s, mine, p11.CKA_EXTRACTABLE) || !h.ReadTrue(s, mine, p11.CKA_TOKEN) {
			h.Error("CKA_EXTRACTABLE is not true by default, or the token object is none")
		}
		h.Must(h.DestroyObject(s, mine))
	})
}

func TestEncapsulationMakesNoKeyBeforeItsTime(t *testing.T) {
	eachKEM(t, func(h *Host, s p11.SessionHandle, k *kem) {
		pub, priv := k.pair(h, s)
		before := len(h.Find(s))
		none := func(what string) {
			h.Helper()
			if after := len(h.Find(s)); after != before {
				h.Fatalf("%s made %d keys", what, after-before)
			}
		}
		var query p11.Out
		_, err := h.EncapsulateKey(s, k.m, pub, k.template, &query)
		h.Must(err)
		none("asking for the length")
		small := p11.Out{Buf: make([]byte, query.N-1)}
		_, err = h.EncapsulateKey(s, k.m, pub, k.template, &small)
		h.Want(err, tooSmall)
		if small.N != query.N || len(bytes.Trim(small.Buf, "\x00")) != 0 {
			h.Errorf("a buffer that is too small: %d bytes are said to be needed, %x was written; want %d and nothing", small.N, small.Buf, query.N)
		}
		none("a buffer that is too small")
		_, ciphertext, err := k.encapsulate(h, s, pub)
		h.Must(err)
		if len(ciphertext) != query.N {
			h.Errorf("%d bytes of ciphertext, asked for: %d", len(ciphertext), query.N)
		}
		before++
		for what, bad := range map[string]attr.Values{
			"a private key":        {Class(p11.CKO_PRIVATE_KEY), Type(p11.CKK_RSA)},
			"data":                 {Class(p11.CKO_DATA)},
			"a value":              Join(k.template, attr.Values{Value(make([]byte, 16))}),
			"CKA_LOCAL":            Join(k.template, Yes(p11.CKA_LOCAL)),
			"CKA_ALWAYS_SENSITIVE": Join(k.template, Yes(p11.CKA_ALWAYS_SENSITIVE)),
			"CKA_TRUSTED":          Join(k.template, Yes(p11.CKA_TRUSTED)),
			"no length of AES":     Join(k.template, attr.Values{Type(p11.CKK_AES), Length(17)}),
			"a length of 0":        Join(k.template, attr.Values{Length(0)}),
			"a length too great":   Join(k.template, attr.Values{Type(p11.CKK_GENERIC_SECRET), Length(1 << 30)}),
			"no such key type":     Join(k.template, attr.Values{Type(1 << 30)}),
		} {
			_, err := h.EncapsulateKey(s, k.m, pub, bad, &p11.Out{Buf: make([]byte, query.N)})
			_, same := h.DecapsulateKey(s, k.m, priv, bad, ciphertext)
			if err == nil || same == nil {
				h.Errorf("%s: a key was made (%v, %v)", what, err, same)
			}
			h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT, readOnly, p11.CKR_ATTRIBUTE_VALUE_INVALID)
			h.Want(same, p11.CKR_TEMPLATE_INCONSISTENT, readOnly, p11.CKR_ATTRIBUTE_VALUE_INVALID)
			none(what)
		}
	})
}

func TestWrongCiphertexts(t *testing.T) {
	eachKEM(t, func(h *Host, s p11.SessionHandle, k *kem) {
		pub, priv := k.pair(h, s)
		mine, ciphertext, err := k.encapsulate(h, s, pub, openly)
		h.Must(err)
		want := h.Read(s, mine, p11.CKA_VALUE)
		before := len(h.Find(s))
		for what, bad := range map[string][]byte{
			"no bytes": {}, "cut short": ciphertext[:len(ciphertext)-1], "one byte too many": append(bytes.Clone(ciphertext), 0),
		} {
			_, err := k.decapsulate(h, s, priv, bad, openly)
			if h.Want(err, p11.CKR_WRAPPED_KEY_LEN_RANGE); err == nil {
				h.Errorf("%s: a key was made", what)
			}
		}
		flipped := bytes.Clone(ciphertext)
		flipped[len(flipped)/2] ^= 1
		for what, bad := range map[string][]byte{"one bit flipped": flipped, "zeros": make([]byte, len(ciphertext))} {
			o, err := k.decapsulate(h, s, priv, bad, openly)
			if err != nil {
				h.Want(err, p11.CKR_WRAPPED_KEY_INVALID)
				if k.rejects && what == "one bit flipped" {
					h.Errorf("%s: %v, which tells what is wrong with it", what, err)
				}
				continue
			}
			if got := h.Read(s, o, p11.CKA_VALUE); bytes.Equal(got, want) {
				h.Errorf("%s: the key is right", what)
			}
			again, err := k.decapsulate(h, s, priv, bad, openly)
			h.Must(err)
			if !bytes.Equal(h.Read(s, o, p11.CKA_VALUE), h.Read(s, again, p11.CKA_VALUE)) {
				h.Errorf("%s: another key each time, which tells that it is wrong", what)
			}
			h.Must(h.DestroyObject(s, o))
			h.Must(h.DestroyObject(s, again))
		}
		if after := len(h.Find(s)); after != before {
			h.Errorf("refused ciphertexts made %d objects", after-before)
		}
	})
}

// CKM_RSA_PKCS answers a ciphertext of wrong padding, and one that opens to a
// secret of another length, as it answers one that is right.
func TestAttackBleichenbacherByDecapsulation(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		k := &kems[0]
		pub, priv := k.pair(h, s)
		h.Must(h.EncryptInit(s, k.m, pub))
		plain := []byte("a secret of 24 bytes....")
		right := h.Output(func(out *p11.Out) error { return h.Encrypt(s, plain, out) })
		seen := map[string]bool{}
		for _, c := range [][]byte{right, append([]byte{1}, make([]byte, 255)...), append(make([]byte, 255), 7)} {
			for _, n := range []int{16, 24, 32} {
				template := Join(secret, openly, attr.Values{Length(n)})
				o, err := h.DecapsulateKey(s, k.m, priv, template, c)
				h.Must(err)
				value := h.Read(s, o, p11.CKA_VALUE)
				if len(value) != n || bytes.Equal(value, plain) != (n == 24 && &c[0] == &right[0]) || seen[string(value[:16])] {
					h.Errorf("length %d of %x...: %x", n, c[:4], value)
				}
				seen[string(value[:16])] = true
			}
			_, err := h.DecapsulateKey(s, k.m, priv, secret, c)
			h.Want(err, p11.CKR_TEMPLATE_INCOMPLETE) // whatever the padding
		}
	})
}

func TestEncapsulationAsksForItsAttributes(t *testing.T) {
	eachKEM(t, func(h *Host, s p11.SessionHandle, k *kem) {
		pub, priv := k.pair(h, s)
		_, ciphertext, err := k.encapsulate(h, s, pub)
		h.Must(err)
		noPub, noPriv := h.Create(s, KeyOf(k.key).Public, No(p11.CKA_ENCAPSULATE)), h.Create(s, KeyOf(k.key).Own, No(p11.CKA_DECAPSULATE))
		limitedPub, limitedPriv := k.pair(h, s, attr.Values{mechanisms(p11.CKM_SHA256_RSA_PKCS)})
		asks := h.Create(s, KeyOf(k.key).Own, Yes(p11.CKA_DECAPSULATE, p11.CKA_ALWAYS_AUTHENTICATE))
		for _, tt := range []struct {
			what         string
			pub, priv    p11.ObjectHandle
			encap, decap p11.RV
		}{
			{"the attribute is false", noPub, noPriv, p11.CKR_KEY_FUNCTION_NOT_PERMITTED, p11.CKR_KEY_FUNCTION_NOT_PERMITTED},
			{"CKA_ALLOWED_MECHANISMS", limitedPub, limitedPriv, p11.CKR_MECHANISM_INVALID, p11.CKR_MECHANISM_INVALID},
			{"the other half", priv, pub, p11.CKR_KEY_TYPE_INCONSISTENT, p11.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT},
			{"CKA_ALWAYS_AUTHENTICATE", pub, asks, ok, p11.CKR_USER_NOT_LOGGED_IN},
			{"an AES key", h.AES(s), h.AES(s), p11.CKR_KEY_TYPE_INCONSISTENT, p11.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT},
			{"no key", 0, 0, p11.CKR_KEY_HANDLE_INVALID, p11.CKR_UNWRAPPING_KEY_HANDLE_INVALID},
			{"data", h.Create(s, Data("d")), h.Create(s, Data("d")), p11.CKR_KEY_HANDLE_INVALID, p11.CKR_UNWRAPPING_KEY_HANDLE_INVALID},
		} {
			h.Case(tt.what, func(h *Host) {
				_, _, err := k.encapsulate(h, s, tt.pub)
				h.Want(err, tt.encap)
				_, err = k.decapsulate(h, s, tt.priv, ciphertext)
				h.Want(err, tt.decap)
			})
		}
		for _, m := range []p11.MechanismType{p11.CKM_SHA256, p11.CKM_AES_KEY_WRAP, p11.CKM_SHA256_RSA_PKCS, 1 << 30} {
			_, err := h.EncapsulateKey(s, Mech(m), pub, k.template, room())
			h.Want(err, p11.CKR_MECHANISM_INVALID)
			_, err = h.DecapsulateKey(s, Mech(m), priv, k.template, ciphertext)
			h.Want(err, p11.CKR_MECHANISM_INVALID)
		}
		if k.m.Params != nil {
			_, err := h.EncapsulateKey(s, Mech(k.m.Type), pub, k.template, room())
			h.Want(err, p11.CKR_MECHANISM_PARAM_INVALID)
		}
		if p, is := k.m.Params.(p11.ECDH1Params); is {
			p.Public = KeyOf(k.key).Public.Bytes(p11.CKA_EC_POINT)
			_, err := h.EncapsulateKey(s, Mech(k.m.Type, p), pub, k.template, room())
			h.Want(err, p11.CKR_MECHANISM_PARAM_INVALID)
			_, err = h.DecapsulateKey(s, Mech(k.m.Type, p), priv, k.template, ciphertext)
			h.Want(err, p11.CKR_MECHANISM_PARAM_INVALID)
		}
		if p, is := k.m.Params.(p11.X942DH1Params); is {
			p.Public = KeyOf(k.key).Public.Bytes(p11.CKA_VALUE)
			_, err := h.EncapsulateKey(s, Mech(k.m.Type, p), pub, k.template, room())
			h.Want(err, p11.CKR_MECHANISM_PARAM_INVALID)
			_, err = h.DecapsulateKey(s, Mech(k.m.Type, p), priv, k.template, ciphertext)
			h.Want(err, p11.CKR_MECHANISM_PARAM_INVALID)
		}
	})
}

// A template that says nothing of it does not let a key be decapsulated with:
// the bare RSA operation would sign and decrypt whatever else was withheld.
func TestAttackSigningByDecapsulation(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for _, k := range Keys() {
			if k.Secret() {
				continue
			}
			priv := h.Create(s, k.Own, No(p11.CKA_SIGN))
			only := k.Type == p11.CKK_ML_KEM // that can do nothing else
			if h.ReadTrue(s, priv, p11.CKA_DECAPSULATE) != only || h.ReadTrue(s, h.Create(s, k.Public), p11.CKA_ENCAPSULATE) != only {
				h.Errorf("%s: encapsulation is allowed by default: %v", k.Name, !only)
			}
			_, err := h.DecapsulateKey(s, Mech(p11.CKM_RSA_X_509), priv, secret, make([]byte, 256))
			h.Want(err, p11.CKR_KEY_FUNCTION_NOT_PERMITTED, p11.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT)
		}
	})
}

func TestTemplatesOfEncapsulation(t *testing.T) {
	eachKEM(t, func(h *Host, s p11.SessionHandle, k *kem) {
		free, _ := k.pair(h, s)
		guarded := attr.Values{yesNo(p11.CKA_SENSITIVE, true), yesNo(p11.CKA_EXTRACTABLE, false)}
		bound := h.Create(s, KeyOf(k.key).Public, Yes(p11.CKA_ENCAPSULATE), attr.Values{attr.NewTemplate(p11.CKA_ENCAPSULATE_TEMPLATE, guarded)})
		before := len(h.Find(s))
		for _, bad := range []attr.Values{nil, openly, Yes(p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE)} {
			out := p11.Out{Buf: make([]byte, 2048)}
			_, err := h.EncapsulateKey(s, k.m, bound, Join(k.template, bad), &out)
			h.Want(err, p11.CKR_KEY_HANDLE_INVALID)
			if len(bytes.Trim(out.Buf, "\x00")) != 0 {
				h.Error("a ciphertext was given out for a key that was not made")
			}
		}
		if after := len(h.Find(s)); after != before {
			h.Errorf("refused templates made %d keys", after-before)
		}
		_, _, err := k.encapsulate(h, s, bound, guarded)
		h.Must(err)

		priv := h.Create(s, KeyOf(k.key).Own, Yes(p11.CKA_DECAPSULATE), attr.Values{attr.NewTemplate(p11.CKA_DECAPSULATE_TEMPLATE, guarded)})
		_, ciphertext, err := k.encapsulate(h, s, free)
		h.Must(err)
		_, err = k.decapsulate(h, s, priv, ciphertext, openly)
		h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT)
		_, err = k.decapsulate(h, s, priv, ciphertext, Yes(p11.CKA_EXTRACTABLE))
		h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT)
		o, err := k.decapsulate(h, s, priv, ciphertext)
		h.Must(err)
		if !h.ReadTrue(s, o, p11.CKA_SENSITIVE) || h.ReadTrue(s, o, p11.CKA_EXTRACTABLE) {
			h.Error("CKA_DECAPSULATE_TEMPLATE was not merged into the template")
		}
		pry(h, s, o)
		// Byte by byte, a hidden key would be found by trying.
		short := Join(secret, attr.Values{Length(1)}, Yes(p11.CKA_SIGN))
		_, err = h.DecapsulateKey(s, k.m, priv, short, ciphertext)
		h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_WRAPPED_KEY_LEN_RANGE)
	})
}

func TestEncapsulationAndTheLogin(t *testing.T) {
	eachKEM(t, func(h *Host, s p11.SessionHandle, k *kem) {
		h.Create(s, KeyOf(k.key).Public, Yes(p11.CKA_ENCAPSULATE, p11.CKA_TOKEN), No(p11.CKA_PRIVATE))
		h.Create(s, KeyOf(k.key).Own, Yes(p11.CKA_DECAPSULATE, p11.CKA_TOKEN), attr.Values{Label("private half")})
		h.Fresh()
		s = h.Session(RO)
		pub := h.Find(s, Class(p11.CKO_PUBLIC_KEY))[0]
		_, ciphertext, err := k.encapsulate(h, s, pub, No(p11.CKA_PRIVATE))
		h.Must(err)
		_, _, err = k.encapsulate(h, s, pub)
		h.Want(err, p11.CKR_USER_NOT_LOGGED_IN) // CKA_PRIVATE is true by default
		_, _, err = k.encapsulate(h, s, pub, No(p11.CKA_PRIVATE), Yes(p11.CKA_TOKEN))
		h.Want(err, p11.CKR_SESSION_READ_ONLY)
		if n := len(h.Find(s, Label("private half"))); n != 0 {
			h.Errorf("%d private keys are seen without a login", n)
		}
		h.Must(h.Login(s, p11.CKU_USER, UserPIN))
		priv := h.Find(s, Label("private half"))[0]
		_, err = k.decapsulate(h, s, priv, ciphertext, Yes(p11.CKA_TOKEN))
		h.Want(err, p11.CKR_SESSION_READ_ONLY)
		_, err = k.decapsulate(h, s, priv, ciphertext)
		h.Must(err)
		h.Must(h.Logout(s))
		_, err = k.decapsulate(h, s, priv, ciphertext)
		h.Want(err, p11.CKR_UNWRAPPING_KEY_HANDLE_INVALID)
		_, _, err = k.encapsulate(h, 1<<30, pub)
		h.Want(err, p11.CKR_SESSION_HANDLE_INVALID)
		// The next KEM finds an empty token.
		h.Must(h.Login(s, p11.CKU_USER, UserPIN))
		rw := h.Session(RW)
		for _, o := range append(h.Find(rw, Class(p11.CKO_PUBLIC_KEY)), h.Find(rw, Class(p11.CKO_PRIVATE_KEY))...) {
			h.Must(h.DestroyObject(rw, o))
		}
	})
}
