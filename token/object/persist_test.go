package object

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
)

func rejoin(t *testing.T, o *Object) *Object {
	t.Helper()
	public, secret := o.Split()
	got, err := Join(o.ID(), o.Class(), public, secret, reg)
	if err != nil {
		t.Fatal(err)
	}
	clear(public)
	clear(secret)
	return got
}

// stored are objects of each shape of record.
func stored(t *testing.T) map[string]*Object {
	return map[string]*Object{
		"private secret key":           create(t, aesTemplate(str(p11.CKA_LABEL, "k"))),
		"public key object, sensitive": create(t, aesTemplate(off(p11.CKA_PRIVATE), on(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE))),
		"public, unextractable":        create(t, aesTemplate(off(p11.CKA_PRIVATE))),
		"public and readable":          create(t, aesTemplate(off(p11.CKA_PRIVATE), on(p11.CKA_EXTRACTABLE))),
		"private key":                  create(t, privateTemplate(attr.NewTemplate(p11.CKA_UNWRAP_TEMPLATE, attr.Values{on(p11.CKA_SENSITIVE)}))),
		"public private key":           create(t, privateTemplate(off(p11.CKA_PRIVATE))),
		"data":                         create(t, attr.Values{class(p11.CKO_DATA), str(p11.CKA_VALUE, "v")}),
		"private data":                 create(t, attr.Values{class(p11.CKO_DATA), str(p11.CKA_VALUE, "v"), on(p11.CKA_PRIVATE)}),
	}
}

