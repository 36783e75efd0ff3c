// Package mech is the registry of mechanisms: one file per family, one row per
// CKM, one row per key type. It knows keys and bytes. It knows no object, no
// session, no login and no policy: whether a key may be used for a purpose was
// settled before a constructor here is called.
//
// # Design
//
// A row holds constructors for what the mechanism can do; CK_MECHANISM_INFO
// flags are computed from which of them are present, so they cannot lie. A
// parameter's kind, not the mechanism, decides how its bytes are decoded. What
// is common to several mechanisms is a decorator (a hash before a raw
// signature), never a switch over CKM_.
package mech

import (
	"fmt"
	"slices"

	"coffer/p11"
	"coffer/p11/attr"
)

// Size bounds an output in bytes. Exact says that Max is the length itself.
type Size struct {
	Max   int
	Exact bool
}

// An Op is one initialised encryption, decryption, signature or digest. Its
// caller serialises the calls and ends it by Wipe.
//
// dst and src are the application's memory: neither is kept. dst is at least
// the Max of the size asked for; after an error it holds what it held before
// or zeros, never a part of the output; dst and src
// are the same memory (dst[0] and src[0] at one address) or do not overlap at
// all. An error from Update or Final leaves the Op of no further use but Wipe.
type Op interface {
	// Update takes the next part of the input and returns how many bytes it
	// wrote. A mechanism that takes its input whole refuses it with
	// CKR_FUNCTION_NOT_SUPPORTED.
	Update(dst, src []byte) (n int, err error)
	// UpdateSize bounds the output of Update for n further bytes.
	UpdateSize(n int) Size
	// Final takes the last part, which is all of it when no Update went before,
	// and finishes.
	Final(dst, src []byte) (n int, err error)
	// FinalSize bounds the output of Final for n further bytes.
	FinalSize(n int) Size
	// Wipe clears secrets. It may be called more than once.
	Wipe()
}

// A VerifyOp ends with a signature to compare instead of producing one. A
// wrong one is CKR_SIGNATURE_INVALID, one of an impossible length
// CKR_SIGNATURE_LEN_RANGE.
type VerifyOp interface {
	Update(src []byte) error
	Verify(src, sig []byte) error
	Wipe()
}

// A Key is what a mechanism sees of a key object. It is immutable and safe for
// use by several goroutines.
type Key interface {
	Class() p11.ObjectClass
	Type() p11.KeyType
	// Bits is the size of the key: the modulus, the order of the curve's field,
	// or eight times the length of a secret.
	Bits() int
	// Material returns what KeyType.Parse made of the object's attributes:
	// []byte for a secret key, a type of the family's own for the others. It
	// is parsed once for each revision of the object and must not be changed.
	// The bytes of a secret key are good until the constructor that asked for
	// them returns, everything else until the Op is wiped.
	Material() (any, error)
}

// Unit is the unit of a mechanism's key sizes.
type Unit uint8

// The units. The zero Unit is for mechanisms without a key.
const (
	Bits Unit = iota + 1
	Bytes
)

// KeySize is the range of key sizes that a mechanism takes, in its own unit.
// The zero KeySize is for mechanisms without a key.
type KeySize struct {
	Min, Max int
	Unit     Unit
}

// Contains reports whether a key of so many bits is in the range.
func (s KeySize) Contains(bits int) bool {
	switch s.Unit {
	case Bits:
		return s.Min <= bits && bits <= s.Max
	case Bytes:
		return s.Min*8 <= bits && bits <= s.Max*8
	default:
		return true
	}
}

// Derivation is what C_DeriveKey hands to a mechanism.
type Derivation struct {
	Base   Key
	Params p11.Params
	Others []Key       // the keys that Params names, in its order
	Want   attr.Values // the new object's template, CKA_CLASS and CKA_KEY_TYPE settled
	// Length is CKA_VALUE_LEN, or the only length the new key type has, in
	// bytes; 0 if neither says.
	Length int
}

