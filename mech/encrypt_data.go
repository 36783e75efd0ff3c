package mech

import (
	"coffer/p11"
)

// encryptDataFamily has the derivation of a key as the encryption of data with
// another (PKCS #11 v3.2, section 6.17). It gives whoever may derive an
// encryption oracle: that is what CKA_DERIVE of such a key permits.
var encryptDataFamily = Family{
	Name: "encryption of data",
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_AES_ECB_ENCRYPT_DATA, Keys: aesOnly, Size: aesSize, Params: p11.ParamStringData,
			Derive: deriveByECB(aesModes),
		},
		{
			Type: p11.CKM_AES_CBC_ENCRYPT_DATA, Keys: aesOnly, Size: aesSize, Params: p11.ParamAESCBCData,
			Derive: deriveByCBC(aesModes),
		},
		{
			Type: p11.CKM_DES3_ECB_ENCRYPT_DATA, Keys: desEither, Size: desSize, Params: p11.ParamStringData,
			Derive: deriveByECB(desModes),
		},
		{
			Type: p11.CKM_DES3_CBC_ENCRYPT_DATA, Keys: desEither, Size: desSize, Params: p11.ParamDESCBCData,
			Derive: deriveByCBC(desModes),
		},
	},
}

func deriveByECB(modes blockModes) func(Derivation) (Derived, error) {
	return func(d Derivation) (Derived, error) {
		data, err := paramAs[p11.StringData](d.Params)
		if err != nil {
			return Derived{}, err
		}
		return deriveByEncryption(d, modes.size, data, func() (Op, error) { return modes.encryptECB(d.Base, nil) })
	}
}

func deriveByCBC(modes blockModes) func(Derivation) (Derived, error) {
	return func(d Derivation) (Derived, error) {
		p, err := paramAs[p11.CBCDataParams](d.Params)
		if err != nil {
			return Derived{}, err
		}
		return deriveByEncryption(d, modes.size, p.Data, func() (Op, error) { return modes.encryptCBC(d.Base, p11.IV(p.IV)) })
	}
}

// deriveByEncryption takes the leading bytes of the ciphertext.
func deriveByEncryption(d Derivation, block int, data []byte, encrypt func() (Op, error)) (Derived, error) {
	if len(data) == 0 || len(data)%block != 0 {
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the data has %d bytes, not a whole number of blocks of %d", len(data), block)
	}
	if d.Length > len(data) {
		return Derived{}, p11.Errorf(p11.CKR_DATA_LEN_RANGE, "%d bytes of data are too few for a key of %d", len(data), d.Length)
	}
	n, err := derivedLength(d, len(data))
	if err != nil {
		return Derived{}, err
	}
	op, err := encrypt()
	if err != nil {
		return Derived{}, err
	}
	defer op.Wipe()
	value := make([]byte, len(data))
	if _, err := op.Final(value, data); err != nil {
		return Derived{}, err
	}
	clear(value[n:])
	return derived(value[:n:n]), nil
}
