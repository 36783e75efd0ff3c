package object

import (
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

func length(n int) attr.Value { return attr.NewULong(p11.CKA_VALUE_LEN, n) }

func generate(t *testing.T, template attr.Values) (*Object, error) {
	t.Helper()
	d, err := newFactory().Generate(&genAES, template, user)
	if err != nil {
		return nil, err
	}
	value, err := genAES.Generate(nil, d.Want())
	if err != nil {
		t.Fatal(err)
	}
	return d.Finish(value)
}

func TestGenerate(t *testing.T) {
	for _, c := range []struct {
		name     string
		template attr.Values
		want     p11.RV
		has      []attr.Value
	}{
		{"the least", attr.Values{length(32)}, p11.CKR_OK, []attr.Value{
			class(p11.CKO_SECRET_KEY), keyType(p11.CKK_AES), length(32), on(p11.CKA_LOCAL), attr.NewULong(p11.CKA_KEY_GEN_MECHANISM, p11.CKM_AES_KEY_GEN),
			off(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE), off(p11.CKA_ALWAYS_SENSITIVE), on(p11.CKA_NEVER_EXTRACTABLE), on(p11.CKA_PRIVATE),
		}},
		{"sensitive and extractable", attr.Values{length(16), on(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)}, p11.CKR_OK, []attr.Value{on(p11.CKA_ALWAYS_SENSITIVE), off(p11.CKA_NEVER_EXTRACTABLE)}},
		{"class and type that agree", attr.Values{length(16), class(p11.CKO_SECRET_KEY), keyType(p11.CKK_AES)}, p11.CKR_OK, nil},
		{"another class", attr.Values{length(16), class(p11.CKO_PRIVATE_KEY)}, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"another type", attr.Values{length(16), keyType(p11.CKK_DES3)}, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"no length", nil, p11.CKR_TEMPLATE_INCOMPLETE, nil},
		{"a length that AES lacks", attr.Values{length(17)}, p11.CKR_ATTRIBUTE_VALUE_INVALID, nil},
		{"an enormous length", attr.Values{length(-1)}, p11.CKR_ATTRIBUTE_VALUE_INVALID, nil},
		{"a value", attr.Values{length(16), str(p11.CKA_VALUE, "0123456789abcdef")}, p11.CKR_ATTRIBUTE_READ_ONLY, nil},
		{"a lie about the origin", attr.Values{length(16), off(p11.CKA_LOCAL)}, p11.CKR_ATTRIBUTE_READ_ONLY, nil},
		{"a wrong check value", attr.Values{length(16), str(p11.CKA_CHECK_VALUE, "abc")}, p11.CKR_ATTRIBUTE_VALUE_INVALID, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := generate(t, c.template)
			wantCode(t, err, c.want)
			if err == nil {
				want(t, o, c.has...)
			}
		})
	}
	t.Run("a key type of one length needs none", func(t *testing.T) {
		d, err := newFactory().Generate(&genChaCha, nil, user)
		if err != nil || d.Length() != 32 {
			t.Fatalf("got %v", err)
		}
		want(t, &Object{values: d.Want()}, length(32))
	})
	t.Run("a mechanism that contributes another length", func(t *testing.T) {
		d, err := newFactory().Generate(&genAES, attr.Values{length(32)}, user)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Finish(attr.Values{str(p11.CKA_VALUE, "0123456789abcdef")})
		wantCode(t, err, p11.CKR_TEMPLATE_INCONSISTENT)
	})
	t.Run("a mechanism that contributes what the key cannot have", func(t *testing.T) {
		d, _ := newFactory().Generate(&genAES, attr.Values{length(16)}, user)
		_, err := d.Finish(attr.Values{str(p11.CKA_MODULUS, "x")})
		wantCode(t, err, p11.CKR_GENERAL_ERROR)
	})
}