// Derived is what a derivation yields: the attributes that hold the new
// object's value (CKA_VALUE for a secret key), and how the standard wants the
// history of the key told.
type Derived struct {
	Values attr.Values
	// Public says that the value is no secret by itself (CKM_HKDF_DATA, say).
	Public bool
	// Inherits says that the new key is sensitive if a base key is, and not
	// extractable if one is not, whatever the template would have.
	Inherits bool
	// Shows says that the value has bytes of the base keys as they are: whoever
	// learns it learns them.
	Shows Shows
}

// Shows is how the value of a derived key has those of its base keys in it.
// The zero Shows is for all that have something one-way between.
type Shows uint8

// ShowsPart is a part of the base key, or all of it, and nothing else but what
// is XORed to it. ShowsWith is the whole of every base key beside what the
// caller chose, ShowsPartWith a part of one.
const (
	ShowsPart Shows = iota + 1
	ShowsWith
	ShowsPartWith
)

// A Mechanism is one row. CKF_SIGN and its like are not written here: Flags
// derives them from the constructors that are set.
type Mechanism struct {
	Type   p11.MechanismType
	Keys   []p11.KeyType // of the main key; for generation, of the new key
	Size   KeySize
	Extra  p11.Flags // CKF_EC_ flags only
	Params p11.ParamKind
	// SinglePart says that the input comes in one call: C_EncryptUpdate and its
	// like are refused before the Op sees them.
	SinglePart bool
	// Domain says that Generate makes no key but domain parameters, of class
	// CKO_DOMAIN_PARAMETERS.
	Domain bool
	// Cuts says that Derive can take a part of the base key as it is.
	Cuts bool
	// Weak is what a security policy may hold against the mechanism.
	Weak Weaknesses

	Encrypt, Decrypt func(Key, p11.Params) (Op, error)
	Sign             func(Key, p11.Params) (Op, error)
	Verify           func(Key, p11.Params) (VerifyOp, error)
	Digest           func(p11.Params) (Op, error)
	// SignRecover makes a signature that VerifyRecover makes the data of again:
	// its Op takes the signature for input, and a wrong one is
	// CKR_SIGNATURE_INVALID or, if its length shows it, CKR_SIGNATURE_LEN_RANGE.
	// The size of the data is never Exact, since a wrong signature goes before
	// a short buffer (PKCS #11 v3.2, 5.15.6).
	SignRecover, VerifyRecover func(Key, p11.Params) (Op, error)

	// Messages sets a key up for messages, each with a parameter of MessageKind
	// of its own, and for the wrapping of keys with such a parameter.
	Messages    func(Key) (MessageCipher, error)
	MessageKind p11.MessageKind

	// Generate makes the value of a secret key: the attributes that the
	// standard says the mechanism contributes, CKA_VALUE among them. want is
	// the complete template. The secret ones among the values that Generate,
	// GeneratePair and Derive return are nobody else's: the caller wipes them.
	Generate func(p p11.Params, want attr.Values) (attr.Values, error)
	// GeneratePair does so for a key pair; the curve, size and the like are in
	// the public template.
	GeneratePair func(p p11.Params, public, private attr.Values) (pub, priv attr.Values, err error)
	Derive       func(Derivation) (Derived, error)
	// Wrap encrypts an encoded key: CKA_VALUE of a secret key or, where
	// WrapsPrivate says so, the PKCS #8 encoding of a private key. WrapSize is
	// the exact length of its result for n bytes, so that C_WrapKey can answer
	// a length query without running it.
	Wrap         func(wrapping Key, p p11.Params, encoded []byte) ([]byte, error)
	WrapSize     func(wrapping Key, p p11.Params, n int) (int, error)
	Unwrap       func(unwrapping Key, p p11.Params, wrapped []byte) ([]byte, error)
	WrapsPrivate bool
	// UnwrapUntold, which most mechanisms do without, is Unwrap where it is known
	// beforehand that the key is a secret one of length bytes. It gives a key of
	// whatever is as long as it must be, the same each time, so as not to tell
	// whether anything was wrong with it.
	UnwrapUntold func(unwrapping Key, p p11.Params, wrapped []byte, length int) ([]byte, error)

	// Encapsulate makes a secret of length bytes, the new key's, and the
	// ciphertext that carries it to the owner of the private key; Decapsulate
	// opens it (PKCS #11 v3.2, 5.18.8 and 5.18.9). Length is 0 if neither the
	// template nor the new key's type says one: then it is the mechanism's own.
	// EncapsulateSize is the exact length of the ciphertext, so that a length
	// query makes nothing. The secret is nobody else's: the caller wipes it. A
	// ciphertext of a wrong length is CKR_ENCRYPTED_DATA_LEN_RANGE.
	Encapsulate     func(public Key, p p11.Params, length int) (ciphertext, secret []byte, err error)
	EncapsulateSize func(public Key, p p11.Params, length int) (int, error)
	Decapsulate     func(private Key, p p11.Params, ciphertext []byte, length int) (secret []byte, err error)

	flags p11.Flags // what Flags returns, of a row that is in a registry
}

