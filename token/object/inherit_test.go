package object

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// The derivations of these tests are the real ones.
var (
	realRegistry = mech.NewRegistry(mech.All()...)
	realFactory  = NewFactory(realRegistry, rand.Reader)
)

func generic(t *testing.T, value string, more ...attr.Value) *Object {
	t.Helper()
	o, err := realFactory.Create(attr.Values{class(p11.CKO_SECRET_KEY), keyType(p11.CKK_GENERIC_SECRET), str(p11.CKA_VALUE, value), on(p11.CKA_DERIVE)}.With(more...), user)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// by derives as C_DeriveKey does.
func by(typ p11.MechanismType, p p11.Params, base *Object, others []*Object, template ...attr.Value) (*Object, error) {
	m, err := realRegistry.Lookup(typ)
	if err != nil {
		return nil, err
	}
	d, err := realFactory.Derive(base, others, template, user)
	if err != nil {
		return nil, err
	}
	x := mech.Derivation{Base: base, Params: p, Want: d.Want(), Length: d.Length()}
	for _, o := range others {
		x.Others = append(x.Others, o)
	}
	derived, err := m.Derive(x)
	if err != nil {
		return nil, err
	}
	return d.FinishDerived(derived)
}

const long = "0123456789abcdefghijklmnopqrstuv"

var (
	hides = []attr.Value{on(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE)}
	shows = []attr.Value{off(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)}
)

func list(ms ...p11.MechanismType) attr.Value {
	var raw []byte
	for _, m := range ms {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(m))
	}
	return attr.NewBytes(p11.CKA_ALLOWED_MECHANISMS, raw)
}

// TestWhatShowsAKeyIsAsHidden: the rules of PKCS #11 v3.2, section 6.43.
func TestWhatShowsAKeyIsAsHidden(t *testing.T) {
	hidden, open := generic(t, long, hides...), generic(t, long, shows...)
	sensitive := generic(t, long, on(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE))
	kept := generic(t, long, off(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE))
	trusting := generic(t, long, on(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE), on(p11.CKA_WRAP_WITH_TRUSTED))
	data := p11.StringData("data")
	for _, c := range []struct {
		name     string
		typ      p11.MechanismType
		p        p11.Params
		base     *Object
		others   []*Object
		template []attr.Value
		want     p11.RV
		has      []attr.Value
	}{
		{"a hidden key and data", p11.CKM_CONCATENATE_BASE_AND_DATA, data, hidden, nil, nil, p11.CKR_OK, hides},
		{"and asked to be readable", p11.CKM_CONCATENATE_BASE_AND_DATA, data, hidden, nil, shows, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"and asked to be extractable", p11.CKM_CONCATENATE_BASE_AND_DATA, data, hidden, nil, []attr.Value{on(p11.CKA_EXTRACTABLE)}, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"a sensitive one", p11.CKM_XOR_BASE_AND_DATA, p11.StringData(long), sensitive, nil, nil, p11.CKR_OK, []attr.Value{on(p11.CKA_SENSITIVE), on(p11.CKA_EXTRACTABLE)}},
		{"an unextractable one", p11.CKM_XOR_BASE_AND_DATA, p11.StringData(long), kept, nil, nil, p11.CKR_OK, []attr.Value{off(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE)}},
		{"which may be sensitive as well", p11.CKM_XOR_BASE_AND_DATA, p11.StringData(long), kept, nil, []attr.Value{on(p11.CKA_SENSITIVE)}, p11.CKR_OK, hides},
		{"a readable one", p11.CKM_EXTRACT_KEY_FROM_KEY, p11.ULongParam(3), open, nil, []attr.Value{length(1)}, p11.CKR_OK, shows},
		{"a readable one and a hidden one", p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(1), open, []*Object{hidden}, nil, p11.CKR_OK, hides},
		{"a hidden one and a readable one", p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(1), hidden, []*Object{open}, nil, p11.CKR_OK, hides},
		{"asked to be readable", p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(1), open, []*Object{hidden}, shows, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"one for trusted wrapping only", p11.CKM_XOR_BASE_AND_DATA, p11.StringData(long), trusting, nil, nil, p11.CKR_OK, []attr.Value{on(p11.CKA_WRAP_WITH_TRUSTED)}},
		{"asked not to be", p11.CKM_XOR_BASE_AND_DATA, p11.StringData(long), trusting, nil, []attr.Value{off(p11.CKA_WRAP_WITH_TRUSTED)}, p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"the KDF of TLS, which inherits though it shows nothing", p11.CKM_TLS_KDF, p11.TLSKDFParams{PRF: p11.CKM_SHA256}, hidden, nil, []attr.Value{length(1)}, p11.CKR_OK, hides},
		{"asked to be readable", p11.CKM_TLS_KDF, p11.TLSKDFParams{PRF: p11.CKM_SHA256}, hidden, nil, append([]attr.Value{length(16)}, shows...), p11.CKR_TEMPLATE_INCONSISTENT, nil},
		{"a digest, which does not", p11.CKM_SHA256_KEY_DERIVATION, nil, hidden, nil, shows, p11.CKR_OK, shows},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := by(c.typ, c.p, c.base, c.others, c.template...)
			wantCode(t, err, c.want)
			if err == nil {
				want(t, o, c.has...)
			}
		})
	}
	// The history is that of the bases.
	m, _ := realRegistry.Lookup(p11.CKM_GENERIC_SECRET_KEY_GEN)
	d, err := realFactory.Generate(m, attr.Values{length(32), on(p11.CKA_SENSITIVE), off(p11.CKA_EXTRACTABLE)}, user)
	if err != nil {
		t.Fatal(err)
	}
	born, err := d.Finish(attr.Values{str(p11.CKA_VALUE, long)})
	if err != nil {
		t.Fatal(err)
	}
	o, err := by(p11.CKM_CONCATENATE_BASE_AND_DATA, data, born, nil)
	if err != nil {
		t.Fatal(err)
	}
	want(t, o, on(p11.CKA_ALWAYS_SENSITIVE), on(p11.CKA_NEVER_EXTRACTABLE))
	if o, err = by(p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(1), born, []*Object{hidden}); err != nil {
		t.Fatal(err)
	}
	want(t, o, off(p11.CKA_ALWAYS_SENSITIVE), off(p11.CKA_NEVER_EXTRACTABLE))
}

