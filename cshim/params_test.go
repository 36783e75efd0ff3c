package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"testing"
	"unsafe"

	"coffer/p11"
)

// memory builds what a caller passes: words and pointers to bytes.
type memory struct {
	words []byte
	keep  [][]byte
}

func (m *memory) ulong(n uint64) *memory {
	m.words = binary.LittleEndian.AppendUint64(m.words, n)
	return m
}

func (m *memory) bytes(b []byte) *memory {
	m.words = append(m.words, b...)
	return m
}

func (m *memory) null() *memory { return m.ulong(0) }

// pointer adds the address of b, which is kept alive with m.
func (m *memory) pointer(b []byte) *memory {
	m.keep = append(m.keep, b)
	return m.ulong(uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))))
}

func (m *memory) decode(kind p11.ParamKind) (p11.Params, error) {
	return decodeParams(kind, unsafe.Pointer(unsafe.SliceData(m.words)), uint64(len(m.words)))
}

func TestEveryKindHasADecoder(t *testing.T) {
	for kind := p11.ParamNone + 1; kind < p11.NumParamKinds; kind++ {
		if parameters[kind].decode == nil {
			t.Errorf("kind %d has none", kind)
		}
	}
}

func TestDecodeParams(t *testing.T) {
	iv, aad := []byte("initial vector"), []byte("additional")
	salt, info := []byte("salt"), []byte("info")
	room := make([]byte, 12)
	counter := bytes.Repeat([]byte{7}, 16)
	oaepStruct := new(memory).ulong(uint64(p11.CKM_SHA256)).ulong(uint64(p11.CKG_MGF1_SHA256)).ulong(1).pointer(info).ulong(4)
	oaepParams := p11.OAEPParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, Source: 1, Label: info}
	for _, c := range []struct {
		name string
		kind p11.ParamKind
		in   *memory
		want p11.Params
	}{
		{"IV", p11.ParamIV, new(memory).bytes(iv), p11.IV(iv)},
		{"optional IV", p11.OptionalIV, new(memory).bytes(iv), p11.IV(iv)},
		{"no optional IV", p11.OptionalIV, new(memory), nil},
		{"none", p11.ParamNone, new(memory), nil},
		{"CTR", p11.ParamCTR, new(memory).ulong(128).bytes(counter), p11.CTRParams{CounterBits: 128, Counter: [16]byte(counter)}},
		{"GCM", p11.ParamGCM, new(memory).pointer(iv).ulong(14).ulong(112).pointer(aad).ulong(10).ulong(128),
			p11.GCMParams{IV: iv, AAD: aad, TagBits: 128}},
		{"GCM without ulIvBits", p11.ParamGCM, new(memory).pointer(iv).ulong(14).pointer(aad).ulong(10).ulong(96),
			p11.GCMParams{IV: iv, AAD: aad, TagBits: 96}},
		{"GCM with an IV from the token", p11.ParamGCM, new(memory).pointer(room).ulong(0).ulong(96).null().ulong(0).ulong(128),
			p11.GCMParams{OutIV: room, TagBits: 128}},
		{"ulong", p11.ParamULong, new(memory).ulong(12), p11.ULongParam(12)},
		{"PSS", p11.ParamPSS, new(memory).ulong(uint64(p11.CKM_SHA384)).ulong(uint64(p11.CKG_MGF1_SHA384)).ulong(48),
			p11.PSSParams{Hash: p11.CKM_SHA384, MGF: p11.CKG_MGF1_SHA384, SaltLen: 48}},
		{"OAEP", p11.ParamOAEP, oaepStruct, oaepParams},
		{"RSA AES wrap", p11.ParamRSAAESWrap, new(memory).ulong(256).pointer(oaepStruct.words), p11.RSAAESWrapParams{AESKeyBits: 256, OAEP: oaepParams}},
		{"ECDH", p11.ParamECDH1, new(memory).ulong(uint64(p11.CKD_NULL)).ulong(0).null().ulong(14).pointer(iv),
			p11.ECDH1Params{KDF: p11.CKD_NULL, Public: iv}},
		{"ECDH AES wrap", p11.ParamECDHAESWrap, new(memory).ulong(256).ulong(uint64(p11.CKD_SHA256_KDF)).ulong(14).pointer(iv),
			p11.ECDHAESWrapParams{AESKeyBits: 256, KDF: p11.CKD_SHA256_KDF, Shared: iv}},
		{"a public value", p11.OptionalPublicValue, new(memory).bytes(iv), p11.PublicValue(iv)},
		{"no public value", p11.OptionalPublicValue, new(memory), nil},
		{"X9.42", p11.ParamX942DH1, new(memory).ulong(uint64(p11.CKD_SHA1_KDF_ASN1)).ulong(10).pointer(aad).ulong(14).pointer(iv),
			p11.X942DH1Params{KDF: p11.CKD_SHA1_KDF_ASN1, OtherInfo: aad, Public: iv}},
		{"EdDSA", p11.OptionalEdDSA, new(memory).ulong(1).ulong(4).pointer(info), p11.EdDSAParams{Prehash: true, Context: info}},
		{"no EdDSA", p11.OptionalEdDSA, new(memory), nil},
		{"context of a signature", p11.OptionalSignContext, new(memory).ulong(2).pointer(info).ulong(4),
			p11.SignContext{Hedge: p11.CKH_DETERMINISTIC_REQUIRED, Context: info}},
		{"no context", p11.OptionalSignContext, new(memory), nil},
		{"context and hash of a signature", p11.ParamHashSignContext, new(memory).ulong(1).pointer(info).ulong(4).ulong(uint64(p11.CKM_SHA3_512)),
			p11.HashSignContext{SignContext: p11.SignContext{Hedge: p11.CKH_HEDGE_REQUIRED, Context: info}, Hash: p11.CKM_SHA3_512}},
		{"HKDF", p11.ParamHKDF,
			new(memory).bytes([]byte{1, 1, 0, 0, 0, 0, 0, 0}).ulong(uint64(p11.CKM_SHA256)).ulong(uint64(p11.CKF_HKDF_SALT_DATA)).
				pointer(salt).ulong(4).ulong(9).pointer(info).ulong(4),
			p11.HKDFParams{Extract: true, Expand: true, PRF: p11.CKM_SHA256, SaltType: p11.CKF_HKDF_SALT_DATA, Salt: salt, SaltKey: 9, Info: info}},
		{"HKDF whose salt is a key", p11.ParamHKDF,
			new(memory).bytes([]byte{1, 0, 0, 0, 0, 0, 0, 0}).ulong(uint64(p11.CKM_SHA256)).ulong(uint64(p11.CKF_HKDF_SALT_KEY)).
				null().ulong(1 << 60).ulong(9).null().ulong(0),
			p11.HKDFParams{Extract: true, PRF: p11.CKM_SHA256, SaltType: p11.CKF_HKDF_SALT_KEY, SaltKey: 9}},
	} {
		checkDecodes(t, c.name, c.kind, c.in, c.want)
	}
}

