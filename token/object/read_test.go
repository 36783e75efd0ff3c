package object

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
)

func TestRead(t *testing.T) {
	readable := aesTemplate(on(p11.CKA_EXTRACTABLE))
	for _, c := range []struct {
		name     string
		template attr.Values
		read     p11.AttributeType
		want     p11.RV
	}{
		{"a value that is not sensitive and extractable", readable, p11.CKA_VALUE, p11.CKR_OK},
		{"a sensitive one", readable.With(on(p11.CKA_SENSITIVE)), p11.CKA_VALUE, p11.CKR_ATTRIBUTE_SENSITIVE},
		{"an unextractable one", aesTemplate(), p11.CKA_VALUE, p11.CKR_ATTRIBUTE_SENSITIVE},
		{"the length of a sensitive one", aesTemplate(on(p11.CKA_SENSITIVE)), p11.CKA_VALUE_LEN, p11.CKR_OK},
		{"a private value", privateTemplate(), p11.CKA_VALUE, p11.CKR_ATTRIBUTE_SENSITIVE},
		{"the curve of a private key", privateTemplate(), p11.CKA_EC_PARAMS, p11.CKR_OK},
		{"an attribute of another class", aesTemplate(), p11.CKA_MODULUS, p11.CKR_ATTRIBUTE_TYPE_INVALID},
		{"an attribute that is not there", aesTemplate(), p11.CKA_ALLOWED_MECHANISMS, p11.CKR_ATTRIBUTE_TYPE_INVALID},
		{"an unknown type (GnuTLS, NSS)", aesTemplate(), 0x80001234, p11.CKR_ATTRIBUTE_TYPE_INVALID},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := create(t, c.template).Read(c.read)
			wantCode(t, err, c.want)
		})
	}
}

