package conformance

import (
	"slices"
	"strings"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

const invalid = p11.CKR_MECHANISM_INVALID

// rule checks that the error of a refusal names the rule, which the log then
// does too. Through C only the code is to be seen.
func rule(h *Host, err error, rv p11.RV, name string) {
	h.Helper()
	h.Want(err, rv)
	if _, code := err.(p11.RV); err != nil && !code && !strings.Contains(err.Error(), name) {
		h.Errorf("the refusal %q does not name the rule %q", err, name)
	}
}

func TestDefaultPolicySignsNothingOverSHA1(t *testing.T) {
	EachUnder(t, "", func(h *Host) {
		s := h.User()
		rsaPub, rsaPriv := importPair(h, s, KeyOf(p11.CKK_RSA))
		ecPub, ecPriv := h.Pair(s, p11.CKM_EC_KEY_PAIR_GEN, P256, nil, nil)
		secret := h.Create(s, KeyOf(p11.CKK_GENERIC_SECRET).Own)
		sha1PSS := p11.PSSParams{Hash: p11.CKM_SHA_1, MGF: p11.CKG_MGF1_SHA1, SaltLen: 20}
		for _, tt := range []struct {
			m         *p11.Mechanism
			priv, pub p11.ObjectHandle
		}{
			{Mech(p11.CKM_SHA1_RSA_PKCS), rsaPriv, rsaPub}, {Mech(p11.CKM_SHA1_RSA_PKCS_PSS, sha1PSS), rsaPriv, rsaPub},
			{Mech(p11.CKM_RSA_PKCS_PSS, sha1PSS), rsaPriv, rsaPub}, {Mech(p11.CKM_ECDSA_SHA1), ecPriv, ecPub},
		} {
			h.Case(tt.m.Type.String(), func(h *Host) {
				rule(h, h.SignInit(s, tt.m, tt.priv), invalid, "no signatures over SHA-1")
				h.Want(h.Sign(s, nil, room()), notInitialized)
				h.Want(h.VerifyInit(s, tt.m, tt.pub), ok) // what was signed long ago
				h.Idle(s)
			})
		}
		for _, m := range []p11.MechanismType{p11.CKM_SHA1_RSA_PKCS, p11.CKM_ECDSA_SHA1} {
			if info, err := h.GetMechanismInfo(0, m); err != nil || info.Flags&(p11.CKF_SIGN|p11.CKF_VERIFY) != p11.CKF_VERIFY {
				h.Errorf("%v has the flags %#x, %v", m, uint64(info.Flags), err)
			}
		}
		h.Want(h.SignInit(s, Mech(p11.CKM_RSA_PKCS_PSS, pssSamples()[0]), rsaPriv), ok)
		h.Idle(s)
		h.Want(h.SignInit(s, Mech(p11.CKM_SHA_1_HMAC), secret), ok)
		h.Want(h.DigestInit(s, Mech(p11.CKM_SHA_1)), ok)
	})
}

func TestDefaultPolicyProtectsNothingByTripleDES(t *testing.T) {
	EachUnder(t, "", func(h *Host) {
		s := h.User()
		value := random(24)
		if row, err := registry.KeyType(p11.CKK_DES3); err != nil {
			h.Fatal(err)
		} else {
			row.Fix(value)
		}
		all := Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_VERIFY, p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_DERIVE)
		k := h.Create(s, Secret(p11.CKK_DES3, value), all)
		base := h.Create(s, KeyOf(p11.CKK_GENERIC_SECRET).Own, Yes(p11.CKA_DERIVE))
		target := h.AES(s, Yes(p11.CKA_EXTRACTABLE))
		derived := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(8)}
		derive := func(m *p11.Mechanism) error { _, err := h.DeriveKey(s, m, k, derived); return err }
		generate := func(m p11.MechanismType) error { _, err := h.GenerateKey(s, Mech(m), nil); return err }
		for name, err := range map[string]error{
			"encryption":                  h.EncryptInit(s, Mech(p11.CKM_DES3_ECB), k),
			"wrapping":                    h.WrapKey(s, Mech(p11.CKM_DES3_CBC_PAD, p11.IV(make([]byte, 8))), k, target, room()),
			"asking for a wrapped length": h.WrapKey(s, Mech(p11.CKM_DES3_ECB), k, target, &p11.Out{}),
			"a MAC":                       h.SignInit(s, Mech(p11.CKM_DES3_CMAC), k),
			"a MAC of one block":          h.SignInit(s, Mech(p11.CKM_DES3_MAC_GENERAL, p11.ULongParam(8)), k),
			"a key out of ciphertext":     derive(Mech(p11.CKM_DES3_ECB_ENCRYPT_DATA, p11.StringData(make([]byte, 8)))),
			"a key by a PRF":              derive(Mech(p11.CKM_SP800_108_COUNTER_KDF, kbkdf(p11.CKM_DES3_CMAC, counter))),
			"a key of three parts":        generate(p11.CKM_DES3_KEY_GEN),
			"a key of two":                generate(p11.CKM_DES2_KEY_GEN),
		} {
			h.Case(name, func(h *Host) { rule(h, err, invalid, "no protection by triple DES") })
		}
		_, err := h.DeriveKey(s, Mech(p11.CKM_IKE1_PRF_DERIVE, p11.IKE1PRFParams{PRF: p11.CKM_SHA256_HMAC, SharedKey: k, CKYi: []byte("i"), CKYr: []byte("r")}), base, derived)
		rule(h, err, invalid, "no protection by triple DES") // as a further key
		h.Idle(s)
		h.Want(h.DecryptInit(s, Mech(p11.CKM_DES3_ECB), k), ok)
		h.Want(h.VerifyInit(s, Mech(p11.CKM_DES3_CMAC), k), ok)
		unwrapped, err := h.UnwrapKey(s, Mech(p11.CKM_DES3_ECB), k, make([]byte, 16), attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)})
		h.Must(err)
		h.Must(h.DestroyObject(s, unwrapped))
		if info, err := h.GetMechanismInfo(0, p11.CKM_DES3_CBC); err != nil || info.Flags != p11.CKF_DECRYPT|p11.CKF_UNWRAP {
			h.Errorf("the flags are %#x, %v", uint64(info.Flags), err)
		}
		list, err := h.GetMechanismList(0)
		h.Must(err)
		for _, gone := range []p11.MechanismType{p11.CKM_DES3_KEY_GEN, p11.CKM_DES3_CBC_ENCRYPT_DATA} {
			_, err := h.GetMechanismInfo(0, gone)
			if h.Want(err, invalid); slices.Contains(list, gone) {
				h.Errorf("%v is on the list", gone)
			}
		}
	})
}

