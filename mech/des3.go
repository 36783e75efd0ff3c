package mech

import (
	"crypto/cipher"
	"crypto/des"
	"hash"

	"coffer/p11"
)

// des3Family has triple DES with keys of two and three parts (PKCS #11 v3.2,
// sections 6.18 and 6.19). It is for what is old: NIST has disallowed its
// encryption since 2024 (SP 800-131A).
var des3Family = Family{
	Name:     "DES3",
	KeyTypes: []KeyType{des2Keys, des3Keys},
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_DES2_KEY_GEN, Keys: []p11.KeyType{p11.CKK_DES2}, Size: desSize,
			Generate: generateSecret(des2Keys),
		},
		{
			Type: p11.CKM_DES3_KEY_GEN, Keys: []p11.KeyType{p11.CKK_DES3}, Size: desSize,
			Generate: generateSecret(des3Keys),
		},
		{
			Type: p11.CKM_DES3_ECB, Keys: desEither, Size: desSize,
			Encrypt: desModes.encryptECB, Decrypt: desModes.decryptECB,
			Wrap: wrapWith(desModes.encryptECB), Unwrap: unwrapWith(desModes.decryptECB), WrapSize: wrapSize(desModes.whole),
		},
		{
			Type: p11.CKM_DES3_CBC, Keys: desEither, Size: desSize, Params: p11.ParamIV,
			Encrypt: desModes.encryptCBC, Decrypt: desModes.decryptCBC,
			Wrap: wrapWith(desModes.encryptCBC), Unwrap: unwrapWith(desModes.decryptCBC), WrapSize: wrapSize(desModes.whole),
		},
		{
			Type: p11.CKM_DES3_CBC_PAD, Keys: desEither, Size: desSize, Params: p11.ParamIV,
			Encrypt: desModes.encryptCBCPad, Decrypt: desModes.decryptCBCPad,
			Wrap: wrapWith(desModes.encryptCBCPad), Unwrap: unwrapWith(desModes.decryptCBCPad), WrapSize: wrapSize(desModes.padded),
			WrapsPrivate: true,
		},
		{
			Type: p11.CKM_DES3_MAC, Keys: desEither, Size: desSize,
			Sign: desMAC.sign, Verify: desMAC.verify,
		},
		{
			Type: p11.CKM_DES3_MAC_GENERAL, Keys: desEither, Size: desSize, Params: p11.ParamULong,
			Sign: desMACGeneral.sign, Verify: desMACGeneral.verify,
		},
		{
			Type: p11.CKM_DES3_CMAC, Keys: desEither, Size: desSize,
			Sign: desCMAC.sign, Verify: desCMAC.verify,
		},
		{
			Type: p11.CKM_DES3_CMAC_GENERAL, Keys: desEither, Size: desSize, Params: p11.ParamULong,
			Sign: desCMACGeneral.sign, Verify: desCMACGeneral.verify,
		},
	},
}

var (
	des2Keys  = KeyType{Type: p11.CKK_DES2, Secret: true, Lengths: []int{16}, MaxLength: 16, Fix: setParity, Weak: SmallBlock}
	des3Keys  = KeyType{Type: p11.CKK_DES3, Secret: true, Lengths: []int{24}, MaxLength: 24, Fix: setParity, Weak: SmallBlock}
	desEither = []p11.KeyType{p11.CKK_DES3, p11.CKK_DES2}
	// The standard calls the fields unused for these mechanisms.
	desSize = KeySize{Min: 16, Max: 24, Unit: Bytes}

	desModes       = blockModes{desOf, desOf, des.BlockSize}
	desMAC         = keyedHash{keyedCBCMAC(newDES), whole(des.BlockSize / 2)}
	desMACGeneral  = keyedHash{keyedCBCMAC(newDES), upTo(des.BlockSize)}
	desCMAC        = keyedHash{keyedDESCMAC, whole(des.BlockSize)}
	desCMACGeneral = keyedHash{keyedDESCMAC, upTo(des.BlockSize)}
)

// setParity makes the number of ones in each byte odd (FIPS 46-3), in constant
// time.
func setParity(value []byte) {
	for i, b := range value {
		p := b ^ b>>4
		p ^= p >> 2
		p ^= p >> 1
		value[i] = b ^ ^p&1
	}
}

// newDES returns the block cipher under a key's value of two or three parts.
func newDES(value []byte) (cipher.Block, error) {
	switch len(value) {
	case 24:
	case 16:
		var three [24]byte
		copy(three[copy(three[:], value):], value)
		defer clear(three[:])
		value = three[:]
	default:
		return nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a triple DES key has 16 or 24 bytes, not %d", len(value))
	}
	return des.NewTripleDESCipher(value)
}

// desOf returns the block cipher under k.
func desOf(k Key) (cipher.Block, error) {
	value, err := secretOf(k)
	if err != nil {
		return nil, err
	}
	return newDES(value)
}

func keyedDESCMAC(key []byte) (hash.Hash, error) {
	block, err := newDES(key)
	if err != nil {
		return nil, err
	}
	return newCMAC(block), nil
}
