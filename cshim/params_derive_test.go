package main

import (
	"bytes"
	"encoding/binary"
	"testing"
	"unsafe"

	"coffer/p11"
)

func TestDecodeCipherParams(t *testing.T) {
	nonce, aad := []byte("a nonce here"), []byte("additional")
	counter := binary.LittleEndian.AppendUint64(nil, 0x1122334455667788)
	ccm := p11.CCMParams{DataLen: 20, Nonce: nonce, AAD: aad, MACLen: 8}
	checkDecodes(t, "CCM", p11.ParamCCM, new(memory).ulong(20).pointer(nonce).ulong(12).pointer(aad).ulong(10).ulong(8), ccm)
	wrap := ccm
	wrap.DataLen = 0
	checkDecodes(t, "CCM for wrapping", p11.ParamCCM, new(memory).ulong(20).pointer(nonce).ulong(12).ulong(0).ulong(uint64(p11.CKG_NO_GENERATE)).pointer(aad).ulong(10).ulong(8), wrap)
	checkDecodes(t, "ChaCha20", p11.ParamChaCha20, new(memory).pointer(counter).ulong(64).pointer(nonce).ulong(96),
		p11.ChaCha20Params{Counter: 0x1122334455667788, CounterBits: 64, Nonce: nonce})
	checkDecodes(t, "ChaCha20 with a counter of 32 bits", p11.ParamChaCha20, new(memory).pointer(counter).ulong(32).pointer(nonce).ulong(64),
		p11.ChaCha20Params{Counter: 0x55667788, CounterBits: 32, Nonce: nonce[:8]})
	for _, n := range []uint64{96, 12} {
		checkDecodes(t, "ChaCha20-Poly1305", p11.ParamChaCha20Poly1305, new(memory).pointer(nonce).ulong(n).pointer(aad).ulong(10),
			p11.ChaCha20Poly1305Params{Nonce: nonce, AAD: aad})
	}
}

