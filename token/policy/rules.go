package policy

import (
	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// Rules are a policy over the mechanisms of a registry. They are immutable.
type Rules struct {
	p    Policy
	reg  *mech.Registry
	list []p11.MechanismType
	info map[p11.MechanismType]p11.MechanismInfo
}

// Over returns the rules that p makes for the mechanisms of reg.
func (p Policy) Over(reg *mech.Registry) *Rules {
	if p.Name == "" {
		p.Name, p.base = "default", bases["default"]
	}
	r := &Rules{p: p, reg: reg, info: map[p11.MechanismType]p11.MechanismInfo{}}
	for _, t := range reg.Mechanisms() {
		row, err := reg.Lookup(t)
		if err != nil {
			continue
		}
		if info, ok := r.left(row); ok {
			r.list = append(r.list, t)
			r.info[t] = info
		}
	}
	return r
}

// Name returns the policy's name.
func (r *Rules) Name() string { return r.p.Name }

// Attributes returns what the policy wants of the attributes of keys.
func (r *Rules) Attributes() Attributes { return r.p.base.attributes }

// Mechanisms returns the mechanisms of which something is left, in ascending
// order. The caller must not change the slice.
func (r *Rules) Mechanisms() []p11.MechanismType { return r.list }

// Info says what is left of a mechanism: the functions, and the least size of a
// key that any of them takes.
func (r *Rules) Info(t p11.MechanismType) (p11.MechanismInfo, error) {
	if info, ok := r.info[t]; ok {
		return info, nil
	}
	if _, err := r.reg.Lookup(t); err != nil {
		return p11.MechanismInfo{}, err
	}
	return p11.MechanismInfo{}, p11.Errorf(p11.CKR_MECHANISM_INVALID, "the policy %s leaves nothing of %v", r.p.Name, t)
}

// left computes Info of a row.
func (r *Rules) left(row *mech.Mechanism) (p11.MechanismInfo, bool) {
	info := p11.MechanismInfo{MinKeySize: uint64(row.Size.Min), MaxKeySize: uint64(row.Size.Max), Flags: row.Extra}
	functions, least := row.Flags()&^row.Extra, row.Size.Max+1
	for f := p11.Flags(1); f != 0; f <<= 1 {
		if functions&f == 0 || f == p11.CKF_MULTI_MESSAGE || r.Mechanism(row, f, nil) != nil {
			continue
		}
		size, some := r.leastSize(row, f)
		if !some {
			continue
		}
		info.Flags |= f
		least = min(least, size)
	}
	if info.Flags == row.Extra {
		return info, false
	}
	// By itself it is no function.
	if info.Flags&(p11.CKF_MESSAGE_ENCRYPT|p11.CKF_MESSAGE_DECRYPT|p11.CKF_MESSAGE_SIGN|p11.CKF_MESSAGE_VERIFY) != 0 {
		info.Flags |= functions & p11.CKF_MULTI_MESSAGE
	}
	if row.Size.Unit != 0 {
		info.MinKeySize = uint64(max(row.Size.Min, least))
	}
	return info, true
}

// leastSize returns the least size, in the row's unit, of the keys of any type
// that a function may be used with, and false if there are none.
func (r *Rules) leastSize(row *mech.Mechanism, f p11.Flags) (int, bool) {
	if len(row.Keys) == 0 {
		return 0, true
	}
	least, some := row.Size.Max, false
	for _, t := range row.Keys {
		bits := r.p.least(t, f)
		if row.Size.Unit == mech.Bytes {
			bits = (bits + 7) / 8
		}
		if bits > row.Size.Max || r.keyType(t, f) != nil {
			continue
		}
		least, some = min(least, bits), true
	}
	return least, some
}

// Mechanism says whether a mechanism may be used for the function f, one of the
// flags of CK_MECHANISM_INFO, with a parameter. The code is
// CKR_MECHANISM_INVALID.
func (r *Rules) Mechanism(row *mech.Mechanism, f p11.Flags, params p11.Params) error {
	if rule, refused := r.p.lists(row.Type); refused {
		return r.refuse(p11.CKR_MECHANISM_INVALID, rule, "%v", row.Type)
	}
	if rule, refused := r.weak(row.WeaknessesWith(params), f); refused {
		return r.refuse(p11.CKR_MECHANISM_INVALID, rule, "%v", row.Type)
	}
	return nil
}

// weak returns the rule by which one of the weaknesses excludes a function.
func (r *Rules) weak(has mech.Weaknesses, f p11.Flags) (rule string, refused bool) {
	for _, w := range weaknesses {
		if has&w.weak != 0 && r.p.base.refused[w.weak]&f != 0 {
			return w.rule, true
		}
	}
	return "", false
}

func (r *Rules) keyType(t p11.KeyType, f p11.Flags) error {
	kind, err := r.reg.KeyType(t)
	if err != nil {
		return err
	}
	if rule, refused := r.weak(kind.Weak, f); refused {
		return r.refuse(p11.CKR_MECHANISM_INVALID, rule, "a key of type %v", t)
	}
	return nil
}

// Key is what the rules see of a key.
type Key interface {
	Class() p11.ObjectClass
	Type() p11.KeyType
	Bits() int
	Permits(usage p11.AttributeType) bool
}

// Key says whether a key may be used for the function f. tooSmall is the
// caller's code for a key that is too small; the others are
// CKR_MECHANISM_INVALID for a type of key, and CKR_KEY_FUNCTION_NOT_PERMITTED
// for a key of old that was not separated.
func (r *Rules) Key(k Key, f p11.Flags, tooSmall p11.RV) error {
	if err := r.keyType(k.Type(), f); err != nil {
		return err
	}
	if least := r.p.least(k.Type(), f); k.Bits() < least {
		return r.refuse(tooSmall, "minimum", "a key of type %v with %d bits, less than %d", k.Type(), k.Bits(), least)
	}
	if r.p.base.attributes.Separate && f&(p11.CKF_WRAP|p11.CKF_UNWRAP) != 0 && joined(k, k) {
		return r.refuse(p11.CKR_KEY_FUNCTION_NOT_PERMITTED, separation, "the key both wraps and decrypts or makes MACs, or unwraps and encrypts")
	}
	return nil
}

const (
	separation = "wrapping apart from encryption"
	hidden     = "private and secret keys are hidden"
)

// joined reports whether two keys, which may be one, undo each other: what one
// wraps the other decrypts, or what one encrypts the other unwraps. Of a secret
// key a MAC is as good as encryption: that of one block is the block cipher.
func joined(a, b Key) bool {
	opens := b.Permits(p11.CKA_DECRYPT) || macs(b)
	makes := a.Permits(p11.CKA_ENCRYPT) || macs(a)
	return a.Permits(p11.CKA_WRAP) && opens || makes && b.Permits(p11.CKA_UNWRAP)
}

func macs(k Key) bool { return k.Class() == p11.CKO_SECRET_KEY && k.Permits(p11.CKA_SIGN) }

// An Object is what the rules see of a new object.
type Object interface {
	Key
	IsKey() bool
	Private() bool
	Sensitive() bool
	// Made is how the object came into being just now.
	Made() attr.How
	// Local reports CKA_LOCAL.
	Local() bool
}

// New says whether the objects may be, all of one call: a key pair is two. The
// code is CKR_ATTRIBUTE_VALUE_INVALID or, for a type of key that is not
// generated any more, CKR_MECHANISM_INVALID.
func (r *Rules) New(objs ...Object) error {
	for _, o := range objs {
		if !o.IsKey() {
			continue
		}
		if err := r.newKey(o); err != nil {
			return err
		}
		for _, other := range objs {
			if r.p.base.attributes.Separate && other.IsKey() && joined(o, other) {
				return r.refuse(p11.CKR_ATTRIBUTE_VALUE_INVALID, separation, "a key or a pair that both wraps and decrypts, or unwraps and encrypts")
			}
		}
	}
	return nil
}

func (r *Rules) newKey(o Object) error {
	if o.Made() == attr.Generate {
		f := p11.CKF_GENERATE
		if o.Class() != p11.CKO_SECRET_KEY {
			f = p11.CKF_GENERATE_KEY_PAIR
		}
		if err := r.keyType(o.Type(), f); err != nil {
			return err
		}
		if least := r.p.least(o.Type(), f); o.Bits() < least {
			return r.refuse(p11.CKR_ATTRIBUTE_VALUE_INVALID, "minimum", "generating a key of type %v with %d bits, less than %d", o.Type(), o.Bits(), least)
		}
	}
	want := r.p.base.attributes
	if o.Class() == p11.CKO_PUBLIC_KEY {
		return nil
	}
	if want.Hidden && !o.Sensitive() {
		return r.refuse(p11.CKR_ATTRIBUTE_VALUE_INVALID, hidden, "a key whose CKA_SENSITIVE is false")
	}
	if want.Hidden && !o.Private() {
		return r.refuse(p11.CKR_ATTRIBUTE_VALUE_INVALID, hidden, "a key whose CKA_PRIVATE is false")
	}
	// What is unwrapped or derived twice, once to wrap and once to decrypt, is
	// two keys of one value.
	if want.Separate && o.Class() == p11.CKO_SECRET_KEY && !o.Local() && (o.Permits(p11.CKA_WRAP) || o.Permits(p11.CKA_UNWRAP)) {
		return r.refuse(p11.CKR_ATTRIBUTE_VALUE_INVALID, separation, "a secret key that wraps or unwraps and was not generated here")
	}
	return nil
}

// Change says whether an object may take the place of another, or be its copy:
// a use that keeps wrapping apart is not given to a key afterwards. The code is
// CKR_ATTRIBUTE_VALUE_INVALID.
func (r *Rules) Change(old, changed Object) error {
	if r.p.base.attributes.Separate && old.IsKey() {
		for _, usage := range []p11.AttributeType{p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_WRAP, p11.CKA_UNWRAP} {
			if changed.Permits(usage) && !old.Permits(usage) {
				return r.refuse(p11.CKR_ATTRIBUTE_VALUE_INVALID, separation, "a key that is given %v later", usage)
			}
		}
		if macs(changed) && !macs(old) {
			return r.refuse(p11.CKR_ATTRIBUTE_VALUE_INVALID, separation, "a secret key that is given CKA_SIGN later")
		}
	}
	return nil
}

// Shows says whether an attribute of an object may be read: of a key from
// before the policy hid them, not what the standard lets it hide.
func (r *Rules) Shows(o Object, t p11.AttributeType) error {
	if r.p.base.attributes.Hidden && o.IsKey() && o.Class() != p11.CKO_PUBLIC_KEY && attr.Hidden(t) {
		return r.refuse(p11.CKR_ATTRIBUTE_SENSITIVE, hidden, "reading %v", t)
	}
	return nil
}

// refuse says which rule of the policy refuses what.
func (r *Rules) refuse(rv p11.RV, rule, what string, args ...any) error {
	return p11.Errorf(rv, "the policy %s refuses "+what+" (%s)", append(append([]any{r.p.Name}, args...), rule)...)
}