func TestGeneratePair(t *testing.T) {
	params := str(p11.CKA_EC_PARAMS, "curve")
	for _, c := range []struct {
		name      string
		pub, priv attr.Values
		want      p11.RV
	}{
		{"the least", attr.Values{params}, nil, p11.CKR_OK},
		{"type in the private template only", attr.Values{params}, attr.Values{keyType(p11.CKK_EC)}, p11.CKR_OK},
		{"no curve", nil, nil, p11.CKR_TEMPLATE_INCOMPLETE},
		{"the curve in the private template", attr.Values{params}, attr.Values{params}, p11.CKR_ATTRIBUTE_READ_ONLY},
		{"a private attribute in the public template", attr.Values{params, on(p11.CKA_SIGN)}, nil, p11.CKR_TEMPLATE_INCONSISTENT},
		{"another type", attr.Values{params}, attr.Values{keyType(p11.CKK_RSA)}, p11.CKR_TEMPLATE_INCONSISTENT},
		{"another class", attr.Values{params, class(p11.CKO_PRIVATE_KEY)}, nil, p11.CKR_TEMPLATE_INCONSISTENT},
	} {
		t.Run(c.name, func(t *testing.T) {
			pub, priv, err := newFactory().GeneratePair(&genPair, c.pub, c.priv, user)
			wantCode(t, err, c.want)
			if err != nil {
				return
			}
			if pub.Private() || !priv.Private() || priv.Token() {
				t.Error("the drafts do not tell what they will be")
			}
			pubValues, privValues, _ := genPair.GeneratePair(nil, pub.Want(), priv.Want())
			a, err := pub.Finish(pubValues)
			if err != nil {
				t.Fatal(err)
			}
			b, err := priv.Finish(privValues)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range []*Object{a, b} {
				want(t, o, on(p11.CKA_LOCAL), attr.NewULong(p11.CKA_KEY_GEN_MECHANISM, p11.CKM_EC_KEY_PAIR_GEN), str(p11.CKA_PUBLIC_KEY_INFO, "SPKI abc"), str(p11.CKA_EC_PARAMS, "curve"))
			}
			want(t, b, on(p11.CKA_SENSITIVE), on(p11.CKA_ALWAYS_SENSITIVE), on(p11.CKA_NEVER_EXTRACTABLE))
			if b.Bits() != 24 || a.Type() != p11.CKK_EC {
				t.Errorf("got %d bits", b.Bits())
			}
		})
	}
}

