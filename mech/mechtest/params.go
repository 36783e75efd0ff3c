package mechtest

import (
	"crypto/rand"

	"coffer/mech"
	"coffer/p11"
)

// paramsFor returns parameters of the row's kind to try. Not every row takes
// each of them: an IV has one length, a PSS signature with a hash takes no
// other hash.
func paramsFor(m *mech.Mechanism, k *keyPair) []p11.Params {
	if of := paramSamples[m.Params]; of != nil {
		return of(k)
	}
	return []p11.Params{nil}
}

var paramSamples = [p11.NumParamKinds]func(*keyPair) []p11.Params{
	p11.ParamIV:             ivSamples,
	p11.OptionalIV:          func(k *keyPair) []p11.Params { return append(ivSamples(k), nil) },
	p11.ParamCTR:            ctrSamples,
	p11.ParamGCM:            gcmSamples,
	p11.ParamULong:          ulongSamples,
	p11.ParamPSS:            pssSamples,
	p11.ParamOAEP:           oaepSamples,
	p11.ParamRSAAESWrap:     rsaAESSamples,
	p11.ParamECDH1:          ecdhSamples,
	p11.ParamECDHAESWrap:    ecdhAESSamples,
	p11.OptionalPublicValue: publicValueSamples,
	p11.ParamX942DH1:        x942Samples,
	p11.OptionalEdDSA:       eddsaSamples,
	p11.ParamHKDF:           hkdfSamples,

	p11.ParamCCM:              ccmSamples,
	p11.ParamChaCha20:         chachaSamples,
	p11.ParamChaCha20Poly1305: chachaPolySamples,
	p11.ParamKeyHandle:        func(*keyPair) []p11.Params { return []p11.Params{p11.KeyHandle(1)} },
	p11.ParamStringData:       stringSamples,
	p11.ParamAESCBCData:       cbcDataSamples,
	p11.ParamDESCBCData:       cbcDataSamples,
	p11.ParamPBKD2:            pbkd2Samples,
	p11.ParamKBKDF:            kbkdfSamples,
	p11.ParamKBKDFFeedback:    feedbackSamples,
	p11.ParamTLS12Master:      tlsMasterSamples,
	p11.ParamTLS12Extended:    tlsExtendedSamples,
	p11.ParamTLSKDF:           tlsKDFSamples,
	p11.ParamTLSMAC:           tlsMACSamples,
	p11.ParamIKEPRF:           ikePRFSamples,
	p11.ParamIKE2PRFPlus:      ike2Samples,
	p11.ParamIKE1PRF:          ike1Samples,
	p11.ParamIKE1Extended:     ike1ExtendedSamples,
	p11.OptionalSignContext:   signContextSamples,
	p11.ParamHashSignContext:  hashSignContextSamples,
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func ivSamples(*keyPair) (ps []p11.Params) {
	for _, n := range []int{0, 1, 4, 5, 7, 8, 12, 15, 16, 17, 32} {
		ps = append(ps, p11.IV(random(n)))
	}
	return ps
}

func ctrSamples(*keyPair) (ps []p11.Params) {
	for _, width := range []uint64{128, 127, 64, 63, 32, 8, 0, 129} {
		ps = append(ps, p11.CTRParams{CounterBits: width, Counter: [16]byte{1, 2, 3, 15: 1}})
	}
	return ps
}

func gcmSamples(*keyPair) (ps []p11.Params) {
	for _, n := range []int{1, 12, 16, 60} {
		for _, tag := range []uint64{128, 120, 96} {
			ps = append(ps, p11.GCMParams{IV: random(n), AAD: random(n + 5), TagBits: tag})
		}
	}
	return append(ps,
		p11.GCMParams{IV: random(12), TagBits: 128},
		p11.GCMParams{IV: random(12), TagBits: 0},
		p11.GCMParams{IV: random(12), TagBits: 100},
		p11.GCMParams{IV: random(12), TagBits: 136},
		p11.GCMParams{TagBits: 128})
}

func ulongSamples(*keyPair) (ps []p11.Params) {
	for _, n := range []p11.ULongParam{0, 1, 12, 16, 20, 64, 65, 1 << 40, 1<<64 - 1} {
		ps = append(ps, n)
	}
	return ps
}

// hashes are the digests that parameters name.
var hashes = []struct {
	digest p11.MechanismType
	mgf    p11.MGF
	size   uint64
}{
	{p11.CKM_SHA_1, p11.CKG_MGF1_SHA1, 20},
	{p11.CKM_SHA224, p11.CKG_MGF1_SHA224, 28},
	{p11.CKM_SHA256, p11.CKG_MGF1_SHA256, 32},
	{p11.CKM_SHA384, p11.CKG_MGF1_SHA384, 48},
	{p11.CKM_SHA512, p11.CKG_MGF1_SHA512, 64},
	{p11.CKM_SHA3_224, p11.CKG_MGF1_SHA3_224, 28},
	{p11.CKM_SHA3_256, p11.CKG_MGF1_SHA3_256, 32},
	{p11.CKM_SHA3_384, p11.CKG_MGF1_SHA3_384, 48},
	{p11.CKM_SHA3_512, p11.CKG_MGF1_SHA3_512, 64},
}

func pssSamples(*keyPair) (ps []p11.Params) {
	for _, h := range hashes {
		ps = append(ps, p11.PSSParams{Hash: h.digest, MGF: h.mgf, SaltLen: h.size})
	}
	return append(ps,
		p11.PSSParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256},
		p11.PSSParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, SaltLen: 1 << 40},
		p11.PSSParams{Hash: p11.CKM_AES_CBC, MGF: p11.CKG_MGF1_SHA256, SaltLen: 32},
		p11.PSSParams{Hash: p11.CKM_SHA256, SaltLen: 32})
}

