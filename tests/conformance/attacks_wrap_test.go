package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// openly are the attributes of a key that its maker wants to read.
var openly = Join(No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))

// wrapOut tries to get a key out by every mechanism, under a key whose value
// the caller knows, and returns the blobs that were made.
func wrapOut(h *Host, s p11.SessionHandle, key p11.ObjectHandle) (blobs [][]byte, refusals map[p11.RV]bool) {
	h.Helper()
	aes := h.Create(s, Secret(p11.CKK_AES, make([]byte, 32)), Yes(p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_DECRYPT), openly)
	rsa := h.Create(s, KeyOf(p11.CKK_RSA).Public, Yes(p11.CKA_WRAP))
	refusals = map[p11.RV]bool{}
	for _, w := range wrappings {
		with := aes
		if w.rsa {
			with = rsa
		}
		blob, err := Output(func(out *p11.Out) error { return h.WrapKey(s, w.m, with, key, out) })
		if err == nil {
			blobs = append(blobs, blob)
		}
		refusals[p11.Code(err)] = true
	}
	return blobs, refusals
}

func TestAttackWrappingWithAKnownKey(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for _, k := range Keys() {
			for name, tt := range map[string]struct {
				template attr.Values
				rv       p11.RV
			}{
				"not extractable":         {No(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE), p11.CKR_KEY_UNEXTRACTABLE},
				"only with a trusted key": {Yes(p11.CKA_EXTRACTABLE, p11.CKA_WRAP_WITH_TRUSTED), p11.CKR_KEY_NOT_WRAPPABLE},
			} {
				h.Case(k.Name+", "+name, func(h *Host) {
					key := h.Create(s, k.Own, tt.template)
					blobs, refusals := wrapOut(h, s, key)
					delete(refusals, p11.CKR_KEY_NOT_WRAPPABLE) // by block ciphers, for a private key
					if len(blobs) != 0 || tt.rv == p11.CKR_KEY_UNEXTRACTABLE && !refusals[tt.rv] {
						h.Errorf("%d blobs, refusals %v", len(blobs), refusals)
					}
					// Nor a copy, nor after a change.
					c, err := h.CopyObject(s, key, nil)
					h.Must(err)
					if blobs, _ := wrapOut(h, s, c); len(blobs) != 0 {
						h.Error("a copy was wrapped")
					}
					_ = h.SetAttributeValue(s, key, Yes(p11.CKA_EXTRACTABLE))
					_ = h.SetAttributeValue(s, key, No(p11.CKA_WRAP_WITH_TRUSTED))
					if blobs, _ := wrapOut(h, s, key); len(blobs) != 0 {
						h.Error("the key was wrapped after a change")
					}
				})
			}
		}
	})
}

// CKA_EXTRACTABLE is what it says: whoever may wrap with a key that he knows
// has the value of a sensitive extractable key. The defaults alone do not join
// the two uses that make one key enough for it.
func TestAttackWrapAndDecryptIsAllowedForExtractableKeys(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		value := random(16)
		target := h.Create(s, Secret(p11.CKK_AES, value), Yes(p11.CKA_SENSITIVE, p11.CKA_EXTRACTABLE))
		both := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_DECRYPT))
		blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, Mech(p11.CKM_AES_CBC_PAD, zeroIV), both, target, out) })
		h.Must(h.DecryptInit(s, Mech(p11.CKM_AES_CBC_PAD, zeroIV), both))
		if got := h.Output(func(out *p11.Out) error { return h.Decrypt(s, blob, out) }); !bytes.Equal(got, value) {
			h.Error("the standard's rule has changed under this test")
		}
		for asked, stays := range map[p11.AttributeType][]p11.AttributeType{
			p11.CKA_WRAP:    {p11.CKA_DECRYPT, p11.CKA_ENCRYPT},
			p11.CKA_UNWRAP:  {p11.CKA_ENCRYPT, p11.CKA_DECRYPT},
			p11.CKA_DECRYPT: {p11.CKA_WRAP, p11.CKA_UNWRAP},
			p11.CKA_ENCRYPT: {p11.CKA_UNWRAP, p11.CKA_WRAP},
		} {
			k := h.AES(s, Yes(asked))
			for _, t := range stays {
				if h.ReadTrue(s, k, t) {
					h.Errorf("a key asked for with %v has %v too", asked, t)
				}
			}
		}
	})
}

