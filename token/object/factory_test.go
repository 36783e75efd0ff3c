package object

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"math/big"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
)

func TestCreateDefaults(t *testing.T) {
	t.Run("secret key", func(t *testing.T) {
		o := create(t, aesTemplate())
		want(t, o,
			off(p11.CKA_TOKEN), on(p11.CKA_PRIVATE), on(p11.CKA_MODIFIABLE), on(p11.CKA_COPYABLE), on(p11.CKA_DESTROYABLE),
			off(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE),
			on(p11.CKA_ENCRYPT), on(p11.CKA_DECRYPT), on(p11.CKA_WRAP), on(p11.CKA_UNWRAP),
			off(p11.CKA_SIGN), off(p11.CKA_VERIFY), off(p11.CKA_DERIVE),
			off(p11.CKA_LOCAL), off(p11.CKA_ALWAYS_SENSITIVE), off(p11.CKA_NEVER_EXTRACTABLE),
			attr.NewULong(p11.CKA_KEY_GEN_MECHANISM, int(-1)), attr.NewULong(p11.CKA_VALUE_LEN, 16),
			off(p11.CKA_TRUSTED), off(p11.CKA_WRAP_WITH_TRUSTED), str(p11.CKA_LABEL, ""), str(p11.CKA_ID, ""),
			attr.NewULong(p11.CKA_OBJECT_VALIDATION_FLAGS, 0), str(p11.CKA_UNIQUE_ID, o.ID().String()),
		)
		if o.values.Has(p11.CKA_ALLOWED_MECHANISMS) || o.values.Has(p11.CKA_WRAP_TEMPLATE) {
			t.Error("an attribute without a default appeared")
		}
	})
	t.Run("private key", func(t *testing.T) {
		want(t, create(t, privateTemplate()), on(p11.CKA_PRIVATE), on(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE),
			on(p11.CKA_SIGN), off(p11.CKA_DECRYPT), off(p11.CKA_UNWRAP), off(p11.CKA_DECAPSULATE), off(p11.CKA_SIGN_RECOVER),
			off(p11.CKA_ALWAYS_AUTHENTICATE), str(p11.CKA_PUBLIC_KEY_INFO, "SPKI abc"), str(p11.CKA_SUBJECT, ""), str(p11.CKA_PUBLIC_CRC64_VALUE, "crc"))
	})
	t.Run("public key", func(t *testing.T) {
		o := create(t, attr.Values{class(p11.CKO_PUBLIC_KEY), keyType(p11.CKK_EC), str(p11.CKA_EC_PARAMS, "curve"), str(p11.CKA_EC_POINT, "abc")})
		want(t, o, off(p11.CKA_PRIVATE), on(p11.CKA_VERIFY), off(p11.CKA_ENCRYPT), off(p11.CKA_WRAP), off(p11.CKA_TRUSTED), str(p11.CKA_PUBLIC_KEY_INFO, "SPKI abc"))
		if o.Hides() || o.values.Has(p11.CKA_SENSITIVE) {
			t.Error("a public key hides something")
		}
	})
	t.Run("data", func(t *testing.T) {
		o := create(t, attr.Values{class(p11.CKO_DATA)})
		want(t, o, off(p11.CKA_PRIVATE), str(p11.CKA_VALUE, ""), str(p11.CKA_APPLICATION, ""))
		if o.IsKey() {
			t.Error("data is a key")
		}
	})
}

// TestEveryTokenChoiceIsMade walks the tables of the registered key types: a
// row whose default is the token's (N9, or Boolean without one) has a value in
// a created object.
func TestEveryTokenChoiceIsMade(t *testing.T) {
	for _, template := range []attr.Values{
		aesTemplate(), privateTemplate(),
		{class(p11.CKO_PUBLIC_KEY), keyType(p11.CKK_EC), str(p11.CKA_EC_PARAMS, "curve"), str(p11.CKA_EC_POINT, "abc")},
	} {
		o := create(t, template)
		for _, s := range o.table {
			if (s.Notes&attr.N9 != 0 || s.Kind == attr.Bool) && !o.values.Has(s.Type) {
				t.Errorf("%v has no %v", o, s.Type)
			}
		}
	}
}

