package mech

import (
	"crypto/dsa" //lint:ignore SA1019 the generator of domain parameters is what X9.42 needs
	"crypto/rand"
	"math/big"

	"filippo.io/bigmod"

	"coffer/p11"
	"coffer/p11/attr"
)

// dhSizes are the lengths of a prime that Diffie-Hellman takes. Beyond the
// maximum a derivation takes seconds.
var dhSizes = KeySize{Min: 1024, Max: 8192, Unit: Bits}

// dhType is PKCS #3's key, x942Type that of ANSI X9.42.
var (
	dhType = &ffType{
		key: p11.CKK_DH, sizes: dhSizes,
		oid:    "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01",
		domain: []p11.AttributeType{p11.CKA_PRIME, p11.CKA_BASE},
	}
	x942Type = &ffType{
		key: p11.CKK_X9_42_DH, sizes: dhSizes,
		oid:    "\x06\x07\x2a\x86\x48\xce\x3e\x02\x01",
		domain: []p11.AttributeType{p11.CKA_PRIME, p11.CKA_BASE, p11.CKA_SUBPRIME},
	}
)

// dhFamily has Diffie-Hellman over finite fields (PKCS #11 v3.2, section 6.4).
var dhFamily = Family{
	Name:     "Diffie-Hellman",
	KeyTypes: []KeyType{dhType.keyType(), x942Type.keyType()},
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_DH_PKCS_KEY_PAIR_GEN, Keys: []p11.KeyType{p11.CKK_DH}, Size: dhSizes,
			GeneratePair: dhType.generate,
		},
		{
			Type: p11.CKM_DH_PKCS_DERIVE, Keys: []p11.KeyType{p11.CKK_DH}, Size: dhSizes, Params: p11.OptionalPublicValue,
			Derive:      deriveDH,
			Encapsulate: encapsulateDH, EncapsulateSize: encapsulateSizeDH, Decapsulate: decapsulateDH,
		},
		{
			Type: p11.CKM_DH_PKCS_PARAMETER_GEN, Keys: []p11.KeyType{p11.CKK_DH}, Size: dhSizes, Domain: true,
			Generate: generateDHDomain,
		},
		{
			Type: p11.CKM_X9_42_DH_KEY_PAIR_GEN, Keys: []p11.KeyType{p11.CKK_X9_42_DH}, Size: dhSizes,
			GeneratePair: x942Type.generate,
		},
		{
			Type: p11.CKM_X9_42_DH_DERIVE, Keys: []p11.KeyType{p11.CKK_X9_42_DH}, Size: dhSizes, Params: p11.ParamX942DH1,
			Derive:      deriveX942,
			Encapsulate: encapsulateX942, EncapsulateSize: encapsulateSizeX942, Decapsulate: decapsulateX942,
		},
		{
			Type: p11.CKM_X9_42_DH_PARAMETER_GEN, Keys: []p11.KeyType{p11.CKK_X9_42_DH}, Size: KeySize{Min: 1024, Max: 3072, Unit: Bits}, Domain: true,
			Generate: generateX942Domain,
		},
	},
}

// agree returns the shared secret with another party's public value, as long
// as the prime.
func (k *ffPrivateKey) agree(public []byte) ([]byte, error) {
	y := new(big.Int).SetBytes(public)
	if !k.field.contains(y) {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "it is not a public key in the group of the base")
	}
	base, err := bigmod.NewNat().SetBytes(y.FillBytes(make([]byte, k.field.p.Size())), k.field.p)
	if err != nil {
		return nil, err
	}
	secret := bigmod.NewNat().Exp(base, k.x, k.field.p)
	defer clear(secret.Bits())
	// In a group of unknown order, a value of a low one.
	if secret.IsOne()|secret.IsMinusOne(k.field.p) == 1 {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "it has a low order")
	}
	return secret.Bytes(k.field.p), nil
}

// ffAgree is a derivation with one public value of the other party.
func ffAgree(d Derivation, public []byte, kdf secretKDF) (Derived, error) {
	key, err := materialOf[*ffPrivateKey](d.Base)
	if err != nil {
		return Derived{}, err
	}
	if len(public) == 0 {
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the other party's public value is missing")
	}
	secret, err := key.agree(public)
	if err != nil {
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the other party's public value: %w", err)
	}
	defer clear(secret)
	value, err := kdf(secret, d.Length)
	if err != nil {
		return Derived{}, err
	}
	return derived(value), nil
}

func deriveDH(d Derivation) (Derived, error) {
	p, err := paramAs[p11.PublicValue](d.Params)
	if err != nil {
		return Derived{}, err
	}
	return ffAgree(d, p, trailingBytes)
}

