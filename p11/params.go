package p11

// Params is a decoded mechanism parameter: nil when the caller gave none, or
// one of the types of this file, by value. Byte slices in it are copies that
// the receiver owns, but for fields named Out…, which are the caller's memory
// and may be written to during the call that brought them and never after.
type Params any

// ParamKind says which type of this file a mechanism takes, and so how the
// bytes behind CK_MECHANISM.pParameter are decoded. The zero kind takes no
// parameter and refuses any with CKR_MECHANISM_PARAM_INVALID.
type ParamKind uint8

// The kinds. A kind whose name begins with Optional also allows no parameter
// (pParameter NULL and ulParameterLen 0, decoded as nil Params).
const (
	ParamNone             ParamKind = iota
	ParamIV                         // IV
	OptionalIV                      // IV
	ParamCTR                        // CTRParams from CK_AES_CTR_PARAMS
	ParamGCM                        // GCMParams from CK_GCM_PARAMS
	ParamULong                      // ULongParam from CK_ULONG: CK_MAC_GENERAL_PARAMS and its like
	ParamPSS                        // PSSParams from CK_RSA_PKCS_PSS_PARAMS
	ParamOAEP                       // OAEPParams from CK_RSA_PKCS_OAEP_PARAMS
	ParamRSAAESWrap                 // RSAAESWrapParams from CK_RSA_AES_KEY_WRAP_PARAMS
	ParamECDH1                      // ECDH1Params from CK_ECDH1_DERIVE_PARAMS
	ParamECDHAESWrap                // ECDHAESWrapParams from CK_ECDH_AES_KEY_WRAP_PARAMS
	OptionalPublicValue             // PublicValue
	ParamX942DH1                    // X942DH1Params from CK_X9_42_DH1_DERIVE_PARAMS
	OptionalEdDSA                   // EdDSAParams from CK_EDDSA_PARAMS
	ParamHKDF                       // HKDFParams from CK_HKDF_PARAMS
	ParamCCM                        // CCMParams from CK_CCM_PARAMS or CK_CCM_WRAP_PARAMS
	ParamChaCha20                   // ChaCha20Params from CK_CHACHA20_PARAMS
	ParamChaCha20Poly1305           // ChaCha20Poly1305Params from CK_SALSA20_CHACHA20_POLY1305_PARAMS
	ParamKeyHandle                  // KeyHandle from CK_OBJECT_HANDLE
	ParamStringData                 // StringData from CK_KEY_DERIVATION_STRING_DATA
	ParamAESCBCData                 // CBCDataParams from CK_AES_CBC_ENCRYPT_DATA_PARAMS
	ParamDESCBCData                 // CBCDataParams from CK_DES_CBC_ENCRYPT_DATA_PARAMS
	ParamPBKD2                      // PBKD2Params from CK_PKCS5_PBKD2_PARAMS2 or CK_PKCS5_PBKD2_PARAMS
	ParamKBKDF                      // KBKDFParams from CK_SP800_108_KDF_PARAMS
	ParamKBKDFFeedback              // KBKDFFeedbackParams from CK_SP800_108_FEEDBACK_KDF_PARAMS
	ParamTLS12Master                // TLS12MasterParams from CK_TLS12_MASTER_KEY_DERIVE_PARAMS
	ParamTLS12Extended              // TLS12ExtendedParams from CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS
	ParamTLSKDF                     // TLSKDFParams from CK_TLS_KDF_PARAMS
	ParamTLSMAC                     // TLSMACParams from CK_TLS_MAC_PARAMS
	ParamIKEPRF                     // IKEPRFParams from CK_IKE_PRF_DERIVE_PARAMS
	ParamIKE2PRFPlus                // IKE2PRFPlusParams from CK_IKE2_PRF_PLUS_DERIVE_PARAMS
	ParamIKE1PRF                    // IKE1PRFParams from CK_IKE1_PRF_DERIVE_PARAMS
	ParamIKE1Extended               // IKE1ExtendedParams from CK_IKE1_EXTENDED_DERIVE_PARAMS
	OptionalSignContext             // SignContext from CK_SIGN_ADDITIONAL_CONTEXT
	ParamHashSignContext            // HashSignContext from CK_HASH_SIGN_ADDITIONAL_CONTEXT
	NumParamKinds                   // the number of kinds
)

// IV is an initialisation vector given as the whole parameter, such as the 16
// bytes of CKM_AES_CBC. The mechanism checks its length.
type IV []byte