func TestSplitAndJoin(t *testing.T) {
	for name, o := range stored(t) {
		t.Run(name, func(t *testing.T) {
			public, secret := o.Split()
			if o.Private() && len(public) != 0 {
				t.Errorf("a private object shows %x", public)
			}
			if o.Hides() && bytes.Contains(public, o.values.Bytes(p11.CKA_VALUE)) {
				t.Error("the value is in the public part")
			}
			if !o.Private() && !o.Hides() && secret != nil {
				t.Error("a public object has a secret part")
			}
			got := rejoin(t, o)
			if !bytes.Equal(attr.Encode(got.values), attr.Encode(o.values)) {
				t.Errorf("got %v, want %v", got.values, o.values)
			}
			if got.Class() != o.Class() || got.Type() != o.Type() || got.Hides() != o.Hides() || got.usages != o.usages || got.Locked() {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestLocked(t *testing.T) {
	for name, o := range stored(t) {
		t.Run(name, func(t *testing.T) {
			public, _ := o.Split()
			got, err := JoinLocked(o.ID(), o.Class(), public, reg)
			if o.Private() {
				wantCode(t, err, p11.CKR_USER_NOT_LOGGED_IN)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range o.values {
				a, errA := o.Read(v.Type)
				b, errB := got.Read(v.Type)
				if !bytes.Equal(a, b) || p11.Code(errA) != p11.Code(errB) {
					t.Errorf("%v: got %x, %v, want %x, %v", v.Type, b, errB, a, errA)
				}
			}
			if got.Locked() != o.Hides() {
				t.Errorf("locked: %t", got.Locked())
			}
			if !got.Locked() {
				return
			}
			_, err = got.Material()
			wantCode(t, err, p11.CKR_USER_NOT_LOGGED_IN)
			_, err = newFactory().Set(got, attr.Values{str(p11.CKA_LABEL, "x")}, user)
			wantCode(t, err, p11.CKR_USER_NOT_LOGGED_IN)
			_, err = newFactory().Copy(got, nil, user)
			wantCode(t, err, p11.CKR_USER_NOT_LOGGED_IN)
			if got.Bits() != 0 {
				t.Errorf("got %d bits", got.Bits())
			}
			defer func() {
				if recover() == nil {
					t.Error("a record without its secret was made")
				}
			}()
			got.Split()
		})
	}
}

// TestJoinRefuses alters the records of a disk.
func TestJoinRefuses(t *testing.T) {
	sensitive := create(t, aesTemplate(off(p11.CKA_PRIVATE), on(p11.CKA_SENSITIVE)))
	public, secret := sensitive.Split()
	private, privateSecret := create(t, aesTemplate()).Split()
	open, _ := attr.Decode(public)
	closed, _ := attr.Decode(privateSecret)
	for _, c := range []struct {
		name           string
		class          p11.ObjectClass
		public, secret []byte
	}{
		{"public part cut", p11.CKO_SECRET_KEY, public[:len(public)-1], secret},
		{"secret part cut", p11.CKO_SECRET_KEY, public, secret[:len(secret)-1]},
		{"secret part missing", p11.CKO_SECRET_KEY, public, nil},
		{"both parts missing", p11.CKO_SECRET_KEY, nil, nil},
		{"another class", p11.CKO_PRIVATE_KEY, public, secret},
		{"an impossible class", p11.CKO_PROFILE, public, secret},
		{"no longer sensitive", p11.CKO_SECRET_KEY, attr.Encode(open.With(off(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE))), secret},
		{"CKA_SENSITIVE missing", p11.CKO_SECRET_KEY, attr.Encode(open.Without(p11.CKA_SENSITIVE)), secret},
		{"CKA_PRIVATE missing", p11.CKO_SECRET_KEY, attr.Encode(open.Without(p11.CKA_PRIVATE)), secret},
		{"the value in the public part", p11.CKO_SECRET_KEY, append(bytes.Clone(public), secret...), nil},
		{"the value in both parts", p11.CKO_SECRET_KEY, append(bytes.Clone(public), secret...), secret},
		{"a private object with a public part", p11.CKO_SECRET_KEY, attr.Encode(attr.Values{str(p11.CKA_LABEL, "x")}), attr.Encode(closed.Without(p11.CKA_LABEL))},
		{"a private object all public", p11.CKO_SECRET_KEY, privateSecret, private},
		{"a public attribute in the secret part", p11.CKO_SECRET_KEY, attr.Encode(open.Without(p11.CKA_LABEL)), attr.Encode(attr.Values{str(p11.CKA_LABEL, ""), str(p11.CKA_VALUE, "0123456789abcdef")})},
		{"an attribute of another class", p11.CKO_SECRET_KEY, attr.Encode(open.With(str(p11.CKA_MODULUS, "x"))), secret},
		{"its own CKA_CLASS", p11.CKO_SECRET_KEY, attr.Encode(open.With(class(p11.CKO_SECRET_KEY))), secret},
		{"its own CKA_UNIQUE_ID", p11.CKO_SECRET_KEY, attr.Encode(open.With(str(p11.CKA_UNIQUE_ID, "x"))), secret},
		{"an attribute twice", p11.CKO_SECRET_KEY, attr.Encode(append(open, on(p11.CKA_TOKEN))), secret},
		{"a boolean of 2", p11.CKO_SECRET_KEY, attr.Encode(open.With(attr.Value{Type: p11.CKA_TOKEN, Raw: []byte{2}})), secret},
		{"a boolean of no bytes", p11.CKO_SECRET_KEY, attr.Encode(open.With(attr.Value{Type: p11.CKA_TOKEN})), secret},
		{"an unregistered key type", p11.CKO_SECRET_KEY, attr.Encode(open.With(keyType(p11.CKK_SEED))), secret},
		{"no key type", p11.CKO_SECRET_KEY, attr.Encode(open.Without(p11.CKA_KEY_TYPE)), secret},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Join(ID{}, c.class, c.public, c.secret, reg)
			wantCode(t, err, p11.CKR_DEVICE_ERROR)
		})
	}
}

func FuzzJoin(f *testing.F) {
	fac := newFactory()
	for _, template := range []attr.Values{
		aesTemplate(), aesTemplate(off(p11.CKA_PRIVATE)), privateTemplate(), privateTemplate(off(p11.CKA_PRIVATE)),
		{class(p11.CKO_DATA), str(p11.CKA_VALUE, "v")},
	} {
		o, err := fac.Create(template, user)
		if err != nil {
			f.Fatal(err)
		}
		public, secret := o.Split()
		f.Add(uint64(o.Class()), public, secret)
	}
	f.Fuzz(func(t *testing.T, c uint64, public, secret []byte) {
		if o, err := JoinLocked(ID{}, p11.ObjectClass(c), public, reg); err == nil {
			if _, err := o.Material(); err == nil && o.Hides() {
				t.Error("a hidden key without its secret")
			}
		}
		o, err := Join(ID{}, p11.ObjectClass(c), public, secret, reg)
		if err != nil {
			if p11.Code(err) != p11.CKR_DEVICE_ERROR {
				t.Errorf("got %v", err)
			}
			return
		}
		for _, s := range o.table {
			raw, err := o.Read(s.Type)
			if err == nil && o.Hides() && s.Notes&attr.N7 != 0 {
				t.Errorf("%v is revealed", s.Type)
			}
			if err == nil && !o.Matches(attr.Values{{Type: s.Type, Raw: raw}}) {
				t.Errorf("%v does not match itself", s.Type)
			}
		}
		o.Material()
		again := rejoin(t, o)
		if !bytes.Equal(attr.Encode(again.values), attr.Encode(o.values)) {
			t.Errorf("got %v, want %v", again.values, o.values)
		}
		if _, err := fac.Copy(o, nil, user); err == nil && !o.Copyable() {
			t.Error("copied")
		}
	})
}
