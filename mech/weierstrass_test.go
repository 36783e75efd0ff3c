package mech_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"slices"
	"testing"

	"github.com/c2sp/wycheproof"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
	"coffer/p11/attr"
)

// spkiPoint returns the parameters and the point of a SubjectPublicKeyInfo of
// an EC key, false if it is none.
func spkiPoint(der []byte) (params, point []byte, ok bool) {
	s := cryptobyte.String(der)
	var seq, alg, oid, curve cryptobyte.String
	ok = s.ReadASN1(&seq, asn1.SEQUENCE) && s.Empty() && seq.ReadASN1(&alg, asn1.SEQUENCE) &&
		alg.ReadASN1Element(&oid, asn1.OBJECT_IDENTIFIER) && string(oid) == "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" &&
		alg.ReadAnyASN1Element(&curve, new(asn1.Tag)) && alg.Empty() && seq.ReadASN1BitStringAsBytes(&point) && seq.Empty()
	return curve, point, ok
}

// TestECDHVectorsOfSPKI has the files whose public keys are in DER. What names
// the curve in another way than by its identifier never gets to the mechanism,
// which takes the point alone.
func TestECDHVectorsOfSPKI(t *testing.T) {
	t.Parallel()
	m := lookup(t, p11.CKM_ECDH1_DERIVE)
	for file, every := range map[string]int{
		"ecdh_secp256k1": 1, "ecdh_brainpoolP224r1": 3, "ecdh_brainpoolP256r1": 1, "ecdh_brainpoolP320r1": 3, "ecdh_brainpoolP384r1": 4, "ecdh_brainpoolP512r1": 10,
	} {
		agreed, refused := 0, 0
		eachPairVector(t, file, func(t *testing.T, g *pairGroup, v *pairVector) {
			params, point, ok := spkiPoint(v.Public)
			if !ok || string(params) != curveOIDs[g.Curve] || v.ID%every != 0 {
				return
			}
			d := v.Private
			if len(d) > 0 && d[0] == 0 {
				d = d[1:]
			}
			k := mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_EC, ecParams(curveOIDs[g.Curve]).With(attr.NewBytes(p11.CKA_VALUE, d)))
			got, err := derive(m, k, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: point}, 0)
			if v.Result == "invalid" || v.flagged("InvalidAsn") && err != nil { // "acceptable", but no point
				wantCode(t, err, p11.CKR_MECHANISM_PARAM_INVALID)
				refused++
				return
			}
			agreed++
			if err != nil || !bytes.Equal(got, v.Shared) {
				t.Errorf("got %x, %v; want %x", got, err, v.Shared)
			}
		})
		if agreed < 400/every || refused == 0 {
			t.Errorf("%s: %d vectors agreed and %d were refused; too few", file, agreed, refused)
		}
	}
}

// A prime curve as Project Wycheproof's file of them has it.
type primeCurve struct{ Name, P, N, A, B, GX, GY string }

func primeCurves(t testing.TB) map[string]primeCurve {
	t.Helper()
	f, err := wycheproof.TestVectors.Open("ec_prime_order_curves_test.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all struct {
		TestGroups []struct{ Tests []primeCurve }
	}
	if err := json.NewDecoder(f).Decode(&all); err != nil {
		t.Fatal(err)
	}
	curves := map[string]primeCurve{}
	for _, g := range all.TestGroups {
		for _, c := range g.Tests {
			curves[c.Name] = c
		}
	}
	return curves
}

// affinePoint is textbook arithmetic to compare with; nil is the point at infinity.
type affinePoint struct{ x, y *big.Int }

func (c primeCurve) number(hex string) *big.Int {
	n, _ := new(big.Int).SetString(hex, 16)
	return n
}

func (c primeCurve) add(p, q *affinePoint) *affinePoint {
	switch {
	case p == nil:
		return q
	case q == nil:
		return p
	}
	mod := c.number(c.P)
	var slope *big.Int
	if p.x.Cmp(q.x) == 0 {
		if new(big.Int).Mod(new(big.Int).Add(p.y, q.y), mod).Sign() == 0 {
			return nil
		}
		slope = new(big.Int).Mul(big.NewInt(3), new(big.Int).Mul(p.x, p.x))
		slope.Add(slope, c.number(c.A))
		slope.Mul(slope, new(big.Int).ModInverse(new(big.Int).Lsh(p.y, 1), mod))
	} else {
		slope = new(big.Int).Sub(q.y, p.y)
		run := new(big.Int).Mod(new(big.Int).Sub(q.x, p.x), mod)
		slope.Mul(slope, run.ModInverse(run, mod))
	}
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, p.x).Sub(x, q.x).Mod(x, mod)
	y := new(big.Int).Sub(p.x, x)
	y.Mul(y, slope).Sub(y, p.y).Mod(y, mod)
	return &affinePoint{x, y}
}

