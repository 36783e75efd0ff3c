package mechtest

import (
	"fmt"
	"slices"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// keyPair is what a row is exercised with; for a secret key both halves are
// the same.
type keyPair struct {
	name            string
	public, private *key
	template        attr.Values // of a pair's public half
	other           *keyPair    // see suite.other
}

// key is a mech.Key with the attributes that it was parsed from.
type key struct {
	class    p11.ObjectClass
	typ      p11.KeyType
	bits     int
	material any
	values   attr.Values
}

func (k *key) Class() p11.ObjectClass { return k.class }
func (k *key) Type() p11.KeyType      { return k.typ }
func (k *key) Bits() int              { return k.bits }
func (k *key) Material() (any, error) { return k.material, nil }

type pairTemplate struct {
	name   string
	values attr.Values
}

// domain returns domain parameters for keys of type kt, nil if no mechanism
// generates any: of 1024 bits, since those of more take their time.
func (s *suite) domain(t *testing.T, kt p11.KeyType) attr.Values {
	t.Helper()
	for _, typ := range s.registry.Mechanisms() {
		m, _ := s.registry.Lookup(typ)
		if m.Domain && slices.Contains(m.Keys, kt) {
			values, err := m.Generate(nil, domainSize)
			if err != nil {
				t.Fatalf("%v: %v", typ, err)
			}
			return values
		}
	}
	return nil
}

var domainSize = attr.Values{attr.NewULong(p11.CKA_PRIME_BITS, 1024), attr.NewULong(p11.CKA_SUBPRIME_BITS, 160)}

// pairTemplates are the public templates of the pairs to generate. A template
// that is refused for the curve or the size is passed over.
var pairTemplates = map[p11.KeyType][]pairTemplate{
	p11.CKK_RSA: {
		{"2048", attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, uint64(2048))}},
	},
	p11.CKK_EC: {
		{"P-256", ecParams("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")},
		{"P-384", ecParams("\x06\x05\x2b\x81\x04\x00\x22")},
		{"P-521", ecParams("\x06\x05\x2b\x81\x04\x00\x23")},
		{"secp256k1", ecParams("\x06\x05\x2b\x81\x04\x00\x0a")},
	},
	p11.CKK_EC_EDWARDS: {
		{"Ed25519", ecParams("\x06\x03\x2b\x65\x70")},
		{"Ed448", ecParams("\x06\x03\x2b\x65\x71")},
	},
	p11.CKK_EC_MONTGOMERY: {
		{"X25519", ecParams("\x06\x03\x2b\x65\x6e")},
		{"X448", ecParams("\x06\x03\x2b\x65\x6f")},
	},
	p11.CKK_ML_DSA: {
		{"ML-DSA-44", parameterSet(p11.CKP_ML_DSA_44)},
		{"ML-DSA-65", parameterSet(p11.CKP_ML_DSA_65)},
		{"ML-DSA-87", parameterSet(p11.CKP_ML_DSA_87)},
	},
	p11.CKK_ML_KEM: {
		{"ML-KEM-512", parameterSet(p11.CKP_ML_KEM_512)},
		{"ML-KEM-768", parameterSet(p11.CKP_ML_KEM_768)},
		{"ML-KEM-1024", parameterSet(p11.CKP_ML_KEM_1024)},
	},
	// The one that takes the least time; the vectors are for all of them.
	p11.CKK_SLH_DSA: {
		{"SLH-DSA-SHA2-128f", parameterSet(p11.CKP_SLH_DSA_SHA2_128F)},
	},
}

func parameterSet(id uint64) attr.Values {
	return attr.Values{attr.NewULong(p11.CKA_PARAMETER_SET, id)}
}

func ecParams(der string) attr.Values { return attr.Values{attr.NewString(p11.CKA_EC_PARAMS, der)} }

// secretLengths are the lengths of secrets of a type that has no fixed ones: a
// short one, one of the usual kind, and one longer than the block of any hash.
var secretLengths = []int{1, 32, 200}

// generator returns the row that generates keys of type kt.
func (s *suite) generator(t *testing.T, kt p11.KeyType) *mech.Mechanism {
	t.Helper()
	for _, typ := range s.registry.Mechanisms() {
		m, _ := s.registry.Lookup(typ)
		if (m.Generate != nil && !m.Domain || m.GeneratePair != nil) && m.Params == p11.ParamNone && slices.Contains(m.Keys, kt) {
			return m
		}
	}
	t.Fatalf("no mechanism generates keys of type %v", kt)
	return nil
}

