// Package object turns templates into objects. An Object is an immutable
// snapshot of an object's attributes that answers reads, matches and
// permission checks, and is the mech.Key that mechanisms use. A Factory makes
// them: by creation, generation, unwrapping, derivation, copy and change, each
// with the return code that the standard gives a bad template.
//
// It knows no session, no handle and no store. Who is logged in comes in as an
// Actor; whether a session may create or see an object is for package token to
// decide, by Token and Private.
//
// # Design
//
// All attribute rules are in the tables of package attr; what the standard
// leaves to the token is in one table here, defaults.go. Objects that get
// their value from a mechanism are made in two steps: a Draft is the checked
// template, so that nothing is computed for a template that cannot succeed,
// and its Finish takes what the mechanism contributes.
//
// Ownership: an Object owns the memory of all its values. Nothing passed in is
// kept and nothing that Split or Encoded return is shared. The values that can
// be secret lie in locked memory. Whoever works with them holds the object
// meanwhile, and so may its owner wipe it at any time: they are cleared when
// the last has released it, and with them the parsed material (a
// *rsa.PrivateKey, say) as far as it can be. Copies that the crypto packages
// made are beyond its reach.
package object

import (
	"encoding/binary"
	"slices"
	"sync"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token/locked"
)

// Actor is who asks for an object or a change.
type Actor = attr.Actor

// An Object is one object at one revision. It is immutable, but for Wipe, and
// safe for use by several goroutines.
type Object struct {
	id      ID
	class   p11.ObjectClass
	keyType p11.KeyType
	row     *mech.KeyType // nil if the object is no key
	table   attr.Table
	values  attr.Values    // in the order of table
	secret  *locked.Secret // where those of them are that can be secret; nil if there are none
	locked  bool
	hides   bool
	usages  uint16 // bit i: attr.Usages[i]
	made    attr.How
	allowed []p11.MechanismType

	parse  sync.Once
	parsed parsed
}

type parsed struct {
	material any
	bits     int
	err      error
}

// newObject makes the object of values, of which it takes copies. row is nil
// for what is no key.
func newObject(id ID, table attr.Table, row *mech.KeyType, values attr.Values) (*Object, error) {
	own, secret, err := own(table, values)
	if err != nil {
		return nil, err
	}
	o := &Object{id: id, table: table, row: row, values: own, secret: secret, hides: table.Hides(values)}
	o.guard()
	o.class, _ = values.Class()
	if row != nil {
		o.keyType = row.Type
	}
	for i, u := range attr.Usages {
		if values.True(u) {
			o.usages |= 1 << i
		}
	}
	list := own.Bytes(p11.CKA_ALLOWED_MECHANISMS)
	for ; len(list) >= 8; list = list[8:] {
		o.allowed = append(o.allowed, p11.MechanismType(binary.LittleEndian.Uint64(list)))
	}
	return o, nil
}

// ID returns the object's identity on the token.
func (o *Object) ID() ID { return o.id }

// Class returns CKA_CLASS.
func (o *Object) Class() p11.ObjectClass { return o.class }

// Type returns CKA_KEY_TYPE of a key. Of other objects it means nothing; ask
// IsKey.
func (o *Object) Type() p11.KeyType { return o.keyType }

// Made returns how the object was just made, 0 for one that was copied, changed
// or read from a store.
func (o *Object) Made() attr.How { return o.made }

// Local reports CKA_LOCAL: the key was generated on the token.
func (o *Object) Local() bool { return o.values.True(p11.CKA_LOCAL) }

// IsKey reports whether the object is a public, private or secret key.
func (o *Object) IsKey() bool { return o.row != nil }

// Bits returns the size of a key, 0 if it is no key or its material cannot be
// had.
func (o *Object) Bits() int {
	if _, err := o.Material(); err != nil {
		return 0
	}
	return o.parsed.bits
}

// Material returns the key as a mechanism uses it: the bytes of CKA_VALUE for
// a secret key, else what the key type's Parse makes of the attributes. It is
// parsed once and shared: the caller must not change it, and holds the object
// as long as it uses it. The error is
// CKR_USER_NOT_LOGGED_IN for a locked object, CKR_OBJECT_HANDLE_INVALID for one
// that was wiped, CKR_KEY_HANDLE_INVALID for one that is no key, or that of
// Parse.
func (o *Object) Material() (any, error) {
	switch {
	case o.row == nil:
		return nil, p11.Errorf(p11.CKR_KEY_HANDLE_INVALID, "the object is not a key")
	case o.locked:
		return nil, errLocked
	case o.wiped():
		return nil, errWiped
	}
	o.parse.Do(o.parseHeld)
	return o.parsed.material, o.parsed.err
}

