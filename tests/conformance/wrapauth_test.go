package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// wrapMech is the mechanism with the parameter of a message.
func (a *aead) wrapMech(p *p11.MessageParams) *p11.Mechanism { return Mech(a.m, *p) }

func (a *aead) wrap(h *Host, s p11.SessionHandle, p *p11.MessageParams, w, k p11.ObjectHandle, aad []byte) ([]byte, error) {
	return Output(func(out *p11.Out) error { return h.WrapKeyAuthenticated(s, a.wrapMech(p), w, k, aad, out) })
}

func TestEveryAuthenticatedWrappingOfEveryKey(t *testing.T) {
	eachAEAD(t, func(h *Host, s p11.SessionHandle, a *aead) {
		w := a.create(h, s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		aad := []byte("what the key is for")
		for _, k := range Keys() {
			h.Case(k.Name, func(h *Host) {
				key := h.Create(s, k.Own, k.Uses, Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
				proof, err := k.Proof(h, s, key)
				h.Must(err)
				p := a.params(0)
				if a.kind != p11.MessageChaCha20Poly1305 {
					p.Generator = p11.CKG_GENERATE
				}
				given := bytes.Clone(p.IV)
				blob, err := a.wrap(h, s, p, w, key, aad)
				h.Must(err)
				if bytes.Equal(given, p.IV) != (p.Generator == 0) {
					h.Error("the IV was not made, or the caller's was changed")
				}
				for _, secret := range k.Leaks() {
					if bytes.Contains(blob, secret) {
						h.Fatal("the blob has the key in it")
					}
				}
				h.Must(h.DestroyObject(s, key))
				template := Join(attr.Values{Class(k.Class()), Type(k.Type)}, k.Uses, Yes(p11.CKA_SENSITIVE, p11.CKA_TOKEN))
				before := len(h.Find(s))
				a.checkBadBlobs(h, s, p, w, blob, template, aad)
				if after := len(h.Find(s)); after != before {
					h.Errorf("refused blobs made %d objects", after-before)
				}
				p.Generator, p.FixedBits = 99, 99 // ignored
				again, err := h.UnwrapKeyAuthenticated(s, a.wrapMech(p), w, blob, template, aad)
				h.Must(err)
				wantOrigin(h, s, again, k.Name, origin{false, false, false, unknown})
				got, err := k.Proof(h, s, again)
				h.Must(err)
				if !bytes.Equal(got, proof) {
					h.Error("another key came back")
				}
				h.Must(h.DestroyObject(s, again))
			})
		}
	})
}

// checkBadBlobs: whatever was changed, the answer is the same.
func (a *aead) checkBadBlobs(h *Host, s p11.SessionHandle, p *p11.MessageParams, w p11.ObjectHandle, blob []byte, template attr.Values, aad []byte) {
	flip := func(b []byte) []byte { c := bytes.Clone(b); c[len(c)/2] ^= 1; return c }
	for what, bad := range map[string]struct{ blob, aad, iv, tag []byte }{
		"no bytes":                {[]byte{}, aad, p.IV, p.Tag},
		"cut short":               {blob[:len(blob)-1], aad, p.IV, p.Tag},
		"one byte too many":       {append(bytes.Clone(blob), 0), aad, p.IV, p.Tag},
		"one bit flipped":         {flip(blob), aad, p.IV, p.Tag},
		"other associated data":   {blob, flip(aad), p.IV, p.Tag},
		"no associated data":      {blob, nil, p.IV, p.Tag},
		"another IV":              {blob, aad, flip(p.IV), p.Tag},
		"another tag":             {blob, aad, p.IV, flip(p.Tag)},
		"the tag behind the blob": {append(bytes.Clone(blob), p.Tag...), aad, p.IV, p.Tag},
	} {
		q := *p
		q.IV, q.Tag = bytes.Clone(bad.iv), bytes.Clone(bad.tag)
		_, err := h.UnwrapKeyAuthenticated(s, a.wrapMech(&q), w, bad.blob, template, bad.aad)
		if p11.Code(err) != p11.CKR_WRAPPED_KEY_INVALID {
			h.Errorf("%s: %v, want CKR_WRAPPED_KEY_INVALID", what, err)
		}
	}
}

// Everything that keeps C_WrapKey from giving a key away holds here too.
func TestAttackWrappingWithAuthentication(t *testing.T) {
	eachAEAD(t, func(h *Host, s p11.SessionHandle, a *aead) {
		w := a.create(h, s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		aes := KeyOf(p11.CKK_AES).Own
		try := func(w, k p11.ObjectHandle) error {
			p := a.params(0)
			out := room()
			err := h.WrapKeyAuthenticated(s, a.wrapMech(p), w, k, nil, out)
			if query := h.WrapKeyAuthenticated(s, a.wrapMech(p), w, k, nil, &p11.Out{}); p11.Code(query) != p11.Code(err) {
				h.Errorf("asking for the length answers %v, wrapping %v", query, err)
			}
			if err != nil && (len(bytes.Trim(out.Buf, "\x00")) != 0 || len(bytes.Trim(p.Tag, "\x00")) != 0) {
				h.Error("something was given out")
			}
			return err
		}
		mine := h.Create(s, aes, Yes(p11.CKA_EXTRACTABLE), attr.Values{Label("mine")})
		h.Want(try(w, mine), ok)
		h.Want(try(w, h.Create(s, aes, No(p11.CKA_EXTRACTABLE))), p11.CKR_KEY_UNEXTRACTABLE)
		h.Want(try(w, h.Create(s, aes, Yes(p11.CKA_EXTRACTABLE, p11.CKA_WRAP_WITH_TRUSTED))), p11.CKR_KEY_NOT_WRAPPABLE)
		h.Want(try(w, h.Create(s, KeyOf(p11.CKK_RSA).Public)), p11.CKR_KEY_NOT_WRAPPABLE, p11.CKR_KEY_UNEXTRACTABLE)
		h.Want(try(w, h.Create(s, Data("d"))), p11.CKR_KEY_HANDLE_INVALID)
		h.Want(try(w, 0), p11.CKR_KEY_HANDLE_INVALID)
		h.Want(try(0, mine), p11.CKR_WRAPPING_KEY_HANDLE_INVALID)
		h.Want(try(a.create(h, s, No(p11.CKA_WRAP)), mine), p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
		h.Want(try(a.create(h, s, Yes(p11.CKA_WRAP), attr.Values{mechanisms(p11.CKM_AES_ECB)}), mine), p11.CKR_MECHANISM_INVALID)
		h.Want(try(h.Create(s, Secret(p11.CKK_GENERIC_SECRET, random(32))), mine), p11.CKR_WRAPPING_KEY_TYPE_INCONSISTENT)
		bound := a.create(h, s, Yes(p11.CKA_WRAP), attr.Values{attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, attr.Values{Label("mine")})})
		h.Want(try(bound, mine), ok)
		h.Want(try(bound, h.Create(s, aes, Yes(p11.CKA_EXTRACTABLE), attr.Values{Label("other")})), p11.CKR_KEY_HANDLE_INVALID)

		// The way back.
		p := a.params(0)
		blob, err := a.wrap(h, s, p, w, mine, nil)
		h.Must(err)
		template := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)}
		value := Value(random(32))
		back := func(value attr.Value, parts ...attr.Values) p11.ObjectHandle {
			return h.Create(s, Secret(a.key, value.Raw), Join(parts...))
		}
		same := random(32)
		w2 := back(Value(same), Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		blob, err = a.wrap(h, s, p, w2, mine, nil)
		h.Must(err)
		unwrap := func(u p11.ObjectHandle, template attr.Values) error {
			_, err := h.UnwrapKeyAuthenticated(s, a.wrapMech(p), u, blob, template, nil)
			return err
		}
		guard := attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, Join(Yes(p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE)))
		guarded := back(Value(same), Yes(p11.CKA_UNWRAP), attr.Values{guard})
		h.Want(unwrap(guarded, Join(template, openly)), p11.CKR_TEMPLATE_INCONSISTENT)
		o, err := h.UnwrapKeyAuthenticated(s, a.wrapMech(p), guarded, blob, template, nil)
		h.Must(err)
		if !h.ReadTrue(s, o, p11.CKA_SENSITIVE) || h.ReadTrue(s, o, p11.CKA_EXTRACTABLE) {
			h.Error("CKA_UNWRAP_TEMPLATE was got around")
		}
		h.Want(unwrap(back(Value(same), No(p11.CKA_UNWRAP)), template), p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
		h.Want(unwrap(back(Value(same), Yes(p11.CKA_UNWRAP), attr.Values{mechanisms(p11.CKM_AES_ECB)}), template), p11.CKR_MECHANISM_INVALID)
		h.Want(unwrap(back(value, Yes(p11.CKA_UNWRAP)), template), p11.CKR_WRAPPED_KEY_INVALID)
		h.Want(unwrap(0, template), p11.CKR_UNWRAPPING_KEY_HANDLE_INVALID)
		h.Want(unwrap(w2, Join(template, Yes(p11.CKA_TRUSTED))), readOnly)
		h.Want(unwrap(w2, attr.Values{Class(p11.CKO_DATA)}), p11.CKR_TEMPLATE_INCONSISTENT)
		h.Want(unwrap(w2, attr.Values{Class(p11.CKO_PRIVATE_KEY), Type(p11.CKK_EC)}), p11.CKR_WRAPPED_KEY_INVALID)
		h.Want(unwrap(w2, attr.Values{}), p11.CKR_TEMPLATE_INCOMPLETE)
	})
}

// A generator that counts would begin at the same IV in each call.
func TestAttackRepeatingTheIVOfWrapping(t *testing.T) {
	eachAEAD(t, func(h *Host, s p11.SessionHandle, a *aead) {
		w := a.create(h, s, Yes(p11.CKA_WRAP))
		k := h.Create(s, KeyOf(p11.CKK_AES).Own, Yes(p11.CKA_EXTRACTABLE))
		if a.kind == p11.MessageChaCha20Poly1305 {
			return
		}
		for _, g := range []p11.Generator{p11.CKG_GENERATE_COUNTER, p11.CKG_GENERATE_COUNTER_XOR} {
			h.Want(h.WrapKeyAuthenticated(s, a.wrapMech(a.generates(0, g, 0)), w, k, nil, room()), p11.CKR_MECHANISM_PARAM_INVALID)
		}
		for _, g := range []p11.Generator{p11.CKG_GENERATE, p11.CKG_GENERATE_RANDOM} {
			seen := map[string]bool{}
			for range 20 {
				p := a.generates(0, g, 0)
				h.Must(h.WrapKeyAuthenticated(s, a.wrapMech(p), w, k, nil, room()))
				if seen[string(p.IV)] {
					h.Fatalf("%v: the IV %x comes twice", g, p.IV)
				}
				seen[string(p.IV)] = true
			}
		}
		for _, m := range []*p11.Mechanism{Mech(a.m), Mech(p11.CKM_AES_KEY_WRAP), Mech(p11.CKM_AES_CBC_PAD, zeroIV)} {
			h.Want(h.WrapKeyAuthenticated(s, m, w, k, nil, room()), p11.CKR_MECHANISM_PARAM_INVALID, p11.CKR_MECHANISM_INVALID)
		}
	})
}
