package mech

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"hash"

	"github.com/cloudflare/circl/sign/ed448"

	"coffer/p11"
)

// eddsa is EdDSA on one curve (RFC 8032).
type eddsa struct {
	sign   func(signing, message []byte, v eddsaVariant) ([]byte, error)
	verify func(public, message, sig []byte, v eddsaVariant) bool
	// prehash is the hash of the ph variant, if sign and verify take its digest
	// for the message; nil if they hash the message themselves.
	prehash func() hash.Hash
}

// An eddsaVariant is a signature scheme of RFC 8032 for a curve. The pure one
// is that without prehash and context.
type eddsaVariant struct {
	prehash bool
	context string
}

var ed25519Scheme = &eddsa{
	sign: func(signing, message []byte, v eddsaVariant) ([]byte, error) {
		if v == (eddsaVariant{}) { // without the options, which are garbage made for each call
			return ed25519.Sign(signing, message), nil
		}
		return ed25519.PrivateKey(signing).Sign(nil, message, v.ed25519())
	},
	verify: func(public, message, sig []byte, v eddsaVariant) bool {
		return ed25519.VerifyWithOptions(public, message, sig, v.ed25519()) == nil
	},
	prehash: sha512.New,
}

func (v eddsaVariant) ed25519() *ed25519.Options {
	o := &ed25519.Options{Context: v.context}
	if v.prehash {
		o.Hash = crypto.SHA512
	}
	return o
}

var ed448Scheme = &eddsa{
	sign: func(signing, message []byte, v eddsaVariant) ([]byte, error) {
		if v.prehash {
			return ed448.SignPh(signing, message, v.context), nil
		}
		return ed448.Sign(signing, message, v.context), nil
	},
	verify: func(public, message, sig []byte, v eddsaVariant) bool {
		if v.prehash {
			return ed448.VerifyPh(public, message, sig, v.context)
		}
		return ed448.Verify(public, message, sig, v.context)
	},
}

// eddsaVariantOf maps CK_EDDSA_PARAMS to the scheme. Without it the scheme is
// the pure one; so it is with phFlag false and no context, which Table 72 calls
// Ed25519ctx, though RFC 8032 wants a context there.
func eddsaVariantOf(p p11.Params) (eddsaVariant, error) {
	if p == nil {
		return eddsaVariant{}, nil
	}
	e, err := paramAs[p11.EdDSAParams](p)
	if err != nil {
		return eddsaVariant{}, err
	}
	if len(e.Context) > 255 {
		return eddsaVariant{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the context of EdDSA has at most 255 bytes")
	}
	return eddsaVariant{prehash: e.Prehash, context: string(e.Context)}, nil
}

// maxEdDSAMessage bounds the message of a multi-part signature: but for the
// Ed25519ph, which hashes, EdDSA reads the message twice and it has to be kept.
// What comes in one call is not bounded.
const maxEdDSAMessage = 64 << 20

// eddsaMessage collects the parts of a message.
type eddsaMessage struct {
	hash hash.Hash // set if the digest stands for the message
	kept []byte
}

func newEdDSAMessage(scheme *eddsa, v eddsaVariant) eddsaMessage {
	if v.prehash && scheme.prehash != nil {
		return eddsaMessage{hash: scheme.prehash()}
	}
	return eddsaMessage{}
}

func (m *eddsaMessage) add(part []byte) error {
	if m.hash != nil {
		m.hash.Write(part)
		return nil
	}
	if len(m.kept)+len(part) > maxEdDSAMessage {
		return p11.Errorf(p11.CKR_TOKEN_RESOURCE_EXCEEDED, "the message is longer than the %d bytes that EdDSA keeps: sign it in one call, or with phFlag", maxEdDSAMessage)
	}
	m.kept = append(m.kept, part...)
	return nil
}

// whole returns the message, of which last is the last part.
func (m *eddsaMessage) whole(last []byte) ([]byte, error) {
	if m.hash == nil && len(m.kept) == 0 {
		return last, nil
	}
	if err := m.add(last); err != nil {
		return nil, err
	}
	if m.hash != nil {
		return m.hash.Sum(nil), nil
	}
	return m.kept, nil
}

func (m *eddsaMessage) wipe() {
	wipeHash(m.hash)
	clear(m.kept)
	m.kept = nil
}

func signEdDSA(k Key, p p11.Params) (Op, error) {
	key, err := materialOf[*ecxPrivateKey](k)
	if err != nil {
		return nil, err
	}
	scheme := key.public.curve.eddsa
	if scheme == nil {
		return nil, p11.Errorf(p11.CKR_KEY_TYPE_INCONSISTENT, "a Montgomery key makes no EdDSA signature")
	}
	v, err := eddsaVariantOf(p)
	if err != nil {
		return nil, err
	}
	return &eddsaOp{key: key, scheme: scheme, variant: v, message: newEdDSAMessage(scheme, v)}, nil
}

// eddsaOp signs a message.
type eddsaOp struct {
	key     *ecxPrivateKey
	scheme  *eddsa
	variant eddsaVariant
	message eddsaMessage
}

func (o *eddsaOp) Update(_, src []byte) (int, error) { return 0, o.message.add(src) }

func (o *eddsaOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *eddsaOp) Final(dst, src []byte) (int, error) {
	message, err := o.message.whole(src)
	if err != nil {
		return 0, err
	}
	sig, err := o.scheme.sign(o.key.signing, message, o.variant)
	if err != nil {
		return 0, err
	}
	return copy(dst, sig), nil
}

func (o *eddsaOp) FinalSize(int) Size { return Size{Max: 2 * o.key.public.curve.size, Exact: true} }

func (o *eddsaOp) Wipe() { o.message.wipe() }

func verifyEdDSA(k Key, p p11.Params) (VerifyOp, error) {
	key, err := materialOf[*ecxPublicKey](k)
	if err != nil {
		return nil, err
	}
	scheme := key.curve.eddsa
	if scheme == nil {
		return nil, p11.Errorf(p11.CKR_KEY_TYPE_INCONSISTENT, "a Montgomery key verifies no EdDSA signature")
	}
	v, err := eddsaVariantOf(p)
	if err != nil {
		return nil, err
	}
	return &eddsaVerifyOp{key: key, scheme: scheme, variant: v, message: newEdDSAMessage(scheme, v)}, nil
}

// eddsaVerifyOp verifies a signature of a message.
type eddsaVerifyOp struct {
	key     *ecxPublicKey
	scheme  *eddsa
	variant eddsaVariant
	message eddsaMessage
}

func (o *eddsaVerifyOp) Update(src []byte) error { return o.message.add(src) }

func (o *eddsaVerifyOp) Verify(src, sig []byte) error {
	if len(sig) != 2*o.key.curve.size {
		return p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "an EdDSA signature of this key has %d bytes, not %d", 2*o.key.curve.size, len(sig))
	}
	message, err := o.message.whole(src)
	if err != nil {
		return err
	}
	if !o.scheme.verify(o.key.bytes, message, sig, o.variant) {
		return p11.CKR_SIGNATURE_INVALID
	}
	return nil
}

func (o *eddsaVerifyOp) Wipe() { o.message.wipe() }