// Flags returns the CK_MECHANISM_INFO flags.
func (m *Mechanism) Flags() p11.Flags {
	if m.flags != 0 {
		return m.flags
	}
	f := m.Extra
	for _, c := range []struct {
		present bool
		flag    p11.Flags
	}{
		{m.Encrypt != nil, p11.CKF_ENCRYPT},
		{m.Decrypt != nil, p11.CKF_DECRYPT},
		{m.Digest != nil, p11.CKF_DIGEST},
		{m.Sign != nil, p11.CKF_SIGN},
		{m.SignRecover != nil, p11.CKF_SIGN_RECOVER},
		{m.Verify != nil, p11.CKF_VERIFY},
		{m.VerifyRecover != nil, p11.CKF_VERIFY_RECOVER},
		{m.Generate != nil, p11.CKF_GENERATE},
		{m.GeneratePair != nil, p11.CKF_GENERATE_KEY_PAIR},
		{m.Wrap != nil, p11.CKF_WRAP},
		{m.Unwrap != nil, p11.CKF_UNWRAP},
		{m.Derive != nil, p11.CKF_DERIVE},
		{m.Encapsulate != nil, p11.CKF_ENCAPSULATE},
		{m.Decapsulate != nil, p11.CKF_DECAPSULATE},
		{m.Messages != nil, p11.CKF_MESSAGE_ENCRYPT | p11.CKF_MESSAGE_DECRYPT},
		{m.Sign != nil, p11.CKF_MESSAGE_SIGN},
		{m.Verify != nil, p11.CKF_MESSAGE_VERIFY},
		{(m.Messages != nil || m.Sign != nil || m.Verify != nil) && !m.SinglePart, p11.CKF_MULTI_MESSAGE},
	} {
		if c.present {
			f |= c.flag
		}
	}
	return f
}

