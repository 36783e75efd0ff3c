package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A maker is a way to make an object of a template, with a template that
// succeeds and the table of what it makes.
type maker struct {
	name     string
	how      attr.How
	template attr.Values
	class    p11.ObjectClass
	sub      uint64 // the key or certificate type
	call     func(template attr.Values) error
}

// wellFormed is a value that its kind allows.
func wellFormed(t p11.AttributeType) attr.Value {
	switch attr.KindOf(t) {
	case attr.Bool:
		return attr.NewBool(t, true)
	case attr.ULong:
		return attr.NewULong(t, 1)
	case attr.ULongs:
		return attr.NewBytes(t, make([]byte, 16))
	case attr.Date:
		return attr.NewString(t, "20260101")
	case attr.Template:
		return attr.NewTemplate(t, Yes(p11.CKA_TOKEN))
	default:
		return attr.NewBytes(t, []byte("x"))
	}
}

// malformed is a value that its kind does not allow, and false if it allows
// every value.
func malformed(t p11.AttributeType) (attr.Value, bool) {
	switch attr.KindOf(t) {
	case attr.Bool:
		return attr.NewBytes(t, []byte{1, 0}), true
	case attr.ULong, attr.ULongs:
		return attr.NewBytes(t, make([]byte, 4)), true
	case attr.Date:
		return attr.NewString(t, "20261301"), true
	default:
		return attr.Value{}, false
	}
}

// notes are the footnotes by which a template may not, or must, have an
// attribute (PKCS #11 v3.2, 4.2, common footnotes 1 to 6).
var notes = map[attr.How]struct{ forbidden, required attr.Note }{
	attr.Create:   {attr.N2, attr.N1},
	attr.Generate: {attr.N4, attr.N3},
	attr.Unwrap:   {attr.N6, attr.N5},
}

// check tries every attribute of the standard in the template, and every
// demanded one out of it.
func (m *maker) check(h *Host) {
	table, found := attr.Lookup(m.class, m.sub)
	if !found {
		h.Fatal("there is no table")
	}
	try := func(what string, template attr.Values, want p11.RV) {
		h.Helper()
		if got := p11.Code(m.call(template)); got != want {
			h.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	try("as it should be", m.template, ok)
	for _, t := range p11.KnownAttributeTypes() {
		row := table.Find(t)
		n := notes[m.how]
		switch v := wellFormed(t); {
		case attr.KindOf(t) == 0: // of an older version
			try(t.String(), m.template.With(v), p11.CKR_ATTRIBUTE_TYPE_INVALID)
		case row == nil:
			try(t.String()+", of another class", m.template.With(v), p11.CKR_TEMPLATE_INCONSISTENT)
		case row.Notes&n.forbidden != 0, m.how == attr.Derive && (t == p11.CKA_VALUE || row.Notes&attr.N4 != 0 && row.Notes&attr.N2 != 0):
			try(t.String()+", which is not for the caller", m.template.With(v), p11.CKR_ATTRIBUTE_READ_ONLY)
		case row.Notes&attr.N10 != 0:
			try(t.String()+" true, which is the SO's", m.template.With(v), p11.CKR_ATTRIBUTE_READ_ONLY)
		}
		if v, can := malformed(t); can && row != nil {
			try(t.String()+" malformed", m.template.With(v), p11.CKR_ATTRIBUTE_VALUE_INVALID)
		}
		if row != nil && row.Notes&n.required != 0 && m.template.Has(t) {
			without := m.template.Without(t)
			if t == p11.CKA_VALUE && without.Has(p11.CKA_SEED) { // one of the two is enough
				try("without CKA_VALUE", without, ok)
				without = without.Without(p11.CKA_SEED)
			}
			try("without "+t.String(), without, p11.CKR_TEMPLATE_INCOMPLETE)
		}
	}
	try("an attribute that there is not", m.template.With(attr.NewBytes(0x3fffffff, nil)), p11.CKR_ATTRIBUTE_TYPE_INVALID)
	if m.how == attr.Create || m.how == attr.Unwrap {
		try("without CKA_CLASS", m.template.Without(p11.CKA_CLASS), p11.CKR_TEMPLATE_INCOMPLETE)
	}
	try("CKA_LABEL twice, the same", append(m.template.With(Label("l")), Label("l")), ok)
	try("CKA_LABEL twice, not the same", append(m.template.With(Label("l")), Label("m")), p11.CKR_TEMPLATE_INCONSISTENT)
	for _, c := range []p11.ObjectClass{p11.CKO_HW_FEATURE, p11.CKO_MECHANISM, p11.CKO_PROFILE, p11.CKO_VALIDATION, p11.CKO_OTP_KEY} {
		try(c.String(), m.template.With(Class(c)), p11.CKR_TEMPLATE_INCONSISTENT)
	}
}

// certificate is a certificate in shape only; Cryptoki attaches no meaning to it.
var certificate = attr.Values{
	Class(p11.CKO_CERTIFICATE), attr.NewULong(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509),
	attr.NewBytes(p11.CKA_SUBJECT, []byte("subject")), Value([]byte("certificate")),
}

func TestTemplatesOfCreateObject(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		makers := []maker{
			{name: "data", template: Data("d"), class: p11.CKO_DATA},
			{name: "certificate", template: certificate, class: p11.CKO_CERTIFICATE, sub: uint64(p11.CKC_X_509)},
		}
		for _, k := range Keys() {
			makers = append(makers, maker{name: k.Name, template: k.Own, class: k.Class(), sub: uint64(k.Type)})
			if !k.Secret() {
				makers = append(makers, maker{name: k.Name + ", public", template: k.Public, class: p11.CKO_PUBLIC_KEY, sub: uint64(k.Type)})
			}
		}
		for _, m := range makers {
			m.how = attr.Create
			m.call = func(t attr.Values) error {
				o, err := h.CreateObject(s, t)
				if err == nil {
					return h.DestroyObject(s, o)
				}
				return err
			}
			h.Case(m.name, m.check)
		}
	})
}

