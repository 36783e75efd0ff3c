package mech

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
	"coffer/p11/attr"
)

// This file has what the keys of ML-DSA, ML-KEM and SLH-DSA share: a parameter
// set, CKA_PARAMETER_SET, both halves as strings of bytes, CKA_VALUE, and
// encodings without parameters (RFC 9881, 9935 and 9909).
//
// A private key of ML-DSA and of ML-KEM has two forms: the seed, CKA_SEED, and
// what key generation makes of it. "At least one of CKA_SEED and CKA_VALUE must
// be specified", and whichever there is, is enough here. If both are given they
// are compared. A key with a seed always gets its CKA_VALUE too.

// A paramSet is a parameter set.
type paramSet struct {
	id   uint64 // CKP_
	name string
	oid  byte   // the last arc of the object identifier, behind arc
	arc  string // DER of the object identifier before it

	// The lengths in bytes of CKA_VALUE of both halves, and of what the scheme
	// makes: a signature or a ciphertext.
	public, private, output int

	scheme setScheme
}

// A setScheme makes the keys of a parameter set. The secrets in the slices given
// are their owner's, those in the slices returned the caller's to wipe.
type setScheme interface {
	// generate returns a new key and its seed, or, if the scheme has no seeds,
	// its CKA_VALUE.
	generate() ([]byte, setPrivate, error)
	// openPublic returns the key of CKA_VALUE of a public key, of the right length.
	openPublic(value []byte) (any, error)
	// openPrivate returns the key of CKA_VALUE, of the right length, and checks
	// that all of it belongs together.
	openPrivate(value []byte) (setPrivate, error)
}

// A seededScheme is a setScheme whose private keys grow from a seed.
type seededScheme interface {
	setScheme
	seedSize() int
	// grow returns the key of a seed, of the right length.
	grow(seed []byte) (setPrivate, error)
}

// generateSeeded is generate for a scheme with seeds.
func generateSeeded(s seededScheme) ([]byte, setPrivate, error) {
	seed := make([]byte, s.seedSize())
	rand.Read(seed)
	key, err := s.grow(seed)
	return seed, key, err
}

// A setPrivate is a private key ready for use.
type setPrivate interface {
	// public returns CKA_VALUE of the public half, private that of this one.
	public() []byte
	private() []byte
	wipe()
}

// setPublicKey is the material of a public key.
type setPublicKey struct {
	set   *paramSet
	value []byte
	key   any // what openPublic returned
}

// setPrivateKey is the material of a private key.
type setPrivateKey struct {
	set  *paramSet
	seed []byte // nil if there is none
	key  setPrivate
}

// setKeyOf returns the key of an object as the scheme made it.
func setKeyOf[T any](k Key) (set *paramSet, key T, err error) {
	material, err := k.Material()
	if err != nil {
		return nil, key, err
	}
	var ok bool
	switch m := material.(type) {
	case *setPublicKey:
		set = m.set
		key, ok = m.key.(T)
	case *setPrivateKey:
		set = m.set
		key, ok = m.key.(T)
	}
	if !ok {
		return nil, key, p11.Errorf(p11.CKR_KEY_TYPE_INCONSISTENT, "the mechanism cannot use a key of class %v and type %v", k.Class(), k.Type())
	}
	return set, key, nil
}

// paramSets are the parameter sets of one key type.
type paramSets []paramSet

// keyType returns the row of a key type with these parameter sets.
func (ps paramSets) keyType(t p11.KeyType) KeyType {
	return KeyType{
		Type:           t,
		Parse:          ps.parse,
		Complete:       completeSet,
		Wipe:           wipeSet,
		PublicKeyInfo:  setPublicKeyInfo,
		MarshalPKCS8:   marshalSetPKCS8,
		UnmarshalPKCS8: ps.unmarshalPKCS8,
	}
}

// sizes is the range that mechanisms tell: of public keys, in bytes.
func (ps paramSets) sizes() KeySize {
	s := KeySize{Min: ps[0].public, Max: ps[0].public, Unit: Bytes}
	for i := range ps {
		s.Min, s.Max = min(s.Min, ps[i].public), max(s.Max, ps[i].public)
	}
	return s
}