func (c primeCurve) multiply(k *big.Int) *affinePoint {
	base := &affinePoint{c.number(c.GX), c.number(c.GY)}
	var sum *affinePoint
	for i := k.BitLen() - 1; i >= 0; i-- {
		sum = c.add(sum, sum)
		if k.Bit(i) == 1 {
			sum = c.add(sum, base)
		}
	}
	return sum
}

// TestCurvesAgainstTextbook makes the public key of private values at the ends
// of the range and in between, and compares with textbook arithmetic over the
// constants of Project Wycheproof.
func TestCurvesAgainstTextbook(t *testing.T) {
	t.Parallel()
	curves := primeCurves(t)
	n := 0
	for name, oid := range curveOIDs {
		c, ok := curves[name]
		if !ok {
			continue
		}
		n++
		order := c.number(c.N)
		size := (order.BitLen() + 7) / 8
		less := func(d int64) *big.Int { return new(big.Int).Sub(order, big.NewInt(d)) }
		for _, d := range []*big.Int{
			big.NewInt(1), big.NewInt(2), big.NewInt(3), big.NewInt(15), big.NewInt(16), big.NewInt(17), less(1), less(2), less(16),
			new(big.Int).Rsh(order, 1), new(big.Int).SetBytes(slices.Concat([]byte{0x5a}, order.Bytes()[2:])),
		} {
			want := c.multiply(d)
			k := mustParseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_EC, ecParams(oid).With(attr.NewBytes(p11.CKA_VALUE, d.Bytes())))
			info, err := keyRow(t, p11.CKK_EC).PublicKeyInfo(k.material)
			if err != nil {
				t.Fatal(err)
			}
			params, got, ok := spkiPoint(info)
			raw := slices.Concat([]byte{4}, want.x.FillBytes(make([]byte, size)), want.y.FillBytes(make([]byte, size)))
			if !ok || string(params) != oid || !bytes.Equal(got, raw) {
				t.Errorf("%s, %x times the base point: got %x; want %x", name, d, got, raw)
			}
		}
		for _, d := range []*big.Int{new(big.Int), order, new(big.Int).Add(order, big.NewInt(1))} {
			_, err := parseKey(t, p11.CKO_PRIVATE_KEY, p11.CKK_EC, ecParams(oid).With(attr.NewBytes(p11.CKA_VALUE, d.Bytes())))
			wantCode(t, err, p11.CKR_ATTRIBUTE_VALUE_INVALID)
		}
	}
	if n < 12 {
		t.Errorf("only %d curves", n)
	}
}

// TestECDSAOnEveryCurve signs with keys of both ways to generate them.
func TestECDSAOnEveryCurve(t *testing.T) {
	t.Parallel()
	m := lookup(t, p11.CKM_ECDSA)
	digest := sha256.Sum256([]byte("message"))
	for name, oid := range curveOIDs {
		if _, ok := primeCurves(t)[name]; !ok {
			continue
		}
		for _, gen := range []p11.MechanismType{p11.CKM_EC_KEY_PAIR_GEN, p11.CKM_EC_KEY_PAIR_GEN_W_EXTRA_BITS} {
			pub, priv, _, values := generated(t, gen, ecParams(oid))
			if n := (pub.bits + 7) / 8; len(values.Bytes(p11.CKA_VALUE)) != n {
				t.Errorf("%s: CKA_VALUE has %d bytes, not %d", name, len(values.Bytes(p11.CKA_VALUE)), n)
			}
			for _, d := range [][]byte{digest[:], digest[:1], bytes.Repeat(digest[:], 3)} {
				sig := sign(t, m, priv, nil, d)
				if bytes.Equal(sig, sign(t, m, priv, nil, d)) {
					t.Errorf("%s: two signatures are the same", name)
				}
				if err := verify(m, pub, nil, d, sig); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				sig[len(sig)-1] ^= 1
				wantCode(t, verify(m, pub, nil, d, sig), p11.CKR_SIGNATURE_INVALID)
			}
		}
	}
}