func TestSeparatedUses(t *testing.T) {
	for _, c := range []struct {
		name  string
		given attr.Values
		want  []attr.Value
	}{
		{"a wrapping key does not decrypt", attr.Values{on(p11.CKA_WRAP)}, []attr.Value{on(p11.CKA_UNWRAP), off(p11.CKA_ENCRYPT), off(p11.CKA_DECRYPT)}},
		{"an unwrapping key does not encrypt", attr.Values{on(p11.CKA_UNWRAP)}, []attr.Value{on(p11.CKA_WRAP), off(p11.CKA_ENCRYPT), off(p11.CKA_DECRYPT)}},
		{"a decrypting key does not wrap", attr.Values{on(p11.CKA_DECRYPT)}, []attr.Value{on(p11.CKA_ENCRYPT), off(p11.CKA_WRAP), off(p11.CKA_UNWRAP)}},
		{"what is asked for is given", attr.Values{on(p11.CKA_DECRYPT), on(p11.CKA_WRAP)}, []attr.Value{on(p11.CKA_DECRYPT), on(p11.CKA_WRAP), off(p11.CKA_ENCRYPT), off(p11.CKA_UNWRAP)}},
		{"a refusal alone changes nothing else", attr.Values{off(p11.CKA_WRAP)}, []attr.Value{off(p11.CKA_WRAP), on(p11.CKA_UNWRAP), on(p11.CKA_DECRYPT)}},
		{"what the key type cannot do can be asked for", attr.Values{on(p11.CKA_SIGN)}, []attr.Value{on(p11.CKA_SIGN)}},
	} {
		t.Run(c.name, func(t *testing.T) { want(t, create(t, aesTemplate(c.given...)), c.want...) })
	}
}

