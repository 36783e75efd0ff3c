package conformance

import (
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
	"coffer/token"
)

// The tests named TestAttack… are attempts to get at a key's value, or to do
// with a key what its owner ruled out. Where the standard allows what looks
// like an attack, the name says so, and the test shows what stops it.

// hidings are the ways to hide a value; either attribute is enough.
var hidings = map[string]attr.Values{
	"sensitive":                  Join(Yes(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE)),
	"not extractable":            Join(No(p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE)),
	"sensitive, not extractable": Join(Yes(p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE)),
	"by default":                 {},
}

// pry reads an object in every way there is.
func pry(h *Host, s p11.SessionHandle, o p11.ObjectHandle) {
	h.Helper()
	var all []token.Query
	for _, t := range p11.KnownAttributeTypes() {
		for _, n := range []int{16, 4096} {
			q := []token.Query{{Type: t, Buf: make([]byte, n)}}
			_ = h.GetAttributeValue(s, o, q)
		}
		all = append(all, token.Query{Type: t, Buf: make([]byte, 4096)})
	}
	for len(all) > 0 { // in templates of many, good and bad together
		n := min(len(all), 60)
		_ = h.GetAttributeValue(s, o, all[:n])
		all = all[n:]
	}
}

func TestAttackReadingAHiddenValue(t *testing.T) {
	Each(t, func(h *Host) {
		for name, hides := range hidings {
			for _, k := range Keys() {
				if len(hides) == 0 && k.Secret() {
					continue
				}
				h.Case(name+", "+k.Name, func(h *Host) {
					inner := h.Driver
					defer func() { h.Driver = inner }()
					watch(h, k.Leaks()...)
					h.Fresh()
					s := h.User()
					label := attr.Values{Label(name + k.Name)}
					h.Create(s, k.Own, hides, label, Yes(p11.CKA_TOKEN))
					session := h.Create(s, k.Own, hides, No(p11.CKA_TOKEN))
					key := h.Find(s, label...)[0]
					pry(h, s, key)
					pry(h, s, session)
					other := h.Session(RO)
					pry(h, other, key)
					pry(h, other, session)

					c, err := h.CopyObject(s, key, nil)
					h.Must(err)
					pry(h, s, c)
					c, err = h.CopyObject(s, key, No(p11.CKA_TOKEN))
					h.Must(err)
					pry(h, s, c)
					h.Must(h.SetAttributeValue(s, key, attr.Values{attr.NewBytes(p11.CKA_ID, []byte("x"))}))
					pry(h, s, key)

					for _, weaker := range []attr.Values{
						No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE), Join(No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE)),
						No(p11.CKA_ALWAYS_SENSITIVE), {Class(p11.CKO_DATA)}, {Class(p11.CKO_PUBLIC_KEY)},
					} {
						_ = h.SetAttributeValue(s, key, weaker)
						pry(h, s, key)
						for _, place := range []attr.Values{No(p11.CKA_TOKEN), No(p11.CKA_PRIVATE)} {
							if c, err := h.CopyObject(s, key, Join(weaker, place)); err == nil {
								pry(h, s, c)
							}
						}
					}
					h.Must(h.Logout(s))
					pry(h, s, key)
					h.Must(h.Login(s, p11.CKU_USER, UserPIN))
					pry(h, s, key)
					pry(h, s, h.Find(s, label...)[0])
					h.Must(h.DestroyObject(s, h.Find(s, label...)[0]))
				})
			}
		}
	})
}

// An answer that depends on whether a guess is right is as good as reading.
func TestAttackGuessingAHiddenValue(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for _, k := range Keys() {
			key := h.Create(s, k.Own, Yes(p11.CKA_SENSITIVE))
			for _, secret := range k.Secrets {
				right := attr.Value{Type: secret, Raw: k.Own.Bytes(secret)}
				wrong := attr.Value{Type: secret, Raw: random(len(right.Raw))}
				for name, ask := range map[string]func(attr.Value) p11.RV{
					"C_FindObjects": func(v attr.Value) p11.RV {
						if n := len(h.Find(s, v)); n != 0 {
							h.Errorf("%s: %v finds %d objects", k.Name, v.Type, n)
						}
						return 0
					},
					"C_SetAttributeValue": func(v attr.Value) p11.RV { return p11.Code(h.SetAttributeValue(s, key, attr.Values{v})) },
					"C_CopyObject": func(v attr.Value) p11.RV {
						_, err := h.CopyObject(s, key, attr.Values{v})
						return p11.Code(err)
					},
					"CKA_WRAP_TEMPLATE": func(v attr.Value) p11.RV {
						w := h.AES(s, Yes(p11.CKA_WRAP), attr.Values{attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, attr.Values{v})})
						return p11.Code(h.WrapKey(s, Mech(p11.CKM_AES_KEY_WRAP_KWP), w, key, room()))
					},
				} {
					a, b := ask(right), ask(wrong)
					if a != b {
						h.Errorf("%s, %v: %s answers %v to the right guess and %v to a wrong one", k.Name, secret, name, a, b)
					}
				}
			}
			// What is compared must be the object's own, not that of a readable twin.
			h.Must(h.DestroyObject(s, key))
		}
	})
}