// TestHiddenKeysAreNotCut: the attempts to have a hidden key piece by piece.
func TestHiddenKeysAreNotCut(t *testing.T) {
	hidden, open := generic(t, long, hides...), generic(t, long, shows...)
	guarded := generic(t, long, append([]attr.Value{list(p11.CKM_CONCATENATE_BASE_AND_DATA, p11.CKM_XOR_BASE_AND_DATA)}, hides...)...)
	refused := func(what string, o *Object, err error) {
		t.Helper()
		if p11.Code(err) != p11.CKR_TEMPLATE_INCONSISTENT {
			t.Errorf("%s: %v", what, err)
		}
	}
	made := func(what string, o *Object, err error) *Object {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return o
	}
	for n := 1; n < len(long); n++ {
		o, err := by(p11.CKM_EXTRACT_KEY_FROM_KEY, p11.ULongParam(0), hidden, nil, length(n))
		if n < strength {
			refused("a short part", o, err)
		} else {
			made("a part that cannot be guessed", o, err)
		}
		o, err = by(p11.CKM_XOR_BASE_AND_DATA, p11.StringData(long[:n]), hidden, nil)
		if n < strength {
			refused("a short part, changed", o, err)
		} else {
			made("a part that cannot be guessed, changed", o, err)
		}
		o, err = by(p11.CKM_CONCATENATE_DATA_AND_BASE, p11.StringData(long), hidden, nil, length(len(long)+n))
		refused("a part behind known bytes", o, err)
		o, err = by(p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(1), open, []*Object{hidden}, length(len(long)+n))
		refused("a part behind a known key", o, err)
		o, err = by(p11.CKM_EXTRACT_KEY_FROM_KEY, p11.ULongParam(0), guarded, nil, length(n))
		refused("a part of a key that may not be cut", o, err)
		o, err = by(p11.CKM_XOR_BASE_AND_DATA, p11.StringData(long[:n]), guarded, nil)
		refused("a part of a key that may not be cut, changed", o, err)
	}
	if _, err := by(p11.CKM_EXTRACT_KEY_FROM_KEY, p11.ULongParam(0), open, nil, length(1)); err != nil {
		t.Errorf("a part of a readable key: %v", err)
	}

	// Known bytes beside the whole are allowed, and then no cut any more: not of
	// it, of what it is put together with, of its copies, of what it is XORed to.
	both := made("known bytes and the whole", mustBy(by(p11.CKM_CONCATENATE_DATA_AND_BASE, p11.StringData(long[:13]), hidden, nil)), nil)
	again := made("more of them", mustBy(by(p11.CKM_CONCATENATE_BASE_AND_DATA, p11.StringData("x"), both, nil)), nil)
	changed := made("changed", mustBy(by(p11.CKM_XOR_BASE_AND_DATA, p11.StringData(make([]byte, 13+len(long))), both, nil)), nil)
	copied, err := realFactory.Copy(both, attr.Values{on(p11.CKA_TOKEN)}, user)
	if err != nil {
		t.Fatal(err)
	}
	keyed := made("a key and a key", mustBy(by(p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(1), open, []*Object{hidden})), nil)
	for what, o := range map[string]*Object{"it": both, "what it is put together with": again, "what it is XORed to": changed, "its copy": copied, "two keys": keyed} {
		for _, m := range []p11.MechanismType{p11.CKM_EXTRACT_KEY_FROM_KEY, p11.CKM_IKE1_EXTENDED_DERIVE} {
			if o.AllowsMechanism(m) {
				t.Errorf("%s may be cut by %v", what, m)
			}
		}
		for _, m := range []p11.MechanismType{p11.CKM_SHA256_KEY_DERIVATION, p11.CKM_SHA256_HMAC, p11.CKM_HKDF_DERIVE, p11.CKM_CONCATENATE_BASE_AND_DATA} {
			if !o.AllowsMechanism(m) {
				t.Errorf("%s may not be used with %v", what, m)
			}
		}
		if _, err := by(p11.CKM_XOR_BASE_AND_DATA, p11.StringData(long[:20]), o, nil); p11.Code(err) != p11.CKR_TEMPLATE_INCONSISTENT {
			t.Errorf("cutting %s by XOR: %v", what, err)
		}
		if _, err := by(p11.CKM_CONCATENATE_BASE_AND_DATA, p11.StringData("x"), o, nil, length(20)); p11.Code(err) != p11.CKR_TEMPLATE_INCONSISTENT {
			t.Errorf("cutting %s by concatenation: %v", what, err)
		}
		if _, err := realFactory.Set(o, attr.Values{list()}, user); p11.Code(err) != p11.CKR_ATTRIBUTE_READ_ONLY {
			t.Errorf("allowing %s everything: %v", what, err)
		}
	}
	o, err := by(p11.CKM_CONCATENATE_BASE_AND_DATA, p11.StringData("x"), hidden, nil, list(p11.CKM_SHA256_HMAC, p11.CKM_EXTRACT_KEY_FROM_KEY))
	refused("a template that lets it be cut", o, err)
	o, err = by(p11.CKM_CONCATENATE_BASE_AND_DATA, p11.StringData("x"), hidden, nil, list(p11.CKM_SHA256_HMAC))
	want(t, made("a template with uses of its own", o, err), list(p11.CKM_SHA256_HMAC))
	o, err = by(p11.CKM_CONCATENATE_BASE_AND_DATA, p11.StringData("x"), open, nil)
	if made("a readable key and data", o, err); !o.AllowsMechanism(p11.CKM_EXTRACT_KEY_FROM_KEY) {
		t.Error("what is made of a readable key may not be cut")
	}

	// Two MACs give a Poly1305 key away.
	poly := []attr.Value{class(p11.CKO_SECRET_KEY), keyType(p11.CKK_POLY1305)}
	o, err = by(p11.CKM_EXTRACT_KEY_FROM_KEY, p11.ULongParam(0), hidden, nil, poly...)
	refused("a hidden key as one for Poly1305", o, err)
	o, err = by(p11.CKM_EXTRACT_KEY_FROM_KEY, p11.ULongParam(0), open, nil, poly...)
	made("a readable key as one for Poly1305", o, err)
	imposing := generic(t, long, attr.NewTemplate(p11.CKA_DERIVE_TEMPLATE, hides))
	o, err = by(p11.CKM_SHA256_KEY_DERIVATION, nil, imposing, nil, poly...)
	refused("what a template hides as one for Poly1305", o, err)
}