func TestCreateRefuses(t *testing.T) {
	aesKCV := create(t, aesTemplate()).values.Bytes(p11.CKA_CHECK_VALUE)
	cert := attr.Values{class(p11.CKO_CERTIFICATE), attr.NewULong(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509), str(p11.CKA_SUBJECT, "s"), str(p11.CKA_VALUE, "no DER")}
	for _, c := range []struct {
		name     string
		template attr.Values
		who      Actor
		want     p11.RV
	}{
		{"an AES key", aesTemplate(), user, p11.CKR_OK},
		{"no template", nil, user, p11.CKR_TEMPLATE_INCOMPLETE},
		{"no key type", aesTemplate().Without(p11.CKA_KEY_TYPE), user, p11.CKR_TEMPLATE_INCOMPLETE},
		{"no value", aesTemplate().Without(p11.CKA_VALUE), user, p11.CKR_TEMPLATE_INCOMPLETE},
		{"an unknown attribute before a missing class", attr.Values{{Type: 0x80001234}}, user, p11.CKR_ATTRIBUTE_TYPE_INVALID},
		{"an unknown class", attr.Values{class(0x77)}, user, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a built-in class", attr.Values{class(p11.CKO_PROFILE)}, user, p11.CKR_TEMPLATE_INCONSISTENT},
		{"domain parameters of no type", attr.Values{class(p11.CKO_DOMAIN_PARAMETERS)}, user, p11.CKR_TEMPLATE_INCOMPLETE},
		{"domain parameters of a key without", attr.Values{class(p11.CKO_DOMAIN_PARAMETERS), keyType(p11.CKK_EC)}, user, p11.CKR_TEMPLATE_INCONSISTENT},
		{"NSS's trust object", attr.Values{class(0xce534353)}, user, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"an unregistered key type", aesTemplate(keyType(p11.CKK_SEED)), user, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a private AES key", aesTemplate(class(p11.CKO_PRIVATE_KEY)), user, p11.CKR_TEMPLATE_INCONSISTENT},
		{"a secret EC key", privateTemplate(class(p11.CKO_SECRET_KEY)), user, p11.CKR_TEMPLATE_INCONSISTENT},
		{"an AES key of 5 bytes", aesTemplate(str(p11.CKA_VALUE, "12345")), user, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"an empty generic secret", aesTemplate(keyType(p11.CKK_GENERIC_SECRET), str(p11.CKA_VALUE, "")), user, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"CKA_VALUE_LEN", aesTemplate(attr.NewULong(p11.CKA_VALUE_LEN, 16)), user, p11.CKR_ATTRIBUTE_READ_ONLY},
		{"CKA_UNIQUE_ID", aesTemplate(str(p11.CKA_UNIQUE_ID, "x")), user, p11.CKR_ATTRIBUTE_READ_ONLY},
		{"the right check value", aesTemplate(attr.NewBytes(p11.CKA_CHECK_VALUE, aesKCV)), user, p11.CKR_OK},
		{"a wrong check value", aesTemplate(str(p11.CKA_CHECK_VALUE, "abc")), user, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"trusted by the user", aesTemplate(on(p11.CKA_TRUSTED)), user, p11.CKR_ATTRIBUTE_READ_ONLY},
		{"trusted by the SO", aesTemplate(on(p11.CKA_TRUSTED)), so, p11.CKR_OK},
		{"a claimed validation", aesTemplate(attr.NewULong(p11.CKA_OBJECT_VALIDATION_FLAGS, 1)), user, p11.CKR_TEMPLATE_INCONSISTENT},
		{"dates in order", aesTemplate(str(p11.CKA_START_DATE, "20240101"), str(p11.CKA_END_DATE, "20240101")), user, p11.CKR_OK},
		{"dates out of order", aesTemplate(str(p11.CKA_START_DATE, "20240102"), str(p11.CKA_END_DATE, "20240101")), user, p11.CKR_TEMPLATE_INCONSISTENT},
		{"an end alone", aesTemplate(str(p11.CKA_END_DATE, "20240101")), user, p11.CKR_OK},

		{"a bad curve", privateTemplate(str(p11.CKA_EC_PARAMS, "other")), user, p11.CKR_CURVE_NOT_SUPPORTED},
		{"the right CKA_PUBLIC_KEY_INFO", privateTemplate(str(p11.CKA_PUBLIC_KEY_INFO, "SPKI abc")), user, p11.CKR_OK},
		{"an empty CKA_PUBLIC_KEY_INFO", privateTemplate(str(p11.CKA_PUBLIC_KEY_INFO, "")), user, p11.CKR_OK},
		{"another key's CKA_PUBLIC_KEY_INFO", privateTemplate(str(p11.CKA_PUBLIC_KEY_INFO, "SPKI x")), user, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"CKA_ALWAYS_AUTHENTICATE", privateTemplate(on(p11.CKA_ALWAYS_AUTHENTICATE)), user, p11.CKR_OK},
		{"CKA_ALWAYS_AUTHENTICATE of a public object", privateTemplate(on(p11.CKA_ALWAYS_AUTHENTICATE), off(p11.CKA_PRIVATE)), user, p11.CKR_TEMPLATE_INCONSISTENT},
		{"a template in a template", aesTemplate(attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, attr.Values{attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, nil)})), user, p11.CKR_TEMPLATE_INCONSISTENT},

		{"a certificate that Go cannot parse", cert, user, p11.CKR_OK},
		{"a certificate without type", cert.Without(p11.CKA_CERTIFICATE_TYPE), user, p11.CKR_TEMPLATE_INCOMPLETE},
		{"a certificate without subject", cert.Without(p11.CKA_SUBJECT), user, p11.CKR_TEMPLATE_INCOMPLETE},
		{"an attribute certificate", cert.With(attr.NewULong(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509_ATTR_CERT)), user, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a certificate that is nowhere", cert.With(str(p11.CKA_VALUE, "")), user, p11.CKR_TEMPLATE_INCOMPLETE},
		{"a URL without hashes", cert.With(str(p11.CKA_URL, "http://x")), user, p11.CKR_TEMPLATE_INCOMPLETE},
		{"a URL with hashes", cert.With(str(p11.CKA_VALUE, ""), str(p11.CKA_URL, "http://x"), str(p11.CKA_HASH_OF_SUBJECT_PUBLIC_KEY, "h"), str(p11.CKA_HASH_OF_ISSUER_PUBLIC_KEY, "h")), user, p11.CKR_OK},
		{"a certificate with a wrong check value", cert.With(str(p11.CKA_CHECK_VALUE, "abc")), user, p11.CKR_ATTRIBUTE_VALUE_INVALID},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := newFactory().Create(c.template, c.who)
			wantCode(t, err, c.want)
			if (o == nil) != (err != nil) {
				t.Errorf("got %v with %v", o, err)
			}
		})
	}
}