// ffEncapsulate makes a pair in the group of the public key, and the secret of
// both. The ciphertext is the public value, as long as the prime.
func ffEncapsulate(k Key, kdf secretKDF, length int) (ciphertext, secret []byte, err error) {
	key, err := materialOf[*ffPublicKey](k)
	if err != nil {
		return nil, nil, err
	}
	x, y := key.field.newPrivate(0)
	own := newFFPrivateKey(key.field, key.typ, x)
	defer clear(x)
	shared, err := own.agree(key.y.Bytes())
	if err != nil {
		return nil, nil, err
	}
	defer clear(shared)
	if secret, err = kdf(shared, length); err != nil {
		return nil, nil, err
	}
	return y.FillBytes(make([]byte, key.field.p.Size())), secret, nil
}

// ffEncapsulateSize tries the function with a secret of zeros, which fails as it
// will with the real one.
func ffEncapsulateSize(k Key, kdf secretKDF, length int) (int, error) {
	key, err := materialOf[*ffPublicKey](k)
	if err != nil {
		return 0, err
	}
	n := key.field.p.Size()
	_, err = kdf(make([]byte, n), length)
	return n, err
}

func ffDecapsulate(k Key, ciphertext []byte, kdf secretKDF, length int) ([]byte, error) {
	key, err := materialOf[*ffPrivateKey](k)
	if err != nil {
		return nil, err
	}
	if len(ciphertext) != key.field.p.Size() {
		return nil, p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "the ciphertext has %d bytes, not the %d of the prime", len(ciphertext), key.field.p.Size())
	}
	shared, err := key.agree(ciphertext)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_ENCRYPTED_DATA_INVALID, "the ciphertext: %w", err)
	}
	defer clear(shared)
	return kdf(shared, length)
}

func encapsulateDH(k Key, p p11.Params, length int) (ciphertext, secret []byte, err error) {
	if p != nil {
		return nil, nil, errEncapsulateDH
	}
	return ffEncapsulate(k, trailingBytes, length)
}

func encapsulateSizeDH(k Key, p p11.Params, length int) (int, error) {
	if p != nil {
		return 0, errEncapsulateDH
	}
	return ffEncapsulateSize(k, trailingBytes, length)
}

func decapsulateDH(k Key, p p11.Params, ciphertext []byte, length int) ([]byte, error) {
	if p != nil {
		return nil, errEncapsulateDH
	}
	return ffDecapsulate(k, ciphertext, trailingBytes, length)
}

var errEncapsulateDH = p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "to encapsulate and decapsulate, CKM_DH_PKCS_DERIVE takes no parameter")

// generateDHDomain gives the published group of the length that is asked for: a
// fresh safe prime would take minutes and be no better (RFC 7919).
func generateDHDomain(_ p11.Params, want attr.Values) (attr.Values, error) {
	if !want.Has(p11.CKA_PRIME_BITS) {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_PRIME_BITS is needed to generate domain parameters")
	}
	bits, ok := want.ULong(p11.CKA_PRIME_BITS)
	if !ok || bits > uint64(dhSizes.Max) {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_PRIME_BITS is more than %d", dhSizes.Max)
	}
	p := preferredPrime(int(bits))
	if p == nil {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "there is no published group of %d bits; there are those of 1024, 1536, 2048, 3072, 4096, 6144 and 8192", bits)
	}
	return domainOf(p, nil, big.NewInt(2), dhType), nil
}

// generateX942Domain makes p, q and g as FIPS 186-3 does it for DSA, which are
// of the form that X9.42 wants.
func generateX942Domain(_ p11.Params, want attr.Values) (attr.Values, error) {
	for _, a := range []p11.AttributeType{p11.CKA_PRIME_BITS, p11.CKA_SUBPRIME_BITS} {
		if !want.Has(a) {
			return nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "%v is needed to generate domain parameters", a)
		}
	}
	p, _ := want.ULong(p11.CKA_PRIME_BITS)
	q, _ := want.ULong(p11.CKA_SUBPRIME_BITS)
	return generateFFDomain(x942Type, p, q)
}

// dsaSizes are the lengths of p and q that FIPS 186-3 has.
var dsaParameterSizes = map[[2]uint64]dsa.ParameterSizes{
	{1024, 160}: dsa.L1024N160, {2048, 224}: dsa.L2048N224, {2048, 256}: dsa.L2048N256, {3072, 256}: dsa.L3072N256,
}

func generateFFDomain(t *ffType, p, q uint64) (attr.Values, error) {
	sizes, ok := dsaParameterSizes[[2]uint64{p, q}]
	if !ok {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_PRIME of %d and CKA_SUBPRIME of %d bits cannot be generated; there are 1024 and 160, 2048 and 224, 2048 and 256, 3072 and 256", p, q)
	}
	var params dsa.Parameters
	if err := dsa.GenerateParameters(&params, rand.Reader, sizes); err != nil {
		return nil, err
	}
	return domainOf(params.P, params.Q, params.G, t), nil
}