// checkDecodes decodes a structure, and refuses it with any other length.
func checkDecodes(t *testing.T, name string, kind p11.ParamKind, in *memory, want p11.Params) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		got, err := in.decode(kind)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, %v, want %#v", got, err, want)
		}
		if kind == p11.ParamIV || kind == p11.OptionalIV || kind == p11.OptionalPublicValue {
			return // of any length
		}
		for _, n := range []int{1, 7, len(in.words) - 1, len(in.words) + 1, len(in.words) + 8} {
			if n <= 0 || kind == p11.ParamGCM && n == 48 {
				continue
			}
			longer := append(bytes.Clone(in.words), make([]byte, 16)...)
			if _, err := decodeParams(kind, unsafe.Pointer(unsafe.SliceData(longer)), uint64(n)); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
				t.Errorf("with %d bytes: got %v", n, err)
			}
		}
	})
}

func TestDecodeParamsCopies(t *testing.T) {
	iv := []byte("initial vector")
	m := new(memory).pointer(iv).ulong(14).ulong(112).null().ulong(0).ulong(128)
	got, err := m.decode(p11.ParamGCM)
	if err != nil {
		t.Fatal(err)
	}
	clear(iv)
	if want := "initial vector"; string(got.(p11.GCMParams).IV) != want {
		t.Errorf("got %q, want %q", got.(p11.GCMParams).IV, want)
	}
}

