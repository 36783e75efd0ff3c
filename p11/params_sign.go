package p11

// SignContext is a CK_SIGN_ADDITIONAL_CONTEXT (PKCS #11 v3.2, section 6.67.1).
type SignContext struct {
	Hedge   uint64 // CKH_HEDGE_PREFERRED, CKH_HEDGE_REQUIRED or CKH_DETERMINISTIC_REQUIRED
	Context []byte // at most 255 bytes
}

// HashSignContext is a CK_HASH_SIGN_ADDITIONAL_CONTEXT (PKCS #11 v3.2, section
// 6.67.1).
type HashSignContext struct {
	SignContext
	Hash MechanismType // CKM_SHA256, …: what the caller hashed with
}
