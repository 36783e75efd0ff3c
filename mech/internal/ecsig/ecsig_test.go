package ecsig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"math/big"
	"testing"
)

// slow is a group by the standard library's deprecated methods.
func slow(curve elliptic.Curve, h func() hash.Hash) *Curve {
	return NewCurve(curve.Params().N, func(x, k []byte) {
		//lint:ignore SA1019 it is to be independent of what is tested elsewhere
		gx, _ := curve.ScalarBaseMult(k)
		gx.FillBytes(x)
	}, h)
}

func hasX(key *ecdsa.PublicKey) func(x, u1, u2 []byte) bool {
	return func(x, u1, u2 []byte) bool {
		//lint:ignore SA1019 as above
		ax, ay := key.Curve.ScalarBaseMult(u1)
		//lint:ignore SA1019 as above
		bx, by := key.Curve.ScalarMult(key.X, key.Y, u2)
		//lint:ignore SA1019 as above
		sx, _ := key.Curve.Add(ax, ay, bx, by)
		return sx.Mod(sx, key.Curve.Params().N).Cmp(new(big.Int).SetBytes(x)) == 0
	}
}

var curves = []struct {
	name  string
	curve elliptic.Curve
	group *Curve
}{
	{"P-256", elliptic.P256(), slow(elliptic.P256(), sha256.New)},
	{"P-384", elliptic.P384(), slow(elliptic.P384(), sha512.New)},
	{"P-521", elliptic.P521(), slow(elliptic.P521(), sha512.New)},
}

func newKey(t *testing.T, curve elliptic.Curve) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return key, d
}

// digests of every length around those of the curves' orders.
func digests() [][]byte {
	all := make([]byte, 100)
	rand.Read(all)
	all[0] = 0xff
	var out [][]byte
	for _, n := range []int{1, 20, 28, 31, 32, 33, 47, 48, 49, 64, 65, 66, 67, 100} {
		out = append(out, all[:n])
	}
	return append(out, make([]byte, 32), make([]byte, 66))
}

// TestBothWays: crypto/ecdsa takes what Sign makes, and Verify what crypto/ecdsa
// makes, and neither takes either when a bit is wrong.
func TestBothWays(t *testing.T) {
	for _, c := range curves {
		t.Run(c.name, func(t *testing.T) {
			key, d := newKey(t, c.curve)
			for _, digest := range digests() {
				sig := make([]byte, 2*c.group.Size)
				var random [Random]byte
				rand.Read(random[:])
				if err := c.group.Sign(sig, d, digest, &random); err != nil {
					t.Fatal(err)
				}
				r, s := new(big.Int).SetBytes(sig[:c.group.Size]), new(big.Int).SetBytes(sig[c.group.Size:])
				if !ecdsa.Verify(&key.PublicKey, digest, r, s) {
					t.Fatalf("crypto/ecdsa refuses a signature of a digest of %d bytes", len(digest))
				}
				if !c.group.Verify(sig, digest, hasX(&key.PublicKey)) {
					t.Fatalf("Verify refuses a signature of a digest of %d bytes", len(digest))
				}
				r, s, err := ecdsa.Sign(rand.Reader, key, digest)
				if err != nil {
					t.Fatal(err)
				}
				r.FillBytes(sig[:c.group.Size])
				s.FillBytes(sig[c.group.Size:])
				if !c.group.Verify(sig, digest, hasX(&key.PublicKey)) {
					t.Fatalf("Verify refuses crypto/ecdsa's signature of a digest of %d bytes", len(digest))
				}
				for _, i := range []int{1, c.group.Size - 1, c.group.Size + 1, 2*c.group.Size - 1} {
					sig[i] ^= 1
					if c.group.Verify(sig, digest, hasX(&key.PublicKey)) {
						t.Fatal("Verify takes a signature with a wrong bit")
					}
					sig[i] ^= 1
				}
			}
		})
	}
}

func TestVerifyRefusesRanges(t *testing.T) {
	for _, c := range curves {
		n := c.curve.Params().N
		key, _ := newKey(t, c.curve)
		for _, r := range []*big.Int{new(big.Int), big.NewInt(1), n, new(big.Int).Add(n, big.NewInt(1))} {
			for _, s := range []*big.Int{new(big.Int), big.NewInt(1), n, new(big.Int).Add(n, big.NewInt(1))} {
				sig := make([]byte, 2*c.group.Size)
				r.FillBytes(sig[:c.group.Size])
				s.FillBytes(sig[c.group.Size:])
				if c.group.Verify(sig, []byte("digest"), hasX(&key.PublicKey)) {
					t.Errorf("%s: r = %x, s = %x was taken", c.name, r, s)
				}
			}
		}
		if c.group.Verify(nil, []byte("digest"), hasX(&key.PublicKey)) || c.group.Verify(make([]byte, 3), nil, hasX(&key.PublicKey)) {
			t.Errorf("%s: a signature of an impossible length was taken", c.name)
		}
	}
}

// TestNonces: the nonce, and with it r, depends on each of the random bytes,
// the key and the digest, and on nothing else.
func TestNonces(t *testing.T) {
	c := curves[0]
	_, d := newKey(t, c.curve)
	sign := func(d, digest []byte, random byte) string {
		sig := make([]byte, 2*c.group.Size)
		if err := c.group.Sign(sig, d, digest, &[Random]byte{random}); err != nil {
			t.Fatal(err)
		}
		return string(sig[:c.group.Size])
	}
	first := sign(d, []byte("a digest"), 1)
	if sign(d, []byte("a digest"), 1) != first {
		t.Error("the nonce depends on something else")
	}
	_, other := newKey(t, c.curve)
	for what, r := range map[string]string{
		"random bytes": sign(d, []byte("a digest"), 2),
		"digest":       sign(d, []byte("b digest"), 1),
		"key":          sign(other, []byte("a digest"), 1),
	} {
		if r == first {
			t.Errorf("another %s gives the same nonce", what)
		}
	}
}

func TestKeyOutOfRange(t *testing.T) {
	for _, c := range curves {
		for _, d := range []*big.Int{new(big.Int), c.curve.Params().N} {
			if err := c.group.Sign(make([]byte, 2*c.group.Size), d.FillBytes(make([]byte, c.group.Size)), []byte("digest"), &[Random]byte{}); err == nil {
				t.Errorf("%s: a private key of %x was taken", c.name, d)
			}
		}
	}
}
