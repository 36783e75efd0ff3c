package mech

import (
	"bytes"

	"coffer/p11"
)

// Key encapsulation with Diffie-Hellman on curves (PKCS #11 v3.2, sections
// 6.3.20 and 6.3.21): the ciphertext is an ephemeral public key, the secret
// what the key derivation function of the parameter makes of what the two keys
// share. The ciphertext has one form, the bytes of the point without DER, so
// that nobody can change it to another that opens the same way.

// kemKDF returns the key derivation function of a parameter for encapsulation,
// which must not name a public key.
func kemKDF(p p11.Params) (secretKDF, error) {
	params, err := paramAs[p11.ECDH1Params](p)
	if err != nil {
		return nil, err
	}
	if len(params.Public) != 0 {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "encapsulation takes no public data: the ciphertext is in its place")
	}
	return newSecretKDF(params.KDF, params.Shared)
}

func encapsulateECDH(k Key, p p11.Params, length int) (ciphertext, secret []byte, err error) {
	kdf, err := kemKDF(p)
	if err != nil {
		return nil, nil, err
	}
	with, err := agreementWith(k)
	if err != nil {
		return nil, nil, err
	}
	own, point, err := with.fresh()
	if err != nil {
		return nil, nil, err
	}
	defer wipeAgreer(own)
	shared, err := own.agree(with.public)
	if err != nil {
		return nil, nil, p11.Errorf(p11.CKR_KEY_HANDLE_INVALID, "the public key: %w", err)
	}
	defer clear(shared)
	secret, err = kdf(shared, length)
	return bytes.Clone(point), secret, err
}

func encapsulateSizeECDH(k Key, p p11.Params, length int) (int, error) {
	kdf, err := kemKDF(p)
	if err != nil {
		return 0, err
	}
	with, err := agreementWith(k)
	if err != nil {
		return 0, err
	}
	size := len(with.public)
	shared := size // X25519 and X448
	if size%2 == 1 {
		shared = size / 2 // of 04 || X || Y
	}
	// What the function refuses for the length it refuses here too.
	if _, err := kdf(make([]byte, shared), length); err != nil {
		return 0, err
	}
	return size, nil
}

func decapsulateECDH(k Key, p p11.Params, ciphertext []byte, length int) ([]byte, error) {
	kdf, err := kemKDF(p)
	if err != nil {
		return nil, err
	}
	key, err := materialOf[agreer](k)
	if err != nil {
		return nil, err
	}
	if want := key.pointSize(); len(ciphertext) != want {
		return nil, p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "a ciphertext of this key has %d bytes, not %d", want, len(ciphertext))
	}
	shared, err := key.agree(ciphertext)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_ENCRYPTED_DATA_INVALID, "the ephemeral public key: %w", err)
	}
	defer clear(shared)
	return kdf(shared, length)
}