// named returns the parameter set that CKA_PARAMETER_SET names.
func (ps paramSets) named(values attr.Values) (*paramSet, error) {
	id, ok := values.ULong(p11.CKA_PARAMETER_SET)
	for i := range ps {
		if ok && ps[i].id == id {
			return &ps[i], nil
		}
	}
	return nil, p11.Errorf(p11.CKR_PARAMETER_SET_NOT_SUPPORTED, "there is no parameter set %d of the key type", id)
}

func (ps paramSets) parse(class p11.ObjectClass, values attr.Values) (any, int, error) {
	set, err := ps.named(values)
	if err != nil {
		return nil, 0, err
	}
	if class == p11.CKO_PUBLIC_KEY {
		key, err := set.parsePublic(values.Bytes(p11.CKA_VALUE))
		return key, 8 * set.public, err
	}
	key, err := set.parsePrivate(values.Bytes(p11.CKA_SEED), values.Bytes(p11.CKA_VALUE))
	if err != nil {
		return nil, 0, err
	}
	return key, 8 * set.public, nil
}

func (s *paramSet) parsePublic(value []byte) (*setPublicKey, error) {
	if len(value) != s.public {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE of a public key of %s has %d bytes, not %d", s.name, s.public, len(value))
	}
	value = bytes.Clone(value)
	key, err := s.scheme.openPublic(value)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "CKA_VALUE is not a public key of %s: %w", s.name, err)
	}
	return &setPublicKey{set: s, value: value, key: key}, nil
}

func (s *paramSet) parsePrivate(seed, value []byte) (*setPrivateKey, error) {
	if len(value) != s.private && (len(value) > 0 || len(seed) == 0) {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE of a private key of %s has %d bytes, not %d", s.name, s.private, len(value))
	}
	if len(seed) == 0 {
		key, err := s.scheme.openPrivate(value)
		if err != nil {
			return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE is not a private key of %s: %w", s.name, err)
		}
		return &setPrivateKey{set: s, key: key}, nil
	}
	scheme, ok := s.scheme.(seededScheme)
	if !ok || len(seed) != scheme.seedSize() {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "a key of %s has no CKA_SEED of %d bytes", s.name, len(seed))
	}
	key, err := scheme.grow(seed)
	if err != nil {
		return nil, err
	}
	if len(value) > 0 {
		own := key.private()
		defer clear(own)
		if subtle.ConstantTimeCompare(own, value) != 1 {
			key.wipe()
			return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE is not that of the key that CKA_SEED makes")
		}
	}
	return &setPrivateKey{set: s, seed: bytes.Clone(seed), key: key}, nil
}

// completeSet gives a private key of a seed its CKA_VALUE.
func completeSet(class p11.ObjectClass, values attr.Values, material any) (attr.Values, error) {
	key, ok := material.(*setPrivateKey)
	if class != p11.CKO_PRIVATE_KEY || !ok || len(values.Bytes(p11.CKA_VALUE)) > 0 {
		return nil, nil
	}
	return attr.Values{attr.NewBytes(p11.CKA_VALUE, key.key.private())}, nil
}

func wipeSet(material any) {
	if key, ok := material.(*setPrivateKey); ok {
		clear(key.seed)
		key.key.wipe()
	}
}

func (ps paramSets) generate(_ p11.Params, public, _ attr.Values) (pub, priv attr.Values, err error) {
	if !public.Has(p11.CKA_PARAMETER_SET) {
		return nil, nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_PARAMETER_SET is needed to generate a key pair")
	}
	set, err := ps.named(public)
	if err != nil {
		return nil, nil, err
	}
	id := attr.NewULong(p11.CKA_PARAMETER_SET, set.id)
	secret, key, err := set.scheme.generate()
	if err != nil {
		return nil, nil, err
	}
	defer key.wipe()
	if _, seeded := set.scheme.(seededScheme); seeded {
		priv = attr.Values{attr.NewBytes(p11.CKA_SEED, secret), attr.NewBytes(p11.CKA_VALUE, key.private())}
	} else {
		priv = attr.Values{attr.NewBytes(p11.CKA_VALUE, secret)}
	}
	pub = attr.Values{id, attr.NewBytes(p11.CKA_VALUE, bytes.Clone(key.public()))}
	return pub, append(priv, id), nil
}

