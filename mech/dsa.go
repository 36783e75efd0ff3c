package mech

import (
	"crypto/dsa" //lint:ignore SA1019 CKM_DSA is for old clients
	"math/big"

	"filippo.io/bigmod"

	"coffer/p11"
	"coffer/p11/attr"
)

// dsaSizes are the lengths of a prime of DSA: those of FIPS 186-3, and what is
// in between.
var dsaSizes = KeySize{Min: 1024, Max: 3072, Unit: Bits}

var dsaType = &ffType{
	key: p11.CKK_DSA, sizes: dsaSizes,
	oid:    "\x06\x07\x2a\x86\x48\xce\x38\x04\x01",
	domain: []p11.AttributeType{p11.CKA_PRIME, p11.CKA_SUBPRIME, p11.CKA_BASE},
	orders: []int{160, 224, 256},
}

// dsaFamily has DSA (PKCS #11 v3.2, section 6.2), which FIPS 186-5 has dropped,
// for old clients. Signatures are made here and not by crypto/dsa, whose
// arithmetic takes a time that tells of the key.
var dsaFamily = Family{
	Name:     "dsa",
	KeyTypes: []KeyType{dsaType.keyType()},
	Mechanisms: append([]Mechanism{
		{
			Type: p11.CKM_DSA_KEY_PAIR_GEN, Weak: Unapproved, Keys: []p11.KeyType{p11.CKK_DSA}, Size: dsaSizes,
			GeneratePair: dsaType.generate,
		},
		{
			Type: p11.CKM_DSA_PARAMETER_GEN, Weak: Unapproved, Keys: []p11.KeyType{p11.CKK_DSA}, Size: dsaSizes, Domain: true,
			Generate: generateDSADomain,
		},
	}, dsaMechanisms()...),
}

func dsaMechanisms() []Mechanism {
	row := Mechanism{
		Type: p11.CKM_DSA, Weak: Unapproved, Keys: []p11.KeyType{p11.CKK_DSA}, Size: dsaSizes, SinglePart: true,
		Sign: signDSA, Verify: verifyDSA,
	}
	ms := []Mechanism{row}
	for _, with := range []struct{ mechanism, digest p11.MechanismType }{
		{p11.CKM_DSA_SHA1, p11.CKM_SHA_1},
		{p11.CKM_DSA_SHA224, p11.CKM_SHA224},
		{p11.CKM_DSA_SHA256, p11.CKM_SHA256},
		{p11.CKM_DSA_SHA384, p11.CKM_SHA384},
		{p11.CKM_DSA_SHA512, p11.CKM_SHA512},
		{p11.CKM_DSA_SHA3_224, p11.CKM_SHA3_224},
		{p11.CKM_DSA_SHA3_256, p11.CKM_SHA3_256},
		{p11.CKM_DSA_SHA3_384, p11.CKM_SHA3_384},
		{p11.CKM_DSA_SHA3_512, p11.CKM_SHA3_512},
	} {
		h, _ := hashByDigest(with.digest)
		row.Type, row.SinglePart, row.Weak = with.mechanism, false, Unapproved|h.Weak
		row.Sign, row.Verify = hashThen(h, signDSA), hashThenVerify(h, verifyDSA)
		ms = append(ms, row)
	}
	return ms
}

// generateDSADomain makes parameters as FIPS 186-3 has them, with the longest q
// that goes with the length of p.
func generateDSADomain(_ p11.Params, want attr.Values) (attr.Values, error) {
	if !want.Has(p11.CKA_PRIME_BITS) {
		return nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_PRIME_BITS is needed to generate domain parameters")
	}
	p, _ := want.ULong(p11.CKA_PRIME_BITS)
	q := uint64(256)
	if p == 1024 {
		q = 160
	}
	return generateFFDomain(dsaType, p, q)
}

// checkDSADigest: the standard wants a digest no longer than q of CKM_DSA alone;
// of a longer one FIPS 186 takes the leading bits, and so does every client.
func checkDSADigest(digest []byte) error {
	if len(digest) == 0 {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "there is no digest")
	}
	return nil
}