// A KeyType is one CKK: how its objects are checked, completed, parsed and
// carried.
type KeyType struct {
	Type p11.KeyType
	// Secret says that the key is a CKO_SECRET_KEY; otherwise it is a pair of
	// CKO_PUBLIC_KEY and CKO_PRIVATE_KEY.
	Secret bool
	// Lengths lists the lengths in bytes that CKA_VALUE of a secret key may
	// have; empty allows any from 1 to MaxLength.
	Lengths   []int
	MaxLength int
	// Fix sets the bits of a secret value that its type rules, such as the
	// parity of DES keys. It is called for what was generated or derived; a
	// value of any other origin has to be right as it is. May be nil.
	Fix func(value []byte)
	// OneTime says that a MAC or two under a key of the type give it away.
	OneTime bool
	// Weak is what a security policy may hold against every use of such a key.
	Weak Weaknesses

	// Parse makes the Go key of an object's attributes and checks them: on the
	// curve, consistent, of a supported size. The errors are those of
	// C_CreateObject: CKR_ATTRIBUTE_VALUE_INVALID, CKR_CURVE_NOT_SUPPORTED,
	// CKR_DOMAIN_PARAMS_INVALID, CKR_PARAMETER_SET_NOT_SUPPORTED,
	// CKR_PUBLIC_KEY_INVALID, CKR_KEY_SIZE_RANGE.
	// Nil for secret keys, whose material is CKA_VALUE.
	Parse func(class p11.ObjectClass, values attr.Values) (material any, bits int, err error)
	// Complete returns attributes that the standard lets the token compute from
	// the others and the material, such as CKA_MODULUS_BITS, or CKA_PRIME_1 and
	// its like from n, e and d. May be nil.
	Complete func(class p11.ObjectClass, values attr.Values, material any) (attr.Values, error)
	// Domain checks CKO_DOMAIN_PARAMETERS of the type and returns the attributes
	// that the token computes from them, such as CKA_PRIME_BITS. Nil for types
	// that have none.
	Domain func(values attr.Values) (attr.Values, error)
	// Wipe clears the material of a private key, as far as it can be got at,
	// when nobody uses it any more. Nil for secret keys, whose bytes are their
	// owner's.
	Wipe func(material any)
	// PublicKeyInfo returns the DER SubjectPublicKeyInfo of either half of a
	// pair, for CKA_PUBLIC_KEY_INFO. Nil for secret keys.
	PublicKeyInfo func(material any) ([]byte, error)
	// MarshalPKCS8 and UnmarshalPKCS8 carry a private key of this type through
	// wrapping: the material to a DER PrivateKeyInfo, and its inside back to the
	// attributes of the key type's table. Nil for secret keys.
	MarshalPKCS8   func(material any) ([]byte, error)
	UnmarshalPKCS8 func(der []byte) (attr.Values, error)
}

// A Family is what one file of this package declares.
type Family struct {
	Name       string
	KeyTypes   []KeyType
	Mechanisms []Mechanism
}

// A Registry is an immutable set of families.
type Registry struct {
	mechanisms map[p11.MechanismType]*Mechanism
	keyTypes   map[p11.KeyType]*KeyType
	order      []p11.MechanismType
}

// NewRegistry returns the registry of the families. It panics if two rows
// declare the same mechanism or key type.
func NewRegistry(families ...Family) *Registry {
	r := &Registry{mechanisms: map[p11.MechanismType]*Mechanism{}, keyTypes: map[p11.KeyType]*KeyType{}}
	for _, f := range families {
		for i := range f.Mechanisms {
			row := f.Mechanisms[i] // a copy: families may be in several registries
			row.flags = row.Flags()
			m := &row
			if r.mechanisms[m.Type] != nil {
				panic(fmt.Sprintf("mech: %s redeclares %v", f.Name, m.Type))
			}
			r.mechanisms[m.Type] = m
			r.order = append(r.order, m.Type)
		}
		for i := range f.KeyTypes {
			k := &f.KeyTypes[i]
			if r.keyTypes[k.Type] != nil {
				panic(fmt.Sprintf("mech: %s redeclares %v", f.Name, k.Type))
			}
			r.keyTypes[k.Type] = k
		}
	}
	slices.Sort(r.order)
	return r
}

// Lookup returns the row of t, or CKR_MECHANISM_INVALID.
func (r *Registry) Lookup(t p11.MechanismType) (*Mechanism, error) {
	if m := r.mechanisms[t]; m != nil {
		return m, nil
	}
	return nil, p11.Errorf(p11.CKR_MECHANISM_INVALID, "there is no mechanism %v", t)
}

// KeyType returns the row of t, or CKR_ATTRIBUTE_VALUE_INVALID.
func (r *Registry) KeyType(t p11.KeyType) (*KeyType, error) {
	if k := r.keyTypes[t]; k != nil {
		return k, nil
	}
	return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "there is no key type %v", t)
}

// Mechanisms returns every mechanism in ascending order. The caller must not
// change the slice.
func (r *Registry) Mechanisms() []p11.MechanismType { return r.order }