func TestDefaultPolicyOnRSA(t *testing.T) {
	EachUnder(t, "", func(h *Host) {
		s := h.User()
		pub, priv := importPair(h, s, KeyOf(p11.CKK_RSA))
		rule(h, h.EncryptInit(s, Mech(p11.CKM_RSA_X_509), pub), invalid, "no RSA without padding")
		h.Want(h.DecryptInit(s, Mech(p11.CKM_RSA_X_509), priv), ok)
		h.Want(h.SignInit(s, Mech(p11.CKM_RSA_X_509), priv), ok)
		h.Want(h.EncryptInit(s, Mech(p11.CKM_RSA_PKCS), pub), ok)
		h.Idle(s)
		pair := func(bits int) error {
			_, _, err := h.GenerateKeyPair(s, Mech(p11.CKM_RSA_PKCS_KEY_PAIR_GEN), attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, bits)}, nil)
			return err
		}
		before := len(h.Find(s))
		rule(h, pair(1024), p11.CKR_ATTRIBUTE_VALUE_INVALID, "minimum")
		if after := len(h.Find(s)); after != before {
			h.Errorf("%d objects were made", after-before)
		}
		h.Want(pair(2048), ok)
		for m, want := range map[p11.MechanismType]uint64{p11.CKM_RSA_PKCS_KEY_PAIR_GEN: 2048, p11.CKM_RSA_PKCS: 1024} {
			if info, err := h.GetMechanismInfo(0, m); err != nil || info.MinKeySize != want {
				h.Errorf("%v takes keys from %d bits on, %v; want %d", m, info.MinKeySize, err, want)
			}
		}
		// A small key of old is still there to be used.
		pub, priv = importPair(h, s, SmallRSA())
		h.Want(h.SignInit(s, Mech(p11.CKM_SHA256_RSA_PKCS), priv), ok)
		h.Want(h.VerifyInit(s, Mech(p11.CKM_SHA256_RSA_PKCS), pub), ok)
	})
}