func TestDecodeParamsRefuses(t *testing.T) {
	b := make([]byte, 16)
	for name, c := range map[string]struct {
		kind p11.ParamKind
		in   *memory
	}{
		"a parameter where none is":       {p11.ParamNone, new(memory).ulong(0)},
		"no IV":                           {p11.ParamIV, new(memory)},
		"NULL data of some bytes":         {p11.ParamOAEP, new(memory).ulong(0).ulong(0).ulong(1).null().ulong(5)},
		"data longer than memory":         {p11.ParamOAEP, new(memory).ulong(0).ulong(0).ulong(1).pointer(b).ulong(1 << 63)},
		"data of ULONG_MAX bytes":         {p11.ParamECDH1, new(memory).ulong(0).ulong(1<<64 - 1).pointer(b).ulong(16).pointer(b)},
		"NULL OAEP parameters":            {p11.ParamRSAAESWrap, new(memory).ulong(256).null()},
		"a GCM IV longer than memory":     {p11.ParamGCM, new(memory).pointer(b).ulong(1 << 63).ulong(0).null().ulong(0).ulong(128)},
		"a GCM IV of 2^64-1 bits to make": {p11.ParamGCM, new(memory).pointer(b).ulong(0).ulong(1<<64 - 1).null().ulong(0).ulong(128)},
		"a GCM IV of 2^40 bits to make":   {p11.ParamGCM, new(memory).pointer(b).ulong(0).ulong(1 << 40).null().ulong(0).ulong(128)},
	} {
		if _, err := c.in.decode(c.kind); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
			t.Errorf("%s: got %v, want CKR_MECHANISM_PARAM_INVALID", name, err)
		}
	}
	for kind := range p11.NumParamKinds {
		for _, n := range []uint64{1, 8, 40, 48, 1 << 31, 1 << 63, 1<<64 - 1} {
			if _, err := decodeParams(kind, nil, n); p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
				t.Errorf("kind %d, NULL of %d bytes: got %v", kind, n, err)
			}
		}
	}
}