func TestDecodeDeriveParams(t *testing.T) {
	b, iv := []byte("some bytes"), []byte("0123456789abcdef")
	checkDecodes(t, "a key handle", p11.ParamKeyHandle, new(memory).ulong(7), p11.KeyHandle(7))
	checkDecodes(t, "data", p11.ParamStringData, new(memory).pointer(b).ulong(10), p11.StringData(b))
	checkDecodes(t, "data for AES-CBC", p11.ParamAESCBCData, new(memory).bytes(iv).pointer(b).ulong(10), p11.CBCDataParams{IV: iv, Data: b})
	checkDecodes(t, "data for DES-CBC", p11.ParamDESCBCData, new(memory).bytes(iv[:8]).pointer(b).ulong(10), p11.CBCDataParams{IV: iv[:8], Data: b})

	counter := new(memory).ulong(1).ulong(16)
	length := new(memory).ulong(p11.CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS).ulong(0).ulong(32)
	handle := new(memory).ulong(9)
	fields := new(memory).
		ulong(p11.CK_SP800_108_ITERATION_VARIABLE).pointer(counter.words).ulong(16).
		ulong(p11.CK_SP800_108_BYTE_ARRAY).pointer(b).ulong(10).
		ulong(p11.CK_SP800_108_DKM_LENGTH).pointer(length.words).ulong(24).
		ulong(p11.CK_SP800_108_KEY_HANDLE).pointer(handle.words).ulong(8).
		ulong(p11.CK_SP800_108_COUNTER).null().ulong(0)
	kbkdf := p11.KBKDFParams{PRF: p11.CKM_AES_CMAC, Additional: 2, Data: []p11.KBKDFData{
		{Type: p11.CK_SP800_108_ITERATION_VARIABLE, Formatted: true, LittleEndian: true, WidthBits: 16},
		{Type: p11.CK_SP800_108_BYTE_ARRAY, Bytes: b},
		{Type: p11.CK_SP800_108_DKM_LENGTH, Formatted: true, WidthBits: 32, LengthMethod: p11.CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS},
		{Type: p11.CK_SP800_108_KEY_HANDLE, Key: 9},
		{Type: p11.CK_SP800_108_COUNTER},
	}}
	checkDecodes(t, "KBKDF", p11.ParamKBKDF, new(memory).ulong(uint64(p11.CKM_AES_CMAC)).ulong(5).pointer(fields.words).ulong(2).null(), kbkdf)
	checkDecodes(t, "KBKDF with feedback", p11.ParamKBKDFFeedback,
		new(memory).ulong(uint64(p11.CKM_AES_CMAC)).ulong(5).pointer(fields.words).ulong(16).pointer(iv).ulong(2).null(),
		p11.KBKDFFeedbackParams{KBKDFParams: kbkdf, IV: iv})
	for name, m := range map[string]*memory{
		"fields that are NULL":  new(memory).ulong(0).ulong(1).null().ulong(0).null(),
		"2^60 fields":           new(memory).ulong(0).ulong(1 << 60).pointer(fields.words).ulong(0).null(),
		"a field that is NULL":  new(memory).ulong(0).ulong(1).pointer(new(memory).ulong(p11.CK_SP800_108_BYTE_ARRAY).null().ulong(3).words).ulong(0).null(),
		"a format of 3 bytes":   new(memory).ulong(0).ulong(1).pointer(new(memory).ulong(p11.CK_SP800_108_ITERATION_VARIABLE).pointer(b).ulong(3).words).ulong(0).null(),
		"a handle of 4 bytes":   new(memory).ulong(0).ulong(1).pointer(new(memory).ulong(p11.CK_SP800_108_KEY_HANDLE).pointer(b).ulong(4).words).ulong(0).null(),
		"a field of 2^63 bytes": new(memory).ulong(0).ulong(1).pointer(new(memory).ulong(p11.CK_SP800_108_BYTE_ARRAY).pointer(b).ulong(1 << 63).words).ulong(0).null(),
	} {
		if _, err := m.decode(p11.ParamKBKDF); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Both structures of PBKDF2 are of 72 bytes; the last word of one is a length,
// of the other a pointer to it. A host that passes neither is not to crash.
func TestDecodePBKD2(t *testing.T) {
	salt, password := []byte("salt"), []byte("password")
	length := new(memory).ulong(8)
	params := func() *memory {
		return new(memory).ulong(p11.CKZ_SALT_SPECIFIED).pointer(salt).ulong(4).ulong(1000).ulong(p11.CKP_PKCS5_PBKD2_HMAC_SHA256).null().ulong(0).pointer(password)
	}
	want := p11.PBKD2Params{SaltSource: p11.CKZ_SALT_SPECIFIED, Salt: salt, Iterations: 1000, PRF: p11.CKP_PKCS5_PBKD2_HMAC_SHA256, Password: password}
	checkDecodes(t, "CK_PKCS5_PBKD2_PARAMS2", p11.ParamPBKD2, params().ulong(8), want)
	checkDecodes(t, "CK_PKCS5_PBKD2_PARAMS", p11.ParamPBKD2, params().pointer(length.words), want)
	want.Password = nil
	checkDecodes(t, "an empty password", p11.ParamPBKD2, params().ulong(0), want)
	huge := new(memory).ulong(1 << 30)
	for name, m := range map[string]*memory{
		"2^16 bytes": params().ulong(1 << 16), "2^40 bytes": params().ulong(1 << 40), "2^63 bytes": params().ulong(1 << 63),
		"ULONG_MAX bytes": params().ulong(1<<64 - 1), "a pointer to a length of 2^30": params().pointer(huge.words),
	} {
		if _, err := m.decode(p11.ParamPBKD2); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeProtocolParams(t *testing.T) {
	client, server, b := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32), []byte("some bytes")
	version := make([]byte, 2)
	prf := uint64(p11.CKM_SHA256)
	checkDecodes(t, "a master secret", p11.ParamTLS12Master, new(memory).pointer(client).ulong(32).pointer(server).ulong(32).pointer(version).ulong(prf),
		p11.TLS12MasterParams{PRF: p11.CKM_SHA256, ClientRandom: client, ServerRandom: server, OutVersion: version})
	checkDecodes(t, "an extended master secret", p11.ParamTLS12Extended, new(memory).ulong(prf).pointer(b).ulong(10).null(),
		p11.TLS12ExtendedParams{PRF: p11.CKM_SHA256, SessionHash: b})
	kdf := p11.TLSKDFParams{PRF: p11.CKM_SHA256, Label: b, ClientRandom: client, ServerRandom: server}
	checkDecodes(t, "the KDF of TLS", p11.ParamTLSKDF, new(memory).ulong(prf).pointer(b).ulong(10).pointer(client).ulong(32).pointer(server).ulong(32).null().ulong(0), kdf)
	kdf.Context = []byte{}
	checkDecodes(t, "the KDF of TLS with an empty context", p11.ParamTLSKDF, new(memory).ulong(prf).pointer(b).ulong(10).pointer(client).ulong(32).pointer(server).ulong(32).pointer(b).ulong(0), kdf)
	checkDecodes(t, "the MAC of TLS", p11.ParamTLSMAC, new(memory).ulong(prf).ulong(12).ulong(2), p11.TLSMACParams{PRF: p11.CKM_SHA256, Length: 12, Side: 2})

	flags := func(a, b byte) []byte { return []byte{a, b, 0, 0, 0, 0, 0, 0} }
	checkDecodes(t, "IKE", p11.ParamIKEPRF, new(memory).ulong(prf).bytes(flags(0, 1)).pointer(client).ulong(32).pointer(server).ulong(32).ulong(7),
		p11.IKEPRFParams{PRF: p11.CKM_SHA256, Rekey: true, Ni: client, Nr: server, NewKey: 7})
	checkDecodes(t, "prf+ of IKE", p11.ParamIKE2PRFPlus, new(memory).ulong(prf).bytes(flags(1, 0)).ulong(7).pointer(b).ulong(10),
		p11.IKE2PRFPlusParams{PRF: p11.CKM_SHA256, HasSeedKey: true, SeedKey: 7, Seed: b})
	checkDecodes(t, "IKE version 1", p11.ParamIKE1PRF, new(memory).ulong(prf).bytes(flags(1, 0)).ulong(7).ulong(8).pointer(client).ulong(8).pointer(server).ulong(8).bytes(flags(2, 0)),
		p11.IKE1PRFParams{PRF: p11.CKM_SHA256, HasPrevKey: true, SharedKey: 7, PrevKey: 8, CKYi: client[:8], CKYr: server[:8], KeyNumber: 2})
	checkDecodes(t, "longer keys of IKE version 1", p11.ParamIKE1Extended, new(memory).ulong(prf).bytes(flags(1, 0)).ulong(7).pointer(b).ulong(10),
		p11.IKE1ExtendedParams{PRF: p11.CKM_SHA256, HasSharedKey: true, SharedKey: 7, Extra: b})
}

func TestReadWord(t *testing.T) {
	word := new(memory).ulong(0x1122334455667788)
	if got, ok := readWord(uintptr(unsafe.Pointer(unsafe.SliceData(word.words)))); !ok || got != 0x1122334455667788 {
		t.Errorf("got %#x, %v", got, ok)
	}
	for _, address := range []uintptr{0, 1, 1 << 16, 1 << 62, ^uintptr(0)} {
		if got, ok := readWord(address); ok {
			t.Errorf("there is a word at %#x: %#x", address, got)
		}
	}
}