func TestAttackShortSecrets(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for _, n := range []int{1, 2, 3, 8} {
			k, err := h.GenerateKey(s, Mech(p11.CKM_GENERIC_SECRET_KEY_GEN), Join(attr.Values{Length(n)}, Yes(p11.CKA_SENSITIVE)))
			h.Must(err)
			if v, err := h.Get(s, k, p11.CKA_CHECK_VALUE); err == nil {
				h.Errorf("CKA_CHECK_VALUE of a sensitive secret of %d bytes is %x", n, v)
			}
			h.Must(h.DigestInit(s, Mech(p11.CKM_SHA256)))
			h.Want(h.DigestKey(s, k), p11.CKR_KEY_INDIGESTIBLE)
			h.Want(h.DigestKey(s, k), notInitialized)
		}
		k, err := h.GenerateKey(s, Mech(p11.CKM_GENERIC_SECRET_KEY_GEN), Join(attr.Values{Length(3)}, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE)))
		h.Must(err)
		h.Read(s, k, p11.CKA_CHECK_VALUE)
		c, err := h.CopyObject(s, k, Yes(p11.CKA_SENSITIVE))
		h.Must(err)
		if v, err := h.Get(s, c, p11.CKA_CHECK_VALUE); err == nil {
			h.Errorf("CKA_CHECK_VALUE of a copy that is sensitive is %x", v)
		}
		h.Must(h.SetAttributeValue(s, k, Yes(p11.CKA_SENSITIVE)))
		if v, err := h.Get(s, k, p11.CKA_CHECK_VALUE); err == nil {
			h.Errorf("CKA_CHECK_VALUE of what became sensitive is %x", v)
		}
	})
}

// What is derived with another length begins, or ends, with the same bytes. A
// base key that rules by CKA_DERIVE_TEMPLATE that what is derived be hidden is
// not to be milked of it byte by byte.
func TestAttackDerivingByteByByte(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		hidden := attr.NewTemplate(p11.CKA_DERIVE_TEMPLATE, Join(Yes(p11.CKA_SENSITIVE), No(p11.CKA_EXTRACTABLE)))
		secret := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, random(32)), Yes(p11.CKA_DERIVE), attr.Values{hidden})
		ec := KeyOf(p11.CKK_EC)
		pair := h.Create(s, ec.Own, Yes(p11.CKA_DERIVE), attr.Values{hidden})
		agree := Mech(p11.CKM_ECDH1_DERIVE, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: ec.Public.Bytes(p11.CKA_EC_POINT)})
		for n := 1; n <= 32; n++ {
			want := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(n)}
			rv := ok
			if n < 14 {
				rv = p11.CKR_TEMPLATE_INCONSISTENT
			}
			_, err := h.DeriveKey(s, hkdf, secret, want)
			h.Want(err, rv)
			_, err = h.DeriveKey(s, agree, pair, want)
			h.Want(err, rv)
			_, err = h.DeriveKey(s, hkdf, secret, Join(want, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE)))
			h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT)
		}
	})
}

func TestAttackDerivingIntoTheOpen(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		data := attr.Values{Class(p11.CKO_DATA), Length(32)}
		base := random(32)
		params := hkdf.Params.(p11.HKDFParams)
		secret := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, base), Yes(p11.CKA_DERIVE, p11.CKA_SENSITIVE))
		ec := KeyOf(p11.CKK_EC)
		pair := h.Create(s, ec.Own, Yes(p11.CKA_DERIVE))
		agree := Mech(p11.CKM_ECDH1_DERIVE, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: ec.Public.Bytes(p11.CKA_EC_POINT)})
		h.Case("a key is not derived as a data object", func(h *Host) {
			_, err := h.DeriveKey(s, hkdf, secret, data)
			h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT)
			_, err = h.DeriveKey(s, agree, pair, data)
			h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT)
			for _, c := range []p11.ObjectClass{p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY, p11.CKO_CERTIFICATE} {
				_, err = h.DeriveKey(s, hkdf, secret, attr.Values{Class(c), Type(p11.CKK_EC)})
				h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_TEMPLATE_INCOMPLETE)
			}
		})
		h.Case("CKM_HKDF_DATA derives data, which the standard allows, unless the base key hides what is derived", func(h *Host) {
			_, err := h.DeriveKey(s, Mech(p11.CKM_HKDF_DATA, params), secret, data)
			h.Want(err, ok)
			strict := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, base), Yes(p11.CKA_DERIVE),
				attr.Values{attr.NewTemplate(p11.CKA_DERIVE_TEMPLATE, Yes(p11.CKA_SENSITIVE))})
			_, err = h.DeriveKey(s, Mech(p11.CKM_HKDF_DATA, params), strict, data)
			h.Want(err, p11.CKR_TEMPLATE_INCONSISTENT)
		})
		h.Case("no derivation has the base key in its output", func(h *Host) {
			for _, m := range registry.Mechanisms() {
				row, _ := registry.Lookup(m)
				if row.Derive == nil {
					continue
				}
				for _, p := range samples[row.Params] {
					for _, n := range []int{1, 16, 32, 64} {
						o, err := h.DeriveKey(s, Mech(m, p), secret, Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(n)}, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE)))
						if err != nil {
							continue
						}
						got := h.Read(s, o, p11.CKA_VALUE)
						for i := 0; i+8 <= len(got); i++ {
							for j := 0; j+8 <= len(base); j++ {
								if string(got[i:i+8]) == string(base[j:j+8]) {
									h.Fatalf("%v gives the base key away", m)
								}
							}
						}
					}
				}
			}
		})
	})
}