// TestMinimumSizes: what protects asks for the size, what was protected before
// is processed.
func TestMinimumSizes(t *testing.T) {
	EachUnder(t, "policy=legacy policy.minimum.rsa=3072 policy.minimum.ec=384 policy.minimum.aes=256 policy.minimum.secret=200", func(h *Host) {
		s := h.User()
		k := KeyOf(p11.CKK_RSA)
		pub, priv := h.Create(s, k.Public), h.Create(s, k.Own, Yes(p11.CKA_DECRYPT, p11.CKA_UNWRAP, p11.CKA_SIGN, p11.CKA_SIGN_RECOVER))
		target := h.Create(s, Secret(p11.CKK_AES, make([]byte, 16)), Yes(p11.CKA_EXTRACTABLE))
		short := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, make([]byte, 24)), Yes(p11.CKA_DERIVE))
		long := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, make([]byte, 25)), Yes(p11.CKA_DERIVE))
		m, size := Mech(p11.CKM_RSA_PKCS), p11.CKR_KEY_SIZE_RANGE
		rule(h, h.EncryptInit(s, m, pub), size, "minimum")
		rule(h, h.SignInit(s, m, priv), size, "minimum")
		rule(h, h.SignRecoverInit(s, m, priv), size, "minimum")
		rule(h, h.WrapKey(s, m, pub, target, room()), p11.CKR_WRAPPING_KEY_SIZE_RANGE, "minimum")
		rule(h, h.EncryptInit(s, Mech(p11.CKM_AES_ECB), target), size, "minimum")
		rule(h, h.SignInit(s, Mech(p11.CKM_SHA256_HMAC), short), size, "minimum")
		_, err := h.DeriveKey(s, hkdf, short, attr.Values{Type(p11.CKK_AES), Length(16)})
		rule(h, err, size, "minimum")
		_, err = h.DeriveKey(s, Mech(p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(short)), long, nil)
		rule(h, err, size, "minimum")
		_, err = h.DeriveKey(s, Mech(p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(long)), long, nil)
		h.Want(err, ok)
		h.Idle(s)
		h.Want(h.DecryptInit(s, m, priv), ok)
		h.Want(h.VerifyInit(s, m, pub), ok)
		h.Want(h.VerifyRecoverInit(s, m, pub), ok)
		_, err = h.UnwrapKey(s, m, priv, make([]byte, 256), attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)})
		h.Want(err, p11.CKR_WRAPPED_KEY_INVALID) // the key was used
		h.Idle(s)
		h.Want(h.DecryptInit(s, Mech(p11.CKM_AES_ECB), target), ok)
		h.Want(h.SignInit(s, Mech(p11.CKM_SHA256_HMAC), long), ok)
		for name, err := range map[string]error{
			"RSA":              second(h.GenerateKeyPair(s, Mech(p11.CKM_RSA_PKCS_KEY_PAIR_GEN), attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, 2048)}, nil)),
			"EC":               second(h.GenerateKeyPair(s, Mech(p11.CKM_EC_KEY_PAIR_GEN), attr.Values{P256}, nil)),
			"AES":              first(h.GenerateKey(s, Mech(p11.CKM_AES_KEY_GEN), attr.Values{Length(24)})),
			"a generic secret": first(h.GenerateKey(s, Mech(p11.CKM_GENERIC_SECRET_KEY_GEN), attr.Values{Length(24)})),
		} {
			h.Case(name, func(h *Host) { rule(h, err, p11.CKR_ATTRIBUTE_VALUE_INVALID, "minimum") })
		}
		for m, want := range map[p11.MechanismType]uint64{
			p11.CKM_RSA_PKCS_KEY_PAIR_GEN: 3072, p11.CKM_RSA_PKCS: 1024, p11.CKM_AES_KEY_GEN: 32, p11.CKM_AES_CBC: 16, p11.CKM_EC_KEY_PAIR_GEN: 384,
			p11.CKM_GENERIC_SECRET_KEY_GEN: 200, p11.CKM_HKDF_DERIVE: 25,
		} {
			if info, err := h.GetMechanismInfo(0, m); err != nil || info.MinKeySize != want {
				h.Errorf("%v takes keys from %d on, %v; want %d", m, info.MinKeySize, err, want)
			}
		}
	})
}

