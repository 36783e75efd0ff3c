package mechtest

import "coffer/p11"

// prfs are the pseudo-random functions that parameters name, and two that are
// none.
var prfs = []p11.MechanismType{
	p11.CKM_SHA_1_HMAC, p11.CKM_SHA224_HMAC, p11.CKM_SHA256_HMAC, p11.CKM_SHA384_HMAC, p11.CKM_SHA512_HMAC,
	p11.CKM_SHA512_224_HMAC, p11.CKM_SHA512_256_HMAC,
	p11.CKM_SHA3_224_HMAC, p11.CKM_SHA3_256_HMAC, p11.CKM_SHA3_384_HMAC, p11.CKM_SHA3_512_HMAC,
	p11.CKM_AES_CMAC, p11.CKM_DES3_CMAC,
	p11.CKM_SHA256, 0,
}

func ccmSamples(*keyPair) (ps []p11.Params) {
	for i, n := range []uint64{0, 1, 15, 16, 17, 33, 256, 5000} {
		ps = append(ps, p11.CCMParams{DataLen: n, Nonce: random(7 + i%7), AAD: random(5 * i), MACLen: uint64(4 + 2*(i%7))})
	}
	return append(ps,
		p11.CCMParams{DataLen: 16, Nonce: random(6), MACLen: 16},
		p11.CCMParams{DataLen: 16, Nonce: random(14), MACLen: 16},
		p11.CCMParams{DataLen: 16, Nonce: random(12), MACLen: 2},
		p11.CCMParams{DataLen: 16, Nonce: random(12), MACLen: 5},
		p11.CCMParams{DataLen: 16, Nonce: random(12), MACLen: 18},
		p11.CCMParams{DataLen: 1 << 16, Nonce: random(13), MACLen: 8},
		p11.CCMParams{DataLen: 1<<64 - 1, Nonce: random(7), MACLen: 8},
		p11.CCMParams{DataLen: 100, Nonce: random(13), AAD: random(70000), MACLen: 8})
}

func chachaSamples(*keyPair) (ps []p11.Params) {
	for _, n := range []int{8, 12, 24} {
		ps = append(ps, p11.ChaCha20Params{CounterBits: 32, Nonce: random(n)}, p11.ChaCha20Params{Counter: 1<<32 - 3, CounterBits: 64, Nonce: random(n)})
	}
	return append(ps,
		p11.ChaCha20Params{CounterBits: 64, Nonce: random(12), Counter: 1 << 32},
		p11.ChaCha20Params{CounterBits: 64, Nonce: random(8), Counter: 1<<64 - 2},
		p11.ChaCha20Params{CounterBits: 64},
		p11.ChaCha20Params{CounterBits: 16, Nonce: random(12)})
}

func chachaPolySamples(*keyPair) (ps []p11.Params) {
	for _, n := range []int{12, 24, 0, 8, 16} {
		ps = append(ps, p11.ChaCha20Poly1305Params{Nonce: random(n), AAD: random(n)})
	}
	return ps
}

func stringSamples(*keyPair) (ps []p11.Params) {
	for _, n := range []int{32, 1, 16, 64, 0} {
		ps = append(ps, p11.StringData(random(n)))
	}
	return ps
}

func cbcDataSamples(*keyPair) (ps []p11.Params) {
	for _, n := range []int{16, 8, 0} {
		ps = append(ps, p11.CBCDataParams{IV: random(n), Data: random(64)}, p11.CBCDataParams{IV: random(n), Data: random(17)}, p11.CBCDataParams{IV: random(n)})
	}
	return ps
}

func pbkd2Samples(*keyPair) []p11.Params {
	return []p11.Params{p11.PBKD2Params{
		SaltSource: p11.CKZ_SALT_SPECIFIED, Salt: []byte("salt"), Iterations: 2, PRF: p11.CKP_PKCS5_PBKD2_HMAC_SHA256, Password: []byte("password"),
	}}
}

var (
	counter16 = p11.KBKDFData{Type: p11.CK_SP800_108_ITERATION_VARIABLE, Formatted: true, WidthBits: 16}
	variable  = p11.KBKDFData{Type: p11.CK_SP800_108_ITERATION_VARIABLE}
	label     = p11.KBKDFData{Type: p11.CK_SP800_108_BYTE_ARRAY, Bytes: []byte("label")}
	further   = p11.KBKDFData{Type: p11.CK_SP800_108_KEY_HANDLE, Key: 1}
	optional  = p11.KBKDFData{Type: p11.CK_SP800_108_COUNTER, Formatted: true, WidthBits: 8, LittleEndian: true}
	length    = p11.KBKDFData{Type: p11.CK_SP800_108_DKM_LENGTH, Formatted: true, WidthBits: 32, LengthMethod: p11.CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS}
)

func kbkdfSamples(*keyPair) (ps []p11.Params) {
	for _, f := range prfs {
		ps = append(ps, p11.KBKDFParams{PRF: f, Data: []p11.KBKDFData{counter16, label, length}}, p11.KBKDFParams{PRF: f, Data: []p11.KBKDFData{variable, label, further, optional}})
	}
	for _, data := range [][]p11.KBKDFData{
		{}, {label}, {counter16, counter16}, {variable, length, length}, {counter16, optional}, {{Type: 99}, counter16},
		{{Type: p11.CK_SP800_108_ITERATION_VARIABLE, Formatted: true, WidthBits: 12}},
		{{Type: p11.CK_SP800_108_ITERATION_VARIABLE, Formatted: true, WidthBits: 72}},
		{counter16, {Type: p11.CK_SP800_108_DKM_LENGTH, Formatted: true, WidthBits: 32, LengthMethod: 7}},
	} {
		ps = append(ps, p11.KBKDFParams{PRF: p11.CKM_SHA256_HMAC, Data: data})
	}
	return append(ps, p11.KBKDFParams{PRF: p11.CKM_SHA256_HMAC, Data: []p11.KBKDFData{counter16}, Additional: 1})
}