func TestAttackUnwrappingAsSomethingElse(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		kwp := Mech(p11.CKM_AES_KEY_WRAP_KWP)
		free := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		guard := attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, Join(Yes(p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE)))
		guarded := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP), attr.Values{guard})
		as := map[string]attr.Values{
			"a generic secret":      {Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET)},
			"an HKDF key":           {Class(p11.CKO_SECRET_KEY), Type(p11.CKK_HKDF)},
			"data":                  {Class(p11.CKO_DATA)},
			"a certificate":         {Class(p11.CKO_CERTIFICATE), attr.NewULong(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509), attr.NewString(p11.CKA_SUBJECT, "s")},
			"a public key":          {Class(p11.CKO_PUBLIC_KEY), Type(p11.CKK_EC)},
			"an EC private key":     {Class(p11.CKO_PRIVATE_KEY), Type(p11.CKK_EC)},
			"an RSA private key":    {Class(p11.CKO_PRIVATE_KEY), Type(p11.CKK_RSA)},
			"an Ed25519 key":        {Class(p11.CKO_PRIVATE_KEY), Type(p11.CKK_EC_EDWARDS)},
			"an X25519 key":         {Class(p11.CKO_PRIVATE_KEY), Type(p11.CKK_EC_MONTGOMERY)},
			"an AES key of the end": {Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES), Length(16)},
		}
		for _, k := range Keys() {
			key := h.Create(s, k.Own, Yes(p11.CKA_SENSITIVE, p11.CKA_EXTRACTABLE))
			for what, template := range as {
				h.Case(k.Name+" as "+what, func(h *Host) {
					inner := h.Driver
					defer func() { h.Driver = inner }()
					watch(h, k.Leaks()...)
					class, _ := template.Class()
					typ, _ := template.KeyType()
					same := class == k.Class() && typ == k.Type && typ != p11.CKK_AES
					raw := class == p11.CKO_SECRET_KEY && typ != p11.CKK_AES // bytes of any length
					blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, kwp, free, key, out) })
					o, err := inner.UnwrapKey(s, kwp, free, blob, Join(template, Yes(p11.CKA_SENSITIVE)))
					fits := same || raw || typ == p11.CKK_AES && len(k.Own.Bytes(p11.CKA_VALUE)) == 16 && k.Secret()
					if (err == nil) != fits && class != p11.CKO_DATA {
						h.Errorf("unwrapping answers %v", err)
					}
					if class == p11.CKO_DATA || class == p11.CKO_PUBLIC_KEY || class == p11.CKO_CERTIFICATE {
						h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_ATTRIBUTE_READ_ONLY, p11.CKR_TEMPLATE_INCOMPLETE)
					}
					if err == nil {
						pry(h, s, o)
					}
					// The standard lets an extractable key come back in the open, unless
					// the unwrapping key rules that out.
					blob = h.Output(func(out *p11.Out) error { return h.WrapKey(s, kwp, guarded, key, out) })
					if _, err := h.UnwrapKey(s, kwp, guarded, blob, Join(template, openly)); err == nil {
						h.Error("CKA_UNWRAP_TEMPLATE was got around")
					}
					if o, err := h.UnwrapKey(s, kwp, guarded, blob, template); err == nil {
						pry(h, s, o)
						if blobs, _ := wrapOut(h, s, o); len(blobs) != 0 {
							h.Error("what CKA_UNWRAP_TEMPLATE made not extractable was wrapped")
						}
					}
				})
			}
		}
	})
}