func first(_ p11.ObjectHandle, err error) error     { return err }
func second(_, _ p11.ObjectHandle, err error) error { return err }

// TestListsOfMechanisms: what is not allowed, or is denied, has no function.
func TestListsOfMechanisms(t *testing.T) {
	for _, tt := range []struct {
		config, rule string
		left         func(p11.MechanismType) bool
	}{
		{"policy=legacy policy.allow=CKM_SHA256,CKM_AES_GCM", "(allow)", func(m p11.MechanismType) bool { return m == p11.CKM_SHA256 || m == p11.CKM_AES_GCM }},
		{`policy=legacy policy.deny="CKM_AES_* CKM_SHA256"`, "(deny)", func(m p11.MechanismType) bool {
			return m != p11.CKM_SHA256 && !strings.HasPrefix(m.String(), "CKM_AES_")
		}},
		{"policy=legacy policy.allow=CKM_SHA* policy.deny=CKM_SHA1*,CKM_SHA_1*", "", func(m p11.MechanismType) bool {
			name := m.String()
			return strings.HasPrefix(name, "CKM_SHA") && !strings.HasPrefix(name, "CKM_SHA1") && !strings.HasPrefix(name, "CKM_SHA_1")
		}},
	} {
		EachUnder(t, tt.config, func(h *Host) {
			s := h.User()
			list, err := h.GetMechanismList(0)
			h.Must(err)
			for _, m := range registry.Mechanisms() {
				info, err := h.GetMechanismInfo(0, m)
				if tt.left(m) != slices.Contains(list, m) || tt.left(m) != (err == nil) {
					h.Errorf("%v is left: %v; on the list: %v; C_GetMechanismInfo: %v", m, tt.left(m), slices.Contains(list, m), err)
				}
				row, _ := registry.Lookup(m)
				if tt.left(m) && info.Flags != row.Flags() {
					h.Errorf("%v: the flags are %#x, want all: %#x", m, uint64(info.Flags), uint64(row.Flags()))
				}
				if tt.left(m) {
					continue
				}
				refusedByAll(h, s, m, tt.rule)
			}
			h.Want(h.DigestInit(s, Mech(p11.CKM_SHA256)), map[bool]p11.RV{true: ok, false: invalid}[tt.left(p11.CKM_SHA256)])
		})
	}
}

// refusedByAll tries a mechanism with every function.
func refusedByAll(h *Host, s p11.SessionHandle, m p11.MechanismType, name string) {
	h.Helper()
	mm := Mech(m)
	if row, err := registry.Lookup(m); err == nil && len(samples[row.Params]) > 0 {
		mm = Mech(m, samples[row.Params][0])
	} else if err != nil || row.Params != p11.ParamNone {
		return // the C driver has no sample of its parameter
	}
	template := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(16)}
	for function, err := range map[string]error{
		"EncryptInit": h.EncryptInit(s, mm, 0), "DecryptInit": h.DecryptInit(s, mm, 0), "DigestInit": h.DigestInit(s, mm),
		"SignInit": h.SignInit(s, mm, 0), "VerifyInit": h.VerifyInit(s, mm, 0),
		"SignRecoverInit": h.SignRecoverInit(s, mm, 0), "VerifyRecoverInit": h.VerifyRecoverInit(s, mm, 0),
		"GenerateKey": first(h.GenerateKey(s, mm, template)), "GenerateKeyPair": second(h.GenerateKeyPair(s, mm, nil, nil)),
		"WrapKey": h.WrapKey(s, mm, 0, 0, room()), "UnwrapKey": first(h.UnwrapKey(s, mm, 0, make([]byte, 16), template)),
		"DeriveKey": first(h.DeriveKey(s, mm, 0, template)),
	} {
		if p11.Code(err) != invalid {
			h.Errorf("%s with %v: %v", function, m, err)
		} else if row, known := registry.Lookup(m); known == nil && row.Flags()&functionOf[function] != 0 {
			rule(h, err, invalid, name)
		}
	}
}

