// Package p11 is the vocabulary of PKCS #11 v3.2: the standard's numbers under
// the standard's names, return codes that are Go errors, handles, and the
// decoded mechanism parameters. It has no logic, no state and no cgo.
//
// # Design
//
// Constants are generated from the tables in spec/, so that a search for a
// name finds header, table and code alike. Every CK_ULONG is a uint64 here;
// attribute values keep the bytes that an LP64 little-endian caller passes
// (a CK_ULONG is 8 bytes), which is also how they are stored.
package p11

//go:generate go run ./gen

// The CK_ULONG-sized types of the standard.
type (
	MechanismType   uint64 // CK_MECHANISM_TYPE, CKM_
	AttributeType   uint64 // CK_ATTRIBUTE_TYPE, CKA_
	ObjectClass     uint64 // CK_OBJECT_CLASS, CKO_
	KeyType         uint64 // CK_KEY_TYPE, CKK_
	CertificateType uint64 // CK_CERTIFICATE_TYPE, CKC_
	HWFeatureType   uint64 // CK_HW_FEATURE_TYPE, CKH_
	KDF             uint64 // CK_EC_KDF_TYPE and CK_X9_42_DH_KDF_TYPE, CKD_
	MGF             uint64 // CK_RSA_PKCS_MGF_TYPE, CKG_MGF1_
	Generator       uint64 // CK_GENERATOR_FUNCTION, CKG_
	UserType        uint64 // CK_USER_TYPE, CKU_
	State           uint64 // CK_STATE, CKS_
	ProfileID       uint64 // CK_PROFILE_ID, CKP_
	Flags           uint64 // CK_FLAGS, CKF_
	Notification    uint64 // CK_NOTIFICATION, CKN_
	SlotID          uint64 // CK_SLOT_ID
	SessionHandle   uint64 // CK_SESSION_HANDLE; 0 is never valid
	ObjectHandle    uint64 // CK_OBJECT_HANDLE; 0 is never valid
)

// Unavailable is CK_UNAVAILABLE_INFORMATION.
const Unavailable = ^uint64(0)

// Version is a CK_VERSION.
type Version struct{ Major, Minor byte }

// Mechanism is a CK_MECHANISM whose parameter has been decoded.
type Mechanism struct {
	Type   MechanismType
	Params Params // nil when the caller gave none
}

// Out is an output buffer with its length, the (pBuf, pulBufLen) pair of the
// standard. A nil Buf asks for the length only. N is the number of bytes
// written after CKR_OK, or an upper bound of the bytes needed after a length
// query or CKR_BUFFER_TOO_SMALL. Buf is the caller's memory: it is written to
// during the call and never kept.
type Out struct {
	Buf []byte
	N   int
}

// SlotInfo is a CK_SLOT_INFO. The strings are unpadded.
type SlotInfo struct {
	Description  string // at most 64 bytes
	Manufacturer string // at most 32 bytes
	Flags        Flags
	Hardware     Version
	Firmware     Version
}

// TokenInfo is a CK_TOKEN_INFO. The strings are unpadded.
type TokenInfo struct {
	Label        string // at most 32 bytes
	Manufacturer string // at most 32 bytes
	Model        string // at most 16 bytes
	Serial       string // at most 16 bytes
	Flags        Flags

	MaxSessions, Sessions     uint64
	MaxRWSessions, RWSessions uint64
	MaxPIN, MinPIN            uint64 // bytes
	TotalPublic, FreePublic   uint64 // bytes, or Unavailable
	TotalPrivate, FreePrivate uint64 // bytes, or Unavailable

	Hardware, Firmware Version
	UTCTime            string // 16 bytes, or empty without CKF_CLOCK_ON_TOKEN
}

// SessionInfo is a CK_SESSION_INFO.
type SessionInfo struct {
	Slot        SlotID
	State       State
	Flags       Flags
	DeviceError uint64
}

// MechanismInfo is a CK_MECHANISM_INFO. The unit of the key sizes is the
// mechanism's own (bits or bytes, PKCS #11 v3.2, section 6).
type MechanismInfo struct {
	MinKeySize, MaxKeySize uint64
	Flags                  Flags
}

// Info is a CK_INFO.
type Info struct {
	Cryptoki     Version
	Manufacturer string // at most 32 bytes
	Description  string // at most 32 bytes
	Library      Version
}
