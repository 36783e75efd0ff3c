package object

import (
	"slices"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// A Draft is the checked and completed template of a new object that has yet
// to get its value from a mechanism. It is not safe for concurrent use.
type Draft struct {
	f      *Factory
	kind   kind
	origin origin
	given  attr.Values // the caller's template
	values attr.Values // with all defaults
	length int
	// imposed says that the key which the value comes from has its say on the
	// template.
	imposed bool
}

// origin is how an object comes into being, as far as its attributes show it.
type origin struct {
	how       attr.How
	mechanism p11.MechanismType // of Generate
	bases     []*Object         // of Derive
}

// Generate drafts the key, or the domain parameters, of a C_GenerateKey
// template. m is a mechanism with
// Generate; the template's CKA_CLASS and CKA_KEY_TYPE may be missing but must
// agree with it.
func (f *Factory) Generate(m *mech.Mechanism, template attr.Values, who Actor) (*Draft, error) {
	if m.Domain {
		return f.generate(m, p11.CKO_DOMAIN_PARAMETERS, template, who)
	}
	return f.generate(m, p11.CKO_SECRET_KEY, template, who)
}

// GeneratePair drafts both keys of a C_GenerateKeyPair call, or neither.
func (f *Factory) GeneratePair(m *mech.Mechanism, public, private attr.Values, who Actor) (pub, priv *Draft, err error) {
	// A key type in one template settles the other.
	if t, ok := public.Get(p11.CKA_KEY_TYPE); ok && !private.Has(p11.CKA_KEY_TYPE) {
		private = private.With(attr.Value{Type: p11.CKA_KEY_TYPE, Raw: t})
	} else if t, ok := private.Get(p11.CKA_KEY_TYPE); ok && !public.Has(p11.CKA_KEY_TYPE) {
		public = public.With(attr.Value{Type: p11.CKA_KEY_TYPE, Raw: t})
	}
	if pub, err = f.generate(m, p11.CKO_PUBLIC_KEY, public, who); err != nil {
		return nil, nil, err
	}
	if priv, err = f.generate(m, p11.CKO_PRIVATE_KEY, private, who); err != nil {
		return nil, nil, err
	}
	if pub.kind.row != priv.kind.row {
		return nil, nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the templates of a pair differ in CKA_KEY_TYPE")
	}
	return pub, priv, nil
}

func (f *Factory) generate(m *mech.Mechanism, class p11.ObjectClass, template attr.Values, who Actor) (*Draft, error) {
	template, err := attr.Normalize(template)
	if err != nil {
		return nil, err
	}
	if template, err = settle(template, class, m); err != nil {
		return nil, err
	}
	k, err := kindOf(f.reg, template)
	if err != nil {
		return nil, err
	}
	// The length of a key type that has only one need not be given, whatever
	// the footnote says (ChaCha20 in libraries written for other modules).
	if k.row != nil && k.row.Secret && len(k.row.Lengths) == 1 && k.table.Find(p11.CKA_VALUE_LEN) != nil && !template.Has(p11.CKA_VALUE_LEN) {
		template = template.With(attr.NewULong(p11.CKA_VALUE_LEN, k.row.Lengths[0]))
	}
	return f.draft(k, origin{how: attr.Generate, mechanism: m.Type}, template, who)
}

// settle puts the class and key type that m generates into a template that
// lacks them. A template that has others is CKR_TEMPLATE_INCONSISTENT.
func settle(template attr.Values, class p11.ObjectClass, m *mech.Mechanism) (attr.Values, error) {
	if c, ok := template.Class(); ok && c != class {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "%v makes an object of class %v, not %v", m.Type, class, c)
	}
	template = template.With(attr.NewULong(p11.CKA_CLASS, class))
	t, ok := template.KeyType()
	if !ok && len(m.Keys) > 0 {
		return template.With(attr.NewULong(p11.CKA_KEY_TYPE, m.Keys[0])), nil
	}
	if slices.Contains(m.Keys, t) {
		return template, nil
	}
	return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "%v makes no key of type %v", m.Type, t)
}

// Unwrap drafts the key of a C_UnwrapKey template. The CKA_UNWRAP_TEMPLATE of
// the unwrapping key is merged into it.
func (f *Factory) Unwrap(unwrapping *Object, template attr.Values, who Actor) (*Draft, error) {
	return f.received(unwrapping.imposes(p11.CKA_UNWRAP_TEMPLATE), origin{how: attr.Unwrap}, template, who)
}

// Derive drafts the object of a C_DeriveKey template: a secret key, generic
// unless the template says otherwise, or a data object. The
// CKA_DERIVE_TEMPLATE of the base key is merged into it. others are the
// further keys that the parameter names: the history of each counts.
func (f *Factory) Derive(base *Object, others []*Object, template attr.Values, who Actor) (*Draft, error) {
	o := origin{how: attr.Derive, bases: append([]*Object{base}, others...)}
	return f.received(base.imposes(p11.CKA_DERIVE_TEMPLATE), o, template, who)
}

// imposes returns the template that a key has for those that come of it.
func (o *Object) imposes(t p11.AttributeType) attr.Values {
	template, _ := o.values.Template(t)
	return template
}

