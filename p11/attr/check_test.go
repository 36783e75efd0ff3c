package attr

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"coffer/p11"
)

// allTables calls f for every table that Lookup returns.
func allTables(t *testing.T, f func(t *testing.T, class p11.ObjectClass, sub uint64, tab Table)) {
	for class, subs := range classTables {
		for sub := range subs {
			if hasSubtypes(class) && sub == noSubtype {
				continue
			}
			tab, ok := Lookup(class, sub)
			if !ok {
				t.Fatalf("no table for %v %#x", class, sub)
			}
			t.Run(fmt.Sprintf("%v/%#x", class, sub), func(t *testing.T) { f(t, class, sub, tab) })
		}
	}
}

// sample returns a value that the kind of s allows.
func sample(s Spec) Value {
	switch s.Kind {
	case Bool:
		return NewBool(s.Type, false)
	case ULong:
		return NewULong(s.Type, 1)
	case Date:
		return NewString(s.Type, "20240101")
	case ULongs:
		return Value{s.Type, make([]byte, 8)}
	case Template:
		return NewTemplate(s.Type, Values{NewString(p11.CKA_LABEL, "x")})
	default:
		return NewString(s.Type, "x")
	}
}

// least is the smallest template that Check accepts.
func least(tab Table, how How) Values {
	var vs Values
	for _, s := range tab {
		if s.required(how) {
			vs = append(vs, sample(s))
		}
	}
	return vs
}

// TestFootnotes tries, for every row of every table and every way of making an
// object, to give what must not be given and to leave out what must be.
func TestFootnotes(t *testing.T) {
	forbid := map[How]Note{Create: N2, Generate: N4, Unwrap: N6}
	require := map[How]Note{Create: N1, Generate: N3, Unwrap: N5}
	allTables(t, func(t *testing.T, class p11.ObjectClass, _ uint64, tab Table) {
		for how := Create; how <= Derive; how++ {
			base := least(tab, how)
			got, err := tab.Check(how, base, Actor{})
			if err != nil {
				t.Fatalf("%v: the least template: %v", how, err)
			}
			for _, s := range tab {
				if v, ok := got.Get(s.Type); s.Default != nil && !base.Has(s.Type) && (!ok || string(v) != string(s.Default)) {
					t.Errorf("%v: %v: got %x, want the default %x", how, s.Type, v, s.Default)
				}
				_, err := tab.Check(how, base.With(sample(s)), Actor{})
				want := p11.CKR_OK
				if s.Notes&forbid[how] != 0 || s.Type == p11.CKA_UNIQUE_ID {
					want = p11.CKR_ATTRIBUTE_READ_ONLY
				}
				if got := p11.Code(err); how != Derive && got != want {
					t.Errorf("%v with %v: got %v, want %v", how, s.Type, err, want)
				}
				if s.Notes&require[how] != 0 && s.Type != p11.CKA_PUBLIC_CRC64_VALUE {
					_, err := tab.Check(how, base.Without(s.Type), Actor{})
					if p11.Code(err) != p11.CKR_TEMPLATE_INCOMPLETE || !strings.Contains(err.Error(), s.Type.String()) {
						t.Errorf("%v without %v: got %v", how, s.Type, err)
					}
				}
			}
		}
	})
}

// TestOrigin: nobody can lie about where a key comes from, nor give a value
// to a function that makes one.
func TestOrigin(t *testing.T) {
	origin := []p11.AttributeType{p11.CKA_LOCAL, p11.CKA_KEY_GEN_MECHANISM, p11.CKA_ALWAYS_SENSITIVE, p11.CKA_NEVER_EXTRACTABLE, p11.CKA_UNIQUE_ID}
	for _, class := range []p11.ObjectClass{p11.CKO_SECRET_KEY, p11.CKO_PRIVATE_KEY} {
		sub := map[p11.ObjectClass]p11.KeyType{p11.CKO_SECRET_KEY: p11.CKK_AES, p11.CKO_PRIVATE_KEY: p11.CKK_EC}[class]
		tab, _ := Lookup(class, uint64(sub))
		for how := Create; how <= Derive; how++ {
			types := origin
			if how != Create {
				types = append(slices.Clone(origin), p11.CKA_VALUE)
			}
			for _, a := range types {
				for _, v := range []Value{sample(*tab.Find(a)), {a, []byte{1}}} {
					if _, err := CheckValue(KindOf(a), v); err != nil {
						continue
					}
					if _, err := tab.Check(how, least(tab, how).With(v), Actor{User: true}); p11.Code(err) != p11.CKR_ATTRIBUTE_READ_ONLY {
						t.Errorf("%v %v with %v: got %v", how, class, a, err)
					}
				}
			}
		}
	}
}

