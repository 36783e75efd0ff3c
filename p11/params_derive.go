package p11

// KeyHandle is a CK_OBJECT_HANDLE as the whole parameter: the second key of
// CKM_CONCATENATE_BASE_AND_KEY.
type KeyHandle ObjectHandle

// KeyHandles returns the key.
func (p KeyHandle) KeyHandles() []ObjectHandle { return []ObjectHandle{ObjectHandle(p)} }

// StringData is a CK_KEY_DERIVATION_STRING_DATA (PKCS #11 v3.2, section
// 6.43.2).
type StringData []byte

// CBCDataParams is a CK_AES_CBC_ENCRYPT_DATA_PARAMS or a
// CK_DES_CBC_ENCRYPT_DATA_PARAMS (PKCS #11 v3.2, section 6.17).
type CBCDataParams struct {
	IV   []byte // of the length of a block
	Data []byte
}

// PBKD2Params is a CK_PKCS5_PBKD2_PARAMS2, or the older CK_PKCS5_PBKD2_PARAMS
// (PKCS #11 v3.2, section 6.37.3).
type PBKD2Params struct {
	SaltSource uint64 // CKZ_SALT_SPECIFIED
	Salt       []byte
	Iterations uint64
	PRF        uint64 // CKP_PKCS5_PBKD2_HMAC_SHA1 and its like
	PRFData    []byte
	Password   []byte
}

// KBKDFParams is a CK_SP800_108_KDF_PARAMS (PKCS #11 v3.2, section 6.42.2), of
// the counter and the double-pipeline mode.
type KBKDFParams struct {
	PRF        MechanismType // CKM_SHA256_HMAC, CKM_AES_CMAC, …
	Data       []KBKDFData
	Additional uint64 // how many further keys are asked for
}

// KBKDFFeedbackParams is a CK_SP800_108_FEEDBACK_KDF_PARAMS.
type KBKDFFeedbackParams struct {
	KBKDFParams
	IV []byte
}

// KBKDFData is a CK_PRF_DATA_PARAM with what it points to.
type KBKDFData struct {
	Type         uint64       // CK_SP800_108_ITERATION_VARIABLE and its like
	Bytes        []byte       // of CK_SP800_108_BYTE_ARRAY
	Key          ObjectHandle // of CK_SP800_108_KEY_HANDLE
	Formatted    bool         // a counter or length format is given: what follows
	LittleEndian bool
	WidthBits    uint64
	LengthMethod uint64 // CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS or …_SEGMENTS
}

// KeyHandles returns the keys among the data.
func (p KBKDFParams) KeyHandles() (hs []ObjectHandle) {
	for _, d := range p.Data {
		if d.Type == CK_SP800_108_KEY_HANDLE {
			hs = append(hs, d.Key)
		}
	}
	return hs
}

// TLS12MasterParams is a CK_TLS12_MASTER_KEY_DERIVE_PARAMS (PKCS #11 v3.2,
// section 6.40.2).
type TLS12MasterParams struct {
	PRF          MechanismType // CKM_SHA256, …
	ClientRandom []byte
	ServerRandom []byte
	OutVersion   []byte // the caller's CK_VERSION, of 2 bytes, to be written to; nil if there is none
}

// TLS12ExtendedParams is a CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS.
type TLS12ExtendedParams struct {
	PRF         MechanismType
	SessionHash []byte
	OutVersion  []byte // as in TLS12MasterParams
}

// TLSKDFParams is a CK_TLS_KDF_PARAMS.
type TLSKDFParams struct {
	PRF          MechanismType // a hash, or CKM_TLS_PRF
	Label        []byte
	ClientRandom []byte
	ServerRandom []byte
	Context      []byte
}

// TLSMACParams is a CK_TLS_MAC_PARAMS.
type TLSMACParams struct {
	PRF    MechanismType // a hash, or CKM_TLS_PRF
	Length uint64        // bytes of the MAC
	Side   uint64        // 1 for the server, 2 for the client
}

// IKEPRFParams is a CK_IKE_PRF_DERIVE_PARAMS (PKCS #11 v3.2, section 6.64.2).
type IKEPRFParams struct {
	PRF       MechanismType // CKM_SHA256_HMAC, …
	DataAsKey bool
	Rekey     bool
	Ni, Nr    []byte
	NewKey    ObjectHandle // with Rekey
}

// KeyHandles returns the new key of a rekeying.
func (p IKEPRFParams) KeyHandles() []ObjectHandle { return handleIf(p.Rekey, p.NewKey) }

// IKE2PRFPlusParams is a CK_IKE2_PRF_PLUS_DERIVE_PARAMS.
type IKE2PRFPlusParams struct {
	PRF        MechanismType
	HasSeedKey bool
	SeedKey    ObjectHandle
	Seed       []byte
}

// KeyHandles returns the seed key if there is one.
func (p IKE2PRFPlusParams) KeyHandles() []ObjectHandle { return handleIf(p.HasSeedKey, p.SeedKey) }

// IKE1PRFParams is a CK_IKE1_PRF_DERIVE_PARAMS.
type IKE1PRFParams struct {
	PRF        MechanismType
	HasPrevKey bool
	SharedKey  ObjectHandle // g^xy
	PrevKey    ObjectHandle
	CKYi, CKYr []byte
	KeyNumber  byte
}

// KeyHandles returns g^xy and then the previous key, if there is one.
func (p IKE1PRFParams) KeyHandles() []ObjectHandle {
	return append([]ObjectHandle{p.SharedKey}, handleIf(p.HasPrevKey, p.PrevKey)...)
}

// IKE1ExtendedParams is a CK_IKE1_EXTENDED_DERIVE_PARAMS.
type IKE1ExtendedParams struct {
	PRF          MechanismType
	HasSharedKey bool
	SharedKey    ObjectHandle // g^xy
	Extra        []byte
}

// KeyHandles returns g^xy if it is there.
func (p IKE1ExtendedParams) KeyHandles() []ObjectHandle { return handleIf(p.HasSharedKey, p.SharedKey) }

func handleIf(there bool, h ObjectHandle) []ObjectHandle {
	if !there {
		return nil
	}
	return []ObjectHandle{h}
}
