package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// The simple derivations have nothing one-way in them: what would tell a hidden
// key piece by piece is refused (PKCS #11 v3.2, section 6.43).
func TestAttackCuttingAHiddenKey(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		base := random(32)
		hidden := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, base), Yes(p11.CKA_DERIVE, p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE))
		known := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, random(13)), Yes(p11.CKA_DERIVE, p11.CKA_EXTRACTABLE), No(p11.CKA_SENSITIVE))
		readable := Join(No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))
		generic := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET)}
		extract := Mech(p11.CKM_EXTRACT_KEY_FROM_KEY, p11.ULongParam(0))
		prepend := Mech(p11.CKM_CONCATENATE_DATA_AND_BASE, p11.StringData(random(13)))
		zeros := Mech(p11.CKM_XOR_BASE_AND_DATA, p11.StringData(make([]byte, 64)))
		for name, c := range map[string]struct {
			m    *p11.Mechanism
			key  p11.ObjectHandle
			want attr.Values
		}{
			"readable":                        {zeros, hidden, readable},
			"its first byte":                  {extract, hidden, attr.Values{Length(1)}},
			"13 bytes of it":                  {extract, hidden, attr.Values{Length(13)}},
			"its first byte, XORed":           {zeros, hidden, attr.Values{Length(1)}},
			"its first byte behind 13":        {prepend, hidden, attr.Values{Length(14)}},
			"its first byte behind a key":     {Mech(p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(hidden)), known, attr.Values{Length(14)}},
			"its first byte before 13":        {Mech(p11.CKM_CONCATENATE_BASE_AND_DATA, p11.StringData(random(13))), hidden, attr.Values{Length(1)}},
			"as a key for one Poly1305":       {zeros, hidden, attr.Values{Type(p11.CKK_POLY1305)}},
			"as data":                         {zeros, hidden, attr.Values{Class(p11.CKO_DATA)}},
			"readable by a KDF that inherits": {Mech(p11.CKM_TLS_KDF, p11.TLSKDFParams{PRF: p11.CKM_SHA256}), hidden, Join(readable, attr.Values{Length(32)})},
		} {
			_, err := h.DeriveKey(s, c.m, c.key, Join(generic.With(c.want...)))
			if h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT); err == nil {
				h.Errorf("%s", name)
			}
		}

		// In two steps: known bytes beside the whole, and then a window of it.
		both, err := h.DeriveKey(s, prepend, hidden, Join(generic, Yes(p11.CKA_DERIVE, p11.CKA_SIGN)))
		h.Must(err)
		if len(h.Read(s, both, p11.CKA_ALLOWED_MECHANISMS)) == 0 {
			h.Error("what was put together may be used in every way")
		}
		copied, err := h.CopyObject(s, both, nil)
		h.Must(err)
		changed, err := h.DeriveKey(s, zeros, both, Join(generic, Yes(p11.CKA_DERIVE)))
		h.Must(err)
		for _, k := range []p11.ObjectHandle{both, copied, changed} {
			_, err := h.DeriveKey(s, extract, k, generic.With(Length(14)))
			h.Want(err, p11.CKR_MECHANISM_INVALID)
			_, err = h.DeriveKey(s, zeros, k, generic.With(Length(14)))
			h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT)
			_, err = h.DeriveKey(s, Mech(p11.CKM_SHA256_KEY_DERIVATION), k, generic)
			h.Want(err, ok)
		}
		// A key that does not permit derivation is no further key either.
		locked := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, random(32)), No(p11.CKA_DERIVE))
		_, err = h.DeriveKey(s, Mech(p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(locked)), known, generic)
		h.Want(err, p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
		_, err = h.DeriveKey(s, Mech(p11.CKM_SP800_108_COUNTER_KDF, p11.KBKDFParams{PRF: p11.CKM_SHA256_HMAC, Data: []p11.KBKDFData{
			counter, {Type: p11.CK_SP800_108_KEY_HANDLE, Key: locked},
		}}), known, generic.With(Length(32)))
		h.Want(err, p11.CKR_KEY_FUNCTION_NOT_PERMITTED)
	})
}

// TestKeysOutOfWhatTheCallerHas: a password, and a premaster secret whose
// version comes back.
func TestKeysOutOfWhatTheCallerHas(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		pbkdf2 := Mech(p11.CKM_PKCS5_PBKD2, p11.PBKD2Params{
			SaltSource: p11.CKZ_SALT_SPECIFIED, Salt: []byte("salt"), Iterations: 4096, PRF: p11.CKP_PKCS5_PBKD2_HMAC_SHA1, Password: []byte("password"),
		})
		k, err := h.GenerateKey(s, pbkdf2, Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(20)}, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE)))
		h.Must(err)
		want := []byte("\x4b\x00\x79\x01\xb7\x65\x48\x9a\xbe\xad\x49\xd9\x26\xf7\x21\xd0\x65\xa4\x29\xc1") // RFC 6070
		if got := h.Read(s, k, p11.CKA_VALUE); !bytes.Equal(got, want) {
			h.Errorf("got %x, want %x", got, want)
		}
		des, err := h.GenerateKey(s, pbkdf2, Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_DES3)}, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE)))
		h.Must(err)
		again := h.Create(s, Secret(p11.CKK_DES3, h.Read(s, des, p11.CKA_VALUE))) // its parity is right
		h.Must(h.DestroyObject(s, again))

		version := make([]byte, 2)
		premaster := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, append([]byte{3, 3}, random(46)...)), Yes(p11.CKA_DERIVE, p11.CKA_SENSITIVE))
		params := p11.TLS12MasterParams{PRF: p11.CKM_SHA256, ClientRandom: random(32), ServerRandom: random(32), OutVersion: version}
		master, err := h.DeriveKey(s, Mech(p11.CKM_TLS12_MASTER_KEY_DERIVE, params), premaster, Yes(p11.CKA_DERIVE, p11.CKA_SIGN))
		h.Must(err)
		if !bytes.Equal(version, []byte{3, 3}) {
			h.Errorf("the version is %x", version)
		}
		h.Want(h.SignInit(s, Mech(p11.CKM_SHA256_HMAC), master), p11.CKR_MECHANISM_INVALID)
		h.Want(h.SignInit(s, Mech(p11.CKM_TLS_MAC, p11.TLSMACParams{PRF: p11.CKM_SHA256, Length: 12, Side: 1}), master), ok)
		_, err = h.DeriveKey(s, Mech(p11.CKM_TLS_KDF, p11.TLSKDFParams{PRF: p11.CKM_SHA256, Label: []byte("label")}), master, attr.Values{Type(p11.CKK_AES), Length(32)})
		h.Must(err)
	})
}
