package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

func mechanisms(list ...p11.MechanismType) attr.Value {
	var raw []byte
	for _, m := range list {
		raw = append(raw, attr.NewULong(0, m).Raw...)
	}
	return attr.NewBytes(p11.CKA_ALLOWED_MECHANISMS, raw)
}

func TestAllowedMechanismsRestrictEveryUse(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		target := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_EXTRACTABLE))
		free := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, Mech(p11.CKM_AES_KEY_WRAP_KWP), free, target, out) })
		aes := h.AES(s, Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY, p11.CKA_WRAP, p11.CKA_UNWRAP), attr.Values{mechanisms(p11.CKM_AES_GCM)})
		secret := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, make([]byte, 32)), Yes(p11.CKA_DERIVE), attr.Values{mechanisms(p11.CKM_SHA256_HMAC)})
		salted := Mech(p11.CKM_HKDF_DERIVE, p11.HKDFParams{Extract: true, Expand: true, PRF: p11.CKM_SHA256, SaltType: p11.CKF_HKDF_SALT_KEY, SaltKey: secret})
		base := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, make([]byte, 32)), Yes(p11.CKA_DERIVE))
		derived := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES), Length(16)}
		refusals := []p11.RV{p11.CKR_MECHANISM_INVALID, p11.CKR_KEY_FUNCTION_NOT_PERMITTED, p11.CKR_KEY_INDIGESTIBLE}
		for name, call := range map[string]func() error{
			"encrypt": func() error { return h.EncryptInit(s, Mech(p11.CKM_AES_CBC, zeroIV), aes) },
			"decrypt": func() error { return h.DecryptInit(s, Mech(p11.CKM_AES_CBC, zeroIV), aes) },
			"sign":    func() error { return h.SignInit(s, Mech(p11.CKM_AES_CMAC), aes) },
			"verify":  func() error { return h.VerifyInit(s, Mech(p11.CKM_AES_CMAC), aes) },
			"wrap":    func() error { return h.WrapKey(s, Mech(p11.CKM_AES_KEY_WRAP_KWP), aes, target, room()) },
			"unwrap": func() error {
				_, err := h.UnwrapKey(s, Mech(p11.CKM_AES_KEY_WRAP_KWP), aes, blob, derived.Without(p11.CKA_VALUE_LEN))
				return err
			},
			"derive":    func() error { _, err := h.DeriveKey(s, hkdf, secret, derived); return err },
			"as a salt": func() error { _, err := h.DeriveKey(s, salted, base, derived); return err },
			"digest": func() error {
				if err := h.DigestInit(s, Mech(p11.CKM_SHA256)); err != nil {
					return err
				}
				return h.DigestKey(s, secret)
			},
		} {
			h.Case(name, func(h *Host) {
				h.Idle(s)
				h.Want(call(), refusals...)
			})
		}
		h.Idle(s)
		h.Must(h.EncryptInit(s, Mech(p11.CKM_AES_GCM, gcm), aes))
		h.Must(h.SignInit(s, Mech(p11.CKM_SHA256_HMAC), secret))
	})
}

func TestEveryUseAsksForItsAttribute(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		target := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_EXTRACTABLE))
		free := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		kwp := Mech(p11.CKM_AES_KEY_WRAP_KWP)
		blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, kwp, free, target, out) })
		all := Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY, p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_DERIVE)
		none := No(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY, p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_DERIVE)
		unwrapped := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)}
		derived := Join(unwrapped, attr.Values{Length(16)})
		for use, call := range map[p11.AttributeType]func(aes, generic p11.ObjectHandle) error{
			p11.CKA_ENCRYPT: func(aes, _ p11.ObjectHandle) error { return h.EncryptInit(s, Mech(p11.CKM_AES_ECB), aes) },
			p11.CKA_DECRYPT: func(aes, _ p11.ObjectHandle) error { return h.DecryptInit(s, Mech(p11.CKM_AES_ECB), aes) },
			p11.CKA_SIGN:    func(aes, _ p11.ObjectHandle) error { return h.SignInit(s, Mech(p11.CKM_AES_CMAC), aes) },
			p11.CKA_VERIFY:  func(aes, _ p11.ObjectHandle) error { return h.VerifyInit(s, Mech(p11.CKM_AES_CMAC), aes) },
			p11.CKA_WRAP:    func(aes, _ p11.ObjectHandle) error { return h.WrapKey(s, kwp, aes, target, room()) },
			p11.CKA_UNWRAP: func(aes, _ p11.ObjectHandle) error {
				_, err := h.UnwrapKey(s, kwp, aes, blob, unwrapped)
				if p11.Code(err) == p11.CKR_WRAPPED_KEY_INVALID {
					return nil // it is another key's blob, and the key was used
				}
				return err
			},
			p11.CKA_DERIVE: func(_, generic p11.ObjectHandle) error {
				_, err := h.DeriveKey(s, hkdf, generic, derived)
				return err
			},
		} {
			h.Case(use.String(), func(h *Host) {
				for _, tt := range []struct {
					template attr.Values
					want     p11.RV
				}{
					{all, ok}, {none.With(yesNo(use, true)), ok},
					{none, p11.CKR_KEY_FUNCTION_NOT_PERMITTED}, {all.With(yesNo(use, false)), p11.CKR_KEY_FUNCTION_NOT_PERMITTED},
				} {
					h.Idle(s)
					aes := h.AES(s, tt.template)
					generic := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, make([]byte, 32)), tt.template)
					h.Want(call(aes, generic), tt.want)
				}
			})
		}
		h.Idle(s)
	})
}