func TestAttackTrustingOneself(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		kwp := Mech(p11.CKM_AES_KEY_WRAP_KWP)
		trusted := Yes(p11.CKA_TRUSTED)
		wrapping := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		target := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_EXTRACTABLE, p11.CKA_WRAP_WITH_TRUSTED))
		plain := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_EXTRACTABLE))
		blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, kwp, wrapping, plain, out) })
		base := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, random(32)), Yes(p11.CKA_DERIVE))
		for name, try := range map[string]func() error{
			"create": func() error {
				_, err := h.CreateObject(s, Join(KeyOf(p11.CKK_AES).Own, trusted))
				return err
			},
			"create a public key": func() error {
				_, err := h.CreateObject(s, Join(KeyOf(p11.CKK_RSA).Public, trusted))
				return err
			},
			"create a certificate": func() error { _, err := h.CreateObject(s, Join(certificate, trusted)); return err },
			"generate": func() error {
				_, err := h.GenerateKey(s, Mech(p11.CKM_AES_KEY_GEN), Join(attr.Values{Length(16)}, trusted))
				return err
			},
			"generate a pair": func() error {
				_, _, err := h.GenerateKeyPair(s, Mech(p11.CKM_EC_KEY_PAIR_GEN), Join(attr.Values{P256}, trusted), nil)
				return err
			},
			"unwrap": func() error {
				_, err := h.UnwrapKey(s, kwp, wrapping, blob, Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)}, trusted))
				return err
			},
			"derive": func() error {
				_, err := h.DeriveKey(s, hkdf, base, Join(attr.Values{Type(p11.CKK_AES), Length(16)}, trusted))
				return err
			},
			"copy": func() error { _, err := h.CopyObject(s, wrapping, trusted); return err },
			"set":  func() error { return h.SetAttributeValue(s, wrapping, trusted) },
		} {
			h.Case(name, func(h *Host) { h.Want(try(), readOnly) })
		}
		h.Want(h.WrapKey(s, kwp, wrapping, target, room()), p11.CKR_KEY_NOT_WRAPPABLE)
		h.Case("nobody logged in", func(h *Host) {
			h.Fresh()
			s := h.Session(RW)
			_, err := h.CreateObject(s, Join(KeyOf(p11.CKK_RSA).Public, trusted, No(p11.CKA_PRIVATE), Yes(p11.CKA_TOKEN)))
			h.Want(err, readOnly, p11.CKR_USER_NOT_LOGGED_IN)
		})
		h.Case("the SO, for a key that he cannot see", func(h *Host) {
			h.Fresh()
			s := h.User()
			h.AES(s, Yes(p11.CKA_TOKEN, p11.CKA_WRAP), attr.Values{Label("private wrapping")})
			h.Must(h.Logout(s))
			h.Must(h.Login(s, p11.CKU_SO, SOPIN))
			if n := len(h.Find(s, Label("private wrapping"))); n != 0 {
				h.Errorf("the SO sees %d private keys", n)
			}
		})
	})
}

func TestAttackStaleAndForeignHandles(t *testing.T) {
	Each(t, func(h *Host) {
		h.Must(h.InitToken(1, SOPIN, "other"))
		s := h.User()
		other, err := h.OpenSession(1, RW)
		h.Must(err)
		key := h.AES(s, Yes(p11.CKA_TOKEN, p11.CKA_ENCRYPT), openly)
		session := h.AES(s, openly)
		all := func(what string, s p11.SessionHandle, o p11.ObjectHandle) {
			h.Helper()
			_, err := h.Get(s, o, p11.CKA_VALUE)
			h.Want(err, p11.CKR_OBJECT_HANDLE_INVALID)
			_, err = h.GetObjectSize(s, o)
			h.Want(err, p11.CKR_OBJECT_HANDLE_INVALID)
			_, err = h.CopyObject(s, o, nil)
			h.Want(err, p11.CKR_OBJECT_HANDLE_INVALID)
			h.Want(h.SetAttributeValue(s, o, attr.Values{Label("x")}), p11.CKR_OBJECT_HANDLE_INVALID)
			h.Want(h.DestroyObject(s, o), p11.CKR_OBJECT_HANDLE_INVALID)
			h.Want(h.EncryptInit(s, Mech(p11.CKM_AES_ECB), o), p11.CKR_KEY_HANDLE_INVALID)
			h.Must(h.DigestInit(s, Mech(p11.CKM_SHA256)))
			h.Want(h.DigestKey(s, o), p11.CKR_KEY_HANDLE_INVALID)
			if h.Failed() {
				h.Fatal(what)
			}
		}
		all("an object of another token", other, key)
		all("a session object of another token's session", other, session)
		h.Must(h.DestroyObject(s, session))
		all("what was destroyed", s, session)
		h.Must(h.Logout(s))
		all("a private key after the logout", s, key)
		h.Must(h.Login(s, p11.CKU_SO, SOPIN))
		all("a private key for the SO", s, key)
		h.Must(h.Logout(s))
		h.Must(h.Login(s, p11.CKU_USER, UserPIN))
		all("a private key after another login", s, key)
		for _, o := range []p11.ObjectHandle{0, ^p11.ObjectHandle(0), 1 << 63, key + 1<<28, key | 1<<40, p11.ObjectHandle(s)<<32 | key} {
			all("a handle made up", s, o)
		}
		h.Must(h.CloseSession(s))
		_, err = h.Get(s, key, p11.CKA_LABEL)
		h.Want(err, p11.CKR_SESSION_HANDLE_INVALID)
	})
}

