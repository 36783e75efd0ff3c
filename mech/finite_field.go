package mech

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"math/bits"
	"slices"
	"sync"

	"filippo.io/bigmod"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
	"coffer/p11/attr"
)

// This file has what the keys of Diffie-Hellman, of X9.42 and of DSA share: a
// prime p, a base g, perhaps the prime order q of the base, a private x and the
// public y = g^x mod p. Powers with a secret exponent are filippo.io/bigmod's,
// whose time depends on the sizes only; math/big works on public numbers.

// An ffField is the group that g generates.
type ffField struct {
	prime, base, order *big.Int // order is nil if it is not known
	p                  *bigmod.Modulus
	g                  *bigmod.Nat
	safe               bool // (prime-1)/2 is the order, and a published prime has it
}

// errFFDomain says which of p, q and g is wrong.
func errFFDomain(format string, args ...any) error {
	return p11.Errorf(p11.CKR_DOMAIN_PARAMS_INVALID, format, args...)
}

// newFFField checks p, q and g; q may be nil. Primes that are not published
// ones are tested (Baillie-PSW, for which no composite number is known).
func newFFField(p, q, g *big.Int, sizes KeySize) (*ffField, error) {
	one := big.NewInt(1)
	switch {
	case p == nil || g == nil:
		return nil, p11.Errorf(p11.CKR_DOMAIN_PARAMS_INVALID, "CKA_PRIME or CKA_BASE is empty")
	case !sizes.Contains(p.BitLen()):
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "CKA_PRIME has %d bits, not %d to %d", p.BitLen(), sizes.Min, sizes.Max)
	}
	f := &ffField{prime: p, base: g, order: q}
	last := new(big.Int).Sub(p, one)
	if g.Cmp(one) <= 0 || g.Cmp(last) >= 0 {
		return nil, errFFDomain("CKA_BASE is not between 1 and CKA_PRIME-1")
	}
	known := isPublishedPrime(p)
	if !known && (p.Bit(0) == 0 || !p.ProbablyPrime(0)) {
		return nil, errFFDomain("CKA_PRIME is no prime number")
	}
	if q == nil && known && big.Jacobi(g, p) == 1 {
		f.order, f.safe = new(big.Int).Rsh(p, 1), true
	}
	if q != nil {
		switch {
		case q.BitLen() < minSubprime || q.Cmp(last) >= 0:
			return nil, errFFDomain("CKA_SUBPRIME has %d bits, not %d or more and fewer than CKA_PRIME", q.BitLen(), minSubprime)
		case new(big.Int).Mod(last, q).Sign() != 0 || !q.ProbablyPrime(0):
			return nil, errFFDomain("CKA_SUBPRIME is no prime factor of CKA_PRIME-1")
		case new(big.Int).Exp(g, q, p).Cmp(one) != 0:
			return nil, errFFDomain("CKA_SUBPRIME is not the order of CKA_BASE")
		}
	}
	var err error
	if f.p, err = bigmod.NewModulus(p.Bytes()); err != nil {
		return nil, err
	}
	if f.g, err = bigmod.NewNat().SetBytes(g.FillBytes(make([]byte, f.p.Size())), f.p); err != nil {
		return nil, err
	}
	return f, nil
}

// minSubprime is the length in bits of the least order that the standard has.
const minSubprime = 160

// contains reports whether y is a public key: 1 < y < p-1, and in the group of
// the order, if that is known (NIST SP 800-56A, section 5.6.2.3.1).
func (f *ffField) contains(y *big.Int) bool {
	one := big.NewInt(1)
	if y.Cmp(one) <= 0 || y.Cmp(new(big.Int).Sub(f.prime, one)) >= 0 {
		return false
	}
	switch {
	case f.safe:
		return big.Jacobi(y, f.prime) == 1
	case f.order != nil:
		return new(big.Int).Exp(y, f.order, f.prime).Cmp(one) == 0
	}
	return true
}

// power returns y^x mod p, as long as p.
func (f *ffField) power(y *bigmod.Nat, x []byte) []byte {
	return bigmod.NewNat().Exp(y, x, f.p).Bytes(f.p)
}

// ffDefaultBits is the length of a private value in a published group. Twice
// the strength of the largest of them is less than 400 (RFC 7919, appendix A).
const ffDefaultBits = 512

// newPrivate returns a random private value of at most bits bits or, if bits is
// 0, of the length that suits the group, and its public one.
func (f *ffField) newPrivate(bits int) (x []byte, y *big.Int) {
	if bits == 0 {
		bits = f.prime.BitLen() - 1
		if f.safe {
			bits = min(bits, ffDefaultBits)
		}
	}
	if f.order != nil && !f.safe {
		return f.newBelowOrder()
	}
	x = make([]byte, (bits+7)/8)
	for {
		rand.Read(x)
		x[0] &= 0xff >> (8*len(x) - bits)
		y = new(big.Int).SetBytes(f.power(f.g, x))
		// x = 0 and its like; y is public.
		if y.Cmp(big.NewInt(1)) > 0 && f.contains(y) {
			return x, y
		}
	}
}

