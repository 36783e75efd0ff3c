package mech

import (
	"crypto/aes"
	"crypto/cipher"
	"hash"

	"coffer/p11"
)

// aesFamily has CKK_AES (PKCS #11 v3.2, section 6.10 ff.): the block modes,
// counter mode, GCM, CMAC and the key wraps.
//
// A mode that can wrap is a pair of Encrypt and Decrypt; Wrap and Unwrap are
// made of it by wrapWith and unwrapWith, which translate the return codes.
var aesFamily = Family{
	Name:     "AES",
	KeyTypes: []KeyType{aesKeys},
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_AES_KEY_GEN, Keys: aesOnly, Size: aesSize,
			Generate: generateSecret(aesKeys),
		},
		{
			Type: p11.CKM_AES_ECB, Keys: aesOnly, Size: aesSize,
			Encrypt: aesModes.encryptECB, Decrypt: aesModes.decryptECB,
			Wrap: wrapWith(aesModes.encryptECB), Unwrap: unwrapWith(aesModes.decryptECB), WrapSize: wrapSize(aesModes.whole),
		},
		{
			Type: p11.CKM_AES_CBC, Keys: aesOnly, Size: aesSize, Params: p11.ParamIV,
			Encrypt: aesModes.encryptCBC, Decrypt: aesModes.decryptCBC,
			Wrap: wrapWith(aesModes.encryptCBC), Unwrap: unwrapWith(aesModes.decryptCBC), WrapSize: wrapSize(aesModes.whole),
		},
		{
			Type: p11.CKM_AES_CBC_PAD, Keys: aesOnly, Size: aesSize, Params: p11.ParamIV,
			Encrypt: aesModes.encryptCBCPad, Decrypt: aesModes.decryptCBCPad,
			Wrap: wrapWith(aesModes.encryptCBCPad), Unwrap: unwrapWith(aesModes.decryptCBCPad), WrapSize: wrapSize(aesModes.padded),
			WrapsPrivate: true,
		},
		{
			Type: p11.CKM_AES_CTR, Keys: aesOnly, Size: aesSize, Params: p11.ParamCTR,
			Encrypt: newCTROp, Decrypt: newCTROp,
		},
		{
			Type: p11.CKM_AES_GCM, Keys: aesOnly, Size: aesSize, Params: p11.ParamGCM,
			Encrypt: encryptGCM, Decrypt: decryptGCM,
			Messages: newGCMMessages, MessageKind: p11.MessageGCM,
			Wrap: wrapWith(encryptGCM), Unwrap: unwrapWith(decryptGCM), WrapSize: gcmWrapSize,
			WrapsPrivate: true,
		},
		{
			Type: p11.CKM_AES_CMAC, Keys: aesOnly, Size: aesSize,
			Sign: aesCMAC.sign, Verify: aesCMAC.verify,
		},
		{
			Type: p11.CKM_AES_CMAC_GENERAL, Keys: aesOnly, Size: aesSize, Params: p11.ParamULong,
			Sign: aesCMACGeneral.sign, Verify: aesCMACGeneral.verify,
		},
		{
			Type: p11.CKM_AES_KEY_WRAP, Keys: aesOnly, Size: aesSize, Params: p11.OptionalIV, SinglePart: true,
			Encrypt: encryptKW, Decrypt: decryptKW,
			Wrap: wrapWith(encryptKW), Unwrap: unwrapWith(decryptKW), WrapSize: wrapSize(kwLength),
			WrapsPrivate: true,
		},
		{
			// The standard deprecates the name because modules disagreed about
			// it. It is KWP here, as in SoftHSM and openCryptoki.
			Type: p11.CKM_AES_KEY_WRAP_PAD, Keys: aesOnly, Size: aesSize, Params: p11.OptionalIV, SinglePart: true,
			Encrypt: encryptKWP, Decrypt: decryptKWP,
			Wrap: wrapWith(encryptKWP), Unwrap: unwrapWith(decryptKWP), WrapSize: wrapSize(kwpLength),
			WrapsPrivate: true,
		},
		{
			Type: p11.CKM_AES_KEY_WRAP_KWP, Keys: aesOnly, Size: aesSize, Params: p11.OptionalIV, SinglePart: true,
			Encrypt: encryptKWP, Decrypt: decryptKWP,
			Wrap: wrapWith(encryptKWP), Unwrap: unwrapWith(decryptKWP), WrapSize: wrapSize(kwpLength),
			WrapsPrivate: true,
		},
		{
			Type: p11.CKM_AES_KEY_WRAP_PKCS7, Keys: aesOnly, Size: aesSize, Params: p11.OptionalIV, SinglePart: true,
			Encrypt: encryptKWPKCS7, Decrypt: decryptKWPKCS7,
			Wrap: wrapWith(encryptKWPKCS7), Unwrap: unwrapWith(decryptKWPKCS7), WrapSize: wrapSize(kwPKCS7Length),
			WrapsPrivate: true,
		},
	},
}

var (
	aesKeys = KeyType{Type: p11.CKK_AES, Secret: true, Lengths: []int{16, 24, 32}, MaxLength: 32}
	aesOnly = []p11.KeyType{p11.CKK_AES}
	aesSize = KeySize{Min: 16, Max: 32, Unit: Bytes}

	aesModes = blockModes{aesOf, parallelAESOf, aes.BlockSize}

	aesCMAC        = keyedHash{keyedCMAC, whole(aes.BlockSize)}
	aesCMACGeneral = keyedHash{keyedCMAC, upTo(aes.BlockSize)}
)

// newAES returns the block cipher under a key's value.
func newAES(value []byte) (cipher.Block, error) {
	b, err := aes.NewCipher(value)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "an AES key has 16, 24 or 32 bytes, not %d", len(value))
	}
	return b, nil
}

// aesOf returns the block cipher under k.
func aesOf(k Key) (cipher.Block, error) {
	value, err := secretOf(k)
	if err != nil {
		return nil, err
	}
	return newAES(value)
}

func keyedCMAC(key []byte) (hash.Hash, error) {
	block, err := newAES(key)
	if err != nil {
		return nil, err
	}
	return newCMAC(block), nil
}
