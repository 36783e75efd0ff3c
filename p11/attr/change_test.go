package attr

import (
	"testing"

	"coffer/p11"
)

// secretKey is an AES key as a token holds it.
func secretKey(v ...Value) Values {
	return Values{
		NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY), NewULong(p11.CKA_KEY_TYPE, p11.CKK_AES),
		NewString(p11.CKA_UNIQUE_ID, "id"), NewString(p11.CKA_LABEL, "old"), NewString(p11.CKA_ID, ""),
		NewBool(p11.CKA_TOKEN, true), NewBool(p11.CKA_PRIVATE, true), NewBool(p11.CKA_MODIFIABLE, true),
		NewBool(p11.CKA_COPYABLE, true), NewBool(p11.CKA_DESTROYABLE, true),
		NewBool(p11.CKA_SENSITIVE, false), NewBool(p11.CKA_EXTRACTABLE, true),
		NewBool(p11.CKA_ALWAYS_SENSITIVE, false), NewBool(p11.CKA_NEVER_EXTRACTABLE, false),
		NewBool(p11.CKA_LOCAL, false), NewBool(p11.CKA_WRAP_WITH_TRUSTED, false), NewBool(p11.CKA_TRUSTED, false),
		NewBool(p11.CKA_ENCRYPT, true), NewBool(p11.CKA_DECRYPT, false),
		NewString(p11.CKA_VALUE, "0123456789abcdef"), NewULong(p11.CKA_VALUE_LEN, 16), NewString(p11.CKA_CHECK_VALUE, "abc"),
	}.With(v...)
}

func on(t p11.AttributeType) Value  { return NewBool(t, true) }
func off(t p11.AttributeType) Value { return NewBool(t, false) }

