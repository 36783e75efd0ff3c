package mech

import (
	"bytes"
	"crypto/ed25519"
	"math/big"
	"slices"

	"github.com/cloudflare/circl/sign/ed448"

	"coffer/p11"
)

// edwardsFamily has Edwards keys, their generation and EdDSA (PKCS #11 v3.2,
// section 6.3).
var edwardsFamily = Family{
	Name:     "edwards",
	KeyTypes: []KeyType{ecxKeyType(p11.CKK_EC_EDWARDS, edwardsCurves)},
	Mechanisms: []Mechanism{
		{
			Type:         p11.CKM_EC_EDWARDS_KEY_PAIR_GEN,
			Keys:         []p11.KeyType{p11.CKK_EC_EDWARDS},
			Size:         ecxSizes,
			Extra:        ecxFlags,
			GeneratePair: edwardsCurves.generate,
		},
		{
			Type:   p11.CKM_EDDSA,
			Keys:   []p11.KeyType{p11.CKK_EC_EDWARDS},
			Size:   ecxSizes,
			Extra:  ecxFlags,
			Params: p11.OptionalEdDSA,
			Sign:   signEdDSA,
			Verify: verifyEdDSA,
		},
	},
}

var edwardsCurves = ecxCurves{
	{
		curveID: curveID{
			// That of RFC 8410, and that which GnuPG and OpenSC call edwards25519.
			oids:  []string{"\x06\x03\x2b\x65\x70", "\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01"},
			names: []string{"edwards25519", "Ed25519", "ed25519", "id-Ed25519"},
		},
		bits: 255, size: ed25519.SeedSize,
		open: func(c *ecxCurve, seed []byte) (*ecxPrivateKey, error) {
			return openEdwards(c, ed25519.NewKeyFromSeed(seed)), nil
		},
		eddsa: ed25519Scheme,
		valid: edwardsEquation{
			p: bigHex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"),
			a: big.NewInt(-1),
			d: bigHex("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3"),
		}.holds,
	},
	{
		curveID: curveID{
			oids:  []string{"\x06\x03\x2b\x65\x71"},
			names: []string{"edwards448", "Ed448", "ed448", "id-Ed448"},
		},
		bits: 448, size: ed448.SeedSize,
		open: func(c *ecxCurve, seed []byte) (*ecxPrivateKey, error) {
			return openEdwards(c, ed448.NewKeyFromSeed(seed)), nil
		},
		eddsa: ed448Scheme,
		valid: edwardsEquation{
			p: bigHex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
			a: big.NewInt(1),
			d: big.NewInt(-39081),
		}.holds,
	},
}

// openEdwards returns the key that a library made of a seed: the seed, then the
// public key.
func openEdwards(c *ecxCurve, signing []byte) *ecxPrivateKey {
	return &ecxPrivateKey{
		public:  ecxPublicKey{curve: c, bytes: signing[c.size:]},
		private: signing[:c.size:c.size],
		signing: signing,
	}
}

func bigHex(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic("mech: not hexadecimal: " + s)
	}
	return n
}

// An edwardsEquation is ax² + y² = 1 + dx²y² mod p.
type edwardsEquation struct{ p, a, d *big.Int }

// holds reports whether key is the encoding of a point (RFC 8032, sections
// 5.1.3 and 5.2.3): x² = (1-y²)/(a-dy²) has to be a square. The key is public.
func (e edwardsEquation) holds(key []byte) bool {
	y := bytes.Clone(key)
	y[len(y)-1] &= 0x7f // the sign of x
	slices.Reverse(y)
	y2 := new(big.Int).SetBytes(y)
	y2.Mul(y2, y2).Mod(y2, e.p)
	u := new(big.Int).Sub(big.NewInt(1), y2)
	v := new(big.Int).Mul(e.d, y2)
	v.Sub(e.a, v)
	u.Mul(u, v).Mod(u, e.p)
	return big.Jacobi(u, e.p) >= 0
}
