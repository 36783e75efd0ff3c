package mech

import "coffer/p11"

// Weaknesses are what a security policy may hold against a mechanism. A row
// says which of them it has, and the policy which uses that rules out; here
// nothing is refused for them.
type Weaknesses uint8

const (
	// SHA1Signature is a signature over a SHA-1 digest, of which two different
	// texts can be had. A MAC with SHA-1 has not this weakness.
	SHA1Signature Weaknesses = 1 << iota
	// SmallBlock is a cipher with blocks of 64 bits: after some gigabytes under
	// one key, equal blocks tell.
	SmallBlock
	// Unpadded is RSA without any padding.
	Unpadded
	// PaddingOracle is RSA encryption with the padding of PKCS #1 v1.5: who may
	// decrypt by trying can be made to decrypt for others.
	PaddingOracle
	// Unapproved is what no FIPS or NIST SP has.
	Unapproved
)

// signedDigest is a parameter that names the digest that is signed.
type signedDigest interface {
	SignedDigest() p11.MechanismType
}

// WeaknessesWith returns those of the row and those that a parameter adds.
func (m *Mechanism) WeaknessesWith(p p11.Params) Weaknesses {
	if d, ok := p.(signedDigest); ok {
		if h, ok := hashByDigest(d.SignedDigest()); ok {
			return m.Weak | h.Weak
		}
	}
	return m.Weak
}

// unapproved marks a key type that no NIST standard has a use for.
func unapproved(k KeyType) KeyType {
	k.Weak |= Unapproved
	return k
}