func TestMatches(t *testing.T) {
	o := create(t, aesTemplate(str(p11.CKA_LABEL, "k"), on(p11.CKA_SENSITIVE)))
	open := create(t, aesTemplate(on(p11.CKA_EXTRACTABLE)))
	for _, c := range []struct {
		name     string
		o        *Object
		template attr.Values
		want     bool
	}{
		{"an empty template", o, nil, true},
		{"class and label", o, attr.Values{class(p11.CKO_SECRET_KEY), str(p11.CKA_LABEL, "k")}, true},
		{"another label", o, attr.Values{class(p11.CKO_SECRET_KEY), str(p11.CKA_LABEL, "K")}, false},
		{"a prefix of the label", o, attr.Values{str(p11.CKA_LABEL, "")}, false},
		{"the ID", o, attr.Values{str(p11.CKA_UNIQUE_ID, o.ID().String())}, true},
		{"an attribute that is not there", o, attr.Values{{Type: p11.CKA_ALLOWED_MECHANISMS}}, false},
		{"an unknown type (NSS)", o, attr.Values{{Type: 0xce536358}}, false},
		{"a right guess at a sensitive value", o, attr.Values{str(p11.CKA_VALUE, "0123456789abcdef")}, false},
		{"a value that is readable", open, attr.Values{str(p11.CKA_VALUE, "0123456789abcdef")}, true},
		{"a wrong guess at it", open, attr.Values{str(p11.CKA_VALUE, "0123456789abcdeg")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.o.Matches(c.template); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestPermissions(t *testing.T) {
	o := create(t, aesTemplate(on(p11.CKA_DERIVE), off(p11.CKA_DECRYPT)))
	for _, u := range attr.Usages {
		if got, want := o.Permits(u), o.values.True(u); got != want {
			t.Errorf("%v: got %t", u, got)
		}
	}
	if o.Permits(p11.CKA_TOKEN) || o.Permits(p11.CKA_PRIVATE) {
		t.Error("what is no usage is permitted")
	}
	gcm := attr.NewULong(p11.CKA_ALLOWED_MECHANISMS, p11.CKM_AES_GCM)
	both := attr.NewBytes(p11.CKA_ALLOWED_MECHANISMS, append(bytes.Clone(gcm.Raw), attr.NewULong(0, p11.CKM_AES_CBC).Raw...))
	for _, c := range []struct {
		name     string
		list     attr.Values
		gcm, ecb bool
	}{
		{"no list", nil, true, true},
		{"an empty list, as SoftHSM2 shows", attr.Values{{Type: p11.CKA_ALLOWED_MECHANISMS}}, true, true},
		{"one", attr.Values{gcm}, true, false},
		{"two", attr.Values{both}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := create(t, aesTemplate(c.list...))
			if o.AllowsMechanism(p11.CKM_AES_GCM) != c.gcm || o.AllowsMechanism(p11.CKM_AES_ECB) != c.ecb {
				t.Error("wrong")
			}
		})
	}
}

func TestCheckWrap(t *testing.T) {
	choosy := create(t, aesTemplate(attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, attr.Values{str(p11.CKA_LABEL, "yes")})))
	prying := create(t, aesTemplate(attr.NewTemplate(p11.CKA_WRAP_TEMPLATE, attr.Values{str(p11.CKA_VALUE, "0123456789abcdef")})))
	plain := create(t, aesTemplate())
	trusted, err := newFactory().Create(aesTemplate(on(p11.CKA_TRUSTED)), so)
	if err != nil {
		t.Fatal(err)
	}
	target := func(v ...attr.Value) *Object { return create(t, aesTemplate(on(p11.CKA_EXTRACTABLE)).With(v...)) }
	for _, c := range []struct {
		name    string
		w, what *Object
		want    p11.RV
	}{
		{"extractable", plain, target(), p11.CKR_OK},
		{"unextractable", plain, plain, p11.CKR_KEY_UNEXTRACTABLE},
		{"with trusted only, by an untrusted one", plain, target(on(p11.CKA_WRAP_WITH_TRUSTED)), p11.CKR_KEY_NOT_WRAPPABLE},
		{"with trusted only, by a trusted one", trusted, target(on(p11.CKA_WRAP_WITH_TRUSTED)), p11.CKR_OK},
		{"matching the template", choosy, target(str(p11.CKA_LABEL, "yes")), p11.CKR_OK},
		{"not matching it", choosy, target(), p11.CKR_KEY_HANDLE_INVALID},
		{"a template that asks for a sensitive value", prying, target(on(p11.CKA_SENSITIVE)), p11.CKR_KEY_HANDLE_INVALID},
	} {
		t.Run(c.name, func(t *testing.T) { wantCode(t, c.w.CheckWrap(c.what), c.want) })
	}
}

func TestEncoded(t *testing.T) {
	secret := create(t, aesTemplate())
	got, err := secret.Encoded()
	if err != nil || string(got) != "0123456789abcdef" {
		t.Fatalf("got %q, %v", got, err)
	}
	clear(got) // as the caller does
	want(t, secret, str(p11.CKA_VALUE, "0123456789abcdef"))
	if got, err := create(t, privateTemplate()).Encoded(); err != nil || string(got) != "PKCS8 cba" {
		t.Errorf("got %q, %v", got, err)
	}
	public := create(t, attr.Values{class(p11.CKO_PUBLIC_KEY), keyType(p11.CKK_EC), str(p11.CKA_EC_PARAMS, "curve"), str(p11.CKA_EC_POINT, "abc")})
	_, err = public.Encoded()
	wantCode(t, err, p11.CKR_KEY_NOT_WRAPPABLE)
	_, err = create(t, attr.Values{class(p11.CKO_DATA)}).Encoded()
	wantCode(t, err, p11.CKR_KEY_HANDLE_INVALID)
}

func TestMaterialIsParsedOnceForAll(t *testing.T) {
	o := create(t, privateTemplate())
	o = rejoin(t, o)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if m, err := o.Material(); err != nil || m.(pair).public != "abc" || o.Bits() != 24 {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
}

func TestTerms(t *testing.T) {
	o := create(t, aesTemplate(str(p11.CKA_LABEL, "k")))
	terms := o.Terms()
	for _, v := range terms {
		if !o.Matches(attr.Values{v}) || len(v.Raw) == 0 {
			t.Errorf("%v is no term of the object", v)
		}
	}
	if !terms.Has(p11.CKA_LABEL) || !terms.Has(p11.CKA_CLASS) || !terms.Has(p11.CKA_KEY_TYPE) || terms.Has(p11.CKA_ID) || terms.Has(p11.CKA_VALUE) {
		t.Errorf("got %v", terms)
	}
	search := attr.Values{on(p11.CKA_TOKEN), str(p11.CKA_LABEL, "k"), str(p11.CKA_ID, "")}
	if got := SearchTerms(search); len(got) != 1 || got[0].Type != p11.CKA_LABEL {
		t.Errorf("got %v", got)
	}
	for _, a := range IndexedAttributes {
		if attr.Hidden(a) {
			t.Errorf("%v can be secret", a)
		}
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	o := create(t, aesTemplate(str(p11.CKA_LABEL, "my label")))
	d, err := newFactory().Generate(&genAES, attr.Values{length(16), str(p11.CKA_LABEL, "my label")}, user)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "object", o, "draft", d)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "object", o, "draft", d)
	out := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		out += fmt.Sprintf(verb, o) + fmt.Sprintf(verb, d)
	}
	for _, secret := range []string{"0123456789abcdef", fmt.Sprintf("%x", "0123456789"), "48 49 50", "my label"} {
		if strings.Contains(out, secret) {
			t.Errorf("%q is in %s", secret, out)
		}
	}
	public := create(t, aesTemplate(off(p11.CKA_PRIVATE), str(p11.CKA_LABEL, "my label")))
	if !strings.Contains(public.LogValue().String(), "my label") {
		t.Errorf("got %v", public.LogValue())
	}
}

func TestProfile(t *testing.T) {
	a, b := NewProfile(p11.CKP_BASELINE_PROVIDER), NewProfile(p11.CKP_EXTENDED_PROVIDER)
	if a.ID() == b.ID() || a.ID() != NewProfile(p11.CKP_BASELINE_PROVIDER).ID() {
		t.Error("wrong IDs")
	}
	if !a.Matches(attr.Values{class(p11.CKO_PROFILE), attr.NewULong(p11.CKA_PROFILE_ID, p11.CKP_BASELINE_PROVIDER)}) {
		t.Error("no match")
	}
	if a.Token() || a.Private() || a.Destroyable() || a.IsKey() || a.Size() == 0 {
		t.Error("wrong flags")
	}
	_, err := a.Material()
	wantCode(t, err, p11.CKR_KEY_HANDLE_INVALID)
	_, err = a.Read(p11.CKA_LABEL)
	wantCode(t, err, p11.CKR_ATTRIBUTE_TYPE_INVALID)
}