func TestChangesOfASecretKey(t *testing.T) {
	const (
		ok           = p11.CKR_OK
		readOnly     = p11.CKR_ATTRIBUTE_READ_ONLY
		inconsistent = p11.CKR_TEMPLATE_INCONSISTENT
		prohibited   = p11.CKR_ACTION_PROHIBITED
	)
	user, so := Actor{User: true}, Actor{SO: true}
	tab, _ := Lookup(p11.CKO_SECRET_KEY, uint64(p11.CKK_AES))
	for _, c := range []struct {
		name      string
		old       Values
		change    Values
		who       Actor
		set, copy p11.RV
	}{
		{"nothing (NSS copies with a NULL template)", secretKey(), nil, user, ok, ok},
		{"label and ID (Java's P11KeyStore)", secretKey(), Values{NewString(p11.CKA_LABEL, "new"), NewString(p11.CKA_ID, "1")}, user, ok, ok},
		{"the same value of a frozen attribute", secretKey(), Values{NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY), on(p11.CKA_TOKEN), off(p11.CKA_LOCAL)}, user, ok, ok},
		{"the same truth in another byte", secretKey(), Values{{p11.CKA_TOKEN, []byte{0x55}}}, user, ok, ok},

		{"CKA_TOKEN", secretKey(), Values{off(p11.CKA_TOKEN)}, user, readOnly, ok},
		{"CKA_PRIVATE", secretKey(), Values{off(p11.CKA_PRIVATE)}, user, readOnly, ok},
		{"CKA_MODIFIABLE", secretKey(), Values{off(p11.CKA_MODIFIABLE)}, user, readOnly, ok},
		{"CKA_DESTROYABLE", secretKey(), Values{off(p11.CKA_DESTROYABLE)}, user, readOnly, ok},
		{"CKA_CLASS", secretKey(), Values{NewULong(p11.CKA_CLASS, p11.CKO_DATA)}, user, readOnly, readOnly},
		{"CKA_KEY_TYPE", secretKey(), Values{NewULong(p11.CKA_KEY_TYPE, p11.CKK_DES3)}, user, readOnly, readOnly},
		{"CKA_LOCAL", secretKey(), Values{on(p11.CKA_LOCAL)}, user, readOnly, readOnly},
		{"CKA_ALWAYS_SENSITIVE", secretKey(), Values{on(p11.CKA_ALWAYS_SENSITIVE)}, user, readOnly, readOnly},
		{"CKA_NEVER_EXTRACTABLE", secretKey(), Values{on(p11.CKA_NEVER_EXTRACTABLE)}, user, readOnly, readOnly},
		{"CKA_VALUE", secretKey(), Values{NewString(p11.CKA_VALUE, "another")}, user, readOnly, readOnly},
		{"a right guess at CKA_VALUE", secretKey(), Values{NewString(p11.CKA_VALUE, "0123456789abcdef")}, user, readOnly, readOnly},
		{"CKA_UNIQUE_ID", secretKey(), Values{NewString(p11.CKA_UNIQUE_ID, "x")}, user, readOnly, readOnly},
		{"the same CKA_UNIQUE_ID", secretKey(), Values{NewString(p11.CKA_UNIQUE_ID, "id")}, user, readOnly, readOnly},
		{"CKA_ALLOWED_MECHANISMS that was absent", secretKey(), Values{{p11.CKA_ALLOWED_MECHANISMS, nil}}, user, readOnly, readOnly},
		{"an attribute of another class", secretKey(), Values{NewString(p11.CKA_MODULUS, "x")}, user, inconsistent, inconsistent},
		{"an unknown type", secretKey(), Values{{0x80001234, nil}}, user, p11.CKR_ATTRIBUTE_TYPE_INVALID, p11.CKR_ATTRIBUTE_TYPE_INVALID},
		{"a bad value", secretKey(), Values{{p11.CKA_TOKEN, nil}}, user, p11.CKR_ATTRIBUTE_VALUE_INVALID, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"read-only before inconsistent", secretKey(), Values{NewString(p11.CKA_MODULUS, "x"), on(p11.CKA_LOCAL)}, user, readOnly, readOnly},

		{"CKA_SENSITIVE to true", secretKey(), Values{on(p11.CKA_SENSITIVE)}, user, ok, ok},
		{"CKA_SENSITIVE to false", secretKey(on(p11.CKA_SENSITIVE)), Values{off(p11.CKA_SENSITIVE)}, user, readOnly, readOnly},
		{"CKA_SENSITIVE to false by the SO", secretKey(on(p11.CKA_SENSITIVE)), Values{off(p11.CKA_SENSITIVE)}, so, readOnly, readOnly},
		{"CKA_SENSITIVE both ways in one template", secretKey(), Values{on(p11.CKA_SENSITIVE), off(p11.CKA_SENSITIVE)}, user, inconsistent, inconsistent},
		{"CKA_EXTRACTABLE to false", secretKey(), Values{off(p11.CKA_EXTRACTABLE)}, user, ok, ok},
		{"CKA_EXTRACTABLE to true", secretKey(off(p11.CKA_EXTRACTABLE)), Values{on(p11.CKA_EXTRACTABLE)}, user, readOnly, readOnly},
		{"CKA_EXTRACTABLE to another byte of true", secretKey(off(p11.CKA_EXTRACTABLE)), Values{{p11.CKA_EXTRACTABLE, []byte{2}}}, user, readOnly, readOnly},
		{"CKA_WRAP_WITH_TRUSTED to true", secretKey(), Values{on(p11.CKA_WRAP_WITH_TRUSTED)}, user, ok, ok},
		{"CKA_WRAP_WITH_TRUSTED to false", secretKey(on(p11.CKA_WRAP_WITH_TRUSTED)), Values{off(p11.CKA_WRAP_WITH_TRUSTED)}, user, readOnly, readOnly},
		{"CKA_COPYABLE to false", secretKey(), Values{off(p11.CKA_COPYABLE)}, user, ok, ok},
		{"CKA_COPYABLE to true", secretKey(off(p11.CKA_COPYABLE)), Values{on(p11.CKA_COPYABLE)}, user, readOnly, prohibited},
		{"CKA_CHECK_VALUE cleared", secretKey(), Values{NewString(p11.CKA_CHECK_VALUE, "")}, user, ok, ok},
		{"CKA_CHECK_VALUE changed", secretKey(), Values{NewString(p11.CKA_CHECK_VALUE, "xyz")}, user, readOnly, readOnly},

		{"CKA_TRUSTED by the user", secretKey(), Values{on(p11.CKA_TRUSTED)}, user, readOnly, readOnly},
		{"CKA_TRUSTED by the SO", secretKey(), Values{on(p11.CKA_TRUSTED)}, so, ok, ok},
		{"a trusted key loses trust by the user", secretKey(on(p11.CKA_TRUSTED)), Values{off(p11.CKA_TRUSTED)}, user, readOnly, readOnly},
		{"a trusted key loses trust by the SO", secretKey(on(p11.CKA_TRUSTED)), Values{off(p11.CKA_TRUSTED)}, so, ok, ok},
		{"a trusted key gains CKA_DECRYPT", secretKey(on(p11.CKA_TRUSTED)), Values{on(p11.CKA_DECRYPT)}, user, readOnly, readOnly},
		{"a trusted key gains CKA_DERIVE that was absent", secretKey(on(p11.CKA_TRUSTED)), Values{on(p11.CKA_DERIVE)}, user, readOnly, readOnly},
		{"a trusted key gains CKA_DECRYPT as it loses trust", secretKey(on(p11.CKA_TRUSTED)), Values{off(p11.CKA_TRUSTED), on(p11.CKA_DECRYPT)}, user, readOnly, readOnly},
		{"a trusted key gains CKA_DECRYPT by the SO", secretKey(on(p11.CKA_TRUSTED)), Values{on(p11.CKA_DECRYPT)}, so, ok, ok},
		{"a trusted key loses CKA_ENCRYPT", secretKey(on(p11.CKA_TRUSTED)), Values{off(p11.CKA_ENCRYPT)}, user, ok, ok},
		{"a trusted key gets a label", secretKey(on(p11.CKA_TRUSTED)), Values{NewString(p11.CKA_LABEL, "x")}, user, ok, ok},

		{"a key that is not modifiable", secretKey(off(p11.CKA_MODIFIABLE)), Values{NewString(p11.CKA_LABEL, "x")}, user, prohibited, ok},
		{"a key that is not modifiable, and a wrong template", secretKey(off(p11.CKA_MODIFIABLE)), Values{{0x80001234, nil}}, user, prohibited, p11.CKR_ATTRIBUTE_TYPE_INVALID},
		{"a key that is not copyable", secretKey(off(p11.CKA_COPYABLE)), nil, user, ok, prohibited},
		{"a sensitive key made public", secretKey(on(p11.CKA_SENSITIVE)), Values{off(p11.CKA_PRIVATE)}, user, readOnly, inconsistent},
		{"an unextractable key made public", secretKey(off(p11.CKA_EXTRACTABLE)), Values{off(p11.CKA_PRIVATE)}, user, readOnly, inconsistent},
		{"a key made sensitive and public at once", secretKey(), Values{on(p11.CKA_SENSITIVE), off(p11.CKA_PRIVATE)}, user, readOnly, ok},
		{"a public sensitive key stays public", secretKey(on(p11.CKA_SENSITIVE), off(p11.CKA_PRIVATE)), Values{off(p11.CKA_PRIVATE)}, user, ok, ok},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := Encode(c.old)
			for _, f := range []struct {
				name string
				do   func(old, changes Values, who Actor) (Values, error)
				want p11.RV
			}{{"set", tab.CheckSet, c.set}, {"copy", tab.CheckCopy, c.copy}} {
				got, err := f.do(c.old, c.change, c.who)
				if p11.Code(err) != f.want {
					t.Errorf("%s: got %v, want %v", f.name, err, f.want)
				}
				if err != nil && got != nil {
					t.Errorf("%s: an error and values", f.name)
				}
				if string(Encode(c.old)) != string(before) {
					t.Fatalf("%s: the old values changed", f.name)
				}
				for _, v := range c.change {
					norm, _ := CheckValue(KindOf(v.Type), v)
					if err == nil && !norm.Equal(Value{v.Type, got.Bytes(v.Type)}) {
						t.Errorf("%s: %v is %x", f.name, v.Type, got.Bytes(v.Type))
					}
				}
			}
		})
	}
}

