// Package policy is what an operator may rule out: mechanisms, sizes of keys,
// and attributes that a key must or must not have. A Policy is data; Rules are
// a policy over the mechanisms that there are, and answer three questions: may
// this mechanism be used for this, may it be used with this key, may this
// object be.
//
// It knows no session, no login and no object: package token asks it at the one
// place where each mechanism, key and object comes by.
//
// # Design
//
// Nothing here knows a mechanism by name but the lists that the operator
// writes. What speaks against a mechanism is in its row (mech.Weaknesses), and
// a policy says for which functions a weakness counts. To protect (encrypt,
// sign, wrap, make keys) is told from to process what was protected before
// (decrypt, verify, unwrap), as NIST SP 800-131A tells them: what is too weak
// to protect anything today must still be read.
package policy

import (
	"slices"

	"coffer/mech"
	"coffer/p11"
)

// A Policy is what a token lets its applications do. The zero Policy is that
// of New("default") but for its name.
type Policy struct {
	Name        string
	base        base
	allow, deny []p11.MechanismType // allow nil: all
	minimum     map[p11.KeyType]int // the operator's own, in bits
}

// base is what a policy of a name has in it.
type base struct {
	// refused are the functions that a weakness rules out.
	refused map[mech.Weaknesses]p11.Flags
	// generate and protect are the least sizes in bits of the keys that are
	// generated, and of those that protect anything.
	generate, protect map[p11.KeyType]int
	attributes        Attributes
}

// Attributes are what a policy wants of the attributes of keys.
type Attributes struct {
	// Hidden: every private and secret key has CKA_PRIVATE and CKA_SENSITIVE.
	Hidden bool
	// Separate: no key both wraps and decrypts, or unwraps and encrypts, at any
	// time of its life.
	Separate bool
}

// What an operation does to data: protect it, or process what was protected.
const (
	protects = p11.CKF_ENCRYPT | p11.CKF_DIGEST | p11.CKF_SIGN | p11.CKF_SIGN_RECOVER | p11.CKF_WRAP | p11.CKF_DERIVE |
		p11.CKF_GENERATE | p11.CKF_GENERATE_KEY_PAIR | p11.CKF_ENCAPSULATE | p11.CKF_MESSAGE_ENCRYPT | p11.CKF_MESSAGE_SIGN
	generates = p11.CKF_GENERATE | p11.CKF_GENERATE_KEY_PAIR
	encrypts  = p11.CKF_ENCRYPT | p11.CKF_WRAP | p11.CKF_MESSAGE_ENCRYPT
	decrypts  = p11.CKF_DECRYPT | p11.CKF_UNWRAP | p11.CKF_MESSAGE_DECRYPT
	signs     = p11.CKF_SIGN | p11.CKF_SIGN_RECOVER | p11.CKF_MESSAGE_SIGN
	seals     = p11.CKF_ENCAPSULATE | p11.CKF_DECAPSULATE
)

// bases are the policies that there are.
var bases = map[string]base{
	"legacy": {},
	"default": {
		refused: map[mech.Weaknesses]p11.Flags{
			mech.SHA1Signature: signs,
			mech.SmallBlock:    protects,
			mech.Unpadded:      encrypts,
		},
		generate: sizes(2048, "rsa", "dsa", "dh"),
	},
	"strict": {
		refused: map[mech.Weaknesses]p11.Flags{
			mech.SHA1Signature: signs,
			mech.SmallBlock:    protects,
			mech.Unpadded:      encrypts | decrypts | signs,
			mech.PaddingOracle: encrypts | decrypts | seals,
			mech.Unapproved:    protects,
		},
		generate:   join(sizes(2048, "rsa", "dsa", "dh"), sizes(224, "ec"), sizes(112, "secret")),
		protect:    join(sizes(2048, "rsa", "dsa", "dh"), sizes(224, "ec"), sizes(112, "secret")),
		attributes: Attributes{Hidden: true, Separate: true},
	},
}

// weaknesses are the names of the rules in the log.
var weaknesses = []struct {
	weak mech.Weaknesses
	rule string
}{
	{mech.SHA1Signature, "no signatures over SHA-1"},
	{mech.SmallBlock, "no protection by triple DES"},
	{mech.Unpadded, "no RSA without padding"},
	{mech.PaddingOracle, "no RSA encryption with the padding of PKCS #1 v1.5"},
	{mech.Unapproved, "no mechanisms but those of NIST"},
}

// groups are the names of key types in the settings of sizes.
var groups = []struct {
	name  string
	types []p11.KeyType
}{
	{"rsa", []p11.KeyType{p11.CKK_RSA}},
	{"dsa", []p11.KeyType{p11.CKK_DSA}},
	{"dh", []p11.KeyType{p11.CKK_DH, p11.CKK_X9_42_DH}},
	{"ec", []p11.KeyType{p11.CKK_EC, p11.CKK_EC_EDWARDS, p11.CKK_EC_MONTGOMERY}},
	{"aes", []p11.KeyType{p11.CKK_AES}},
	{"secret", []p11.KeyType{
		p11.CKK_GENERIC_SECRET, p11.CKK_HKDF,
		p11.CKK_SHA_1_HMAC, p11.CKK_SHA224_HMAC, p11.CKK_SHA256_HMAC, p11.CKK_SHA384_HMAC, p11.CKK_SHA512_HMAC,
		p11.CKK_SHA512_224_HMAC, p11.CKK_SHA512_256_HMAC, p11.CKK_SHA512_T_HMAC,
		p11.CKK_SHA3_224_HMAC, p11.CKK_SHA3_256_HMAC, p11.CKK_SHA3_384_HMAC, p11.CKK_SHA3_512_HMAC,
	}},
}

func typesOf(group string) []p11.KeyType {
	for _, g := range groups {
		if g.name == group {
			return g.types
		}
	}
	return nil
}

func sizes(bits int, names ...string) map[p11.KeyType]int {
	out := map[p11.KeyType]int{}
	for _, name := range names {
		for _, t := range typesOf(name) {
			out[t] = bits
		}
	}
	return out
}

func join(ms ...map[p11.KeyType]int) map[p11.KeyType]int {
	out := map[p11.KeyType]int{}
	for _, m := range ms {
		for t, bits := range m {
			out[t] = bits
		}
	}
	return out
}

// New returns the policy of a name: default, legacy or strict.
func New(name string) (Policy, bool) {
	b, ok := bases[name]
	return Policy{Name: name, base: b}, ok
}

// Legacy is the policy that refuses nothing.
func Legacy() Policy {
	p, _ := New("legacy")
	return p
}

// least returns the least size in bits of a key of type t for a function.
func (p *Policy) least(t p11.KeyType, f p11.Flags) int {
	if f&protects == 0 {
		return 0
	}
	if bits, ok := p.minimum[t]; ok {
		return bits
	}
	if f&generates != 0 {
		return p.base.generate[t]
	}
	return p.base.protect[t]
}

// lists reports which of the operator's lists rules a mechanism out.
func (p *Policy) lists(t p11.MechanismType) (rule string, refused bool) {
	switch {
	case slices.Contains(p.deny, t):
		return "deny", true
	case p.allow != nil && !slices.Contains(p.allow, t):
		return "allow", true
	}
	return "", false
}
