package mech

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"

	"filippo.io/bigmod"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
)

// wsPublicKey is the material of a public key on a curve of weierstrass.
type wsPublicKey struct {
	curve *ecCurve
	point *wsPoint
	raw   []byte // 04 || x || y
}

// Bytes returns 04 || x || y, as that of crypto/ecdsa does.
func (k *wsPublicKey) Bytes() ([]byte, error) { return k.raw, nil }

// wsPrivateKey is the material of a private key on such a curve.
type wsPrivateKey struct {
	curve  *ecCurve
	d      []byte // as long as the order
	scalar *bigmod.Nat
	public []byte // 04 || x || y
}

// parseWSPublic returns the key of 04 || x || y, false if that is not on the
// curve.
func parseWSPublic(curve *ecCurve, raw []byte) (*wsPublicKey, bool) {
	point, ok := curve.own().decode(raw)
	return &wsPublicKey{curve, point, bytes.Clone(raw)}, ok
}

// parseWSPrivate returns the key of d, false if d is not from 1 to n-1.
func parseWSPrivate(curve *ecCurve, d []byte) (*wsPrivateKey, bool) {
	c := curve.own()
	scalar, err := bigmod.NewNat().SetBytes(d, c.n)
	if err != nil || scalar.IsZero() == 1 {
		return nil, false
	}
	public, ok := c.encode(c.multiply(c.base, d))
	return &wsPrivateKey{curve, bytes.Clone(d), scalar, public}, ok
}

// randomScalar returns a number from 1 to n-1 (FIPS 186-5, Appendix A.2.2: by
// trying), and its bytes.
func (c *weierstrass) randomScalar() (*bigmod.Nat, []byte) {
	b := make([]byte, c.n.Size())
	for {
		rand.Read(b)
		k, err := bigmod.NewNat().SetBytes(b, c.n)
		if err == nil && k.IsZero() == 0 {
			return k, b
		}
	}
}

// digestScalar returns the leading bits of a digest modulo n (FIPS 186-5,
// section 6.4.1). n of these curves has whole bytes.
func (c *weierstrass) digestScalar(digest []byte) *bigmod.Nat {
	b := make([]byte, c.n.Size())
	copy(b[max(0, len(b)-len(digest)):], digest)
	e, err := bigmod.NewNat().SetOverflowingBytes(b, c.n)
	if err != nil {
		panic("mech: the order of a curve has no whole bytes")
	}
	return e
}

// abscissa returns x of a point modulo n. p and n are equally long.
func (c *weierstrass) abscissa(p *wsPoint) (*bigmod.Nat, bool) {
	x, _, ok := c.affine(p)
	if !ok {
		return nil, false
	}
	r, err := bigmod.NewNat().SetOverflowingBytes(x.Bytes(c.p), c.n)
	return r, err == nil
}

// sign writes r || s of ECDSA with a random nonce (FIPS 186-5, section 6.4.1).
func (k *wsPrivateKey) sign(dst, digest []byte) error {
	c := k.curve.own()
	e := c.digestScalar(digest)
	for {
		nonce, b := c.randomScalar()
		r, ok := c.abscissa(c.multiply(c.base, b))
		clear(b)
		if !ok || r.IsZero() == 1 {
			continue
		}
		inverse := bigmod.NewNat().Exp(nonce, c.invertN, c.n)
		s := bigmod.NewNat().ExpandFor(c.n)
		copy(s.Bits(), r.Bits())
		s.Mul(k.scalar, c.n).Add(e, c.n).Mul(inverse, c.n)
		clear(nonce.Bits())
		clear(inverse.Bits())
		if s.IsZero() == 1 {
			continue
		}
		copy(dst, r.Bytes(c.n))
		copy(dst[c.n.Size():], s.Bytes(c.n))
		return nil
	}
}

// verify reports whether r || s is a signature; each half may be short.
func (k *wsPublicKey) verify(digest, sig []byte) bool {
	c := k.curve.own()
	half := func(b []byte) (*bigmod.Nat, bool) {
		b, ok := fixedWidth(b, c.n.Size())
		if !ok {
			return nil, false
		}
		x, err := bigmod.NewNat().SetBytes(b, c.n)
		return x, err == nil && x.IsZero() == 0
	}
	r, okR := half(sig[:len(sig)/2])
	s, okS := half(sig[len(sig)/2:])
	if !okR || !okS {
		return false
	}
	w := bigmod.NewNat().Exp(s, c.invertN, c.n)
	u1 := c.digestScalar(digest).Mul(w, c.n)
	u2 := bigmod.NewNat().ExpandFor(c.n)
	copy(u2.Bits(), r.Bits())
	u2.Mul(w, c.n)
	sum := c.multiply(c.base, u1.Bytes(c.n))
	c.adder().add(sum, sum, c.multiply(k.point, u2.Bytes(c.n)))
	x, ok := c.abscissa(sum)
	return ok && subtle.ConstantTimeCompare(x.Bytes(c.n), r.Bytes(c.n)) == 1
}

func (k *wsPrivateKey) pointSize() int { return 1 + 2*k.curve.size() }

// agree is ECDH.
func (k *wsPrivateKey) agree(point []byte) ([]byte, error) {
	c := k.curve.own()
	raw, ok := k.curve.uncompressed(point)
	if !ok {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "it is not a point of the curve, raw or in an OCTET STRING")
	}
	peer, ok := c.decode(raw)
	if !ok {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "it is not on the curve")
	}
	shared := c.multiply(peer, k.d)
	defer shared.wipe()
	x, _, ok := c.affine(shared)
	if !ok {
		return nil, p11.Errorf(p11.CKR_PUBLIC_KEY_INVALID, "it has a low order")
	}
	return x.Bytes(c.p), nil
}

func (k *wsPrivateKey) of() *ecCurve { return k.curve }

func (k *wsPrivateKey) scalarBytes() ([]byte, error) { return bytes.Clone(k.d), nil }

func (k *wsPrivateKey) publicPoint() ([]byte, error) { return k.public, nil }

// marshalPKCS8 returns the ECPrivateKey of RFC 5915 in a PrivateKeyInfo, with the
// curve in the algorithm identifier and the public key inside, as crypto/x509
// does it.
func (k *wsPrivateKey) marshalPKCS8() []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(oidECPublicKey)
			b.AddBytes(k.curve.params())
		})
		b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1OctetString(k.d)
				b.AddASN1(asn1.Tag(1).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
					b.AddASN1BitString(k.public)
				})
			})
		})
	})
	return b.BytesOrPanic()
}

// wipe clears the private value.
func (k *wsPrivateKey) wipe() {
	clear(k.d)
	clear(k.scalar.Bits())
}