func TestUnwrap(t *testing.T) {
	aes := attr.Values{class(p11.CKO_SECRET_KEY), keyType(p11.CKK_AES)}
	des3 := attr.Values{class(p11.CKO_SECRET_KEY), keyType(p11.CKK_DES3)}
	priv := attr.Values{class(p11.CKO_PRIVATE_KEY), keyType(p11.CKK_EC)}
	value16 := "0123456789abcdef"
	imposing := create(t, aesTemplate(attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, attr.Values{off(p11.CKA_EXTRACTABLE), {Type: p11.CKA_SENSITIVE, Raw: []byte{9}}})))
	plain := create(t, aesTemplate())
	for _, c := range []struct {
		name     string
		key      *Object
		template attr.Values
		encoded  string
		want     p11.RV
		has      []attr.Value
	}{
		{"an AES key", plain, aes, value16, p11.CKR_OK, []attr.Value{
			length(16), on(p11.CKA_EXTRACTABLE), off(p11.CKA_SENSITIVE), off(p11.CKA_LOCAL), off(p11.CKA_ALWAYS_SENSITIVE), off(p11.CKA_NEVER_EXTRACTABLE)}},
		{"born sensitive and unextractable: the history is not known", plain, aes.With(on(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE)), value16, p11.CKR_OK, []attr.Value{off(p11.CKA_ALWAYS_SENSITIVE), off(p11.CKA_NEVER_EXTRACTABLE)}},
		{"padded by a cipher, with the length", plain, aes.With(length(24)), value16 + "01234567" + "\x00\x00\x00\x00\x00\x00\x00\x00", p11.CKR_OK, []attr.Value{length(24)}},
		{"the only length of the type", plain, des3, value16 + "01234567" + "\x00\x00\x00\x00\x00\x00\x00\x00", p11.CKR_OK, nil},
		{"that length given, of a type that has no CKA_VALUE_LEN", plain, des3.With(length(24)), value16 + "01234567", p11.CKR_OK, nil},
		{"cut where no padding is", plain, aes.With(length(24)), value16 + "01234567" + "\x00\x00\x00\x00\x00\x00\x00\x01", p11.CKR_WRAPPED_KEY_LEN_RANGE, nil},
		{"a block too long", plain, aes.With(length(16)), value16 + string(make([]byte, 16)), p11.CKR_WRAPPED_KEY_LEN_RANGE, nil},
		{"too short", plain, aes.With(length(32)), value16, p11.CKR_WRAPPED_KEY_LEN_RANGE, nil},
		{"no length of the type", plain, aes, "12345", p11.CKR_WRAPPED_KEY_LEN_RANGE, nil},
		{"a length that the type lacks", plain, aes.With(length(5)), "12345", p11.CKR_ATTRIBUTE_VALUE_INVALID, nil},
		{"no class", plain, aes.Without(p11.CKA_CLASS), value16, p11.CKR_TEMPLATE_INCOMPLETE, nil},
		{"no type", plain, aes.Without(p11.CKA_KEY_TYPE), value16, p11.CKR_TEMPLATE_INCOMPLETE, nil},
		{"a public key", plain, attr.Values{class(p11.CKO_PUBLIC_KEY), keyType(p11.CKK_EC)}, value16, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"data, which would be readable", plain, attr.Values{class(p11.CKO_DATA)}, value16, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"a value", plain, aes.With(str(p11.CKA_VALUE, value16)), value16, p11.CKR_ATTRIBUTE_READ_ONLY, nil},

		{"a template imposed", imposing, aes, value16, p11.CKR_OK, []attr.Value{on(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE)}},
		{"the same given", imposing, aes.With(off(p11.CKA_EXTRACTABLE)), value16, p11.CKR_OK, nil},
		{"the contrary given", imposing, aes.With(on(p11.CKA_EXTRACTABLE)), value16, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"the contrary given after the same", imposing, append(aes.With(off(p11.CKA_EXTRACTABLE)), on(p11.CKA_EXTRACTABLE)), value16, p11.CKR_TEMPLATE_INCONSISTENT, nil},

		{"a private key", plain, priv, "PKCS8 cba", p11.CKR_OK, []attr.Value{str(p11.CKA_EC_PARAMS, "curve"), str(p11.CKA_PUBLIC_KEY_INFO, "SPKI abc"), on(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE), off(p11.CKA_LOCAL)}},
		{"a private key with a length", plain, priv.With(length(3)), "PKCS8 cba", p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"no private key", plain, priv, "cba", p11.CKR_WRAPPED_KEY_INVALID, nil},
		{"a bad private key", plain, priv, "PKCS8 ", p11.CKR_WRAPPED_KEY_INVALID, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := newFactory().Unwrap(c.key, c.template, user)
			var o *Object
			if err == nil {
				o, err = d.FinishEncoded([]byte(c.encoded))
			}
			wantCode(t, err, c.want)
			if err == nil {
				want(t, o, c.has...)
			}
		})
	}
}

