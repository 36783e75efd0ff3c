package object

import (
	"bytes"
	"crypto/rand"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// pairTemplates is what the public template of a generating mechanism needs.
var pairTemplates = map[p11.MechanismType]attr.Values{
	p11.CKM_RSA_PKCS_KEY_PAIR_GEN:      {attr.NewULong(p11.CKA_MODULUS_BITS, 2048)},
	p11.CKM_RSA_X9_31_KEY_PAIR_GEN:     {attr.NewULong(p11.CKA_MODULUS_BITS, 2048)},
	p11.CKM_EC_KEY_PAIR_GEN:            {str(p11.CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")}, // P-256
	p11.CKM_EC_EDWARDS_KEY_PAIR_GEN:    {str(p11.CKA_EC_PARAMS, "\x06\x03\x2b\x65\x70")},                     // Ed25519
	p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN: {str(p11.CKA_EC_PARAMS, "\x06\x03\x2b\x65\x6e")},                     // X25519
}

// TestEveryGenerator takes the keys of every generating mechanism of the real
// registry through their life: generated, stored, wrapped, unwrapped, created
// again from what can be read.
func TestEveryGenerator(t *testing.T) {
	reg := mech.NewRegistry(mech.All()...)
	f := NewFactory(reg, rand.Reader)
	for _, typ := range reg.Mechanisms() {
		m, err := reg.Lookup(typ)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case m.Domain:
			t.Run(typ.String(), func(t *testing.T) { domainLife(t, f, m) })
		case m.Generate != nil && m.Params == p11.ParamNone:
			t.Run(typ.String(), func(t *testing.T) { secretLife(t, f, m) })
		case m.GeneratePair != nil:
			t.Run(typ.String(), func(t *testing.T) { pairLife(t, f, m) })
		}
	}
}

var readable = attr.Values{off(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)}

func secretLife(t *testing.T, f *Factory, m *mech.Mechanism) {
	template := readable
	row, err := f.reg.KeyType(m.Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if table, _ := attr.Lookup(p11.CKO_SECRET_KEY, uint64(row.Type)); table.Find(p11.CKA_VALUE_LEN) != nil {
		n := 32
		if len(row.Lengths) > 0 {
			n = row.Lengths[len(row.Lengths)-1]
		}
		template = template.With(length(n))
	}
	d, err := f.Generate(m, template, user)
	if err != nil {
		t.Fatal(err)
	}
	value, err := m.Generate(nil, d.Want())
	if err != nil {
		t.Fatal(err)
	}
	o, err := d.Finish(value)
	if err != nil {
		t.Fatal(err)
	}
	live(t, f, o)
}

var domainSize = attr.Values{attr.NewULong(p11.CKA_PRIME_BITS, 1024), attr.NewULong(p11.CKA_SUBPRIME_BITS, 160)}

// domainFor generates domain parameters for keys of a type, nil if it has none.
func domainFor(t *testing.T, reg *mech.Registry, kt p11.KeyType) attr.Values {
	t.Helper()
	for _, typ := range reg.Mechanisms() {
		if m, _ := reg.Lookup(typ); m.Domain && m.Keys[0] == kt {
			values, err := m.Generate(nil, domainSize)
			if err != nil {
				t.Fatal(err)
			}
			return values
		}
	}
	return nil
}

// domainLife takes domain parameters through their life: generated, stored,
// created again.
func domainLife(t *testing.T, f *Factory, m *mech.Mechanism) {
	table, ok := attr.Lookup(p11.CKO_DOMAIN_PARAMETERS, uint64(m.Keys[0]))
	if !ok {
		t.Fatal("the class has no such table")
	}
	var template attr.Values
	for _, v := range domainSize {
		if table.Find(v.Type) != nil {
			template = append(template, v)
		}
	}
	d, err := f.Generate(m, template, user)
	if err != nil {
		t.Fatal(err)
	}
	values, err := m.Generate(nil, d.Want())
	if err != nil {
		t.Fatal(err)
	}
	o, err := d.Finish(values)
	if err != nil {
		t.Fatal(err)
	}
	want(t, o, class(p11.CKO_DOMAIN_PARAMETERS), keyType(m.Keys[0]), on(p11.CKA_LOCAL), off(p11.CKA_PRIVATE), template[0])
	if _, err := o.Material(); p11.Code(err) != p11.CKR_KEY_HANDLE_INVALID || o.IsKey() {
		t.Errorf("they can be used as a key: %v", err)
	}
	public, secret := o.Split()
	stored, err := Join(o.ID(), o.Class(), public, secret, f.reg)
	if err != nil {
		t.Fatal(err)
	}
	var again attr.Values
	for _, s := range stored.table {
		if s.Notes&attr.N2 == 0 && stored.values.Has(s.Type) {
			again = append(again, attr.Value{Type: s.Type, Raw: stored.values.Bytes(s.Type)})
		}
	}
	created, err := f.Create(again, user)
	if err != nil {
		t.Fatalf("created from their own attributes: %v", err)
	}
	want(t, created, off(p11.CKA_LOCAL), template[0])
	_, err = f.Create(again.With(str(p11.CKA_PRIME, "not a prime")), user)
	if p11.Code(err) != p11.CKR_KEY_SIZE_RANGE && p11.Code(err) != p11.CKR_DOMAIN_PARAMS_INVALID {
		t.Errorf("domain parameters of no prime: %v", err)
	}
}

func pairLife(t *testing.T, f *Factory, m *mech.Mechanism) {
	template, ok := pairTemplates[m.Type]
	if domain := domainFor(t, f.reg, m.Keys[0]); domain != nil {
		template, ok = domain, true
	}
	if !ok {
		t.Skip("no template for this mechanism in pairTemplates")
	}
	pubDraft, privDraft, err := f.GeneratePair(m, template, readable, user)
	if err != nil {
		t.Fatal(err)
	}
	pubValues, privValues, err := m.GeneratePair(nil, pubDraft.Want(), privDraft.Want())
	if err != nil {
		t.Fatal(err)
	}
	pub, err := pubDraft.Finish(pubValues)
	if err != nil {
		t.Fatal(err)
	}
	priv, err := privDraft.Finish(privValues)
	if err != nil {
		t.Fatal(err)
	}
	info := pub.values.Bytes(p11.CKA_PUBLIC_KEY_INFO)
	if len(info) == 0 || !bytes.Equal(info, priv.values.Bytes(p11.CKA_PUBLIC_KEY_INFO)) {
		t.Errorf("the halves have CKA_PUBLIC_KEY_INFO %x and %x", info, priv.values.Bytes(p11.CKA_PUBLIC_KEY_INFO))
	}
	live(t, f, pub)
	live(t, f, priv)
}

func live(t *testing.T, f *Factory, o *Object) {
	public, secret := o.Split()
	stored, err := Join(o.ID(), o.Class(), public, secret, f.reg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stored.Material(); err != nil || stored.Bits() == 0 || stored.Bits() != o.Bits() {
		t.Errorf("stored: %d bits, %v", stored.Bits(), err)
	}
	same := func(got *Object) {
		t.Helper()
		for _, s := range o.table {
			if s.Notes&attr.N7 != 0 || s.Type == p11.CKA_PUBLIC_KEY_INFO || s.Type == p11.CKA_CHECK_VALUE {
				if a, b := o.values.Bytes(s.Type), got.values.Bytes(s.Type); !bytes.Equal(a, b) {
					t.Errorf("%v is not that of the original", s.Type)
				}
			}
		}
	}

	var again attr.Values
	for _, s := range o.table {
		if s.Notes&attr.N2 == 0 && o.values.Has(s.Type) {
			raw, err := o.Read(s.Type)
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, attr.Value{Type: s.Type, Raw: raw})
		}
	}
	created, err := f.Create(again, user)
	if err != nil {
		t.Fatalf("created from its own attributes: %v", err)
	}
	same(created)
	want(t, created, off(p11.CKA_LOCAL))

	if o.Class() == p11.CKO_PUBLIC_KEY {
		return
	}
	encoded, err := o.Encoded()
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.Unwrap(o, attr.Values{class(o.Class()), keyType(o.Type())}, user)
	if err != nil {
		t.Fatal(err)
	}
	unwrapped, err := d.FinishEncoded(encoded)
	if err != nil {
		t.Fatal(err)
	}
	same(unwrapped)
}
