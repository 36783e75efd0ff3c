package mech

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
)

// ecdsaMechanisms returns CKM_ECDSA, over a digest that the caller made, and
// CKM_ECDSA_SHA1 and its like, which hash (PKCS #11 v3.2, sections 6.3.12 and
// 6.3.13).
func ecdsaMechanisms() []Mechanism {
	row := Mechanism{
		Type:       p11.CKM_ECDSA,
		Keys:       []p11.KeyType{p11.CKK_EC},
		Size:       ecSizes,
		Extra:      ecFlags,
		SinglePart: true,
		Sign:       signECDSA,
		Verify:     verifyECDSA,
	}
	ms := []Mechanism{row}
	for _, with := range []struct{ mechanism, digest p11.MechanismType }{
		{p11.CKM_ECDSA_SHA1, p11.CKM_SHA_1},
		{p11.CKM_ECDSA_SHA224, p11.CKM_SHA224},
		{p11.CKM_ECDSA_SHA256, p11.CKM_SHA256},
		{p11.CKM_ECDSA_SHA384, p11.CKM_SHA384},
		{p11.CKM_ECDSA_SHA512, p11.CKM_SHA512},
		{p11.CKM_ECDSA_SHA3_224, p11.CKM_SHA3_224},
		{p11.CKM_ECDSA_SHA3_256, p11.CKM_SHA3_256},
		{p11.CKM_ECDSA_SHA3_384, p11.CKM_SHA3_384},
		{p11.CKM_ECDSA_SHA3_512, p11.CKM_SHA3_512},
	} {
		h, _ := hashByDigest(with.digest)
		row.Type = with.mechanism
		row.Weak = h.Weak
		row.SinglePart = false
		row.Sign = hashThen(h, signECDSA)
		row.Verify = hashThenVerify(h, verifyECDSA)
		ms = append(ms, row)
	}
	return ms
}

func signECDSA(k Key, _ p11.Params) (Op, error) {
	key, err := materialOf[ecPrivate](k)
	if err != nil {
		return nil, err
	}
	return &ecdsaOp{key: key, half: key.of().size()}, nil
}

// ecdsaOp signs a digest of any length, of which ECDSA uses the leading bits.
type ecdsaOp struct {
	wholeOp
	key  ecPrivate
	half int // bytes of r and of s
}

func (o *ecdsaOp) FinalSize(int) Size { return Size{Max: 2 * o.half, Exact: true} }

func (o *ecdsaOp) Final(dst, digest []byte) (int, error) {
	if len(digest) == 0 {
		return 0, p11.Errorf(p11.CKR_DATA_LEN_RANGE, "there is no digest to sign")
	}
	if err := o.key.sign(dst[:2*o.half], digest); err != nil {
		return 0, err
	}
	return 2 * o.half, nil
}

// sign writes r || s.
func (k *ecPrivateKey) sign(dst, digest []byte) error {
	if g := k.curve.group; g != nil && g.sign != nil {
		return signInGroup(g.sign, k.PrivateKey, dst, digest)
	}
	der, err := ecdsa.SignASN1(rand.Reader, k.PrivateKey, digest)
	if err != nil {
		return err
	}
	half := len(dst) / 2
	s := cryptobyte.String(der)
	var seq, r, t cryptobyte.String
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&r, asn1.INTEGER) || !seq.ReadASN1(&t, asn1.INTEGER) {
		panic("mech: crypto/ecdsa made a signature that is not DER")
	}
	putInteger(dst[:half], r)
	putInteger(dst[half:], t)
	return nil
}

// putInteger fills dst with the big-endian integer b, which may carry the zero
// byte that DER puts before a leading one bit.
func putInteger(dst, b []byte) {
	if len(b) > len(dst) {
		b = b[len(b)-len(dst):]
	}
	n := len(dst) - len(b)
	clear(dst[:n])
	copy(dst[n:], b)
}

func verifyECDSA(k Key, _ p11.Params) (VerifyOp, error) {
	key, err := materialOf[ecPublic](k)
	if err != nil {
		return nil, err
	}
	curve := ecCurveOfKey(key)
	verify, err := ecdsaVerifier(key)
	if err != nil {
		return nil, err
	}
	return wholeVerifyOp(func(digest, sig []byte) error {
		// A signature may be shorter than 2*nLen (section 6.3.1): SunPKCS11 of
		// Java 17 takes equally many leading zeros off r and s.
		if len(sig) == 0 || len(sig)%2 != 0 || len(sig) > 2*curve.size() {
			return p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "an ECDSA signature of this key has up to %d bytes, evenly, not %d", 2*curve.size(), len(sig))
		}
		if len(digest) == 0 {
			return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "there is no digest to verify")
		}
		if !verify(digest, sig) {
			return p11.CKR_SIGNATURE_INVALID
		}
		return nil
	}), nil
}

// ecdsaVerifier returns what checks a signature of a digest, r and s of the
// same length, with key.
func ecdsaVerifier(key ecPublic) (func(digest, sig []byte) bool, error) {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if g := ecCurveFor(key.Curve).group; g != nil && g.hasX != nil {
			hasX, err := g.hasX(key)
			return func(digest, sig []byte) bool { return g.sign.Verify(sig, digest, hasX) }, err
		}
		return func(digest, sig []byte) bool {
			var buf [maxECDSADER]byte
			return ecdsa.VerifyASN1(key, digest, appendECDSADER(buf[:0], sig))
		}, nil
	case *wsPublicKey:
		return key.verify, nil
	}
	return nil, errNotMaterial(key)
}

// maxECDSADER is the length of the longest DER signature: two INTEGERs of 66
// bytes for P-521 with their headers and that of the SEQUENCE.
const maxECDSADER = 3 + 2*(3+66)

// appendECDSADER appends the Ecdsa-Sig-Value of r || s.
func appendECDSADER(dst, sig []byte) []byte {
	r, s := trimInteger(sig[:len(sig)/2]), trimInteger(sig[len(sig)/2:])
	n := 2 + derIntegerLen(r) + 2 + derIntegerLen(s)
	dst = append(dst, 0x30)
	if n >= 0x80 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(n))
	for _, v := range [][]byte{r, s} {
		dst = append(dst, 0x02, byte(derIntegerLen(v)))
		if derIntegerLen(v) > len(v) {
			dst = append(dst, 0)
		}
		dst = append(dst, v...)
	}
	return dst
}

func trimInteger(b []byte) []byte { return bytes.TrimLeft(b, "\x00") }

// derIntegerLen is the length of the contents of the INTEGER of b, which has
// no leading zeros: zero and a leading one bit take a zero byte before them.
func derIntegerLen(b []byte) int {
	if len(b) == 0 || b[0] >= 0x80 {
		return len(b) + 1
	}
	return len(b)
}