func TestTemplatesThatAKeyImposes(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		kwp := Mech(p11.CKM_AES_KEY_WRAP_KWP)
		mine := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_EXTRACTABLE), attr.Values{Label("mine")})
		other := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_EXTRACTABLE), attr.Values{Label("other")})
		guarded := attr.Values{yesNo(p11.CKA_SENSITIVE, true), yesNo(p11.CKA_EXTRACTABLE, false)}
		h.Case("CKA_WRAP_TEMPLATE", func(h *Host) {
			w := h.AES(s, Yes(p11.CKA_WRAP), attr.Values{attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, attr.Values{Label("mine")})})
			h.Want(h.WrapKey(s, kwp, w, mine, room()), ok)
			h.Want(h.WrapKey(s, kwp, w, other, room()), p11.CKR_KEY_HANDLE_INVALID)
			// What the wrapping key asks cannot be asked of what the target hides.
			guess := h.AES(s, Yes(p11.CKA_WRAP), attr.Values{attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, attr.Values{Value(KeyOf(p11.CKK_AES).Own.Bytes(p11.CKA_VALUE))})})
			secret := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
			h.Want(h.WrapKey(s, kwp, guess, secret, room()), p11.CKR_KEY_HANDLE_INVALID)
		})
		h.Case("CKA_UNWRAP_TEMPLATE", func(h *Host) {
			u := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP), attr.Values{attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, guarded)})
			blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, kwp, u, mine, out) })
			what := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)}
			k, err := h.UnwrapKey(s, kwp, u, blob, what)
			h.Must(err)
			if !h.ReadTrue(s, k, p11.CKA_SENSITIVE) || h.ReadTrue(s, k, p11.CKA_EXTRACTABLE) {
				h.Error("the template was not applied")
			}
			_, err = h.UnwrapKey(s, kwp, u, blob, Join(what, guarded))
			h.Must(err)
			for _, clash := range []attr.Values{No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE)} {
				_, err := h.UnwrapKey(s, kwp, u, blob, Join(what, clash))
				h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT)
			}
		})
		h.Case("CKA_DERIVE_TEMPLATE", func(h *Host) {
			b := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, make([]byte, 32)), Yes(p11.CKA_DERIVE),
				attr.Values{attr.NewTemplate(p11.CKA_DERIVE_TEMPLATE, Join(guarded, attr.Values{Length(32)}))})
			k, err := h.DeriveKey(s, hkdf, b, attr.Values{Type(p11.CKK_AES)})
			h.Must(err)
			if !h.ReadTrue(s, k, p11.CKA_SENSITIVE) || h.ReadTrue(s, k, p11.CKA_EXTRACTABLE) {
				h.Error("the template was not applied")
			}
			for _, clash := range []attr.Values{No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE), {Length(16)}} {
				_, err := h.DeriveKey(s, hkdf, b, Join(attr.Values{Type(p11.CKK_AES)}, clash))
				h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT)
			}
		})
		h.Case("a template cannot make what its user may not", func(h *Host) {
			u := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP), attr.Values{attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, Yes(p11.CKA_TRUSTED))})
			blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, kwp, u, mine, out) })
			_, err := h.UnwrapKey(s, kwp, u, blob, attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)})
			h.Want(err, readOnly)
		})
	})
}

// The SO does not see private objects, so a wrapping key that he is to trust
// lies on the token as a public object: the user makes it, the SO trusts it.
func TestTrustInTwoSteps(t *testing.T) {
	Each(t, func(h *Host) {
		kwp := Mech(p11.CKM_AES_KEY_WRAP_KWP)
		s := h.User()
		h.AES(s, Yes(p11.CKA_TOKEN, p11.CKA_WRAP, p11.CKA_SENSITIVE), No(p11.CKA_PRIVATE, p11.CKA_DECRYPT), attr.Values{Label("wrapping")})
		h.Must(h.Logout(s))
		h.Must(h.Login(s, p11.CKU_SO, SOPIN))
		found := h.Find(s, Label("wrapping"))
		if len(found) != 1 {
			h.Fatalf("the SO sees %d wrapping keys, want 1", len(found))
		}
		h.Must(h.SetAttributeValue(s, found[0], Yes(p11.CKA_TRUSTED)))
		h.Reopen()
		s = h.User()
		w := h.Find(s, Label("wrapping"))[0]
		if !h.ReadTrue(s, w, p11.CKA_TRUSTED) {
			h.Fatal("the key is not trusted")
		}
		plain := h.AES(s, Yes(p11.CKA_WRAP))
		target := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE, p11.CKA_WRAP_WITH_TRUSTED))
		h.Want(h.WrapKey(s, kwp, plain, target, room()), p11.CKR_KEY_NOT_WRAPPABLE)
		h.Want(h.WrapKey(s, kwp, w, target, room()), ok)
		h.Case("a trusted key stays as the SO trusted it", func(h *Host) {
			h.Want(h.SetAttributeValue(s, w, Yes(p11.CKA_DECRYPT)), readOnly)
			_, err := h.CopyObject(s, w, Yes(p11.CKA_DECRYPT))
			h.Want(err, readOnly)
			_, err = h.CopyObject(s, w, Join(No(p11.CKA_TRUSTED), Yes(p11.CKA_DECRYPT)))
			h.Want(err, readOnly)
		})
	})
}