// functionOf is the flag of a function that takes a mechanism.
var functionOf = map[string]p11.Flags{
	"EncryptInit": p11.CKF_ENCRYPT, "DecryptInit": p11.CKF_DECRYPT, "DigestInit": p11.CKF_DIGEST, "SignInit": p11.CKF_SIGN, "VerifyInit": p11.CKF_VERIFY,
	"SignRecoverInit": p11.CKF_SIGN_RECOVER, "VerifyRecoverInit": p11.CKF_VERIFY_RECOVER, "GenerateKey": p11.CKF_GENERATE,
	"GenerateKeyPair": p11.CKF_GENERATE_KEY_PAIR, "WrapKey": p11.CKF_WRAP, "UnwrapKey": p11.CKF_UNWRAP, "DeriveKey": p11.CKF_DERIVE,
}

// TestEveryFunctionAsksThePolicy: of the library, whatever functions with a
// mechanism it has.
func TestEveryFunctionAsksThePolicy(t *testing.T) {
	h := NewHost(t, CUnder("policy=legacy policy.allow=CKM_SHA256"))
	lib, g := Load(t), NewGuarded(t)
	s := h.User()
	asked := 0
	for _, f := range lib.Functions {
		if !slices.ContainsFunc(f.Arguments, func(a Argument) bool { return a.Type == "CK_MECHANISM_PTR" }) {
			continue
		}
		for _, m := range registry.Mechanisms() {
			row, err := registry.Lookup(m)
			h.Must(err)
			if row.Params != p11.ParamNone || m == p11.CKM_SHA256 {
				continue
			}
			args := make([]uint64, len(f.Arguments))
			for i, a := range f.Arguments {
				switch {
				case a.Type == "CK_SESSION_HANDLE":
					args[i] = uint64(s)
				case a.Type == "CK_MECHANISM_PTR":
					args[i] = g.Mechanism(uint64(m), 0)
				case strings.HasSuffix(a.Type, "_PTR"):
					args[i] = g.ULong(0)
				}
			}
			switch rv := lib.Call(f.Name, args...); rv {
			case invalid:
				asked++
			case p11.CKR_FUNCTION_NOT_SUPPORTED: // there is no such function yet
			default:
				t.Errorf("%s with %v: %v", f.Name, m, rv)
			}
		}
	}
	if asked == 0 {
		t.Error("no function was asked")
	}
}

func TestStrictPolicyHidesKeys(t *testing.T) {
	EachUnder(t, "policy=strict", func(h *Host) {
		s := h.User()
		value := p11.CKR_ATTRIBUTE_VALUE_INVALID
		k := KeyOf(p11.CKK_AES)
		base := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, random(32)), Yes(p11.CKA_DERIVE))
		wrapping := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		kwp := Mech(p11.CKM_AES_KEY_WRAP_KWP)
		target := h.Create(s, k.Own, Yes(p11.CKA_EXTRACTABLE))
		blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, kwp, wrapping, target, out) })
		what := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)}
		for _, t := range []p11.AttributeType{p11.CKA_SENSITIVE, p11.CKA_PRIVATE} {
			for name, make := range map[string]func(more attr.Values) (p11.ObjectHandle, error){
				"C_CreateObject": func(more attr.Values) (p11.ObjectHandle, error) { return h.CreateObject(s, Join(k.Own, more)) },
				"C_CreateObject, a private key": func(more attr.Values) (p11.ObjectHandle, error) {
					return h.CreateObject(s, Join(KeyOf(p11.CKK_RSA).Own, more))
				},
				"C_GenerateKey": func(more attr.Values) (p11.ObjectHandle, error) {
					return h.GenerateKey(s, Mech(p11.CKM_AES_KEY_GEN), Join(attr.Values{Length(32)}, more))
				},
				"C_GenerateKeyPair": func(more attr.Values) (p11.ObjectHandle, error) {
					_, priv, err := h.GenerateKeyPair(s, Mech(p11.CKM_EC_KEY_PAIR_GEN), attr.Values{P256}, more)
					return priv, err
				},
				"C_UnwrapKey": func(more attr.Values) (p11.ObjectHandle, error) {
					return h.UnwrapKey(s, kwp, wrapping, blob, Join(what, more))
				},
				"C_DeriveKey": func(more attr.Values) (p11.ObjectHandle, error) {
					return h.DeriveKey(s, hkdf, base, Join(what, attr.Values{Length(32)}, more))
				},
				"C_CopyObject": func(more attr.Values) (p11.ObjectHandle, error) { return h.CopyObject(s, target, more) },
			} {
				h.Case(name+", "+t.String(), func(h *Host) {
					_, err := make(No(t))
					if name == "C_CopyObject" {
						h.Want(err, readOnly, p11.CKR_TEMPLATE_INCONSISTENT) // by the standard's own rules
					} else {
						rule(h, err, value, "private and secret keys are hidden")
					}
					o, err := make(nil)
					h.Must(err)
					if !h.ReadTrue(s, o, t) {
						h.Errorf("by default %v is false", t)
					}
					h.Must(h.DestroyObject(s, o))
				})
			}
		}
	})
}