var (
	errLocked = p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "the object's secret part is sealed until the user logs in")
	errWiped  = p11.Errorf(p11.CKR_OBJECT_HANDLE_INVALID, "the object was dropped and its secrets wiped")
)

// parseHeld parses the key, unless it is wiped at this moment: no key may be
// made of zeros.
func (o *Object) parseHeld() {
	if o.parsed.err = o.again(); o.parsed.err == nil {
		defer o.Release()
		o.parsed = parseKey(o.row, o.class, o.values)
	}
}

// parseKey makes the material of a key's attributes.
func parseKey(row *mech.KeyType, class p11.ObjectClass, values attr.Values) parsed {
	if row.Secret {
		value := values.Bytes(p11.CKA_VALUE)
		return parsed{material: value, bits: 8 * len(value)}
	}
	mech.ScrubDeep()
	defer mech.ScrubDeep()
	m, bits, err := row.Parse(class, values)
	return parsed{m, bits, err}
}

// Token reports CKA_TOKEN: a token object, not a session object.
func (o *Object) Token() bool { return o.values.True(p11.CKA_TOKEN) }

// Private reports CKA_PRIVATE.
func (o *Object) Private() bool { return o.values.True(p11.CKA_PRIVATE) }

// Modifiable reports CKA_MODIFIABLE.
func (o *Object) Modifiable() bool { return o.values.True(p11.CKA_MODIFIABLE) }

// Copyable reports CKA_COPYABLE.
func (o *Object) Copyable() bool { return o.values.True(p11.CKA_COPYABLE) }

// Destroyable reports CKA_DESTROYABLE.
func (o *Object) Destroyable() bool { return o.values.True(p11.CKA_DESTROYABLE) }

// Sensitive reports CKA_SENSITIVE.
func (o *Object) Sensitive() bool { return o.values.True(p11.CKA_SENSITIVE) }

// Extractable reports CKA_EXTRACTABLE.
func (o *Object) Extractable() bool { return o.values.True(p11.CKA_EXTRACTABLE) }

// Trusted reports CKA_TRUSTED.
func (o *Object) Trusted() bool { return o.values.True(p11.CKA_TRUSTED) }

// WrapWithTrusted reports CKA_WRAP_WITH_TRUSTED.
func (o *Object) WrapWithTrusted() bool { return o.values.True(p11.CKA_WRAP_WITH_TRUSTED) }

// AlwaysAuthenticate reports CKA_ALWAYS_AUTHENTICATE.
func (o *Object) AlwaysAuthenticate() bool { return o.values.True(p11.CKA_ALWAYS_AUTHENTICATE) }

// Hides reports whether the object keeps its secret values to itself: it is a
// key that is sensitive or not extractable.
func (o *Object) Hides() bool { return o.hides }

// Guessable reports whether the object hides a secret so short that a few
// bytes computed from it give it away to whoever tries all. Of a locked object
// it is not known, and false.
func (o *Object) Guessable() bool {
	return o.class == p11.CKO_SECRET_KEY && !o.locked && guessable(o.table, o.values)
}

// Locked reports whether the object was loaded without its secret part.
func (o *Object) Locked() bool { return o.locked }

// Permits reports whether the attribute usage, one of attr.Usages such as
// CKA_SIGN, is true.
func (o *Object) Permits(usage p11.AttributeType) bool {
	for i, u := range attr.Usages {
		if u == usage {
			return o.usages&(1<<i) != 0
		}
	}
	return false
}

// AllowsMechanism reports whether CKA_ALLOWED_MECHANISMS lets m use the key. A
// key without the attribute, or with an empty list (which SoftHSM2 shows for
// every key, so that it comes back with migrated templates), takes any.
func (o *Object) AllowsMechanism(m p11.MechanismType) bool {
	return len(o.allowed) == 0 || slices.Contains(o.allowed, m)
}

// Size returns the bytes that the object takes up, roughly, for
// C_GetObjectSize.
func (o *Object) Size() int {
	n := len(o.id)
	for _, v := range o.values {
		n += 16 + len(v.Raw)
	}
	return n
}