// TestGuessesAtSecrets: the answer to a change of a hidden value must not
// depend on whether it is right, in any class.
func TestGuessesAtSecrets(t *testing.T) {
	allTables(t, func(t *testing.T, class p11.ObjectClass, sub uint64, tab Table) {
		for _, s := range tab {
			if s.Notes&N7 == 0 {
				continue
			}
			old := Values{on(p11.CKA_MODIFIABLE), on(p11.CKA_COPYABLE), on(p11.CKA_SENSITIVE), NewString(s.Type, "secret")}
			for _, guess := range []string{"secret", "secreT", ""} {
				for name, do := range map[string]func(Values, Values, Actor) (Values, error){"set": tab.CheckSet, "copy": tab.CheckCopy} {
					if _, err := do(old, Values{NewString(s.Type, guess)}, Actor{User: true}); p11.Code(err) != p11.CKR_ATTRIBUTE_READ_ONLY {
						t.Errorf("%s %v to %q: got %v", name, s.Type, guess, err)
					}
				}
			}
		}
	})
}

func TestChangesOfACertificate(t *testing.T) {
	tab, _ := Lookup(p11.CKO_CERTIFICATE, uint64(p11.CKC_X_509))
	cert := Values{
		NewULong(p11.CKA_CLASS, p11.CKO_CERTIFICATE), NewULong(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509),
		on(p11.CKA_MODIFIABLE), on(p11.CKA_COPYABLE), off(p11.CKA_TRUSTED), NewString(p11.CKA_SUBJECT, "s"), NewString(p11.CKA_VALUE, "v"),
	}
	for _, c := range []struct {
		name   string
		old    Values
		change Value
		who    Actor
		want   p11.RV
	}{
		// "Only the CKA_ID, CKA_ISSUER, and CKA_SERIAL_NUMBER attributes may be modified."
		{"CKA_ID (Java's P11KeyStore)", cert, NewString(p11.CKA_ID, "1"), Actor{}, p11.CKR_OK},
		{"CKA_ISSUER", cert, NewString(p11.CKA_ISSUER, "i"), Actor{}, p11.CKR_OK},
		{"CKA_SERIAL_NUMBER", cert, NewString(p11.CKA_SERIAL_NUMBER, "1"), Actor{}, p11.CKR_OK},
		{"CKA_LABEL", cert, NewString(p11.CKA_LABEL, "l"), Actor{}, p11.CKR_OK},
		{"CKA_SUBJECT", cert, NewString(p11.CKA_SUBJECT, "t"), Actor{}, p11.CKR_ATTRIBUTE_READ_ONLY},
		{"CKA_VALUE", cert, NewString(p11.CKA_VALUE, "w"), Actor{}, p11.CKR_ATTRIBUTE_READ_ONLY},
		{"the same CKA_VALUE", cert, NewString(p11.CKA_VALUE, "v"), Actor{}, p11.CKR_OK},
		{"CKA_URL", cert, NewString(p11.CKA_URL, "http://x"), Actor{}, p11.CKR_ATTRIBUTE_READ_ONLY},
		{"trusted by the SO", cert, on(p11.CKA_TRUSTED), Actor{SO: true}, p11.CKR_OK},
		{"trusted by the user", cert, on(p11.CKA_TRUSTED), Actor{User: true}, p11.CKR_ATTRIBUTE_READ_ONLY},
		{"a trusted one", cert.With(on(p11.CKA_TRUSTED)), NewString(p11.CKA_LABEL, "l"), Actor{User: true}, p11.CKR_ACTION_PROHIBITED},
		{"a trusted one by the SO", cert.With(on(p11.CKA_TRUSTED)), NewString(p11.CKA_LABEL, "l"), Actor{SO: true}, p11.CKR_ACTION_PROHIBITED},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := tab.CheckSet(c.old, Values{c.change}, c.who); p11.Code(err) != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestBuiltInObjectsAreNotChanged(t *testing.T) {
	tab, _ := Lookup(p11.CKO_PROFILE, 0)
	old := Values{NewULong(p11.CKA_CLASS, p11.CKO_PROFILE)}
	if _, err := tab.CheckSet(old, nil, Actor{SO: true}); p11.Code(err) != p11.CKR_ACTION_PROHIBITED {
		t.Errorf("set: got %v", err)
	}
	if _, err := tab.CheckCopy(old, nil, Actor{SO: true}); p11.Code(err) != p11.CKR_ACTION_PROHIBITED {
		t.Errorf("copy: got %v", err)
	}
}

func TestHides(t *testing.T) {
	secret, _ := Lookup(p11.CKO_SECRET_KEY, uint64(p11.CKK_AES))
	public, _ := Lookup(p11.CKO_PUBLIC_KEY, uint64(p11.CKK_RSA))
	for _, c := range []struct {
		name string
		tab  Table
		vs   Values
		want bool
	}{
		{"sensitive and extractable", secret, Values{on(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)}, true},
		{"neither", secret, Values{off(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE)}, true},
		{"only extractable", secret, Values{off(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)}, false},
		{"flags missing", secret, nil, true},
		{"a public key", public, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.tab.Hides(c.vs); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