// newBelowOrder returns a private value from 1 to q-1, by trying.
func (f *ffField) newBelowOrder() (x []byte, y *big.Int) {
	x, _ = randomBelow(f.order)
	return x, new(big.Int).SetBytes(f.power(f.g, x))
}

// randomBelow returns a random number from 1 to n-1 in as many bytes as n has,
// and the same modulo n.
func randomBelow(n *big.Int) ([]byte, *bigmod.Nat) {
	m, err := bigmod.NewModulus(n.Bytes())
	if err != nil {
		panic("mech: no modulus")
	}
	b := make([]byte, m.Size())
	for {
		rand.Read(b)
		b[0] &= 0xff >> (8*len(b) - n.BitLen())
		k, err := bigmod.NewNat().SetBytes(b, m)
		if err == nil && k.IsZero() == 0 {
			return b, k
		}
	}
}

// An ffType is one of the key types: which attributes its domain has, in the
// order of its DER, and how that is called.
type ffType struct {
	key    p11.KeyType
	oid    string // DER
	domain []p11.AttributeType
	sizes  KeySize
	orders []int // the lengths in bits that q may have; any if empty
}

// ffPublicKey is the material of a public key.
type ffPublicKey struct {
	field *ffField
	typ   *ffType
	y     *big.Int
}

// ffPrivateKey is that of a private key.
type ffPrivateKey struct {
	field  *ffField
	typ    *ffType
	x      []byte
	public func() *big.Int // y, computed when first needed
}

func (t *ffType) keyType() KeyType {
	return KeyType{
		Type:           t.key,
		Parse:          t.parse,
		Complete:       t.complete,
		Wipe:           wipeFF,
		PublicKeyInfo:  ffPublicKeyInfo,
		MarshalPKCS8:   marshalFFPKCS8,
		UnmarshalPKCS8: t.unmarshalPKCS8,
		Domain:         t.checkDomain,
	}
}

func (t *ffType) field(values attr.Values) (*ffField, error) {
	for _, a := range t.domain {
		if len(values.Bytes(a)) == 0 {
			return nil, errFFDomain("%v is missing", a)
		}
	}
	q := bigOf(values, p11.CKA_SUBPRIME)
	if q != nil && len(t.orders) > 0 && !slices.Contains(t.orders, q.BitLen()) {
		return nil, errFFDomain("CKA_SUBPRIME has %d bits; it can have %v", q.BitLen(), t.orders)
	}
	return newFFField(bigOf(values, p11.CKA_PRIME), q, bigOf(values, p11.CKA_BASE), t.sizes)
}

func (t *ffType) parse(class p11.ObjectClass, values attr.Values) (any, int, error) {
	f, err := t.field(values)
	if err != nil {
		return nil, 0, err
	}
	size := f.prime.BitLen()
	if class == p11.CKO_PUBLIC_KEY {
		y := bigOf(values, p11.CKA_VALUE)
		if y == nil || !f.contains(y) {
			return nil, 0, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "CKA_VALUE is not a public key in the group of the base")
		}
		return &ffPublicKey{f, t, y}, size, nil
	}
	x := bytes.TrimLeft(values.Bytes(p11.CKA_VALUE), "\x00")
	if !f.holds(x) {
		return nil, 0, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE is not a private key of the group")
	}
	return newFFPrivateKey(f, t, bytes.Clone(x)), size, nil
}

// holds reports whether x can be a private value: from 1 to the order less 1,
// or to p-2.
func (f *ffField) holds(x []byte) bool {
	most := f.p
	if f.order != nil {
		q, err := bigmod.NewModulus(f.order.Bytes())
		if err != nil {
			return false
		}
		most = q
	}
	if len(x) == 0 || len(x) > most.Size() {
		return false
	}
	padded, _ := fixedWidth(x, most.Size())
	n, err := bigmod.NewNat().SetBytes(padded, most)
	return err == nil && n.IsZero() == 0
}

func newFFPrivateKey(f *ffField, t *ffType, x []byte) *ffPrivateKey {
	return &ffPrivateKey{field: f, typ: t, x: x, public: sync.OnceValue(func() *big.Int {
		return new(big.Int).SetBytes(f.power(f.g, x))
	})}
}

// complete returns CKA_VALUE_BITS of a private key whose type has it.
func (t *ffType) complete(class p11.ObjectClass, values attr.Values, material any) (attr.Values, error) {
	table, _ := attr.Lookup(class, uint64(t.key))
	key, ok := material.(*ffPrivateKey)
	if !ok || table.Find(p11.CKA_VALUE_BITS) == nil || values.Has(p11.CKA_VALUE_BITS) {
		return nil, nil
	}
	return attr.Values{attr.NewULong(p11.CKA_VALUE_BITS, 8*(len(key.x)-1)+bits.Len8(key.x[0]))}, nil
}