// algorithm returns the DER object identifier.
func (s *paramSet) algorithm() []byte { return append([]byte(s.arc), s.oid) }

func setPublicKeyInfo(material any) ([]byte, error) {
	switch key := material.(type) {
	case *setPublicKey:
		return marshalPublicKeyInfo(key.set.algorithm(), key.value), nil
	case *setPrivateKey:
		return marshalPublicKeyInfo(key.set.algorithm(), key.key.public()), nil
	}
	return nil, errNotMaterial(material)
}

// seedTag is that of the seed in ML-DSA-PrivateKey and ML-KEM-PrivateKey (RFC
// 9881, section 6; RFC 9935, section 6):
//
//	CHOICE {
//	  seed [0] OCTET STRING,
//	  expandedKey OCTET STRING,
//	  both SEQUENCE { seed OCTET STRING, expandedKey OCTET STRING } }
var seedTag = asn1.Tag(0).ContextSpecific()

// marshalSetPKCS8 encodes the seed alone where there is one, as both RFCs
// recommend. A key without seeds stands as it is (RFC 9909, section 6).
func marshalSetPKCS8(material any) ([]byte, error) {
	key, ok := material.(*setPrivateKey)
	if !ok {
		return nil, errNotMaterial(material)
	}
	_, seeded := key.set.scheme.(seededScheme)
	var inner cryptobyte.Builder
	switch {
	case len(key.seed) > 0:
		inner.AddASN1(seedTag, func(b *cryptobyte.Builder) { b.AddBytes(key.seed) })
	default:
		value := key.key.private()
		defer clear(value)
		if seeded {
			inner.AddASN1OctetString(value)
		} else {
			inner.AddBytes(value)
		}
	}
	secret := inner.BytesOrPanic()
	defer clear(secret)
	return marshalOneAsymmetricKey(key.set.algorithm(), secret), nil
}

// unmarshalPKCS8 reads all forms. Which of them belong together is for parse to
// check.
func (ps paramSets) unmarshalPKCS8(der []byte) (attr.Values, error) {
	info, err := parsePrivateKeyInfo(der)
	if err != nil {
		return nil, err
	}
	for i := range ps {
		set := &ps[i]
		if !bytes.Equal(info.algorithm, set.algorithm()) {
			continue
		}
		seed, value, ok := set.choice(info.key)
		if !ok || info.parameters != nil {
			return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the PKCS #8 structure has no private key of %s inside", set.name)
		}
		out := attr.Values{attr.NewULong(p11.CKA_PARAMETER_SET, set.id)}
		if seed != nil {
			out = append(out, attr.NewBytes(p11.CKA_SEED, bytes.Clone(seed)))
		}
		if value != nil {
			out = append(out, attr.NewBytes(p11.CKA_VALUE, bytes.Clone(value)))
		}
		return out, nil
	}
	return nil, errWrongPKCS8Type
}

// choice takes the inside of a PrivateKeyInfo apart. The slices point into it.
func (s *paramSet) choice(inside []byte) (seed, value []byte, ok bool) {
	scheme, seeded := s.scheme.(seededScheme)
	if !seeded {
		return nil, inside, len(inside) == s.private
	}
	in := cryptobyte.String(inside)
	both := in
	var seq, a, b cryptobyte.String
	switch {
	case in.PeekASN1Tag(seedTag):
		ok = in.ReadASN1(&a, seedTag)
	case in.PeekASN1Tag(asn1.SEQUENCE):
		ok = both.ReadASN1(&seq, asn1.SEQUENCE) && seq.ReadASN1(&a, asn1.OCTET_STRING) && seq.ReadASN1(&b, asn1.OCTET_STRING) && seq.Empty()
		in = both
	default:
		ok = in.ReadASN1(&b, asn1.OCTET_STRING)
	}
	if !ok || !in.Empty() || a != nil && len(a) != scheme.seedSize() || b != nil && len(b) != s.private {
		return nil, nil, false
	}
	return a, b, true
}
