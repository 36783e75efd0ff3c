package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"

	"coffer/p11"
)

// CKM_RSA_AES_KEY_WRAP (PKCS #11 v3.2, section 6.1.21): a fresh AES key
// encrypted by RSA-OAEP, then the target wrapped with it by AES key wrap with
// padding. Only this mechanism of RSA takes a target of any length, and so
// private keys.

// newWrappingAES returns a fresh AES key of the length that the parameter asks
// for.
func newWrappingAES(p p11.RSAAESWrapParams) ([]byte, error) {
	if err := checkAESKeyBits(p.AESKeyBits); err != nil {
		return nil, err
	}
	key := make([]byte, p.AESKeyBits/8)
	rand.Read(key)
	return key, nil
}

func checkAESKeyBits(bits uint64) error {
	if bits != 128 && bits != 192 && bits != 256 {
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "an AES key of %d bits was asked for; there are those of 128, 192 and 256", bits)
	}
	return nil
}

func wrapRSAAES(k Key, p p11.Params, encoded []byte) ([]byte, error) {
	params, err := paramAs[p11.RSAAESWrapParams](p)
	if err != nil {
		return nil, err
	}
	key, err := newWrappingAES(params)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	out, err := wrapWith(encryptRSAOAEP)(k, params.OAEP, key)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
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
	return append(out, target...), nil
}

func wrapSizeRSAAES(k Key, p p11.Params, n int) (int, error) {
	params, err := paramAs[p11.RSAAESWrapParams](p)
	if err != nil {
		return 0, err
	}
	if err := checkAESKeyBits(params.AESKeyBits); err != nil {
		return 0, err
	}
	key, err := materialOf[*rsaPublicKey](k)
	if err != nil {
		return 0, err
	}
	size, err := kwpLength(n)
	return key.Size() + size, recode(err, p11.CKR_DATA_LEN_RANGE, p11.CKR_KEY_SIZE_RANGE)
}

func unwrapRSAAES(k Key, p p11.Params, wrapped []byte) ([]byte, error) {
	params, err := paramAs[p11.RSAAESWrapParams](p)
	if err != nil {
		return nil, err
	}
	if err := checkAESKeyBits(params.AESKeyBits); err != nil {
		return nil, err
	}
	private, err := materialOf[*rsaPrivateKey](k)
	if err != nil {
		return nil, err
	}
	n := private.Size()
	if len(wrapped) <= n {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_LEN_RANGE, "the wrapped key has %d bytes, not more than the modulus of the unwrapping key", len(wrapped))
	}
	key, err := unwrapWith(decryptRSAOAEP)(k, params.OAEP, wrapped[:n])
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if uint64(len(key))*8 != params.AESKeyBits {
		return nil, p11.Errorf(p11.CKR_WRAPPED_KEY_INVALID, "the key inside is not an AES key of %d bits", params.AESKeyBits)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	defer erase(block)
	return openKWP(block, wrapped[n:])
}

// openKWP returns what was wrapped with padding, under the codes of
// C_UnwrapKey.
func openKWP(block cipher.Block, wrapped []byte) ([]byte, error) {
	plain, err := kwpUnwrap(block, kwpAIV, wrapped)
	if err == nil {
		return plain, nil
	}
	err = recode(kwpOpen.code(err), p11.CKR_ENCRYPTED_DATA_LEN_RANGE, p11.CKR_WRAPPED_KEY_LEN_RANGE)
	return nil, recode(err, p11.CKR_ENCRYPTED_DATA_INVALID, p11.CKR_WRAPPED_KEY_INVALID)
}