// received drafts an object whose value a key yields. imposed is what that key
// wants of the template.
func (f *Factory) received(imposed attr.Values, o origin, template attr.Values, who Actor) (*Draft, error) {
	template, err := attr.Normalize(template)
	if err != nil {
		return nil, err
	}
	if len(imposed) > 0 {
		if template, err = attr.Merge(imposed, template); err != nil {
			return nil, err
		}
	}
	if o.how == attr.Derive || o.how == attr.Encapsulate {
		template = settleSecret(template)
	}
	k, err := kindOf(f.reg, template)
	if err != nil {
		return nil, err
	}
	if err := mayReceive(k, o.how, template); err != nil {
		return nil, err
	}
	length, template, err := wantedLength(k, template)
	if err != nil {
		return nil, err
	}
	d, err := f.draft(k, o, template, who)
	if err != nil {
		return nil, err
	}
	d.length, d.imposed = length, len(imposed) > 0
	return d, nil
}

// settleSecret fills in what encapsulation and most derivations make: "the key
// produced by this mechanism is a generic secret key" unless the template has a
// type.
func settleSecret(template attr.Values) attr.Values {
	if !template.Has(p11.CKA_CLASS) {
		template = template.With(attr.NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY))
	}
	if c, _ := template.Class(); c == p11.CKO_SECRET_KEY && !template.Has(p11.CKA_KEY_TYPE) {
		template = template.With(attr.NewULong(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET))
	}
	return template
}

// mayReceive says which classes unwrapping, derivation and encapsulation can
// make. The value
// of a data object has no footnote, but here the mechanism contributes it.
func mayReceive(k kind, how attr.How, template attr.Values) error {
	switch {
	case k.class == p11.CKO_SECRET_KEY:
	case k.class == p11.CKO_PRIVATE_KEY && how == attr.Unwrap:
	case k.class == p11.CKO_DATA && how == attr.Derive:
		if template.Has(p11.CKA_VALUE) {
			return p11.Errorf(p11.CKR_ATTRIBUTE_READ_ONLY, "CKA_VALUE is not for the caller to give to %v an object", how)
		}
	default:
		return p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "there is no way to %v an object of class %v", how, k.class)
	}
	return nil
}

// wantedLength takes CKA_VALUE_LEN out of a template: the length in bytes of
// the value, 0 if neither it nor the key type says. Of a type without that
// attribute (CKK_DES3, or a data object) it says the length all the same: NSS
// gives it whenever it derives.
func wantedLength(k kind, template attr.Values) (int, attr.Values, error) {
	only := 0
	if k.row != nil && len(k.row.Lengths) == 1 {
		only = k.row.Lengths[0]
	}
	if k.class == p11.CKO_PRIVATE_KEY || !template.Has(p11.CKA_VALUE_LEN) {
		return only, template, nil
	}
	n, _ := template.ULong(p11.CKA_VALUE_LEN)
	if n == 0 || n > attr.MaxBytes || k.row != nil && !lengthAllowed(k.row, int(n)) {
		return 0, nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE_LEN %d is not a length that the new object can have", n)
	}
	return int(n), template.Without(p11.CKA_VALUE_LEN), nil
}

func lengthAllowed(row *mech.KeyType, n int) bool {
	if len(row.Lengths) == 0 {
		return n >= 1 && (row.MaxLength == 0 || n <= row.MaxLength)
	}
	return slices.Contains(row.Lengths, n)
}

// draft checks a template that has its class and subtype and fills in all that
// does not depend on the value.
func (f *Factory) draft(k kind, o origin, template attr.Values, who Actor) (*Draft, error) {
	values, err := k.table.Check(o.how, template, who)
	if err != nil {
		return nil, err
	}
	d := &Draft{f: f, kind: k, origin: o, given: template, values: f.withDefaults(k, o, template, values)}
	if n, ok := template.ULong(p11.CKA_VALUE_LEN); ok { // and so a secret key
		if n > attr.MaxBytes || !lengthAllowed(k.row, int(n)) {
			return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "a key of type %v cannot have CKA_VALUE_LEN %d", k.row.Type, n)
		}
		d.length = int(n)
	}
	if err := consistent(k, d.values); err != nil {
		return nil, err
	}
	return d, nil
}

// Want returns the complete template: what a mechanism needs to generate or
// derive the value. CKA_CLASS and CKA_KEY_TYPE are settled. The caller must
// not change it.
func (d *Draft) Want() attr.Values { return d.values }

// Length returns the length in bytes that the value is to have, 0 if neither
// the template nor the key type says.
func (d *Draft) Length() int { return d.length }

// Token reports CKA_TOKEN of the object to be.
func (d *Draft) Token() bool { return d.values.True(p11.CKA_TOKEN) }

// Private reports CKA_PRIVATE of the object to be.
func (d *Draft) Private() bool { return d.values.True(p11.CKA_PRIVATE) }

// Class returns CKA_CLASS of the object to be.
func (d *Draft) Class() p11.ObjectClass { return d.kind.class }

// Type returns CKA_KEY_TYPE of the key to be.
func (d *Draft) Type() p11.KeyType {
	t, _ := d.values.KeyType()
	return t
}