func TestStrictPolicyKeepsWrappingApart(t *testing.T) {
	EachUnder(t, "policy=strict", func(h *Host) {
		s := h.User()
		value, name := p11.CKR_ATTRIBUTE_VALUE_INVALID, "wrapping apart from encryption"
		kwp, cbc := Mech(p11.CKM_AES_KEY_WRAP_KWP), Mech(p11.CKM_AES_CBC, zeroIV)
		aes := func(more ...attr.Values) (p11.ObjectHandle, error) {
			return h.GenerateKey(s, Mech(p11.CKM_AES_KEY_GEN), Join(attr.Values{Length(32)}, Join(more...)))
		}
		for _, both := range []attr.Values{
			Yes(p11.CKA_WRAP, p11.CKA_DECRYPT), Yes(p11.CKA_UNWRAP, p11.CKA_ENCRYPT),
			Yes(p11.CKA_WRAP, p11.CKA_SIGN), Yes(p11.CKA_UNWRAP, p11.CKA_SIGN), // a MAC of one block is the cipher
		} {
			_, err := aes(both)
			rule(h, err, value, name)
			_, err = h.CreateObject(s, Join(KeyOf(p11.CKK_AES).Own, both))
			rule(h, err, value, name)
		}
		pair := func(public, private attr.Values) error {
			_, _, err := h.GenerateKeyPair(s, Mech(p11.CKM_RSA_PKCS_KEY_PAIR_GEN), Join(attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, 2048)}, public), private)
			return err
		}
		rule(h, pair(Yes(p11.CKA_WRAP), Yes(p11.CKA_DECRYPT)), value, name)
		rule(h, pair(Yes(p11.CKA_ENCRYPT), Yes(p11.CKA_UNWRAP)), value, name)
		h.Want(pair(Join(Yes(p11.CKA_WRAP), No(p11.CKA_ENCRYPT)), Join(Yes(p11.CKA_UNWRAP), No(p11.CKA_DECRYPT))), ok)

		plain, err := aes()
		h.Must(err)
		if !h.ReadTrue(s, plain, p11.CKA_ENCRYPT) || h.ReadTrue(s, plain, p11.CKA_WRAP) {
			h.Error("a key whose template says nothing encrypts, and does not wrap")
		}
		wrapping, err := aes(Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		h.Must(err)
		target, err := aes(Yes(p11.CKA_EXTRACTABLE))
		h.Must(err)
		blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, kwp, wrapping, target, out) })
		h.Want(h.DecryptInit(s, cbc, wrapping), p11.CKR_KEY_FUNCTION_NOT_PERMITTED)

		h.Case("one after the other", func(h *Host) {
			for _, k := range []p11.ObjectHandle{wrapping, plain} {
				for _, use := range []p11.AttributeType{p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN} {
					if h.ReadTrue(s, k, use) {
						continue
					}
					turn := Join(No(p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN), Yes(use))
					rule(h, h.SetAttributeValue(s, k, turn), value, name)
					_, err := h.CopyObject(s, k, turn)
					rule(h, err, value, name)
				}
			}
			h.Want(h.SetAttributeValue(s, plain, No(p11.CKA_DECRYPT)), ok)
			rule(h, h.SetAttributeValue(s, plain, Yes(p11.CKA_DECRYPT)), value, name)
			h.Want(h.SetAttributeValue(s, plain, attr.Values{Label("new")}), ok)
		})
		h.Case("one value in two keys", func(h *Host) {
			base := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, random(32)), Yes(p11.CKA_DERIVE))
			what := attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)}
			for _, use := range []p11.AttributeType{p11.CKA_WRAP, p11.CKA_UNWRAP} {
				_, err := h.UnwrapKey(s, kwp, wrapping, blob, Join(what, Yes(use)))
				rule(h, err, value, name)
				_, err = h.DeriveKey(s, hkdf, base, Join(what, attr.Values{Length(32)}, Yes(use)))
				rule(h, err, value, name)
				_, err = h.CreateObject(s, Join(KeyOf(p11.CKK_AES).Own, Yes(use)))
				rule(h, err, value, name)
			}
			_, err := h.UnwrapKey(s, kwp, wrapping, blob, what)
			h.Want(err, ok)
		})
	})
}

