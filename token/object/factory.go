package object

import (
	"io"
	"slices"
	"sync"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// A Factory makes objects of the key types of a registry. It is safe for use
// by several goroutines.
type Factory struct {
	reg    *mech.Registry
	random io.Reader
	can    func() map[p11.KeyType]p11.Flags
	wants  Defaults
}

// Defaults are what a security policy makes of the defaults that are the
// token's own, so that a template that says nothing yields what it allows.
type Defaults struct {
	// Hidden: a secret key is sensitive.
	Hidden bool
	// Separate: no key wraps or unwraps unless its template says so.
	Separate bool
}

// With returns a Factory that has these defaults.
func (f *Factory) With(d Defaults) *Factory {
	g := *f
	g.wants = d
	return &g
}

// NewFactory returns a Factory that takes object IDs from random.
func NewFactory(reg *mech.Registry, random io.Reader) *Factory {
	return &Factory{reg: reg, random: random, can: sync.OnceValue(func() map[p11.KeyType]p11.Flags { return abilities(reg) })}
}

// abilities returns, for each key type, what any mechanism can do with it.
func abilities(reg *mech.Registry) map[p11.KeyType]p11.Flags {
	can := map[p11.KeyType]p11.Flags{}
	for _, t := range reg.Mechanisms() {
		m, err := reg.Lookup(t)
		if err != nil {
			continue
		}
		for _, k := range m.Keys {
			can[k] |= m.Flags()
		}
	}
	return can
}

// kind is what the class and subtype of a template say of an object.
type kind struct {
	class  p11.ObjectClass
	table  attr.Table
	row    *mech.KeyType // nil for what is no key
	domain *mech.KeyType // that domain parameters are for
}

// kindOf finds the kind of a template that has its class and subtype. What
// applications cannot create is CKR_TEMPLATE_INCONSISTENT, what does not exist
// CKR_ATTRIBUTE_VALUE_INVALID, and a missing type CKR_TEMPLATE_INCOMPLETE.
func kindOf(reg *mech.Registry, template attr.Values) (kind, error) {
	class, ok := template.Class()
	if !ok {
		return kind{}, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_CLASS is needed")
	}
	switch class {
	case p11.CKO_DATA:
		table, _ := attr.Lookup(class, 0)
		return kind{class: class, table: table}, nil
	case p11.CKO_CERTIFICATE:
		return certificateKind(template)
	case p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY, p11.CKO_SECRET_KEY:
		return keyKind(reg, class, template)
	case p11.CKO_DOMAIN_PARAMETERS:
		return domainKind(reg, template)
	}
	if slices.Contains(p11.KnownObjectClasss(), class) {
		return kind{}, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "objects of class %v cannot be created on this token", class)
	}
	return kind{}, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "there is no object class %v", class)
}

func keyKind(reg *mech.Registry, class p11.ObjectClass, template attr.Values) (kind, error) {
	t, ok := template.KeyType()
	if !ok {
		return kind{}, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_KEY_TYPE is needed")
	}
	row, err := reg.KeyType(t)
	if err != nil {
		return kind{}, err
	}
	table, ok := attr.Lookup(class, uint64(t))
	if !ok || row.Secret != (class == p11.CKO_SECRET_KEY) {
		return kind{}, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "a key of type %v is not of class %v", t, class)
	}
	return kind{class: class, table: table, row: row}, nil
}

func domainKind(reg *mech.Registry, template attr.Values) (kind, error) {
	t, ok := template.KeyType()
	if !ok {
		return kind{}, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_KEY_TYPE is needed")
	}
	row, err := reg.KeyType(t)
	if err != nil {
		return kind{}, err
	}
	table, ok := attr.Lookup(p11.CKO_DOMAIN_PARAMETERS, uint64(t))
	if !ok || row.Domain == nil {
		return kind{}, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "keys of type %v have no domain parameters", t)
	}
	return kind{class: p11.CKO_DOMAIN_PARAMETERS, table: table, domain: row}, nil
}

// Create makes the object of a C_CreateObject template. Nothing is stored; the
// caller decides by Token and Private of the result whether the session may
// have it. The errors are those of attr.Table.Check and of the key type's
// Parse.
func (f *Factory) Create(template attr.Values, who Actor) (*Object, error) {
	template, err := attr.Normalize(template)
	if err != nil {
		return nil, err
	}
	k, err := kindOf(f.reg, template)
	if err != nil {
		return nil, err
	}
	d, err := f.draft(k, origin{how: attr.Create}, template, who)
	if err != nil {
		return nil, err
	}
	return d.Finish(nil)
}