func TestTemplatesOfGenerateKey(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for m, typ := range map[p11.MechanismType]p11.KeyType{
			p11.CKM_AES_KEY_GEN: p11.CKK_AES, p11.CKM_GENERIC_SECRET_KEY_GEN: p11.CKK_GENERIC_SECRET, p11.CKM_HKDF_KEY_GEN: p11.CKK_HKDF,
		} {
			mk := maker{name: m.String(), how: attr.Generate, template: attr.Values{Length(16)}, class: p11.CKO_SECRET_KEY, sub: uint64(typ),
				call: func(t attr.Values) error { _, err := h.GenerateKey(s, Mech(m), t); return err }}
			h.Case(mk.name, mk.check)
		}
	})
}

func TestTemplatesOfGenerateKeyPair(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		for _, p := range []struct {
			m     p11.MechanismType
			typ   p11.KeyType
			curve attr.Value
		}{
			{p11.CKM_EC_KEY_PAIR_GEN, p11.CKK_EC, P256},
			{p11.CKM_EC_EDWARDS_KEY_PAIR_GEN, p11.CKK_EC_EDWARDS, Ed25519},
			{p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, p11.CKK_EC_MONTGOMERY, X25519},
		} {
			public := maker{name: p.typ.String() + ", public", how: attr.Generate, template: attr.Values{p.curve},
				class: p11.CKO_PUBLIC_KEY, sub: uint64(p.typ),
				call: func(t attr.Values) error { _, _, err := h.GenerateKeyPair(s, Mech(p.m), t, nil); return err }}
			h.Case(public.name, public.check)
			private := maker{name: p.typ.String() + ", private", how: attr.Generate,
				class: p11.CKO_PRIVATE_KEY, sub: uint64(p.typ),
				call: func(t attr.Values) error {
					_, _, err := h.GenerateKeyPair(s, Mech(p.m), attr.Values{p.curve}, t)
					return err
				}}
			h.Case(private.name, private.check)
		}
	})
}

func TestTemplatesOfUnwrapKey(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		wrapping := h.AES(s, Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
		m := Mech(p11.CKM_AES_KEY_WRAP_KWP)
		for _, k := range Keys() {
			key := h.Create(s, k.Own, Yes(p11.CKA_EXTRACTABLE))
			blob := h.Output(func(out *p11.Out) error { return h.WrapKey(s, m, wrapping, key, out) })
			mk := maker{name: k.Name, how: attr.Unwrap, class: k.Class(), sub: uint64(k.Type),
				template: attr.Values{Class(k.Class()), Type(k.Type)},
				call:     func(t attr.Values) error { _, err := h.UnwrapKey(s, m, wrapping, blob, t); return err }}
			h.Case(mk.name, mk.check)
		}
	})
}

func TestTemplatesOfDeriveKey(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		base := h.Create(s, Secret(p11.CKK_GENERIC_SECRET, make([]byte, 32)), Yes(p11.CKA_DERIVE))
		m := Mech(p11.CKM_HKDF_DERIVE, p11.HKDFParams{Extract: true, Expand: true, PRF: p11.CKM_SHA256, SaltType: p11.CKF_HKDF_SALT_NULL})
		for _, typ := range []p11.KeyType{p11.CKK_AES, p11.CKK_GENERIC_SECRET, p11.CKK_HKDF} {
			mk := maker{name: typ.String(), how: attr.Derive, class: p11.CKO_SECRET_KEY, sub: uint64(typ),
				template: attr.Values{Class(p11.CKO_SECRET_KEY), Type(typ), Length(16)},
				call:     func(t attr.Values) error { _, err := h.DeriveKey(s, m, base, t); return err }}
			h.Case(mk.name, mk.check)
		}
		h.Case("CKA_VALUE_LEN that no key of the type has", func(h *Host) {
			for _, n := range []int{0, 15, 33, 1 << 30, -1} {
				_, err := h.DeriveKey(s, m, base, attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES), Length(n)})
				h.Want(err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
			}
		})
		h.Case("no length where none is known", func(h *Host) {
			_, err := h.DeriveKey(s, m, base, attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET)})
			h.Want(err, p11.CKR_TEMPLATE_INCOMPLETE, ok)
		})
	})
}