func signDSA(k Key, _ p11.Params) (Op, error) {
	key, err := materialOf[*ffPrivateKey](k)
	if err != nil {
		return nil, err
	}
	q, err := bigmod.NewModulus(key.field.order.Bytes())
	if err != nil {
		return nil, err
	}
	x, ok := fixedWidth(key.x, q.Size())
	if !ok {
		return nil, errNotMaterial(key)
	}
	scalar, err := bigmod.NewNat().SetBytes(x, q)
	if err != nil {
		return nil, err
	}
	two := big.NewInt(2)
	return &dsaOp{field: key.field, q: q, x: scalar, invert: two.Sub(key.field.order, two).Bytes()}, nil
}

// dsaOp signs a digest.
type dsaOp struct {
	wholeOp
	field  *ffField
	q      *bigmod.Modulus
	x      *bigmod.Nat
	invert []byte // q - 2
}

func (o *dsaOp) FinalSize(int) Size { return Size{Max: 2 * o.q.Size(), Exact: true} }

// Final is FIPS 186-4, section 4.6, with a random nonce.
func (o *dsaOp) Final(dst, digest []byte) (int, error) {
	if err := checkDSADigest(digest); err != nil {
		return 0, err
	}
	e := bigmod.NewNat().Mod(bigNat(dsaInteger(digest, o.field.order)), o.q)
	for {
		nonce, k := randomBelow(o.field.order)
		power := bigmod.NewNat().Exp(o.field.g, nonce, o.field.p)
		clear(nonce)
		r := bigmod.NewNat().Mod(power, o.q)
		inverse := bigmod.NewNat().Exp(k, o.invert, o.q)
		s := bigmod.NewNat().ExpandFor(o.q)
		copy(s.Bits(), r.Bits())
		s.Mul(o.x, o.q).Add(e, o.q).Mul(inverse, o.q)
		clear(k.Bits())
		clear(inverse.Bits())
		if r.IsZero() == 1 || s.IsZero() == 1 {
			continue
		}
		n := copy(dst, r.Bytes(o.q))
		return n + copy(dst[n:], s.Bytes(o.q)), nil
	}
}

func (o *dsaOp) Wipe() { clear(o.x.Bits()) }

// dsaInteger is the leading bits of a digest, as many as q has, which are whole
// bytes.
func dsaInteger(digest []byte, q *big.Int) *big.Int {
	return new(big.Int).SetBytes(digest[:min(len(digest), q.BitLen()/8)])
}

// bigNat returns a number that is no secret.
func bigNat(n *big.Int) *bigmod.Nat {
	b := n.Bytes()
	m, err := bigmod.NewModulus(append([]byte{1}, make([]byte, max(1, len(b)))...))
	if err != nil {
		panic("mech: no modulus")
	}
	x, err := bigmod.NewNat().SetBytes(b, m)
	if err != nil {
		panic("mech: not less than a longer number")
	}
	return x
}

func verifyDSA(k Key, _ p11.Params) (VerifyOp, error) {
	key, err := materialOf[*ffPublicKey](k)
	if err != nil {
		return nil, err
	}
	f := key.field
	public := &dsa.PublicKey{Parameters: dsa.Parameters{P: f.prime, Q: f.order, G: f.base}, Y: key.y}
	half := (f.order.BitLen() + 7) / 8
	return wholeVerifyOp(func(digest, sig []byte) error {
		if len(sig) != 2*half {
			return p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "a DSA signature of this key has %d bytes, not %d", 2*half, len(sig))
		}
		if err := checkDSADigest(digest); err != nil {
			return err
		}
		r, s := new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])
		// crypto/dsa takes the digest as it is.
		if !dsa.Verify(public, dsaInteger(digest, f.order).Bytes(), r, s) {
			return p11.CKR_SIGNATURE_INVALID
		}
		return nil
	}), nil
}
