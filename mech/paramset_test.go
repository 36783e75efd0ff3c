package mech_test

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
	"coffer/p11/attr"
)

// seededTypes are the key types whose private keys grow from a seed, with one of
// their parameter sets, and another of which the values have other lengths.
var seededTypes = []struct {
	typ        p11.KeyType
	gen        p11.MechanismType
	set, other uint64
	seed       int
}{
	{p11.CKK_ML_DSA, p11.CKM_ML_DSA_KEY_PAIR_GEN, p11.CKP_ML_DSA_65, p11.CKP_ML_DSA_44, 32},
	{p11.CKK_ML_KEM, p11.CKM_ML_KEM_KEY_PAIR_GEN, p11.CKP_ML_KEM_768, p11.CKP_ML_KEM_1024, 64},
}

// TestPrivateKeyForms: the seed, the expanded key and both make one key; a seed
// and the expanded key of another do not go together.
func TestPrivateKeyForms(t *testing.T) {
	for _, c := range seededTypes {
		t.Run(c.typ.String(), func(t *testing.T) {
			row := keyRow(t, c.typ)
			pub, _, pubValues, made := generated(t, c.gen, setValues(c.set, nil, nil))
			_, _, _, others := generated(t, c.gen, setValues(c.set, nil, nil))
			seed, value := made.Bytes(p11.CKA_SEED), made.Bytes(p11.CKA_VALUE)
			if len(seed) != c.seed {
				t.Fatalf("the seed has %d bytes, not %d", len(seed), c.seed)
			}
			if id, ok := made.ULong(p11.CKA_PARAMETER_SET); !ok || id != c.set {
				t.Errorf("CKA_PARAMETER_SET of the private key is %d", id)
			}
			info, err := row.PublicKeyInfo(pub.material)
			if err != nil {
				t.Fatal(err)
			}
			for name, given := range map[string]attr.Values{
				"seed": setValues(c.set, seed, nil), "expanded key": setValues(c.set, nil, value), "both": setValues(c.set, seed, value),
			} {
				k, err := parseKey(t, p11.CKO_PRIVATE_KEY, c.typ, given)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got, err := row.PublicKeyInfo(k.material); err != nil || !bytes.Equal(got, info) {
					t.Errorf("%s: another public key, %v", name, err)
				}
				if k.bits != 8*len(pubValues.Bytes(p11.CKA_VALUE)) {
					t.Errorf("%s: the key has %d bits", name, k.bits)
				}
				more, err := row.Complete(p11.CKO_PRIVATE_KEY, given, k.material)
				if err != nil {
					t.Fatal(err)
				}
				all := given.With(more...)
				if !bytes.Equal(all.Bytes(p11.CKA_VALUE), value) || !bytes.Equal(all.Bytes(p11.CKA_SEED), given.Bytes(p11.CKA_SEED)) {
					t.Errorf("%s: CKA_SEED has %d bytes and CKA_VALUE %d after completion", name, len(all.Bytes(p11.CKA_SEED)), len(all.Bytes(p11.CKA_VALUE)))
				}
			}
			for name, given := range map[string]attr.Values{
				"another seed":            setValues(c.set, others.Bytes(p11.CKA_SEED), value),
				"another value":           setValues(c.set, seed, others.Bytes(p11.CKA_VALUE)),
				"a short seed":            setValues(c.set, seed[1:], nil),
				"a long seed":             setValues(c.set, append(bytes.Clone(seed), 0), value),
				"an empty seed":           setValues(c.set, []byte{}, nil),
				"a short value":           setValues(c.set, nil, value[1:]),
				"a short value of a seed": setValues(c.set, seed, value[1:]),
				"neither":                 setValues(c.set, nil, nil),
				"another set":             setValues(c.other, nil, value),
				"another set of a seed":   setValues(c.other, seed, value),
				"zeros":                   setValues(c.set, nil, make([]byte, len(value))),
				"ones":                    setValues(c.set, nil, bytes.Repeat([]byte{255}, len(value))),
			} {
				if _, err := parseKey(t, p11.CKO_PRIVATE_KEY, c.typ, given); p11.Code(err) != p11.CKR_ATTRIBUTE_VALUE_INVALID {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

func TestUnknownParameterSet(t *testing.T) {
	for _, c := range seededTypes {
		for _, set := range []uint64{0, 4, 1 << 63} {
			for _, class := range []p11.ObjectClass{p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY} {
				_, err := parseKey(t, class, c.typ, setValues(set, nil, make([]byte, 32)))
				wantCode(t, err, p11.CKR_PARAMETER_SET_NOT_SUPPORTED)
			}
			_, _, err := lookup(t, c.gen).GeneratePair(nil, setValues(set, nil, nil), nil)
			wantCode(t, err, p11.CKR_PARAMETER_SET_NOT_SUPPORTED)
		}
	}
}

// TestPKCS8Forms reads the three forms of RFC 9881 and RFC 9935, and writes the
// seed where it is known.
func TestPKCS8Forms(t *testing.T) {
	octets := func(tag asn1.Tag, parts ...[]byte) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) {
			for _, p := range parts {
				b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(p) })
			}
		}
	}
	sequence := func(inside func(*cryptobyte.Builder)) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) { b.AddASN1(asn1.SEQUENCE, inside) }
	}
	tag := asn1.Tag(0).ContextSpecific()
	for _, c := range seededTypes {
		t.Run(c.typ.String(), func(t *testing.T) {
			row := keyRow(t, c.typ)
			_, priv, _, made := generated(t, c.gen, setValues(c.set, nil, nil))
			seed, value := made.Bytes(p11.CKA_SEED), made.Bytes(p11.CKA_VALUE)
			own, err := row.MarshalPKCS8(priv.material)
			if err != nil {
				t.Fatal(err)
			}
			// Its algorithm with another inside.
			var seq, algorithm cryptobyte.String
			der := cryptobyte.String(own)
			if !der.ReadASN1(&seq, asn1.SEQUENCE) || !seq.SkipASN1(asn1.INTEGER) || !seq.ReadASN1Element(&algorithm, asn1.SEQUENCE) {
				t.Fatalf("PKCS #8 is %x", own)
			}
			with := func(inside func(*cryptobyte.Builder)) []byte {
				var b cryptobyte.Builder
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1Int64(0)
					b.AddBytes(algorithm)
					b.AddASN1(asn1.OCTET_STRING, inside)
				})
				return b.BytesOrPanic()
			}
			if !bytes.Equal(own, with(octets(tag, seed))) {
				t.Errorf("the key is written as %x", own)
			}
			for name, f := range map[string]struct {
				der         []byte
				seed, value []byte
			}{
				"seed":         {own, seed, nil},
				"expanded key": {with(octets(asn1.OCTET_STRING, value)), nil, value},
				"both":         {with(sequence(octets(asn1.OCTET_STRING, seed, value))), seed, value},
			} {
				got, err := row.UnmarshalPKCS8(f.der)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if !bytes.Equal(got.Bytes(p11.CKA_SEED), f.seed) || !bytes.Equal(got.Bytes(p11.CKA_VALUE), f.value) {
					t.Errorf("%s: CKA_SEED has %d bytes, CKA_VALUE %d", name, len(got.Bytes(p11.CKA_SEED)), len(got.Bytes(p11.CKA_VALUE)))
				}
				k := mustParseKey(t, p11.CKO_PRIVATE_KEY, c.typ, got)
				again, err := row.MarshalPKCS8(k.material)
				want := own
				if f.seed == nil {
					want = f.der
				}
				if err != nil || !bytes.Equal(again, want) {
					t.Errorf("%s: written again it is %x, %v", name, again, err)
				}
			}
			for name, inside := range map[string]func(*cryptobyte.Builder){
				"nothing":               func(*cryptobyte.Builder) {},
				"a bare seed":           func(b *cryptobyte.Builder) { b.AddBytes(seed) },
				"a short seed":          octets(tag, seed[1:]),
				"an empty seed":         octets(tag, nil),
				"two seeds":             octets(tag, seed, seed),
				"a seed as the key":     octets(asn1.OCTET_STRING, seed),
				"a short key":           octets(asn1.OCTET_STRING, value[1:]),
				"the seed alone of two": sequence(octets(asn1.OCTET_STRING, seed)),
				"both in the wrong way": sequence(octets(asn1.OCTET_STRING, value, seed)),
				"three":                 sequence(octets(asn1.OCTET_STRING, seed, value, value)),
				"something behind":      func(b *cryptobyte.Builder) { octets(tag, seed)(b); b.AddUint8(5) },
			} {
				if _, err := row.UnmarshalPKCS8(with(inside)); p11.Code(err) != p11.CKR_WRAPPED_KEY_INVALID {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