func TestDerive(t *testing.T) {
	agreeing := create(t, privateTemplate())
	secret := create(t, aesTemplate(on(p11.CKA_SENSITIVE)))
	open := create(t, aesTemplate(on(p11.CKA_EXTRACTABLE)))
	guarded, err := generate(t, attr.Values{length(16), on(p11.CKA_SENSITIVE)})
	if err != nil {
		t.Fatal(err)
	}
	imposing := create(t, aesTemplate(attr.NewTemplate(p11.CKA_DERIVE_TEMPLATE, attr.Values{keyType(p11.CKK_AES)})))
	value := attr.Values{str(p11.CKA_VALUE, "0123456789abcdef")}
	for _, c := range []struct {
		name     string
		base     *Object
		others   []*Object
		template attr.Values
		derived  mech.Derived
		want     p11.RV
		has      []attr.Value
	}{
		{"SunPKCS11 agrees on a key and reads it", agreeing, nil, attr.Values{class(p11.CKO_SECRET_KEY), keyType(p11.CKK_GENERIC_SECRET)}, mech.Derived{Values: value}, p11.CKR_OK, []attr.Value{off(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE), length(16), off(p11.CKA_LOCAL)}},
		{"no class and type: a generic secret", agreeing, nil, nil, mech.Derived{Values: value}, p11.CKR_OK, []attr.Value{class(p11.CKO_SECRET_KEY), keyType(p11.CKK_GENERIC_SECRET)}},
		{"from a sensitive key, sensitive", secret, nil, nil, mech.Derived{Values: value}, p11.CKR_OK, []attr.Value{on(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE), off(p11.CKA_ALWAYS_SENSITIVE), off(p11.CKA_NEVER_EXTRACTABLE)}},
		{"unless it is asked for", secret, nil, attr.Values{off(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)}, mech.Derived{Values: value}, p11.CKR_OK, []attr.Value{off(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)}},
		{"from a key that is not, not", open, nil, nil, mech.Derived{Values: value}, p11.CKR_OK, []attr.Value{off(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)}},
		{"history carries on", guarded, nil, nil, mech.Derived{Values: value}, p11.CKR_OK, []attr.Value{on(p11.CKA_ALWAYS_SENSITIVE), on(p11.CKA_NEVER_EXTRACTABLE)}},
		{"history ends with a readable key", guarded, nil, attr.Values{off(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)}, mech.Derived{Values: value}, p11.CKR_OK, []attr.Value{off(p11.CKA_ALWAYS_SENSITIVE), off(p11.CKA_NEVER_EXTRACTABLE)}},
		{"history of a second key counts", guarded, []*Object{open}, nil, mech.Derived{Values: value}, p11.CKR_OK, []attr.Value{off(p11.CKA_ALWAYS_SENSITIVE), off(p11.CKA_NEVER_EXTRACTABLE)}},
		{"another length than asked for", secret, nil, attr.Values{length(8)}, mech.Derived{Values: value}, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"NSS gives the length of a DES key", secret, nil, attr.Values{keyType(p11.CKK_DES3), length(24)}, mech.Derived{Values: attr.Values{str(p11.CKA_VALUE, "0123456789abcdef01234567")}}, p11.CKR_OK, nil},
		{"a value", secret, nil, value, mech.Derived{Values: value}, p11.CKR_ATTRIBUTE_READ_ONLY, nil},
		{"a length that AES lacks", secret, nil, attr.Values{keyType(p11.CKK_AES), length(17)}, mech.Derived{}, p11.CKR_ATTRIBUTE_VALUE_INVALID, nil},
		{"a template imposed", imposing, nil, nil, mech.Derived{Values: value}, p11.CKR_OK, []attr.Value{keyType(p11.CKK_AES)}},
		{"a template imposed and another given", imposing, nil, attr.Values{keyType(p11.CKK_GENERIC_SECRET)}, mech.Derived{Values: value}, p11.CKR_TEMPLATE_INCONSISTENT, nil},

		{"a secret as data", secret, nil, attr.Values{class(p11.CKO_DATA), length(16)}, mech.Derived{Values: value}, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"data that is none (CKM_HKDF_DATA)", secret, nil, attr.Values{class(p11.CKO_DATA), length(16)}, mech.Derived{Values: value, Public: true}, p11.CKR_OK, []attr.Value{str(p11.CKA_VALUE, "0123456789abcdef"), off(p11.CKA_PRIVATE)}},
		{"data with a value", secret, nil, value.With(class(p11.CKO_DATA)), mech.Derived{Values: value, Public: true}, p11.CKR_ATTRIBUTE_READ_ONLY, nil},
		{"a private key", secret, nil, attr.Values{class(p11.CKO_PRIVATE_KEY), keyType(p11.CKK_EC)}, mech.Derived{}, p11.CKR_TEMPLATE_INCONSISTENT, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := newFactory().Derive(c.base, c.others, c.template, user)
			var o *Object
			if err == nil {
				o, err = d.FinishDerived(mech.Derived{Values: c.derived.Values.Clone(), Public: c.derived.Public})
			}
			wantCode(t, err, c.want)
			if err == nil {
				want(t, o, c.has...)
			}
		})
	}
}