// FuzzParams decodes structures of arbitrary words. Words where pointers are
// become NULL or pointers to memory that is there; words where lengths are stay
// if they are too large to be believed, and else are within that memory.
func FuzzParams(f *testing.F) {
	offsets := map[p11.ParamKind]struct{ pointers, lengths []int }{
		p11.ParamGCM:         {[]int{0, 24}, []int{8, 32}},
		p11.ParamOAEP:        {[]int{24}, []int{32}},
		p11.ParamRSAAESWrap:  {[]int{8}, nil},
		p11.ParamECDH1:       {[]int{16, 32}, []int{8, 24}},
		p11.ParamECDHAESWrap: {[]int{24}, []int{16}},
		p11.ParamX942DH1:     {[]int{16, 32}, []int{8, 24}},
		p11.OptionalEdDSA:    {[]int{16}, []int{8}},
		p11.ParamHKDF:        {[]int{24, 48}, []int{32, 56}},

		p11.ParamCCM:              {[]int{8, 24}, []int{16, 32}},
		p11.ParamChaCha20:         {[]int{0, 16}, nil}, // lengths of 8 and 24 bytes at most, once they are right
		p11.ParamChaCha20Poly1305: {[]int{0, 16}, []int{8, 24}},
		p11.ParamStringData:       {[]int{0}, []int{8}},
		p11.ParamAESCBCData:       {[]int{16}, []int{24}},
		p11.ParamDESCBCData:       {[]int{8}, []int{16}},
		p11.ParamPBKD2:            {[]int{8, 40, 56}, []int{16, 48, 64}},
		p11.ParamKBKDF:            {[]int{16}, nil}, // one field of zeros
		p11.ParamKBKDFFeedback:    {[]int{16, 32}, []int{24}},
		p11.ParamTLS12Master:      {[]int{0, 16}, []int{8, 24}},
		p11.ParamTLS12Extended:    {[]int{8}, []int{16}},
		p11.ParamTLSKDF:           {[]int{8, 24, 40, 56}, []int{16, 32, 48, 64}},
		p11.ParamIKEPRF:           {[]int{16, 32}, []int{24, 40}},
		p11.ParamIKE2PRFPlus:      {[]int{24}, []int{32}},
		p11.ParamIKE1PRF:          {[]int{32, 48}, []int{40, 56}},
		p11.ParamIKE1Extended:     {[]int{24}, []int{32}},
		p11.OptionalSignContext:   {[]int{8}, []int{16}},
		p11.ParamHashSignContext:  {[]int{8}, []int{16}},
	}
	// Words that bound what is read behind a pointer otherwise than by bytes.
	small := map[p11.ParamKind]struct {
		at  int
		max uint64
	}{p11.ParamKBKDF: {8, 2}, p11.ParamKBKDFFeedback: {8, 2}}
	const inner = 64 // bytes behind every pointer; enough for a CK_RSA_PKCS_OAEP_PARAMS, with NULL in it
	for kind := range p11.NumParamKinds {
		for _, n := range []int{0, 1, 8, 16, 24, 40, 48, 64} {
			f.Add(byte(kind), bytes.Repeat([]byte{1, 0, 0, 0, 0, 0, 0, 0}, n/8+1)[:n])
		}
	}
	f.Fuzz(func(t *testing.T, k byte, raw []byte) {
		kind := p11.ParamKind(k) % p11.NumParamKinds
		if len(raw) > 1<<12 {
			return
		}
		words := bytes.Clone(raw)
		behind := make([]byte, inner)
		o := offsets[kind]
		if kind == p11.ParamGCM && len(words) == 40 {
			o.pointers, o.lengths = []int{0, 16}, []int{8, 24}
		}
		if kind == p11.ParamCCM && len(words) == 64 {
			o.pointers, o.lengths = []int{8, 40}, []int{16, 48}
		}
		for _, at := range o.pointers {
			if at+8 > len(words) {
				continue
			}
			var p uint64
			if words[at]&1 != 0 {
				p = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(behind))))
			}
			binary.LittleEndian.PutUint64(words[at:], p)
		}
		for _, at := range o.lengths {
			if at+8 > len(words) {
				continue
			}
			if n := binary.LittleEndian.Uint64(words[at:]); n <= maxData {
				binary.LittleEndian.PutUint64(words[at:], n%(inner+1))
			}
		}
		if b, ok := small[kind]; ok && b.at+8 <= len(words) {
			binary.LittleEndian.PutUint64(words[b.at:], binary.LittleEndian.Uint64(words[b.at:])%(b.max+1))
		}
		if at := 32; kind == p11.ParamTLS12Master && at+8 <= len(words) { // pVersion is only passed on
			binary.LittleEndian.PutUint64(words[at:], 0)
		}
		if at := 24; kind == p11.ParamTLS12Extended && at+8 <= len(words) {
			binary.LittleEndian.PutUint64(words[at:], 0)
		}
		if at := 24; kind == p11.ParamChaCha20 && at+8 <= len(words) {
			if n := binary.LittleEndian.Uint64(words[at:]); n <= 8*maxIV {
				binary.LittleEndian.PutUint64(words[at:], n%(8*inner+1))
			}
		}
		m := &memory{words: words}
		got, err := m.decode(kind)
		if err != nil {
			if p11.Code(err) != p11.CKR_MECHANISM_PARAM_INVALID {
				t.Fatalf("got %v", err)
			}
			return
		}
		before := fmt.Sprintf("%#v", got)
		if g, isGCM := got.(p11.GCMParams); isGCM {
			g.OutIV = nil // the caller's, and never read here
			before = fmt.Sprintf("%#v", g)
		}
		clear(words)
		for i := range behind {
			behind[i] = 0xff
		}
		if g, isGCM := got.(p11.GCMParams); isGCM {
			g.OutIV = nil
			got = g
		}
		if after := fmt.Sprintf("%#v", got); after != before {
			t.Fatalf("changed with the caller's memory: %s, was %s", after, before)
		}
	})
}