func TestValuesThatAreNoKeysAreRefused(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		bytesOf := func(t p11.AttributeType, b ...byte) attr.Value { return attr.NewBytes(t, b) }
		rsa, ec, ed := KeyOf(p11.CKK_RSA), KeyOf(p11.CKK_EC), KeyOf(p11.CKK_EC_EDWARDS)
		flipped := bytes.Clone(rsa.Own.Bytes(p11.CKA_PRIVATE_EXPONENT))
		flipped[100] ^= 1
		point := bytes.Clone(ec.Public.Bytes(p11.CKA_EC_POINT))
		point[len(point)-1] ^= 1
		for _, tt := range []struct {
			name     string
			template attr.Values
			rvs      []p11.RV
		}{
			{"AES of 15 bytes", Secret(p11.CKK_AES, make([]byte, 15)), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"AES of no bytes", Secret(p11.CKK_AES, []byte{}), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"a generic secret of no bytes", Secret(p11.CKK_GENERIC_SECRET, []byte{}), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"a key type that there is not", Secret(0x7fffffff, make([]byte, 16)), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"a secret key of an asymmetric type", Secret(p11.CKK_RSA, make([]byte, 16)), []p11.RV{p11.CKR_TEMPLATE_INCONSISTENT}},
			{"a private key of a secret type", rsa.Own.With(Type(p11.CKK_AES)), []p11.RV{p11.CKR_TEMPLATE_INCONSISTENT}},
			{"a class that there is not", Data("d").With(Class(0x7fffffff)), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"an RSA modulus of 0", rsa.Public.With(bytesOf(p11.CKA_MODULUS, 0)), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"a small RSA modulus", rsa.Public.With(bytesOf(p11.CKA_MODULUS, 0xff, 0xff)), []p11.RV{p11.CKR_KEY_SIZE_RANGE, p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"an even RSA exponent", rsa.Public.With(bytesOf(p11.CKA_PUBLIC_EXPONENT, 4)), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"an RSA private key of another modulus", rsa.Own.With(attr.NewBytes(p11.CKA_PRIVATE_EXPONENT, flipped)), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"a curve that is not supported", ec.Public.With(attr.NewString(p11.CKA_EC_PARAMS, "\x06\x05\x2b\x81\x04\x00\x01")), []p11.RV{p11.CKR_CURVE_NOT_SUPPORTED}},
			{"curve parameters that are no DER", ec.Public.With(attr.NewString(p11.CKA_EC_PARAMS, "junk")), []p11.RV{p11.CKR_DOMAIN_PARAMS_INVALID}},
			{"an Edwards curve for an EC key", ec.Public.With(Ed25519), []p11.RV{p11.CKR_CURVE_NOT_SUPPORTED, p11.CKR_DOMAIN_PARAMS_INVALID}},
			{"a point off the curve", ec.Public.With(attr.NewBytes(p11.CKA_EC_POINT, point)), []p11.RV{p11.CKR_PUBLIC_KEY_INVALID, p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"an EC private key of 0", ec.Own.With(Value(make([]byte, 32))), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"an EC private key not below the order", ec.Own.With(Value(bytes.Repeat([]byte{0xff}, 32))), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"an Ed25519 key of 31 bytes", ed.Own.With(Value(make([]byte, 31))), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"a check value that is not that of the key", Secret(p11.CKK_AES, make([]byte, 16)).With(bytesOf(p11.CKA_CHECK_VALUE, 1, 2, 3)), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"another's public key info", ec.Own.With(attr.NewBytes(p11.CKA_PUBLIC_KEY_INFO, []byte("junk"))), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"CKA_END_DATE before CKA_START_DATE", Secret(p11.CKK_AES, make([]byte, 16)).With(attr.NewString(p11.CKA_START_DATE, "20260102"), attr.NewString(p11.CKA_END_DATE, "20260101")), []p11.RV{p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_ATTRIBUTE_VALUE_INVALID}},
			{"CKA_ALWAYS_AUTHENTICATE of a public object", ec.Own.With(Yes(p11.CKA_ALWAYS_AUTHENTICATE)...).With(No(p11.CKA_PRIVATE)...), []p11.RV{p11.CKR_TEMPLATE_INCONSISTENT}},
			{"a certificate of another type", certificate.With(attr.NewULong(p11.CKA_CERTIFICATE_TYPE, p11.CKC_WTLS)), []p11.RV{p11.CKR_ATTRIBUTE_VALUE_INVALID}},
		} {
			h.Case(tt.name, func(h *Host) {
				before := len(h.Find(s))
				_, err := h.CreateObject(s, tt.template)
				h.Want(err, tt.rvs...)
				if after := len(h.Find(s)); after != before {
					h.Errorf("%d objects before, %d after", before, after)
				}
			})
		}
	})
}
