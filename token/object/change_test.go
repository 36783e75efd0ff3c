package object

import (
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
)

func TestSet(t *testing.T) {
	old := create(t, privateTemplate(str(p11.CKA_START_DATE, "20240101")))
	for _, c := range []struct {
		name   string
		change attr.Values
		want   p11.RV
	}{
		{"a label", attr.Values{str(p11.CKA_LABEL, "new")}, p11.CKR_OK},
		{"an end before the start that is there", attr.Values{str(p11.CKA_END_DATE, "20231231")}, p11.CKR_TEMPLATE_INCONSISTENT},
		{"the key's public key info", attr.Values{str(p11.CKA_PUBLIC_KEY_INFO, "SPKI abc")}, p11.CKR_OK},
		{"no public key info", attr.Values{str(p11.CKA_PUBLIC_KEY_INFO, "")}, p11.CKR_OK},
		{"another key's public key info", attr.Values{str(p11.CKA_PUBLIC_KEY_INFO, "SPKI x")}, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"one good change and one bad", attr.Values{str(p11.CKA_LABEL, "new"), on(p11.CKA_LOCAL)}, p11.CKR_ATTRIBUTE_READ_ONLY},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := newFactory().Set(old, c.change, user)
			wantCode(t, err, c.want)
			want(t, old, str(p11.CKA_LABEL, ""))
			if err != nil {
				return
			}
			want(t, o, c.change...)
			if o.ID() != old.ID() {
				t.Error("the ID changed")
			}
			if _, err := o.Material(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("the check value is destroyed", func(t *testing.T) {
		o, err := newFactory().Set(create(t, aesTemplate()), attr.Values{str(p11.CKA_CHECK_VALUE, "")}, user)
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.Read(p11.CKA_CHECK_VALUE)
		wantCode(t, err, p11.CKR_ATTRIBUTE_TYPE_INVALID)
		if _, err = newFactory().Set(o, attr.Values{str(p11.CKA_CHECK_VALUE, "")}, user); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

func TestCopy(t *testing.T) {
	old, err := generate(t, attr.Values{length(16), on(p11.CKA_EXTRACTABLE), str(p11.CKA_LABEL, "k")})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("with no template (NSS) the copy is the same but for its ID", func(t *testing.T) {
		o, err := newFactory().Copy(old, nil, user)
		if err != nil {
			t.Fatal(err)
		}
		if o.ID() == old.ID() || len(o.values) != len(old.values) {
			t.Errorf("got %v of %v", o, old)
		}
		for _, v := range old.values.Without(p11.CKA_UNIQUE_ID) {
			want(t, o, v)
		}
		want(t, o, str(p11.CKA_UNIQUE_ID, o.ID().String()))
	})
	t.Run("a copy that ceases to be extractable was once", func(t *testing.T) {
		o, err := newFactory().Copy(old, attr.Values{off(p11.CKA_EXTRACTABLE), on(p11.CKA_SENSITIVE)}, user)
		if err != nil {
			t.Fatal(err)
		}
		want(t, o, off(p11.CKA_NEVER_EXTRACTABLE), off(p11.CKA_ALWAYS_SENSITIVE), on(p11.CKA_LOCAL))
		if !o.Hides() || old.Hides() {
			t.Error("the wrong one hides its value")
		}
	})
	t.Run("a session key becomes a token key (Java's P11KeyStore)", func(t *testing.T) {
		o, err := newFactory().Copy(create(t, privateTemplate()), attr.Values{on(p11.CKA_TOKEN), str(p11.CKA_ID, "1")}, user)
		if err != nil || !o.Token() {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an authenticated key stays private", func(t *testing.T) {
		key := create(t, privateTemplate(on(p11.CKA_ALWAYS_AUTHENTICATE), off(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)))
		_, err := newFactory().Copy(key, attr.Values{off(p11.CKA_PRIVATE)}, user)
		wantCode(t, err, p11.CKR_TEMPLATE_INCONSISTENT)
	})
}

// TestOneWay goes after a sensitive key by any sequence of two changes.
func TestOneWay(t *testing.T) {
	f := newFactory()
	key := create(t, aesTemplate(on(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE), on(p11.CKA_WRAP_WITH_TRUSTED)))
	var changes []attr.Values
	for _, a := range []p11.AttributeType{
		p11.CKA_SENSITIVE, p11.CKA_EXTRACTABLE, p11.CKA_WRAP_WITH_TRUSTED, p11.CKA_PRIVATE, p11.CKA_MODIFIABLE, p11.CKA_COPYABLE,
		p11.CKA_TOKEN, p11.CKA_TRUSTED, p11.CKA_LOCAL, p11.CKA_ALWAYS_SENSITIVE, p11.CKA_NEVER_EXTRACTABLE, p11.CKA_DECRYPT,
	} {
		changes = append(changes, attr.Values{on(a)}, attr.Values{off(a)})
	}
	changes = append(changes, attr.Values{class(p11.CKO_DATA)}, attr.Values{keyType(p11.CKK_GENERIC_SECRET)})
	step := func(o *Object) (out []*Object) {
		for _, c := range changes {
			for _, who := range []Actor{{}, user, so} {
				if n, err := f.Set(o, c, who); err == nil {
					out = append(out, n)
				}
				if n, err := f.Copy(o, c, who); err == nil {
					out = append(out, n)
				}
			}
		}
		return out
	}
	n := 0
	for _, a := range step(key) {
		for _, b := range append(step(a), a) {
			n++
			if _, err := b.Read(p11.CKA_VALUE); p11.Code(err) != p11.CKR_ATTRIBUTE_SENSITIVE {
				t.Fatalf("%v reads its value: %v", b.values, err)
			}
			if !b.Sensitive() || !b.Private() || !b.WrapWithTrusted() || b.values.True(p11.CKA_LOCAL) || b.values.True(p11.CKA_NEVER_EXTRACTABLE) {
				t.Fatalf("got %v", b.values)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d objects were reached", n)
	}
}

func TestTrust(t *testing.T) {
	f := newFactory()
	key := create(t, aesTemplate(on(p11.CKA_WRAP)))
	_, err := f.Set(key, attr.Values{on(p11.CKA_TRUSTED)}, user)
	wantCode(t, err, p11.CKR_ATTRIBUTE_READ_ONLY)
	trusted, err := f.Set(key, attr.Values{on(p11.CKA_TRUSTED)}, so)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := f.Copy(trusted, nil, user)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []*Object{trusted, copied} {
		_, err = f.Set(o, attr.Values{on(p11.CKA_DECRYPT)}, user)
		wantCode(t, err, p11.CKR_ATTRIBUTE_READ_ONLY)
		_, err = f.Copy(o, attr.Values{off(p11.CKA_TRUSTED), on(p11.CKA_DECRYPT)}, user)
		wantCode(t, err, p11.CKR_ATTRIBUTE_READ_ONLY)
	}
}

func TestDroppedObjectsAreNotChanged(t *testing.T) {
	f := newFactory()
	o := create(t, aesTemplate())
	o.Wipe()
	o.Wipe()
	_, err := f.Copy(o, nil, user)
	wantCode(t, err, p11.CKR_OBJECT_HANDLE_INVALID)
	_, err = f.Set(o, nil, user)
	wantCode(t, err, p11.CKR_OBJECT_HANDLE_INVALID)
	_, err = o.Material()
	wantCode(t, err, p11.CKR_OBJECT_HANDLE_INVALID)
	if got := o.values.Bytes(p11.CKA_VALUE); string(got) != string(make([]byte, 16)) {
		t.Error("the value is still there")
	}
}