// checkDomain checks domain parameters and returns their lengths.
func (t *ffType) checkDomain(values attr.Values) (attr.Values, error) {
	f, err := t.field(values)
	if err != nil {
		return nil, err
	}
	table, _ := attr.Lookup(p11.CKO_DOMAIN_PARAMETERS, uint64(t.key))
	more := attr.Values{attr.NewULong(p11.CKA_PRIME_BITS, f.prime.BitLen())}
	if table.Find(p11.CKA_SUBPRIME_BITS) != nil {
		more = append(more, attr.NewULong(p11.CKA_SUBPRIME_BITS, f.order.BitLen()))
	}
	return more, nil
}

// generate makes a pair in the group of the public template.
func (t *ffType) generate(_ p11.Params, public, private attr.Values) (pub, priv attr.Values, err error) {
	for _, a := range t.domain {
		if !public.Has(a) {
			return nil, nil, p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "%v is needed to generate a key pair of type %v", a, t.key)
		}
	}
	f, err := t.field(public)
	if err != nil {
		return nil, nil, err
	}
	bits := 0
	if n, ok := private.ULong(p11.CKA_VALUE_BITS); ok {
		if n < minSubprime || n >= uint64(f.prime.BitLen()) {
			return nil, nil, p11.Errorf(p11.CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE_BITS is %d, not from %d to the length of CKA_PRIME", n, minSubprime)
		}
		bits = int(n)
	}
	x, y := f.newPrivate(bits)
	pub = attr.Values{attr.NewBytes(p11.CKA_VALUE, y.Bytes())}
	for _, a := range t.domain {
		pub = append(pub, attr.NewBytes(a, public.Bytes(a)))
		priv = append(priv, attr.NewBytes(a, bytes.Clone(public.Bytes(a))))
	}
	return pub, append(priv, attr.NewBytes(p11.CKA_VALUE, x)), nil
}

// wipeFF clears a private value.
func wipeFF(material any) {
	if key, ok := material.(*ffPrivateKey); ok {
		clear(key.x)
	}
}

// algorithm returns the inside of the AlgorithmIdentifier.
func (t *ffType) algorithm(f *ffField) []byte {
	var b cryptobyte.Builder
	b.AddBytes([]byte(t.oid))
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, a := range t.domain {
			b.AddASN1BigInt(map[p11.AttributeType]*big.Int{
				p11.CKA_PRIME: f.prime, p11.CKA_SUBPRIME: f.order, p11.CKA_BASE: f.base,
			}[a])
		}
	})
	return b.BytesOrPanic()
}

func derInteger(n *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1BigInt(n)
	return b.BytesOrPanic()
}

func ffPublicKeyInfo(material any) ([]byte, error) {
	switch key := material.(type) {
	case *ffPublicKey:
		return marshalPublicKeyInfo(key.typ.algorithm(key.field), derInteger(key.y)), nil
	case *ffPrivateKey:
		return marshalPublicKeyInfo(key.typ.algorithm(key.field), derInteger(key.public())), nil
	}
	return nil, errNotMaterial(material)
}

func marshalFFPKCS8(material any) ([]byte, error) {
	key, ok := material.(*ffPrivateKey)
	if !ok {
		return nil, errNotMaterial(material)
	}
	x := new(big.Int).SetBytes(key.x)
	defer wipeBig(x)
	inner := derInteger(x)
	defer clear(inner)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(key.typ.algorithm(key.field)) })
		b.AddASN1OctetString(inner)
	})
	return b.BytesOrPanic(), nil
}

// unmarshalPKCS8 reads the INTEGER in a PrivateKeyInfo of the type. What
// follows the domain, as privateValueLength of PKCS #3 or the j of X9.42, is
// passed over.
func (t *ffType) unmarshalPKCS8(der []byte) (attr.Values, error) {
	info, err := parsePrivateKeyInfo(der)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(info.algorithm, []byte(t.oid)) {
		return nil, errWrongPKCS8Type
	}
	params, key := cryptobyte.String(info.parameters), cryptobyte.String(info.key)
	var seq cryptobyte.String
	var x []byte
	if !params.ReadASN1(&seq, asn1.SEQUENCE) || !params.Empty() || !key.ReadASN1Integer(&x) || !key.Empty() {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the PKCS #8 structure has no domain parameters or no INTEGER inside")
	}
	var values attr.Values
	for _, a := range t.domain {
		var n []byte
		if !seq.ReadASN1Integer(&n) {
			return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the domain parameters lack %v", a)
		}
		values = append(values, attr.NewBytes(a, bytes.Clone(n)))
	}
	return append(values, attr.NewBytes(p11.CKA_VALUE, bytes.Clone(x))), nil
}

// domainOf returns the attributes of p, q and g.
func domainOf(p, q, g *big.Int, t *ffType) attr.Values {
	values := attr.Values{attr.NewBytes(p11.CKA_PRIME, p.Bytes()), attr.NewBytes(p11.CKA_BASE, g.Bytes())}
	if slices.Contains(t.domain, p11.CKA_SUBPRIME) {
		values = append(values, attr.NewBytes(p11.CKA_SUBPRIME, q.Bytes()))
	}
	return values
}
