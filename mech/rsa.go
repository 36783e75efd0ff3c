package mech

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"math"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
	"coffer/p11/attr"
)

// rsaSizes are the lengths of a modulus that coffer takes, rsaNewSizes of one
// that it makes. crypto/rsa refuses less. Beyond 16384 bits one signature takes
// seconds, and so does making a key beyond 8192.
var (
	rsaSizes    = KeySize{Min: 1024, Max: 16384, Unit: Bits}
	rsaNewSizes = KeySize{Min: 1024, Max: 8192, Unit: Bits}
)

var rsaKeys = []p11.KeyType{p11.CKK_RSA}

// rsaFamily has RSA keys and every mechanism on them (PKCS #11 v3.2, section
// 6.1). The material is an *rsaPublicKey or an *rsaPrivateKey.
var rsaFamily = Family{
	Name: "rsa",
	KeyTypes: []KeyType{{
		Type:           p11.CKK_RSA,
		Parse:          parseRSA,
		Complete:       completeRSA,
		Wipe:           erase,
		PublicKeyInfo:  rsaPublicKeyInfo,
		MarshalPKCS8:   marshalRSAPKCS8,
		UnmarshalPKCS8: unmarshalRSAPKCS8,
	}},
	Mechanisms: concat(
		[]Mechanism{{
			Type:         p11.CKM_RSA_PKCS_KEY_PAIR_GEN,
			Keys:         rsaKeys,
			Size:         rsaNewSizes,
			GeneratePair: generateRSA,
		}},
		rsaPKCS1Mechanisms(),
		rsaPSSMechanisms(),
		rsaOAEPMechanisms,
		rsaX509Mechanisms,
	),
}

func concat(lists ...[]Mechanism) []Mechanism {
	var all []Mechanism
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// bigOf returns the integer in an attribute, nil if it is absent or empty.
func bigOf(values attr.Values, t p11.AttributeType) *big.Int {
	b := values.Bytes(t)
	if len(b) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(b)
}

func parseRSA(class p11.ObjectClass, values attr.Values) (any, int, error) {
	public, err := parseRSAPublic(values)
	if err != nil {
		return nil, 0, err
	}
	bits := public.N.BitLen()
	if class == p11.CKO_PUBLIC_KEY {
		return newRSAPublicKey(public), bits, nil
	}
	private, err := parseRSAPrivate(*public, values)
	if err != nil {
		return nil, 0, err
	}
	return newRSAPrivateKey(private), bits, nil
}

func parseRSAPublic(values attr.Values) (*rsa.PublicKey, error) {
	n, e := bigOf(values, p11.CKA_MODULUS), bigOf(values, p11.CKA_PUBLIC_EXPONENT)
	if n == nil || n.Bit(0) == 0 {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_MODULUS is not an odd number")
	}
	if !rsaSizes.Contains(n.BitLen()) {
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "the modulus has %d bits, not %d to %d", n.BitLen(), rsaSizes.Min, rsaSizes.Max)
	}
	if !isRSAExponent(e) {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_PUBLIC_EXPONENT is not an odd number from 3 to 2^31-1")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// isRSAExponent reports whether crypto/rsa can use e.
func isRSAExponent(e *big.Int) bool {
	return e != nil && e.Bit(0) == 1 && e.IsInt64() && 3 <= e.Int64() && e.Int64() <= math.MaxInt32
}

// errRSAInconsistent does not say which part is wrong: that may tell about the
// others.
var errRSAInconsistent = p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "the parts of the RSA private key do not belong together")

// parseRSAPrivate makes the private key of d and of as many of the CRT parts as
// there are. The primes are found from d where they are missing.
func parseRSAPrivate(public rsa.PublicKey, values attr.Values) (*rsa.PrivateKey, error) {
	key := &rsa.PrivateKey{PublicKey: public, D: bigOf(values, p11.CKA_PRIVATE_EXPONENT)}
	if key.D == nil || key.D.Cmp(public.N) >= 0 {
		return nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_PRIVATE_EXPONENT is missing, or not less than the modulus")
	}
	p, q := bigOf(values, p11.CKA_PRIME_1), bigOf(values, p11.CKA_PRIME_2)
	switch {
	case p != nil && q != nil:
	case p != nil && p.Sign() > 0:
		q = new(big.Int).Quo(public.N, p)
	case q != nil && q.Sign() > 0:
		p = new(big.Int).Quo(public.N, q)
	default:
		var ok bool
		if p, q, ok = factorRSA(public, key.D); !ok {
			return nil, errRSAInconsistent
		}
	}
	key.Primes = []*big.Int{p, q}
	given := rsa.PrecomputedValues{
		Dp:   bigOf(values, p11.CKA_EXPONENT_1),
		Dq:   bigOf(values, p11.CKA_EXPONENT_2),
		Qinv: bigOf(values, p11.CKA_COEFFICIENT),
	}
	if given.Dp != nil && given.Dq != nil && given.Qinv != nil {
		key.Precomputed = given // checked by Precompute, which saves an exponentiation
	}
	key.Precompute()
	if key.Validate() != nil {
		return nil, errRSAInconsistent
	}
	for _, v := range []struct{ given, computed *big.Int }{
		{given.Dp, key.Precomputed.Dp}, {given.Dq, key.Precomputed.Dq}, {given.Qinv, key.Precomputed.Qinv},
	} {
		if v.given != nil && v.given.Cmp(v.computed) != 0 {
			return nil, errRSAInconsistent
		}
	}
	return key, nil
}

// factorRSA finds the primes from the exponents (NIST SP 800-56B, Appendix
// C.1): de-1 is an even multiple of the order of every residue, so that halving
// it leads to a square root of 1 that is not 1 or -1 for half of the residues.
// It takes variable time; it runs when such a key is made or loaded.
func factorRSA(public rsa.PublicKey, d *big.Int) (p, q *big.Int, ok bool) {
	one := big.NewInt(1)
	n := public.N
	k := new(big.Int).Mul(d, big.NewInt(int64(public.E)))
	k.Sub(k, one)
	if k.Sign() <= 0 || k.Bit(0) != 0 {
		return nil, nil, false
	}
	halvings := k.TrailingZeroBits()
	r := new(big.Int).Rsh(k, halvings)
	nMinus1 := new(big.Int).Sub(n, one)
	for i, g := range smallPrimes {
		if i == 4 && n.ProbablyPrime(0) {
			return nil, nil, false // no root would ever be found
		}
		x := new(big.Int).Exp(big.NewInt(g), r, n)
		trivial := false
		for range halvings {
			if trivial = x.Cmp(one) == 0 || x.Cmp(nMinus1) == 0; trivial {
				break
			}
			square := new(big.Int).Mul(x, x)
			square.Mod(square, n)
			if square.Cmp(one) == 0 {
				p = new(big.Int).GCD(nil, nil, x.Sub(x, one), n)
				q = new(big.Int).Quo(n, p)
				return p, q, true
			}
			x = square
		}
		if !trivial {
			return nil, nil, false // g^(de-1) is not 1: d does not belong to n and e
		}
	}
	return nil, nil, false
}

// smallPrimes are the residues that factorRSA tries. Each fails for half of
// all keys, independently as far as anyone knows.
var smallPrimes = []int64{
	2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
	101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191, 193, 197, 199,
}

// completeRSA returns CKA_MODULUS_BITS of a public key, and the CRT parts that
// a private key was made without.
func completeRSA(class p11.ObjectClass, values attr.Values, material any) (attr.Values, error) {
	if class == p11.CKO_PUBLIC_KEY {
		key, ok := material.(*rsaPublicKey)
		if !ok {
			return nil, errNotMaterial(material)
		}
		return attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, key.N.BitLen())}, nil
	}
	key, ok := material.(*rsaPrivateKey)
	if !ok {
		return nil, errNotMaterial(material)
	}
	var missing attr.Values
	for _, v := range rsaCRT(key.PrivateKey) {
		if len(values.Bytes(v.Type)) == 0 {
			missing = append(missing, v)
		} else {
			clear(v.Raw)
		}
	}
	return missing, nil
}