func TestCheckValues(t *testing.T) {
	for _, c := range []struct {
		name  string
		typ   p11.KeyType
		value string
		want  string
	}{
		{"AES: FIPS 197's cipher of a zero block under a zero key", p11.CKK_AES, string(make([]byte, 16)), "\x66\xe9\x4b"},
		{"triple DES: a zero block under a zero key", p11.CKK_DES3, string(make([]byte, 24)), "\x8c\xa6\x4d"},
		{"generic: SHA-1 of abc", p11.CKK_GENERIC_SECRET, "abc", "\xa9\x99\x3e"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := create(t, attr.Values{class(p11.CKO_SECRET_KEY), keyType(c.typ), str(p11.CKA_VALUE, c.value), on(p11.CKA_EXTRACTABLE)})
			want(t, o, str(p11.CKA_CHECK_VALUE, c.want))
		})
	}
	// Three bytes of SHA-1 tell three bytes of a secret to whoever tries all.
	t.Run("a hidden secret that is short has none", func(t *testing.T) {
		for n, has := range map[int]bool{1: false, 3: false, 13: false, 14: true} {
			o := create(t, attr.Values{class(p11.CKO_SECRET_KEY), keyType(p11.CKK_GENERIC_SECRET), str(p11.CKA_VALUE, string(make([]byte, n)))})
			if got := o.values.Has(p11.CKA_CHECK_VALUE); got != has {
				t.Errorf("%d bytes: there is one: %v, want %v", n, got, has)
			}
		}
	})
	t.Run("an empty one asks for none", func(t *testing.T) {
		if create(t, aesTemplate(str(p11.CKA_CHECK_VALUE, ""))).values.Has(p11.CKA_CHECK_VALUE) {
			t.Error("there is one")
		}
	})
}

func TestCertificate(t *testing.T) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{SerialNumber: big.NewInt(1)}, pub, priv)
	if err != nil {
		t.Fatal(err)
	}
	spki, _ := x509.MarshalPKIXPublicKey(pub)
	sum := sha1.Sum(der)
	o := create(t, attr.Values{class(p11.CKO_CERTIFICATE), attr.NewULong(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509), str(p11.CKA_SUBJECT, "s"), attr.NewBytes(p11.CKA_VALUE, der)})
	want(t, o, attr.NewBytes(p11.CKA_CHECK_VALUE, sum[:3]), attr.NewBytes(p11.CKA_PUBLIC_KEY_INFO, spki), off(p11.CKA_TRUSTED), off(p11.CKA_PRIVATE), str(p11.CKA_ISSUER, ""))
}

func TestNothingIsSharedWithTheCaller(t *testing.T) {
	value := []byte("0123456789abcdef")
	o := create(t, aesTemplate(attr.NewBytes(p11.CKA_VALUE, value)))
	clear(value)
	if m, err := o.Material(); err != nil || string(m.([]byte)) != "0123456789abcdef" {
		t.Errorf("got %v", err)
	}
	other, err := newFactory().Copy(o, nil, user)
	if err != nil {
		t.Fatal(err)
	}
	o.Wipe()
	if m, err := other.Material(); err != nil || bytes.Equal(m.([]byte), make([]byte, 16)) {
		t.Errorf("the copy's value went with the original's: %v", err)
	}
}

func TestIDs(t *testing.T) {
	a, b := create(t, aesTemplate()), create(t, aesTemplate())
	if a.ID() == b.ID() {
		t.Error("two objects have one ID")
	}
	if id, ok := ParseID([]byte(a.ID().String())); !ok || id != a.ID() {
		t.Errorf("got %v", id)
	}
	for _, s := range []string{"", "00", "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcdeg", a.ID().String() + "0"} {
		if _, ok := ParseID([]byte(s)); ok {
			t.Errorf("%q is an ID", s)
		}
	}
	_, err := NewFactory(reg, bytes.NewReader(nil)).Create(aesTemplate(), user)
	wantCode(t, err, p11.CKR_FUNCTION_FAILED)
}