func TestCheckOrder(t *testing.T) {
	tab, _ := Lookup(p11.CKO_SECRET_KEY, uint64(p11.CKK_AES))
	unknown := Value{0x80001234, []byte{1}}
	bad := Value{p11.CKA_TOKEN, nil}
	readOnly := NewBool(p11.CKA_LOCAL, true)
	foreign := NewString(p11.CKA_MODULUS, "x")
	whole := least(tab, Create)
	for _, c := range []struct {
		name  string
		given Values
		want  p11.RV
	}{
		{"all wrong: the unknown type", Values{foreign, readOnly, bad, unknown}, p11.CKR_ATTRIBUTE_TYPE_INVALID},
		{"then the bad value", Values{foreign, readOnly, bad}, p11.CKR_ATTRIBUTE_VALUE_INVALID},
		{"then the read-only one", Values{foreign, readOnly}, p11.CKR_ATTRIBUTE_READ_ONLY},
		{"then what is missing", Values{foreign}, p11.CKR_TEMPLATE_INCOMPLETE},
		{"then what is foreign", whole.With(foreign), p11.CKR_TEMPLATE_INCONSISTENT},
		{"nothing wrong", whole, p11.CKR_OK},
		{"the same twice", append(slices.Clone(whole), whole...), p11.CKR_OK},
		{"the same twice in two forms of true", append(slices.Clone(whole), Value{p11.CKA_TOKEN, []byte{1}}, Value{p11.CKA_TOKEN, []byte{2}}), p11.CKR_OK},
		{"two labels", append(slices.Clone(whole), NewString(p11.CKA_LABEL, "a"), NewString(p11.CKA_LABEL, "b")), p11.CKR_TEMPLATE_INCONSISTENT},
		{"two lengths of one label", append(slices.Clone(whole), NewString(p11.CKA_LABEL, "a"), NewString(p11.CKA_LABEL, "")), p11.CKR_TEMPLATE_INCONSISTENT},
		{"too many", make(Values, MaxCount+1), p11.CKR_TEMPLATE_INCONSISTENT},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := tab.Check(Create, c.given, Actor{})
			if p11.Code(err) != c.want {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			for i, v := range got {
				if got[:i].Has(v.Type) {
					t.Errorf("%v is there twice", v.Type)
				}
			}
		})
	}
}

func TestOnlyTheSOTrusts(t *testing.T) {
	for class, sub := range map[p11.ObjectClass]uint64{
		p11.CKO_SECRET_KEY: uint64(p11.CKK_AES), p11.CKO_PUBLIC_KEY: uint64(p11.CKK_RSA), p11.CKO_CERTIFICATE: uint64(p11.CKC_X_509),
	} {
		tab, _ := Lookup(class, sub)
		for how := Create; how <= Derive; how++ {
			given := least(tab, how)
			for _, c := range []struct {
				v    Value
				who  Actor
				want p11.RV
			}{
				{NewBool(p11.CKA_TRUSTED, true), Actor{}, p11.CKR_ATTRIBUTE_READ_ONLY},
				{NewBool(p11.CKA_TRUSTED, true), Actor{User: true}, p11.CKR_ATTRIBUTE_READ_ONLY},
				{Value{p11.CKA_TRUSTED, []byte{2}}, Actor{User: true}, p11.CKR_ATTRIBUTE_READ_ONLY},
				{NewBool(p11.CKA_TRUSTED, true), Actor{SO: true}, p11.CKR_OK},
				// wolfPKCS11's tests and openCryptoki's give it.
				{NewBool(p11.CKA_TRUSTED, false), Actor{}, p11.CKR_OK},
			} {
				if _, err := tab.Check(how, given.With(c.v), c.who); p11.Code(err) != c.want {
					t.Errorf("%v %v by %+v: got %v, want %v", how, c.v, c.who, err, c.want)
				}
			}
		}
	}
}

// TestClientTemplates: what real clients give must pass.
func TestClientTemplates(t *testing.T) {
	secret, _ := Lookup(p11.CKO_SECRET_KEY, uint64(p11.CKK_AES))
	seed, _ := Lookup(p11.CKO_PRIVATE_KEY, uint64(p11.CKK_ML_DSA))
	for _, c := range []struct {
		name string
		tab  Table
		add  Values
		drop p11.AttributeType
		want p11.RV
	}{
		{"wolfPKCS11: CKA_COPYABLE false", secret, Values{NewBool(p11.CKA_COPYABLE, false)}, 0, p11.CKR_OK},
		{"openCryptoki: CKA_DESTROYABLE false", secret, Values{NewBool(p11.CKA_DESTROYABLE, false)}, 0, p11.CKR_OK},
		{"no client gives CKA_PUBLIC_CRC64_VALUE", seed, nil, 0, p11.CKR_OK},
		{"a seed in place of the value", seed, Values{NewString(p11.CKA_SEED, "s")}, p11.CKA_VALUE, p11.CKR_OK},
		{"an empty seed is none", seed, Values{NewString(p11.CKA_SEED, "")}, p11.CKA_VALUE, p11.CKR_TEMPLATE_INCOMPLETE},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := least(c.tab, Create).With(c.add...)
			if c.drop != 0 {
				given = given.Without(c.drop)
			}
			if _, err := c.tab.Check(Create, given, Actor{}); p11.Code(err) != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestCheckDoesNotChangeItsInput(t *testing.T) {
	tab, _ := Lookup(p11.CKO_DATA, 0)
	given := make(Values, 2, 100)
	given[0], given[1] = NewULong(p11.CKA_CLASS, p11.CKO_DATA), NewBool(p11.CKA_TOKEN, true)
	if _, err := tab.Check(Create, given, Actor{}); err != nil {
		t.Fatal(err)
	}
	if spare := given[:3]; spare[2].Type != 0 || spare[2].Raw != nil {
		t.Errorf("wrote %v behind the template", spare[2])
	}
}

func TestMerge(t *testing.T) {
	imposed := Values{NewBool(p11.CKA_EXTRACTABLE, false), NewString(p11.CKA_LABEL, "x")}
	for _, c := range []struct {
		name  string
		given Values
		want  p11.RV
	}{
		{"added", Values{NewBool(p11.CKA_TOKEN, true)}, p11.CKR_OK},
		{"the same", Values{NewBool(p11.CKA_EXTRACTABLE, false)}, p11.CKR_OK},
		{"a clash", Values{NewBool(p11.CKA_EXTRACTABLE, true)}, p11.CKR_TEMPLATE_INCONSISTENT},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Merge(imposed, c.given)
			if p11.Code(err) != c.want {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && (got.True(p11.CKA_EXTRACTABLE) || string(got.Bytes(p11.CKA_LABEL)) != "x") {
				t.Errorf("got %v", got)
			}
		})
	}
}