// rsaCRT returns the attributes for the Chinese remainder theorem.
func rsaCRT(key *rsa.PrivateKey) attr.Values {
	return attr.Values{
		attr.NewBytes(p11.CKA_PRIME_1, key.Primes[0].Bytes()),
		attr.NewBytes(p11.CKA_PRIME_2, key.Primes[1].Bytes()),
		attr.NewBytes(p11.CKA_EXPONENT_1, key.Precomputed.Dp.Bytes()),
		attr.NewBytes(p11.CKA_EXPONENT_2, key.Precomputed.Dq.Bytes()),
		attr.NewBytes(p11.CKA_COEFFICIENT, key.Precomputed.Qinv.Bytes()),
	}
}

func rsaPublicKeyInfo(material any) ([]byte, error) {
	switch key := material.(type) {
	case *rsaPublicKey:
		return x509.MarshalPKIXPublicKey(key.PublicKey)
	case *rsaPrivateKey:
		return x509.MarshalPKIXPublicKey(&key.PublicKey)
	}
	return nil, errNotMaterial(material)
}

func marshalRSAPKCS8(material any) ([]byte, error) {
	key, ok := material.(*rsaPrivateKey)
	if !ok {
		return nil, errNotMaterial(material)
	}
	return x509.MarshalPKCS8PrivateKey(key.PrivateKey)
}

var oidRSAEncryption = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")

// unmarshalRSAPKCS8 reads the RSAPrivateKey of PKCS #1 in a PrivateKeyInfo. A
// part that is zero is taken as absent: some tokens write such when they hold
// n, e and d only.
func unmarshalRSAPKCS8(der []byte) (attr.Values, error) {
	info, err := parsePrivateKeyInfo(der)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(info.algorithm, oidRSAEncryption) {
		return nil, errWrongPKCS8Type
	}
	s := cryptobyte.String(info.key)
	var seq cryptobyte.String
	var version int
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1Integer(&version) || version != 0 {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the PKCS #8 structure has no RSAPrivateKey with two primes inside")
	}
	var values attr.Values
	for _, t := range []p11.AttributeType{
		p11.CKA_MODULUS, p11.CKA_PUBLIC_EXPONENT, p11.CKA_PRIVATE_EXPONENT,
		p11.CKA_PRIME_1, p11.CKA_PRIME_2, p11.CKA_EXPONENT_1, p11.CKA_EXPONENT_2, p11.CKA_COEFFICIENT,
	} {
		var part []byte
		if !seq.ReadASN1Integer(&part) {
			if len(values) >= 3 && seq.Empty() {
				break
			}
			return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the RSAPrivateKey lacks a part or has a negative one")
		}
		if part = bytes.TrimLeft(part, "\x00"); len(part) > 0 {
			values = append(values, attr.NewBytes(t, bytes.Clone(part)))
		}
	}
	return values, nil
}