func mustBy(o *Object, err error) *Object {
	if err != nil {
		panic(err)
	}
	return o
}

// TestFurtherKeysHaveTheirSay: CKA_DERIVE_TEMPLATE of a second key.
func TestFurtherKeysHaveTheirSay(t *testing.T) {
	open := generic(t, long, shows...)
	imposing := generic(t, long, append([]attr.Value{attr.NewTemplate(p11.CKA_DERIVE_TEMPLATE, attr.Values{on(p11.CKA_SENSITIVE)})}, shows...)...)
	for _, c := range []struct {
		template []attr.Value
		want     p11.RV
	}{{nil, p11.CKR_TEMPLATE_INCONSISTENT}, {[]attr.Value{on(p11.CKA_SENSITIVE)}, p11.CKR_OK}, {shows, p11.CKR_TEMPLATE_INCONSISTENT}} {
		_, err := by(p11.CKM_CONCATENATE_BASE_AND_KEY, p11.KeyHandle(1), open, []*Object{imposing}, c.template...)
		wantCode(t, err, c.want)
	}
}

// TestParity: of DES keys that are made here it is put right, of others it has
// to be (PKCS #11 v3.2, section 6.18).
func TestParity(t *testing.T) {
	right := []byte("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef")
	wrong := bytes.Clone(right)
	wrong[9] ^= 1
	des3 := attr.Values{class(p11.CKO_SECRET_KEY), keyType(p11.CKK_DES3), on(p11.CKA_EXTRACTABLE)}
	o, err := realFactory.Create(des3.With(attr.NewBytes(p11.CKA_VALUE, right)), user)
	if err != nil {
		t.Fatal(err)
	}
	_, err = realFactory.Create(des3.With(attr.NewBytes(p11.CKA_VALUE, wrong)), user)
	wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
	for _, c := range []struct {
		value []byte
		want  p11.RV
	}{{right, p11.CKR_OK}, {wrong, p11.CKR_WRAPPED_KEY_INVALID}} {
		d, err := realFactory.Unwrap(o, des3, user)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.FinishEncoded(bytes.Clone(c.value))
		wantCode(t, err, c.want)
	}
	derived, err := by(p11.CKM_EXTRACT_KEY_FROM_KEY, p11.ULongParam(0), generic(t, string(wrong)+"more", shows...), nil, des3...)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := derived.Read(p11.CKA_VALUE); err != nil || !bytes.Equal(got, right) {
		t.Errorf("got %x, %v, want %x", got, err, right)
	}
}
