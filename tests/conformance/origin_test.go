package conformance

import (
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// An origin is what the attributes of a key tell of how it came to be.
type origin struct {
	local, alwaysSensitive, neverExtractable bool
	mechanism                                uint64
}

const unknown = p11.Unavailable

func originOf(h *Host, s p11.SessionHandle, o p11.ObjectHandle) origin {
	h.Helper()
	v := attr.Values{{Type: p11.CKA_KEY_GEN_MECHANISM, Raw: h.Read(s, o, p11.CKA_KEY_GEN_MECHANISM)}}
	m, _ := v.ULong(p11.CKA_KEY_GEN_MECHANISM)
	return origin{
		h.ReadTrue(s, o, p11.CKA_LOCAL), h.ReadTrue(s, o, p11.CKA_ALWAYS_SENSITIVE), h.ReadTrue(s, o, p11.CKA_NEVER_EXTRACTABLE), m,
	}
}

func wantOrigin(h *Host, s p11.SessionHandle, o p11.ObjectHandle, what string, want origin) {
	h.Helper()
	if got := originOf(h, s, o); got != want {
		h.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

// guards are the four ways to protect a key.
func guards(f func(sensitive, extractable bool, template attr.Values)) {
	for _, sensitive := range []bool{false, true} {
		for _, extractable := range []bool{false, true} {
			f(sensitive, extractable, attr.Values{attr.NewBool(p11.CKA_SENSITIVE, sensitive), attr.NewBool(p11.CKA_EXTRACTABLE, extractable)})
		}
	}
}

func TestTheOriginOfGeneratedKeys(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		guards(func(sensitive, extractable bool, template attr.Values) {
			for _, m := range []p11.MechanismType{p11.CKM_AES_KEY_GEN, p11.CKM_GENERIC_SECRET_KEY_GEN} {
				k, err := h.GenerateKey(s, Mech(m), Join(attr.Values{Length(16)}, template))
				h.Must(err)
				wantOrigin(h, s, k, m.String(), origin{true, sensitive, !extractable, uint64(m)})
			}
			for m, curve := range map[p11.MechanismType]attr.Value{
				p11.CKM_EC_KEY_PAIR_GEN: P256, p11.CKM_EC_EDWARDS_KEY_PAIR_GEN: Ed25519, p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN: X25519,
			} {
				pub, priv := h.Pair(s, m, curve, nil, template)
				wantOrigin(h, s, priv, m.String(), origin{true, sensitive, !extractable, uint64(m)})
				if !h.ReadTrue(s, pub, p11.CKA_LOCAL) {
					h.Errorf("%v: CKA_LOCAL of the public key is false", m)
				}
			}
		})
	})
}

func TestTheOriginOfRSAPairs(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		_, priv, err := h.GenerateKeyPair(s, Mech(p11.CKM_RSA_PKCS_KEY_PAIR_GEN), attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, 1024)}, nil)
		h.Must(err)
		wantOrigin(h, s, priv, "RSA", origin{true, true, true, uint64(p11.CKM_RSA_PKCS_KEY_PAIR_GEN)})
	})
}

func TestTheOriginOfKeysFromOutside(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		wrapping := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		m := Mech(p11.CKM_AES_KEY_WRAP_KWP)
		for _, k := range Keys() {
			guards(func(_, _ bool, template attr.Values) {
				o := h.Create(s, k.Own, template)
				wantOrigin(h, s, o, k.Name+" created", origin{mechanism: unknown})
			})
			o := h.Create(s, k.Own, Yes(p11.CKA_EXTRACTABLE))
			blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, m, wrapping, o, out) })
			guards(func(_, _ bool, template attr.Values) {
				o, err := h.UnwrapKey(s, m, wrapping, blob, Join(attr.Values{Class(k.Class()), Type(k.Type)}, template))
				h.Must(err)
				wantOrigin(h, s, o, k.Name+" unwrapped", origin{mechanism: unknown})
			})
			o, err := h.UnwrapKey(s, m, wrapping, blob, attr.Values{Class(k.Class()), Type(k.Type)})
			h.Must(err)
			if !h.ReadTrue(s, o, p11.CKA_EXTRACTABLE) {
				h.Errorf("%s: CKA_EXTRACTABLE of an unwrapped key is not true by default", k.Name)
			}
		}
	})
}

var hkdf = Mech(p11.CKM_HKDF_DERIVE, p11.HKDFParams{Extract: true, Expand: true, PRF: p11.CKM_SHA256, SaltType: p11.CKF_HKDF_SALT_NULL, Info: []byte("info")})

func TestTheOriginOfDerivedKeys(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		want := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES), Length(16)}
		guards(func(baseSensitive, baseExtractable bool, base attr.Values) {
			generated, err := h.GenerateKey(s, Mech(p11.CKM_GENERIC_SECRET_KEY_GEN), Join(attr.Values{Length(32)}, Yes(p11.CKA_DERIVE), base))
			h.Must(err)
			created := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, make([]byte, 32)), Yes(p11.CKA_DERIVE), base)
			guards(func(sensitive, extractable bool, template attr.Values) {
				k, err := h.DeriveKey(s, hkdf, generated, Join(want, template))
				h.Must(err)
				wantOrigin(h, s, k, "of a generated key", origin{false, baseSensitive && sensitive, !baseExtractable && !extractable, unknown})
				k, err = h.DeriveKey(s, hkdf, created, Join(want, template))
				h.Must(err)
				wantOrigin(h, s, k, "of a created key", origin{mechanism: unknown})
			})
			k, err := h.DeriveKey(s, hkdf, generated, want)
			h.Must(err)
			if h.ReadTrue(s, k, p11.CKA_SENSITIVE) != baseSensitive || h.ReadTrue(s, k, p11.CKA_EXTRACTABLE) != baseExtractable {
				h.Error("a template that says nothing made the derived key more, or less, exposed than the base key")
			}
		})
	})
}

func TestTheOriginOfCopies(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		k := h.AES(s, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))
		for _, tt := range []struct {
			name     string
			template attr.Values
		}{
			{"as it is", nil}, {"as sensitive", Yes(p11.CKA_SENSITIVE)}, {"as not extractable", No(p11.CKA_EXTRACTABLE)},
		} {
			c, err := h.CopyObject(s, k, tt.template)
			h.Must(err)
			wantOrigin(h, s, c, tt.name, origin{true, false, false, uint64(p11.CKM_AES_KEY_GEN)})
		}
		guarded := h.AES(s, Yes(p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE))
		c, err := h.CopyObject(s, guarded, nil)
		h.Must(err)
		wantOrigin(h, s, c, "of a guarded key", origin{true, true, true, uint64(p11.CKM_AES_KEY_GEN)})
		c = h.Create(s, KeyOf(p11.CKK_AES).Own, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))
		h.Must(h.SetAttributeValue(s, c, Join(Yes(p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE))))
		wantOrigin(h, s, c, "made sensitive later", origin{mechanism: unknown})
	})
}
