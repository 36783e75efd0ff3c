package mech

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"

	"filippo.io/nistec"

	"coffer/mech/internal/ecsig"
	"coffer/mech/internal/p521"
)

// An ecGroup is arithmetic of a curve that is faster than that behind
// crypto/ecdsa and crypto/ecdh. Where a field is nil, those are as fast.
type ecGroup struct {
	sign *ecsig.Curve
	// hasX returns what ecsig's Verify needs of a public key.
	hasX func(*ecdsa.PublicKey) (func(x, u1, u2 []byte) bool, error)
	// agree is ECDH with a private key and an uncompressed point.
	agree func(d, raw []byte) ([]byte, error)
}

// groupP256 signs with the assembly that crypto/ecdsa has too, which
// filippo.io/nistec, by its author, has outside of the standard library.
func groupP256() *ecGroup {
	if fips140.Enabled() { // whose boundary is the standard library
		return nil
	}
	return &ecGroup{sign: ecsig.NewCurve(elliptic.P256().Params().N, func(x, k []byte) {
		p, err := nistec.NewP256Point().ScalarBaseMult(k)
		if err != nil {
			panic(err) // k has the right length
		}
		b, err := p.BytesX()
		if err != nil {
			panic(err) // k is not a multiple of the order
		}
		copy(x, b)
	}, sha256.New)}
}

func groupP521() *ecGroup {
	if !p521.Available() {
		return nil
	}
	return &ecGroup{
		sign: ecsig.NewCurve(elliptic.P521().Params().N, func(x, k []byte) {
			p521.BaseX((*[p521.Size]byte)(x), (*[p521.Size]byte)(k))
		}, sha512.New),
		hasX: func(key *ecdsa.PublicKey) (func(x, u1, u2 []byte) bool, error) {
			raw, err := key.Bytes()
			if err != nil {
				return nil, err
			}
			point, err := p521.NewPoint(halves(raw))
			if err != nil {
				return nil, err
			}
			return func(x, u1, u2 []byte) bool {
				return point.HasX((*[p521.Size]byte)(x), (*[p521.Size]byte)(u1), (*[p521.Size]byte)(u2))
			}, nil
		},
		agree: func(d, raw []byte) ([]byte, error) {
			point, err := p521.NewPoint(halves(raw))
			if err != nil {
				return nil, err
			}
			defer ScrubDeep()
			secret := new([p521.Size]byte)
			point.MultiplyX(secret, (*[p521.Size]byte)(d))
			return secret[:], nil
		},
	}
}

// halves returns the coordinates of an uncompressed point of P-521.
func halves(raw []byte) (x, y *[p521.Size]byte) {
	return (*[p521.Size]byte)(raw[1:]), (*[p521.Size]byte)(raw[1+p521.Size:])
}

// signInGroup is the end of a signature by a curve's own group.
func signInGroup(c *ecsig.Curve, key *ecdsa.PrivateKey, dst, digest []byte) error {
	d := scalarOf(key)
	defer clear(d)
	var random [ecsig.Random]byte
	rand.Read(random[:])
	defer scrub()
	if err := c.Sign(dst, d, digest, &random); err != nil {
		clear(dst)
		return err
	}
	return nil
}