func oaepSamples(*keyPair) (ps []p11.Params) {
	for _, h := range hashes[:3] {
		ps = append(ps, p11.OAEPParams{Hash: h.digest, MGF: h.mgf, Source: p11.CKZ_DATA_SPECIFIED})
	}
	return append(ps,
		p11.OAEPParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, Source: p11.CKZ_DATA_SPECIFIED, Label: []byte("label")},
		p11.OAEPParams{Hash: p11.CKM_AES_CBC, MGF: p11.CKG_MGF1_SHA1, Source: p11.CKZ_DATA_SPECIFIED},
		p11.OAEPParams{Hash: p11.CKM_SHA256, Source: p11.CKZ_DATA_SPECIFIED},
		p11.OAEPParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, Source: 7})
}

func rsaAESSamples(k *keyPair) (ps []p11.Params) {
	for _, bits := range []uint64{256, 128, 0, 100, 1 << 40} {
		ps = append(ps, p11.RSAAESWrapParams{AESKeyBits: bits, OAEP: oaepSamples(k)[2].(p11.OAEPParams)})
	}
	return ps
}

func ecdhSamples(k *keyPair) (ps []p11.Params) {
	point := k.public.values.Bytes(p11.CKA_EC_POINT)
	return []p11.Params{
		p11.ECDH1Params{KDF: p11.CKD_NULL, Public: point},
		p11.ECDH1Params{KDF: p11.CKD_SHA1_KDF, Public: point},
		p11.ECDH1Params{KDF: p11.CKD_SHA256_KDF, Public: point, Shared: []byte("shared")},
		p11.ECDH1Params{KDF: 1 << 40, Public: point},
		p11.ECDH1Params{KDF: p11.CKD_NULL}, // for encapsulation
		p11.ECDH1Params{KDF: p11.CKD_SHA512_KDF, Shared: []byte("shared")},
		p11.ECDH1Params{KDF: p11.CKD_SHA256_KDF_SP800},
		p11.ECDH1Params{KDF: p11.CKD_NULL, Public: random(3)},
		p11.ECDH1Params{KDF: p11.CKD_NULL, Public: make([]byte, len(point))},
	}
}

func ecdhAESSamples(*keyPair) (ps []p11.Params) {
	for _, bits := range []uint64{256, 128, 0, 100, 1 << 40} {
		ps = append(ps, p11.ECDHAESWrapParams{AESKeyBits: bits, KDF: p11.CKD_SHA256_KDF, Shared: []byte("shared")})
	}
	return append(ps,
		p11.ECDHAESWrapParams{AESKeyBits: 192, KDF: p11.CKD_NULL},
		p11.ECDHAESWrapParams{AESKeyBits: 128, KDF: p11.CKD_NULL, Shared: []byte("shared")},
		p11.ECDHAESWrapParams{AESKeyBits: 128, KDF: 1 << 40})
}

