package attr

import (
	"sync"

	"coffer/p11"
)

// How is the way an object comes into being, which decides which footnotes
// apply to its template. The zero How is invalid.
type How uint8

// The ways. C_GenerateKey and either template of C_GenerateKeyPair are one
// way; so are C_UnwrapKey and C_UnwrapKeyAuthenticated, and C_EncapsulateKey
// and C_DecapsulateKey. Derivation and encapsulation have no footnotes of their
// own: what they contribute (the value) and what only the token knows (the
// origin) must not be given to them either.
const (
	Create How = iota + 1
	Generate
	Unwrap
	Derive
	Encapsulate
)

// Actor is who makes a change. The zero Actor is the public: nobody is logged
// in.
type Actor struct {
	User bool // the normal user is logged in
	SO   bool // the security officer is logged in
}

// Normalize checks each attribute of a template by itself and returns the
// template with the values in normal form and each attribute once. The errors
// are CKR_ATTRIBUTE_TYPE_INVALID for a type that is not in the standard,
// CKR_ATTRIBUTE_VALUE_INVALID as of CheckValue, and CKR_TEMPLATE_INCONSISTENT
// for a type that is given twice with different values (PKCS #11 v3.2, section
// 4.1.1, items 1, 2, 5 and 6).
func Normalize(given Values) (Values, error) {
	if len(given) > MaxCount {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the template has %d attributes, the most is %d", len(given), MaxCount)
	}
	for _, v := range given {
		if KindOf(v.Type) == 0 {
			return nil, p11.Errorf(p11.CKR_ATTRIBUTE_TYPE_INVALID, "%v is not an attribute of the standard", v.Type)
		}
	}
	out := make(Values, 0, len(given))
	for _, v := range given {
		v, err := CheckValue(KindOf(v.Type), v)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return once(out)
}

// once drops repetitions of an attribute, which the standard encourages to
// allow if the values are the same.
func once(vs Values) (Values, error) {
	out := vs[:0:len(vs)]
	for _, v := range vs {
		old, again := out.Get(v.Type)
		if !again {
			out = append(out, v)
		} else if !v.Equal(Value{v.Type, old}) {
			return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "%v is given twice with different values", v.Type)
		}
	}
	return out, nil
}

// Check applies the table to the template of a new object and returns the
// template, normalized, with the defaults of the table filled in. Defaults
// that are the token's choice (N9) are not in the table and not filled in.
// The template's values are not copied.
//
// If several things are wrong, the first of this list is reported, which is
// the order of PKCS #11 v3.2, section 4.1.1:
//
//  1. CKR_ATTRIBUTE_TYPE_INVALID: a type that the standard does not have
//  2. CKR_ATTRIBUTE_VALUE_INVALID: a value that its kind does not allow
//  3. CKR_ATTRIBUTE_READ_ONLY: an attribute that a footnote forbids here, or
//     CKA_TRUSTED true from anyone but the SO
//  4. CKR_TEMPLATE_INCOMPLETE: an attribute that a footnote requires is missing
//  5. CKR_TEMPLATE_INCONSISTENT: an attribute of another class or key type
//
// Different values for one attribute are found while normalizing, before 3.
func (tab Table) Check(how How, given Values, who Actor) (Values, error) {
	given, err := Normalize(given)
	if err != nil {
		return nil, err
	}
	for _, v := range given {
		if err := tab.mayGive(how, v, who); err != nil {
			return nil, err
		}
	}
	for i := range tab {
		if s := &tab[i]; s.required(how) && !given.Has(s.Type) && !tab.replaceable(s, given) {
			return nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "%v is needed to %v the object", s.Type, how)
		}
	}
	for _, v := range given {
		if tab.Find(v.Type) == nil {
			return nil, p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "an object of this class and type has no %v", v.Type)
		}
	}
	return tab.withDefaults(given), nil
}

// mayGive reports CKR_ATTRIBUTE_READ_ONLY for an attribute that the template
// of how may not have.
func (tab Table) mayGive(how How, v Value, who Actor) error {
	s := tab.Find(v.Type)
	if s == nil {
		return nil
	}
	if s.forbidden(how) {
		return p11.Errorf(p11.CKR_ATTRIBUTE_READ_ONLY, "%v is not for the caller to give to %v an object", v.Type, how)
	}
	if s.Notes&N10 != 0 && v.Raw[0] != 0 && !who.SO {
		return p11.Errorf(p11.CKR_ATTRIBUTE_READ_ONLY, "only the SO can set %v", v.Type)
	}
	return nil
}

// required applies footnotes 1, 3 and 5.
func (s *Spec) required(how How) bool {
	// Footnote 1 of CKA_PUBLIC_CRC64_VALUE, new in 3.2, read literally would
	// refuse every key that a client written before can create.
	if s.Type == p11.CKA_PUBLIC_CRC64_VALUE {
		return false
	}
	switch how {
	case Create:
		return s.Notes&N1 != 0
	case Generate:
		return s.Notes&N3 != 0
	case Unwrap:
		return s.Notes&N5 != 0
	default:
		return false
	}
}

// replaceable says whether an attribute that is required may be missing for
// the sake of another: of CKA_SEED and CKA_VALUE, one is enough to create an
// ML-DSA or ML-KEM private key (PKCS #11 v3.2, "ML-DSA private key objects").
func (tab Table) replaceable(s *Spec, given Values) bool {
	return s.Type == p11.CKA_VALUE && tab.Find(p11.CKA_SEED) != nil && len(given.Bytes(p11.CKA_SEED)) > 0
}

// forbidden applies footnotes 2, 4 and 6. To Derive and Encapsulate, what both generation and
// unwrapping forbid is the value that the function contributes, and what both
// creation and generation forbid but for CKA_VALUE_LEN and its like (which
// generation requires) is the origin.
func (s *Spec) forbidden(how How) bool {
	switch how {
	case Create:
		return s.Notes&N2 != 0
	case Generate:
		return s.Notes&N4 != 0
	case Unwrap:
		return s.Notes&N6 != 0
	default:
		return s.Notes&(N4|N6) == N4|N6 || s.Notes&(N2|N4) == N2|N4
	}
}

func (tab Table) withDefaults(given Values) Values {
	out := append(make(Values, 0, max(len(tab), len(given))), given...)
	for _, s := range tab {
		if s.Default != nil && !given.Has(s.Type) {
			out = append(out, Value{s.Type, s.Default})
		}
	}
	return out
}

// String returns the verb that error texts use.
func (how How) String() string {
	return [...]string{"(invalid)", "create", "generate", "unwrap", "derive", "encapsulate"}[how]
}

// hidden is the set of types with footnote 7 in any table.
var hidden = sync.OnceValue(func() map[p11.AttributeType]bool {
	set := map[p11.AttributeType]bool{}
	for _, subs := range classTables {
		for _, tab := range subs {
			for _, s := range tab {
				if s.Notes&N7 != 0 {
					set[s.Type] = true
				}
			}
		}
	}
	return set
})