func TestAttackInitialisingAnew(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		key := h.AES(s, Yes(p11.CKA_TOKEN))
		h.Must(h.SetAttributeValue(s, key, attr.Values{Label("old")}))
		h.Want(h.InitToken(0, SOPIN, "new"), p11.CKR_SESSION_EXISTS)
		h.Fresh()
		h.Want(h.InitToken(0, []byte("not the SO"), "new"), p11.CKR_PIN_INCORRECT)
		h.Want(h.InitToken(0, UserPIN, "new"), p11.CKR_PIN_INCORRECT)
		h.Must(h.InitToken(0, SOPIN, "new"))
		s = h.Session(RW)
		h.Want(h.Login(s, p11.CKU_USER, UserPIN), p11.CKR_USER_PIN_NOT_INITIALIZED)
		h.Must(h.Login(s, p11.CKU_SO, SOPIN))
		h.Must(h.InitPIN(s, UserPIN))
		h.Must(h.Logout(s))
		h.Must(h.Login(s, p11.CKU_USER, UserPIN))
		if n := len(h.Find(s, Label("old"))); n != 0 {
			h.Errorf("%d objects are left", n)
		}
		_, err := h.Get(s, key, p11.CKA_LABEL)
		h.Want(err, p11.CKR_OBJECT_HANDLE_INVALID)
	})
}

func TestAttackPINs(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.Session(RW)
		for _, pin := range [][]byte{{}, []byte("246"), []byte("24680"), SOPIN, append(bytes.Clone(UserPIN), 0), bytes.Repeat([]byte("2"), 300)} {
			h.Want(h.Login(s, p11.CKU_USER, pin), p11.CKR_PIN_INCORRECT)
		}
		h.Want(h.Login(s, p11.CKU_SO, UserPIN), p11.CKR_PIN_INCORRECT)
		h.Want(h.SetPIN(s, []byte("wrong"), []byte("12345")), p11.CKR_PIN_INCORRECT)
		h.Want(h.InitPIN(s, []byte("12345")), p11.CKR_USER_NOT_LOGGED_IN)
		info, err := h.GetTokenInfo(0)
		h.Must(err)
		if info.Flags&p11.CKF_USER_PIN_COUNT_LOW == 0 || info.Flags&p11.CKF_SO_PIN_COUNT_LOW == 0 {
			h.Errorf("flags %#x do not tell of the failures", uint64(info.Flags))
		}
		h.Must(h.Login(s, p11.CKU_USER, UserPIN))
		h.Want(h.InitPIN(s, []byte("12345")), p11.CKR_USER_NOT_LOGGED_IN)
		info, err = h.GetTokenInfo(0)
		h.Must(err)
		if info.Flags&p11.CKF_USER_PIN_COUNT_LOW != 0 {
			h.Error("the failures are not forgotten after a login")
		}
	})
}