func TestStrictPolicyIsNISTs(t *testing.T) {
	EachUnder(t, "policy=strict", func(h *Host) {
		s := h.User()
		pub, priv := h.Create(s, KeyOf(p11.CKK_RSA).Public), h.Create(s, KeyOf(p11.CKK_RSA).Own)
		smallPub, smallPriv := importPair(h, s, SmallRSA())
		for name, err := range map[string]error{
			"no RSA encryption with the padding of PKCS #1 v1.5": h.EncryptInit(s, Mech(p11.CKM_RSA_PKCS), pub),
			"no RSA without padding":                             h.SignInit(s, Mech(p11.CKM_RSA_X_509), priv),
			"no signatures over SHA-1":                           h.SignInit(s, Mech(p11.CKM_SHA1_RSA_PKCS), priv),
			"no mechanisms but those of NIST":                    h.DigestInit(s, Mech(p11.CKM_BLAKE2B_256)),
		} {
			h.Case(name, func(h *Host) { rule(h, err, invalid, name) })
		}
		h.Want(h.DecryptInit(s, Mech(p11.CKM_RSA_PKCS), priv), invalid)
		_, err := h.GenerateKey(s, Mech(p11.CKM_CHACHA20_KEY_GEN), nil)
		h.Want(err, invalid)
		_, _, err = h.GenerateKeyPair(s, Mech(p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN), attr.Values{X25519}, nil)
		h.Want(err, invalid)
		h.Idle(s)
		rule(h, h.SignInit(s, Mech(p11.CKM_SHA256_RSA_PKCS), smallPriv), p11.CKR_KEY_SIZE_RANGE, "minimum")
		h.Want(h.VerifyInit(s, Mech(p11.CKM_SHA256_RSA_PKCS), smallPub), ok)
		h.Want(h.SignInit(s, Mech(p11.CKM_SHA256_RSA_PKCS), priv), ok)
		h.Want(h.EncryptInit(s, Mech(p11.CKM_RSA_PKCS_OAEP, oaep), pub), ok)
	})
}

func TestPoliciesOfSingleTokens(t *testing.T) {
	EachUnder(t, `policy=strict token.of.old.policy=legacy`, func(h *Host) {
		h.Must(h.InitToken(1, SOPIN, "of.old"))
		for slot, want := range map[p11.SlotID]p11.RV{0: invalid, 1: ok, 2: invalid} {
			_, err := h.GetMechanismInfo(slot, p11.CKM_DES3_KEY_GEN)
			h.Want(err, want)
		}
		s := h.User()
		old, err := h.OpenSession(1, RW)
		h.Must(err)
		public := No(p11.CKA_PRIVATE)
		_, err = h.GenerateKey(s, Mech(p11.CKM_DES3_KEY_GEN), nil)
		h.Want(err, invalid)
		_, err = h.GenerateKey(old, Mech(p11.CKM_DES3_KEY_GEN), public)
		h.Want(err, ok)
		_, err = h.GenerateKey(old, Mech(p11.CKM_AES_KEY_GEN), Join(public, attr.Values{Length(16)}, Yes(p11.CKA_WRAP, p11.CKA_DECRYPT)))
		h.Want(err, ok)
	})
}