func secretTemplate(kt p11.KeyType, n int) attr.Values {
	return attr.Values{
		attr.NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY),
		attr.NewULong(p11.CKA_KEY_TYPE, kt),
		attr.NewULong(p11.CKA_VALUE_LEN, n),
	}
}

// lengthsOf returns the lengths of secrets of a type to try.
func lengthsOf(row *mech.KeyType) []int {
	if len(row.Lengths) > 0 {
		return row.Lengths
	}
	return secretLengths
}

// pairs returns the keys of type kt, which it generates when first asked.
func (s *suite) pairs(t *testing.T, kt p11.KeyType) []*keyPair {
	t.Helper()
	if ks, ok := s.keys[kt]; ok {
		return ks
	}
	row, err := s.registry.KeyType(kt)
	if err != nil {
		t.Fatal(err)
	}
	gen := s.generator(t, kt)
	var ks []*keyPair
	if row.Secret {
		for _, n := range lengthsOf(row) {
			ks = append(ks, secretKey(t, gen, kt, n))
		}
	} else {
		templates := pairTemplates[kt]
		if domain := s.domain(t, kt); domain != nil {
			templates = append(templates, pairTemplate{"a fresh domain", domain})
		}
		for _, tmpl := range templates {
			k, err := generatePair(row, gen, tmpl.values)
			if code := p11.Code(err); code == p11.CKR_CURVE_NOT_SUPPORTED || code == p11.CKR_KEY_SIZE_RANGE {
				continue
			} else if err != nil {
				t.Fatalf("generating %s: %v", tmpl.name, err)
			}
			k.name, k.template = tmpl.name, tmpl.values
			ks = append(ks, k)
		}
	}
	if len(ks) == 0 {
		t.Fatalf("there is no template for keys of type %v", kt)
	}
	s.keys[kt] = ks
	return ks
}

func secretKey(t *testing.T, gen *mech.Mechanism, kt p11.KeyType, n int) *keyPair {
	t.Helper()
	values, err := gen.Generate(nil, secretTemplate(kt, n))
	if err != nil {
		t.Fatalf("generating a key of type %v with %d bytes: %v", kt, n, err)
	}
	k := &key{p11.CKO_SECRET_KEY, kt, 8 * n, values.Bytes(p11.CKA_VALUE), values}
	return &keyPair{name: fmt.Sprint(n, " bytes"), public: k, private: k}
}

// fitting returns the keys of type kt whose size m takes. There is one at
// least for secrets of any length: that of the least that m takes.
func (s *suite) fitting(t *testing.T, m *mech.Mechanism, kt p11.KeyType) (ks []*keyPair) {
	t.Helper()
	for _, k := range s.pairs(t, kt) {
		if m.Size.Contains(k.public.Bits()) {
			ks = append(ks, k)
		}
	}
	if row, _ := s.registry.KeyType(kt); len(ks) == 0 && len(row.Lengths) == 0 && row.Secret && m.Size.Unit == mech.Bytes {
		ks = append(ks, secretKey(t, s.generator(t, kt), kt, m.Size.Min))
	}
	return ks
}

// generatePair generates and parses both halves.
func generatePair(row *mech.KeyType, gen *mech.Mechanism, public attr.Values) (*keyPair, error) {
	common := attr.NewULong(p11.CKA_KEY_TYPE, row.Type)
	public = public.With(attr.NewULong(p11.CKA_CLASS, p11.CKO_PUBLIC_KEY), common)
	private := attr.Values{attr.NewULong(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY), common}
	pub, priv, err := gen.GeneratePair(nil, public, private)
	if err != nil {
		return nil, err
	}
	pk, err := parse(row, p11.CKO_PUBLIC_KEY, public.With(pub...))
	if err != nil {
		return nil, err
	}
	sk, err := parse(row, p11.CKO_PRIVATE_KEY, private.With(priv...))
	if err != nil {
		return nil, err
	}
	return &keyPair{public: pk, private: sk}, nil
}

func parse(row *mech.KeyType, class p11.ObjectClass, values attr.Values) (*key, error) {
	material, bits, err := row.Parse(class, values)
	if err != nil {
		return nil, fmt.Errorf("parsing a key of class %v: %w", class, err)
	}
	return &key{class, row.Type, bits, material, values}, nil
}