func TestAlwaysAuthenticate(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		k := KeyOf(p11.CKK_RSA)
		key := h.Create(s, k.Own, Yes(p11.CKA_ALWAYS_AUTHENTICATE, p11.CKA_PRIVATE, p11.CKA_SIGN, p11.CKA_DECRYPT, p11.CKA_UNWRAP))
		pub := h.Create(s, k.Public)
		sign := Mech(p11.CKM_SHA256_RSA_PKCS)
		again := func(s p11.SessionHandle) error { return h.Login(s, p11.CKU_CONTEXT_SPECIFIC, UserPIN) }
		out := func() *p11.Out { return &p11.Out{Buf: make([]byte, 256)} }
		h.Case("not without the PIN, and the attempt ends the operation", func(h *Host) {
			h.Must(h.SignInit(s, sign, key))
			h.Want(h.Sign(s, nil, out()), p11.CKR_USER_NOT_LOGGED_IN)
			h.Want(h.Sign(s, nil, out()), notInitialized)
			h.Must(h.SignInit(s, sign, key))
			h.Want(h.SignUpdate(s, nil), p11.CKR_USER_NOT_LOGGED_IN)
			h.Want(h.SignFinal(s, out()), notInitialized)
		})
		h.Case("once with the PIN", func(h *Host) {
			h.Must(h.SignInit(s, sign, key))
			h.Must(again(s))
			h.Must(h.Sign(s, nil, &p11.Out{})) // the length is free
			h.Must(h.Sign(s, nil, out()))
			h.Must(h.SignInit(s, sign, key))
			h.Want(h.Sign(s, nil, out()), p11.CKR_USER_NOT_LOGGED_IN)
		})
		h.Case("in parts", func(h *Host) {
			h.Must(h.SignInit(s, sign, key))
			h.Must(again(s))
			h.Must(h.SignUpdate(s, []byte("a")))
			h.Must(h.SignUpdate(s, []byte("b")))
			h.Must(h.SignFinal(s, out()))
		})
		h.Case("after a wrong PIN the operation waits on", func(h *Host) {
			h.Must(h.SignInit(s, sign, key))
			h.Want(h.Login(s, p11.CKU_CONTEXT_SPECIFIC, []byte("wrong")), p11.CKR_PIN_INCORRECT)
			h.Must(again(s))
			h.Must(h.Sign(s, nil, out()))
		})
		h.Case("the PIN serves what was begun before it, in this session", func(h *Host) {
			h.Want(again(s), notInitialized)
			other := h.User()
			h.Must(h.SignInit(other, sign, key))
			h.Want(again(s), notInitialized)
			h.Must(h.SignInit(s, sign, key))
			h.Must(again(s))
			h.Want(h.Sign(other, nil, out()), p11.CKR_USER_NOT_LOGGED_IN)
			h.Must(h.Sign(s, nil, out()))
			h.Must(h.SignInit(s, sign, key))
			h.Must(again(s))
			h.Must(h.SignInit(s, nil, 0))
			h.Must(h.SignInit(s, sign, key))
			h.Want(h.Sign(s, nil, out()), p11.CKR_USER_NOT_LOGGED_IN)
		})
		h.Case("the context does not serve keys that do not ask for it", func(h *Host) {
			plain := h.Create(s, k.Own)
			h.Must(h.SignInit(s, sign, plain))
			h.Want(again(s), notInitialized)
			h.Must(h.Sign(s, nil, out()))
		})
		h.Case("decryption asks too", func(h *Host) {
			m := Mech(p11.CKM_RSA_PKCS)
			h.Must(h.EncryptInit(s, m, pub))
			ct := h.Output(func(out *p11.Out) error { return h.Encrypt(s, []byte("secret"), out) })
			h.Must(h.DecryptInit(s, m, key))
			h.Want(h.Decrypt(s, ct, out()), p11.CKR_USER_NOT_LOGGED_IN)
			h.Must(h.DecryptInit(s, m, key))
			h.Must(again(s))
			got := h.Output(func(out *p11.Out) error { return h.Decrypt(s, ct, out) })
			if !bytes.Equal(got, []byte("secret")) {
				h.Errorf("%q", got)
			}
		})
		h.Case("unwrapping leaves no moment to ask", func(h *Host) {
			_, err := h.UnwrapKey(s, Mech(p11.CKM_RSA_PKCS), key, make([]byte, 256), attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)})
			h.Want(err, p11.CKR_USER_NOT_LOGGED_IN)
		})
	})
}