func feedbackSamples(k *keyPair) (ps []p11.Params) {
	for i, p := range kbkdfSamples(k) {
		ps = append(ps, p11.KBKDFFeedbackParams{KBKDFParams: p.(p11.KBKDFParams), IV: random(i % 40)})
	}
	return ps
}

func tlsMasterSamples(*keyPair) (ps []p11.Params) {
	for _, h := range hashes {
		ps = append(ps, p11.TLS12MasterParams{PRF: h.digest, ClientRandom: random(32), ServerRandom: random(32)})
	}
	return append(ps,
		p11.TLS12MasterParams{PRF: p11.CKM_SHA256, ClientRandom: random(32), ServerRandom: random(32), OutVersion: make([]byte, 2)},
		p11.TLS12MasterParams{PRF: p11.CKM_SHA256, ClientRandom: random(32)},
		p11.TLS12MasterParams{PRF: p11.CKM_TLS_PRF, ClientRandom: random(32), ServerRandom: random(32)})
}

func tlsExtendedSamples(*keyPair) []p11.Params {
	return []p11.Params{
		p11.TLS12ExtendedParams{PRF: p11.CKM_SHA256, SessionHash: random(32)},
		p11.TLS12ExtendedParams{PRF: p11.CKM_SHA384, SessionHash: random(48), OutVersion: make([]byte, 2)},
		p11.TLS12ExtendedParams{PRF: p11.CKM_SHA256},
		p11.TLS12ExtendedParams{PRF: p11.CKM_AES_CBC, SessionHash: random(32)},
	}
}

func tlsKDFSamples(*keyPair) []p11.Params {
	return []p11.Params{
		p11.TLSKDFParams{PRF: p11.CKM_SHA256, Label: []byte("label"), ClientRandom: random(32), ServerRandom: random(32)},
		p11.TLSKDFParams{PRF: p11.CKM_SHA384, Label: []byte("label"), ClientRandom: random(32), ServerRandom: random(32), Context: random(9)},
		p11.TLSKDFParams{PRF: p11.CKM_SHA256, Context: random(1 << 16)},
		p11.TLSKDFParams{PRF: p11.CKM_TLS_PRF},
	}
}

func tlsMACSamples(*keyPair) []p11.Params {
	return []p11.Params{
		p11.TLSMACParams{PRF: p11.CKM_SHA256, Length: 12, Side: 1},
		p11.TLSMACParams{PRF: p11.CKM_SHA384, Length: 64, Side: 2},
		p11.TLSMACParams{PRF: p11.CKM_SHA256, Length: 12, Side: 3},
		p11.TLSMACParams{PRF: p11.CKM_SHA256, Length: 11, Side: 1},
		p11.TLSMACParams{PRF: p11.CKM_SHA256, Length: 65, Side: 1},
		p11.TLSMACParams{PRF: p11.CKM_TLS_PRF, Length: 12, Side: 1},
	}
}

func ikePRFSamples(*keyPair) (ps []p11.Params) {
	for _, f := range prfs {
		ps = append(ps, p11.IKEPRFParams{PRF: f, Ni: random(8), Nr: random(8)}, p11.IKEPRFParams{PRF: f, Ni: random(8), Nr: random(8), Rekey: true, NewKey: 1})
	}
	return append(ps,
		p11.IKEPRFParams{PRF: p11.CKM_SHA256_HMAC, DataAsKey: true, Ni: random(8), Nr: random(8)},
		p11.IKEPRFParams{PRF: p11.CKM_SHA256_HMAC, DataAsKey: true, Rekey: true, Ni: random(8), Nr: random(8)},
		p11.IKEPRFParams{PRF: p11.CKM_AES_CMAC, DataAsKey: true, Ni: random(9), Nr: random(8)},
		p11.IKEPRFParams{PRF: p11.CKM_SHA256_HMAC})
}

func ike2Samples(*keyPair) (ps []p11.Params) {
	for _, f := range prfs {
		ps = append(ps, p11.IKE2PRFPlusParams{PRF: f, Seed: random(9)}, p11.IKE2PRFPlusParams{PRF: f, HasSeedKey: true, SeedKey: 1})
	}
	return ps
}

func ike1Samples(*keyPair) (ps []p11.Params) {
	for _, f := range prfs {
		ps = append(ps, p11.IKE1PRFParams{PRF: f, CKYi: random(8), CKYr: random(8)}, p11.IKE1PRFParams{PRF: f, HasPrevKey: true, KeyNumber: 1})
	}
	return ps
}

func ike1ExtendedSamples(*keyPair) (ps []p11.Params) {
	for _, f := range prfs {
		ps = append(ps, p11.IKE1ExtendedParams{PRF: f, Extra: random(9)}, p11.IKE1ExtendedParams{PRF: f, HasSharedKey: true, SharedKey: 1}, p11.IKE1ExtendedParams{PRF: f})
	}
	return ps
}