// ULongParam is a parameter that is one number, such as the MAC length in
// bytes of CKM_AES_CMAC_GENERAL.
type ULongParam uint64

// CTRParams is a CK_AES_CTR_PARAMS (PKCS #11 v3.2, section 6.11.2).
type CTRParams struct {
	CounterBits uint64 // 1 to 128: the width of the part that counts
	Counter     [16]byte
}

// GCMParams is a CK_GCM_PARAMS (PKCS #11 v3.2, section 6.13.3), in either of
// its sizes: with ulIvBits (48 bytes on LP64) or, as version 2.20 printed it,
// without (40 bytes).
type GCMParams struct {
	IV      []byte // the caller's, at least 1 byte; nil if the token makes it
	OutIV   []byte // where the token writes the IV that it makes: pIv given, ulIvLen 0, ulIvBits/8 bytes
	AAD     []byte
	TagBits uint64 // 0 to 128
}

// PSSParams is a CK_RSA_PKCS_PSS_PARAMS (PKCS #11 v3.2, section 6.1.10).
type PSSParams struct {
	Hash    MechanismType // CKM_SHA_1, CKM_SHA256, …
	MGF     MGF
	SaltLen uint64 // bytes
}

// SignedDigest is the mechanism that made the digest to sign.
func (p PSSParams) SignedDigest() MechanismType { return p.Hash }

// OAEPParams is a CK_RSA_PKCS_OAEP_PARAMS (PKCS #11 v3.2, section 6.1.8).
type OAEPParams struct {
	Hash   MechanismType
	MGF    MGF
	Source uint64 // CKZ_DATA_SPECIFIED, or 0 with an empty label
	Label  []byte
}

// RSAAESWrapParams is a CK_RSA_AES_KEY_WRAP_PARAMS (PKCS #11 v3.2, section
// 6.1.21).
type RSAAESWrapParams struct {
	AESKeyBits uint64 // 128, 192 or 256
	OAEP       OAEPParams
}

// ECDH1Params is a CK_ECDH1_DERIVE_PARAMS (PKCS #11 v3.2, section 6.3.17).
type ECDH1Params struct {
	KDF    KDF
	Shared []byte // SharedInfo of ANSI X9.63, may be empty
	Public []byte // the other party's point, raw or as a DER OCTET STRING
}

// ECDHAESWrapParams is a CK_ECDH_AES_KEY_WRAP_PARAMS (PKCS #11 v3.2, section
// 6.3.26).
type ECDHAESWrapParams struct {
	AESKeyBits uint64 // 128, 192 or 256
	KDF        KDF
	Shared     []byte // SharedInfo, may be empty
}

// PublicValue is the other party's public value, big-endian, as the whole
// parameter of CKM_DH_PKCS_DERIVE.
type PublicValue []byte

// X942DH1Params is a CK_X9_42_DH1_DERIVE_PARAMS (PKCS #11 v3.2, section 6.4.12).
type X942DH1Params struct {
	KDF       KDF // CKD_NULL, CKD_SHA1_KDF_ASN1 or CKD_SHA1_KDF_CONCATENATE
	OtherInfo []byte
	Public    []byte // big-endian; empty to encapsulate and decapsulate
}

// EdDSAParams is a CK_EDDSA_PARAMS (PKCS #11 v3.2, section 6.3.5).
type EdDSAParams struct {
	Prehash bool // phFlag
	Context []byte
}

// HKDFParams is a CK_HKDF_PARAMS (PKCS #11 v3.2, section 6.62.2).
type HKDFParams struct {
	Extract, Expand bool
	PRF             MechanismType // CKM_SHA256, … or the HMAC of it
	SaltType        Flags         // CKF_HKDF_SALT_NULL, _DATA or _KEY
	Salt            []byte
	SaltKey         ObjectHandle
	Info            []byte
}

// KeyHandles is implemented by parameters that name further keys. Whoever
// runs the mechanism resolves them, checks them as it checks the main key,
// and hands them over in this order.
type KeyHandles interface{ KeyHandles() []ObjectHandle }

// KeyHandles returns the salt key if the salt is one.
func (p HKDFParams) KeyHandles() []ObjectHandle {
	if p.SaltType == CKF_HKDF_SALT_KEY {
		return []ObjectHandle{p.SaltKey}
	}
	return nil
}