func publicValueSamples(k *keyPair) []p11.Params {
	return []p11.Params{
		p11.PublicValue(k.public.values.Bytes(p11.CKA_VALUE)),
		nil,
		p11.PublicValue{},
		p11.PublicValue{1},
		p11.PublicValue(k.public.values.Bytes(p11.CKA_PRIME)),
		p11.PublicValue(random(2000)),
	}
}

func x942Samples(k *keyPair) []p11.Params {
	y := k.public.values.Bytes(p11.CKA_VALUE)
	return []p11.Params{
		p11.X942DH1Params{KDF: p11.CKD_NULL, Public: y},
		p11.X942DH1Params{KDF: p11.CKD_SHA1_KDF_CONCATENATE, Public: y},
		p11.X942DH1Params{KDF: p11.CKD_SHA1_KDF_CONCATENATE, Public: y, OtherInfo: []byte("info")},
		p11.X942DH1Params{KDF: p11.CKD_SHA1_KDF_ASN1, Public: y, OtherInfo: []byte("info")},
		p11.X942DH1Params{KDF: p11.CKD_NULL, Public: y, OtherInfo: []byte("info")},
		p11.X942DH1Params{KDF: 1 << 40, Public: y},
		p11.X942DH1Params{KDF: p11.CKD_NULL},
		p11.X942DH1Params{KDF: p11.CKD_NULL, Public: []byte{1}},
		p11.X942DH1Params{KDF: p11.CKD_NULL, Public: random(2000)},
	}
}

func eddsaSamples(*keyPair) []p11.Params {
	return []p11.Params{
		nil,
		p11.EdDSAParams{},
		p11.EdDSAParams{Context: []byte("context")},
		p11.EdDSAParams{Prehash: true},
		p11.EdDSAParams{Prehash: true, Context: random(255)},
		p11.EdDSAParams{Context: random(256)},
	}
}

func signContextSamples(*keyPair) []p11.Params {
	return []p11.Params{
		nil,
		p11.SignContext{Hedge: p11.CKH_DETERMINISTIC_REQUIRED, Context: []byte("context")},
		p11.SignContext{Hedge: p11.CKH_HEDGE_REQUIRED, Context: random(255)},
		p11.SignContext{Context: random(256)},
		p11.SignContext{Hedge: 3},
	}
}

func hashSignContextSamples(*keyPair) (ps []p11.Params) {
	for _, h := range hashes {
		ps = append(ps, p11.HashSignContext{SignContext: p11.SignContext{Hedge: p11.CKH_HEDGE_REQUIRED, Context: random(20)}, Hash: h.digest})
	}
	return append(ps,
		p11.HashSignContext{},
		p11.HashSignContext{Hash: p11.CKM_SHA256, SignContext: p11.SignContext{Context: random(256)}},
		p11.HashSignContext{Hash: p11.CKM_SHA256, SignContext: p11.SignContext{Hedge: 3}})
}

func hkdfSamples(*keyPair) (ps []p11.Params) {
	for _, h := range hashes {
		ps = append(ps, p11.HKDFParams{Extract: true, Expand: true, PRF: h.digest, SaltType: p11.CKF_HKDF_SALT_NULL, Info: []byte("info")})
	}
	return append(ps,
		p11.HKDFParams{Extract: true, PRF: p11.CKM_SHA256_HMAC, SaltType: p11.CKF_HKDF_SALT_DATA, Salt: random(20)},
		p11.HKDFParams{Expand: true, PRF: p11.CKM_SHA256},
		p11.HKDFParams{Extract: true, Expand: true, PRF: p11.CKM_SHA256, SaltType: p11.CKF_HKDF_SALT_KEY, SaltKey: 1},
		p11.HKDFParams{PRF: p11.CKM_SHA256},
		p11.HKDFParams{Extract: true, PRF: p11.CKM_AES_CBC, SaltType: p11.CKF_HKDF_SALT_NULL},
		p11.HKDFParams{Extract: true, PRF: p11.CKM_SHA256})
}
