package p11

// CCMParams is a CK_CCM_PARAMS, or a CK_CCM_WRAP_PARAMS whose nonce the caller
// gives (PKCS #11 v3.2, section 6.13).
type CCMParams struct {
	DataLen uint64 // bytes of plaintext; without meaning for wrapping and unwrapping
	Nonce   []byte // 7 to 13 bytes
	AAD     []byte
	MACLen  uint64 // 4, 6, 8, 10, 12, 14 or 16 bytes
}

// ChaCha20Params is a CK_CHACHA20_PARAMS (PKCS #11 v3.2, section 6.58.3).
type ChaCha20Params struct {
	Counter     uint64 // of the first block; in memory the least significant byte comes first
	CounterBits uint64 // 32 or 64
	Nonce       []byte // 8 bytes for the original, 12 for that of RFC 8439, 24 for XChaCha20
}

// ChaCha20Poly1305Params is a CK_SALSA20_CHACHA20_POLY1305_PARAMS (PKCS #11
// v3.2, section 6.61.3).
type ChaCha20Poly1305Params struct {
	Nonce []byte
	AAD   []byte
}
