package mech

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/p11"
)

// This file has CKM_ECDH_AES_KEY_WRAP, _COF_ and _X_ (PKCS #11 v3.2, sections
// 6.3.23 to 6.3.26): a fresh transport key agrees with the wrapping key on an
// AES key, and the target is wrapped by that with padding. The transport key's
// public half comes first: as the bare point or, of _COF_, in an OCTET STRING.

// ecdhWrapMechanisms returns the three.
func ecdhWrapMechanisms() []Mechanism {
	row := func(t p11.MechanismType, form pointForm, extra p11.Flags, keys ...p11.KeyType) Mechanism {
		return Mechanism{
			Type: t, Keys: keys, Size: ecSizes, Extra: extra, Params: p11.ParamECDHAESWrap,
			Wrap: form.wrap, WrapSize: form.wrapSize, Unwrap: form.unwrap, WrapsPrivate: true,
		}
	}
	return []Mechanism{
		row(p11.CKM_ECDH_AES_KEY_WRAP, pointBare, ecFlags, p11.CKK_EC, p11.CKK_EC_MONTGOMERY),
		row(p11.CKM_ECDH_COF_AES_KEY_WRAP, pointInOctets, ecFlags, p11.CKK_EC),
		row(p11.CKM_ECDH_X_AES_KEY_WRAP, pointBare, ecxFlags, p11.CKK_EC_MONTGOMERY),
	}
}

// pointForm is how the transport key's point is written.
type pointForm uint8

const (
	pointBare pointForm = iota + 1
	pointInOctets
)

func (f pointForm) encode(point []byte) []byte {
	if f == pointInOctets {
		return octetString(point)
	}
	return point
}

// split takes the point and the wrapped target apart; n is the length of a
// bare point.
func (f pointForm) split(wrapped []byte, n int) (point, target []byte, ok bool) {
	if f == pointInOctets {
		s := cryptobyte.String(wrapped)
		var inner cryptobyte.String
		if !s.ReadASN1(&inner, asn1.OCTET_STRING) || len(inner) != n {
			return nil, nil, false
		}
		return inner, s, len(s) > 0
	}
	if len(wrapped) <= n {
		return nil, nil, false
	}
	return wrapped[:n], wrapped[n:], true
}

// An agreement is a public key that a fresh key of its curve can agree with.
type agreement struct {
	public []byte                                       // its point
	fresh  func() (key agreer, point []byte, err error) // the other party's
}

// agreementWith returns that of a public key on either kind of curve.
func agreementWith(k Key) (agreement, error) {
	material, err := k.Material()
	if err != nil {
		return agreement{}, err
	}
	switch key := material.(type) {
	case ecPublic:
		raw, err := key.Bytes()
		return agreement{raw, func() (agreer, []byte, error) {
			own, err := newECKey(ecCurveOfKey(key))
			if err != nil {
				return nil, nil, err
			}
			point, err := own.publicPoint()
			return own, point, err
		}}, err
	case *ecxPublicKey:
		return agreement{key.bytes, func() (agreer, []byte, error) {
			private := make([]byte, key.curve.size)
			rand.Read(private)
			defer clear(private)
			own, err := key.curve.open(key.curve, private)
			if err != nil {
				return nil, nil, err
			}
			return own, own.public.bytes, nil
		}}, nil
	}
	return agreement{}, p11.Errorf(p11.CKR_KEY_TYPE_INCONSISTENT, "the mechanism cannot use a key of class %v and type %v", k.Class(), k.Type())
}

// wrappingCipher returns AES under the key that own and the point agree on.
func wrappingCipher(own agreer, point []byte, p p11.ECDHAESWrapParams) (cipher.Block, error) {
	if err := checkAESKeyBits(p.AESKeyBits); err != nil {
		return nil, err
	}
	kdf, err := newSecretKDF(p.KDF, p.Shared)
	if err != nil {
		return nil, err
	}
	secret, err := own.agree(point)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	n := int(p.AESKeyBits / 8)
	length := n
	if p.KDF == p11.CKD_NULL {
		length = 0 // the whole secret, of which the first bits count
	}
	key, err := kdf(secret, length)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if len(key) < n {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the shared secret has %d bytes, not the %d of the AES key: a longer key needs a key derivation function", len(key), n)
	}
	return aes.NewCipher(key[:n])
}

func (f pointForm) wrap(k Key, p p11.Params, encoded []byte) ([]byte, error) {
	params, err := paramAs[p11.ECDHAESWrapParams](p)
	if err != nil {
		return nil, err
	}
	with, err := agreementWith(k)
	if err != nil {
		return nil, err
	}
	own, point, err := with.fresh()
	if err != nil {
		return nil, err
	}
	defer wipeAgreer(own)
	block, err := wrappingCipher(own, with.public, params)
	if err != nil {
		return nil, err
	}
	defer erase(block)
	size, err := kwpLength(len(encoded))
	if err != nil {
		return nil, recode(err, p11.CKR_DATA_LEN_RANGE, p11.CKR_KEY_SIZE_RANGE)
	}
	target := make([]byte, size)
	if _, err := kwpWrap(block, kwpAIV, target, encoded); err != nil {
		return nil, err
	}
	return append(bytes.Clone(f.encode(point)), target...), nil
}

func (f pointForm) wrapSize(k Key, p p11.Params, n int) (int, error) {
	params, err := paramAs[p11.ECDHAESWrapParams](p)
	if err != nil {
		return 0, err
	}
	if err := checkAESKeyBits(params.AESKeyBits); err != nil {
		return 0, err
	}
	with, err := agreementWith(k)
	if err != nil {
		return 0, err
	}
	size, err := kwpLength(n)
	return len(f.encode(with.public)) + size, recode(err, p11.CKR_DATA_LEN_RANGE, p11.CKR_KEY_SIZE_RANGE)
}

func (f pointForm) unwrap(k Key, p p11.Params, wrapped []byte) ([]byte, error) {
	params, err := paramAs[p11.ECDHAESWrapParams](p)
	if err != nil {
		return nil, err
	}
	own, err := materialOf[agreer](k)
	if err != nil {
		return nil, err
	}
	point, target, ok := f.split(wrapped, own.pointSize())
	if !ok {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_LEN_RANGE, "the wrapped key has %d bytes and no point of the unwrapping key's curve before something else", len(wrapped))
	}
	block, err := wrappingCipher(own, point, params)
	if p11.Code(err) == p11.CKR_PUBLIC_KEY_INVALID {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the transport key: %w", err)
	} else if err != nil {
		return nil, err
	}
	defer erase(block)
	return openKWP(block, target)
}

// wipeAgreer clears a transport key.
func wipeAgreer(own agreer) {
	wipeEC(own)
	wipeECX(own)
}
