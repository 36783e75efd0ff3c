package object

import (
	"slices"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// inherit applies what a derived key owes to the keys that it comes from.
//
// Where nothing one-way stands between (mech.Shows), the standard wants the new
// key to be as hidden as the most hidden of them (PKCS #11 v3.2, section 6.43).
// That is not enough. Of a key that is hidden, and so of what shows it,
//
//   - no part is taken that is short enough to be found by trying;
//   - no part is taken together with what the caller knows, which would leave
//     as little to be tried;
//   - what has been put together with what the caller knows is not cut: it
//     gets a CKA_ALLOWED_MECHANISMS without the mechanisms that cut, and so does
//     all that shows it again, or shows a key that may not be cut;
//   - nothing becomes a key of a type that gives itself away.
//
// Otherwise whoever may derive from a sensitive key would have it byte by byte,
// with a MAC under each of what he derives. CKA_WRAP_WITH_TRUSTED of a key
// passes on to what shows it, and every further key's CKA_DERIVE_TEMPLATE has
// to agree, as the first one's has.
//
// It reports whether the new key may not be cut.
func (d *Draft) inherit(derived mech.Derived) (uncut bool, err error) {
	if derived.Inherits || derived.Shows != 0 {
		if err := d.hideAs(d.origin.bases, derived.Shows != 0); err != nil {
			return false, err
		}
	}
	if err := d.agree(); err != nil {
		return false, err
	}
	row := d.kind.row
	hidden := row != nil && d.kind.table.Hides(d.values)
	if hidden && row.OneTime && (d.imposed || derived.Shows != 0) {
		return false, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "two uses of a key of type %v would give the hidden key away", row.Type)
	}
	if derived.Shows == 0 || !slices.ContainsFunc(d.origin.bases, (*Object).Hides) {
		return false, nil
	}
	return d.limit(derived.Shows, len(derived.Values.Bytes(p11.CKA_VALUE)))
}

// hideAs makes the new key as hidden as its bases.
func (d *Draft) hideAs(bases []*Object, shows bool) error {
	var forced attr.Values
	for _, b := range bases {
		if b.Sensitive() {
			forced = forced.With(attr.NewBool(p11.CKA_SENSITIVE, true))
		}
		if !b.Extractable() {
			forced = forced.With(attr.NewBool(p11.CKA_EXTRACTABLE, false))
		}
		if b.WrapWithTrusted() && shows {
			forced = forced.With(attr.NewBool(p11.CKA_WRAP_WITH_TRUSTED, true))
		}
	}
	for _, v := range forced {
		if given, ok := d.given.Get(v.Type); ok && !v.Equal(attr.Value{Type: v.Type, Raw: given}) {
			return p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "%v of a base key is that of what is derived from it, and the template has another", v.Type)
		}
	}
	d.values = withOrigin(d.kind, d.origin, d.values.With(forced...))
	return nil
}

// agree checks the new key against the CKA_DERIVE_TEMPLATE of every further
// key. That of the first was merged into the template.
func (d *Draft) agree() error {
	for _, b := range d.origin.bases[1:] {
		want, ok := b.values.Template(p11.CKA_DERIVE_TEMPLATE)
		if !ok {
			continue
		}
		for _, v := range want {
			if got, has := d.values.Get(v.Type); !has || !v.Equal(attr.Value{Type: v.Type, Raw: got}) {
				return p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "%v is not what the CKA_DERIVE_TEMPLATE of a further key wants", v.Type)
			}
		}
	}
	return nil
}

// limit keeps a new key of n bytes that shows hidden ones from telling them. It
// reports whether the new key may not be cut.
func (d *Draft) limit(shows mech.Shows, n int) (uncut bool, err error) {
	base := d.origin.bases[0]
	whole := base.Bits() / 8
	cuttable := !slices.ContainsFunc(d.origin.bases, func(b *Object) bool { return !d.f.mayCut(b) })
	switch {
	case shows == mech.ShowsPartWith:
		return false, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "a part of a hidden key beside known bytes would give it away")
	case shows == mech.ShowsPart && n < whole && (n < strength || !cuttable):
		return false, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "a part of %d bytes of a hidden key of %d would give it away", n, whole)
	case shows == mech.ShowsPart && cuttable:
		return false, nil
	}
	if len(d.given.Bytes(p11.CKA_ALLOWED_MECHANISMS)) > 0 {
		return true, nil
	}
	var list []byte
	for _, t := range d.f.reg.Mechanisms() {
		if m, err := d.f.reg.Lookup(t); err == nil && !m.Cuts && slices.Contains(m.Keys, d.kind.row.Type) {
			list = append(list, attr.NewULong(p11.CKA_ALLOWED_MECHANISMS, t).Raw...)
		}
	}
	d.values = d.values.With(attr.NewBytes(p11.CKA_ALLOWED_MECHANISMS, list))
	return true, nil
}

// cutters are the mechanisms that take a part of a key as it is.
func (f *Factory) cutters() (ts []p11.MechanismType) {
	for _, t := range f.reg.Mechanisms() {
		if m, err := f.reg.Lookup(t); err == nil && m.Cuts {
			ts = append(ts, t)
		}
	}
	return ts
}

// mayCut reports whether any of them may be used with a key.
func (f *Factory) mayCut(o *Object) bool {
	return slices.ContainsFunc(f.cutters(), o.AllowsMechanism)
}
