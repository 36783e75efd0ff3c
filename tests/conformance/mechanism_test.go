package conformance

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

var registry = mech.NewRegistry(mech.All()...)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// samples are parameters to try, by their kind. A mechanism must take at least
// one of them.
var samples = [p11.NumParamKinds][]p11.Params{
	p11.ParamNone:        {nil},
	p11.ParamIV:          {zeroIV, p11.IV(make([]byte, 8)), p11.IV(make([]byte, 12))},
	p11.OptionalIV:       {nil},
	p11.ParamCTR:         {ctr},
	p11.ParamGCM:         {gcm, p11.GCMParams{IV: make([]byte, 12), TagBits: 128}},
	p11.ParamULong:       {p11.ULongParam(10), p11.ULongParam(8), p11.ULongParam(256)},
	p11.OptionalEdDSA:    {nil, p11.EdDSAParams{Context: []byte("context")}, p11.EdDSAParams{Prehash: true}},
	p11.ParamOAEP:        {oaep, p11.OAEPParams{Hash: p11.CKM_SHA_1, MGF: p11.CKG_MGF1_SHA1, Source: p11.CKZ_DATA_SPECIFIED, Label: []byte("label")}},
	p11.ParamRSAAESWrap:  {p11.RSAAESWrapParams{AESKeyBits: 256, OAEP: oaep}},
	p11.ParamECDHAESWrap: {p11.ECDHAESWrapParams{AESKeyBits: 256, KDF: p11.CKD_SHA256_KDF}},
	p11.ParamPSS:         pssSamples(),
	p11.ParamHKDF: {
		p11.HKDFParams{Extract: true, Expand: true, PRF: p11.CKM_SHA256, SaltType: p11.CKF_HKDF_SALT_NULL, Info: []byte("info")},
		p11.HKDFParams{Extract: true, PRF: p11.CKM_SHA512, SaltType: p11.CKF_HKDF_SALT_DATA, Salt: []byte("salt")},
		p11.HKDFParams{Expand: true, PRF: p11.CKM_SHA256, SaltType: p11.CKF_HKDF_SALT_NULL},
	},

	p11.ParamCCM:              {p11.CCMParams{DataLen: 32, Nonce: make([]byte, 13), AAD: []byte("aad"), MACLen: 16}},
	p11.ParamChaCha20:         {p11.ChaCha20Params{CounterBits: 32, Nonce: make([]byte, 12)}, p11.ChaCha20Params{Counter: 1 << 40, CounterBits: 64, Nonce: make([]byte, 24)}},
	p11.ParamChaCha20Poly1305: {p11.ChaCha20Poly1305Params{Nonce: make([]byte, 12), AAD: []byte("aad")}, p11.ChaCha20Poly1305Params{Nonce: make([]byte, 24)}},
	p11.ParamStringData:       {p11.StringData(bytes.Repeat([]byte{7}, 64))},
	p11.ParamAESCBCData:       {p11.CBCDataParams{IV: zeroIV, Data: make([]byte, 64)}},
	p11.ParamDESCBCData:       {p11.CBCDataParams{IV: zeroIV[:8], Data: make([]byte, 64)}},
	p11.ParamPBKD2: {p11.PBKD2Params{
		SaltSource: p11.CKZ_SALT_SPECIFIED, Salt: []byte("salt"), Iterations: 3, PRF: p11.CKP_PKCS5_PBKD2_HMAC_SHA256, Password: []byte("password"),
	}},
	p11.ParamKBKDF: prfSamples(func(f p11.MechanismType) p11.Params { return kbkdf(f, counter) }, func(f p11.MechanismType) p11.Params { return kbkdf(f, variable) }),
	p11.ParamKBKDFFeedback: prfSamples(func(f p11.MechanismType) p11.Params {
		return p11.KBKDFFeedbackParams{KBKDFParams: kbkdf(f, variable), IV: []byte("iv")}
	}),
	p11.ParamTLS12Master:   {p11.TLS12MasterParams{PRF: p11.CKM_SHA256, ClientRandom: make([]byte, 32), ServerRandom: make([]byte, 32)}},
	p11.ParamTLS12Extended: {p11.TLS12ExtendedParams{PRF: p11.CKM_SHA256, SessionHash: make([]byte, 32)}},
	p11.ParamTLSKDF:        {p11.TLSKDFParams{PRF: p11.CKM_SHA256, Label: []byte("label"), ClientRandom: make([]byte, 32), ServerRandom: make([]byte, 32), Context: []byte("context")}},
	p11.ParamTLSMAC:        {p11.TLSMACParams{PRF: p11.CKM_SHA256, Length: 12, Side: 1}, p11.TLSMACParams{PRF: p11.CKM_SHA384, Length: 20, Side: 2}},
	p11.ParamIKEPRF: prfSamples(func(f p11.MechanismType) p11.Params {
		return p11.IKEPRFParams{PRF: f, Ni: []byte("ni"), Nr: []byte("nr")}
	}),
	p11.ParamIKE2PRFPlus:    prfSamples(func(f p11.MechanismType) p11.Params { return p11.IKE2PRFPlusParams{PRF: f, Seed: []byte("seed")} }),
	p11.OptionalSignContext: {nil, p11.SignContext{Hedge: p11.CKH_DETERMINISTIC_REQUIRED, Context: []byte("context")}},
	p11.ParamHashSignContext: {
		p11.HashSignContext{Hash: p11.CKM_SHA256, SignContext: p11.SignContext{Hedge: p11.CKH_HEDGE_REQUIRED, Context: []byte("context")}},
		p11.HashSignContext{Hash: p11.CKM_SHA3_512},
	},
	p11.ParamIKE1Extended: prfSamples(func(f p11.MechanismType) p11.Params { return p11.IKE1ExtendedParams{PRF: f, Extra: []byte("extra")} }),
}

var (
	counter  = p11.KBKDFData{Type: p11.CK_SP800_108_ITERATION_VARIABLE, Formatted: true, WidthBits: 16}
	variable = p11.KBKDFData{Type: p11.CK_SP800_108_ITERATION_VARIABLE}
)

func kbkdf(f p11.MechanismType, first p11.KBKDFData) p11.KBKDFParams {
	return p11.KBKDFParams{PRF: f, Data: []p11.KBKDFData{
		first, {Type: p11.CK_SP800_108_BYTE_ARRAY, Bytes: []byte("label")},
		{Type: p11.CK_SP800_108_DKM_LENGTH, Formatted: true, WidthBits: 32, LengthMethod: p11.CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS},
	}}
}

// prfSamples are parameters for every pseudo-random function: a key type takes
// only its own.
func prfSamples(make ...func(p11.MechanismType) p11.Params) (ps []p11.Params) {
	for _, f := range []p11.MechanismType{
		p11.CKM_SHA_1_HMAC, p11.CKM_SHA224_HMAC, p11.CKM_SHA256_HMAC, p11.CKM_SHA384_HMAC, p11.CKM_SHA512_HMAC,
		p11.CKM_SHA512_224_HMAC, p11.CKM_SHA512_256_HMAC, p11.CKM_SHA3_224_HMAC, p11.CKM_SHA3_256_HMAC, p11.CKM_SHA3_384_HMAC, p11.CKM_SHA3_512_HMAC,
		p11.CKM_AES_CMAC, p11.CKM_DES3_CMAC,
	} {
		for _, m := range make {
			ps = append(ps, m(f))
		}
	}
	return ps
}

// handleSamples are parameters that name the key itself as a further one.
func handleSamples(kind p11.ParamKind, k halves) []p11.Params {
	switch kind {
	case p11.ParamKeyHandle:
		return []p11.Params{p11.KeyHandle(k.own)}
	case p11.ParamIKE1PRF:
		return prfSamples(func(f p11.MechanismType) p11.Params {
			return p11.IKE1PRFParams{PRF: f, SharedKey: k.own, CKYi: []byte("cookie i"), CKYr: []byte("cookie r")}
		})
	}
	return nil
}

func pssSamples() (out []p11.Params) {
	for _, h := range []struct {
		hash p11.MechanismType
		mgf  p11.MGF
		size uint64
	}{
		{p11.CKM_SHA256, p11.CKG_MGF1_SHA256, 32}, {p11.CKM_SHA_1, p11.CKG_MGF1_SHA1, 20}, {p11.CKM_SHA224, p11.CKG_MGF1_SHA224, 28},
		{p11.CKM_SHA384, p11.CKG_MGF1_SHA384, 48}, {p11.CKM_SHA512, p11.CKG_MGF1_SHA512, 64},
		{p11.CKM_SHA3_224, p11.CKG_MGF1_SHA3_224, 28}, {p11.CKM_SHA3_256, p11.CKG_MGF1_SHA3_256, 32},
		{p11.CKM_SHA3_384, p11.CKG_MGF1_SHA3_384, 48}, {p11.CKM_SHA3_512, p11.CKG_MGF1_SHA3_512, 64},
	} {
		out = append(out, p11.PSSParams{Hash: h.hash, MGF: h.mgf, SaltLen: h.size})
	}
	return out
}

// halves are the two handles of a key; of a secret key the same twice.
type halves struct {
	public, own p11.ObjectHandle
	bits        int // of a secret key
}

// keysFor makes keys of a type, of every length or curve that it has.
func keysFor(h *Host, s p11.SessionHandle, t p11.KeyType) (out []halves) {
	h.Helper()
	uses := Yes(p11.CKA_DERIVE)
	row, err := registry.KeyType(t)
	h.Must(err)
	if row.Secret {
		lengths := row.Lengths
		if len(lengths) == 0 {
			lengths = []int{20, 48, 64}
		}
		for _, n := range lengths {
			value := random(n)
			if row.Fix != nil {
				row.Fix(value)
			}
			k := h.Create(s, Secret(t, value), uses, Yes(p11.CKA_EXTRACTABLE), No(p11.CKA_SENSITIVE))
			out = append(out, halves{k, k, 8 * n})
		}
		return out
	}
	for _, m := range registry.Mechanisms() {
		if gen, _ := registry.Lookup(m); gen.Domain && gen.Keys[0] == t {
			return []halves{domainPair(h, s, gen, uses)}
		}
	}
	if t == p11.CKK_RSA {
		pub, priv := importPair(h, s, KeyOf(t))
		return []halves{{pub, priv, 0}}
	}
	for m, curves := range map[p11.MechanismType][]string{
		p11.CKM_EC_KEY_PAIR_GEN:            {"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", "\x06\x05\x2b\x81\x04\x00\x22", "\x06\x05\x2b\x81\x04\x00\x23"},
		p11.CKM_EC_EDWARDS_KEY_PAIR_GEN:    {"\x06\x03\x2b\x65\x70", "\x06\x03\x2b\x65\x71"},
		p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN: {"\x06\x03\x2b\x65\x6e", "\x06\x03\x2b\x65\x6f"},
	} {
		if row, err := registry.Lookup(m); err != nil || !slices.Contains(row.Keys, t) {
			continue
		}
		for _, curve := range curves {
			pub, priv := h.Pair(s, m, attr.NewString(p11.CKA_EC_PARAMS, curve), nil, uses)
			out = append(out, halves{pub, priv, 0})
		}
	}
	for _, set := range parameterSets[t] {
		if set.slow { // which all of SLH-DSA is; that each works has a test of its own
			continue
		}
		pub, priv := set.pair(h, s, nil)
		out = append(out, halves{pub, priv, 0})
	}
	return out
}

// domainPair makes a pair of generated domain parameters.
func domainPair(h *Host, s p11.SessionHandle, gen *mech.Mechanism, uses attr.Values) halves {
	h.Helper()
	t := gen.Keys[0]
	domain := generateDomain(h, s, gen)
	template := attr.Values{}
	for _, a := range []p11.AttributeType{p11.CKA_PRIME, p11.CKA_SUBPRIME, p11.CKA_BASE} {
		if table, _ := attr.Lookup(p11.CKO_PUBLIC_KEY, uint64(t)); table.Find(a) != nil {
			template = append(template, attr.NewBytes(a, h.Read(s, domain, a)))
		}
	}
	if _, err := h.DeriveKey(s, Mech(p11.CKM_SHA256_KEY_DERIVATION), domain, nil); p11.Code(err) != p11.CKR_KEY_HANDLE_INVALID {
		h.Errorf("domain parameters as a key: %v", err)
	}
	h.Must(h.DestroyObject(s, domain))
	pairs := map[p11.KeyType]p11.MechanismType{
		p11.CKK_DH: p11.CKM_DH_PKCS_KEY_PAIR_GEN, p11.CKK_X9_42_DH: p11.CKM_X9_42_DH_KEY_PAIR_GEN, p11.CKK_DSA: p11.CKM_DSA_KEY_PAIR_GEN,
	}
	pub, priv, err := h.GenerateKeyPair(s, Mech(pairs[t]), template, Join(uses))
	h.Must(err)
	return halves{pub, priv, 0}
}

// generateDomain makes domain parameters of 1024 bits.
func generateDomain(h *Host, s p11.SessionHandle, gen *mech.Mechanism) p11.ObjectHandle {
	h.Helper()
	template := attr.Values{attr.NewULong(p11.CKA_PRIME_BITS, 1024)}
	if table, _ := attr.Lookup(p11.CKO_DOMAIN_PARAMETERS, uint64(gen.Keys[0])); table.Find(p11.CKA_SUBPRIME_BITS) != nil {
		template = append(template, attr.NewULong(p11.CKA_SUBPRIME_BITS, 160))
	}
	o, err := h.GenerateKey(s, Mech(gen.Type), template)
	h.Must(err)
	return o
}

func TestEveryMechanismDoesWhatItSays(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		list, err := h.GetMechanismList(0)
		h.Must(err)
		if !slices.Equal(list, registry.Mechanisms()) {
			h.Fatalf("the list is %v, the registry's %v", list, registry.Mechanisms())
		}
		keys := map[p11.KeyType][]halves{}
		for _, m := range list {
			row, err := registry.Lookup(m)
			h.Must(err)
			info, err := h.GetMechanismInfo(0, m)
			h.Must(err)
			if info.Flags != row.Flags() || info.Flags&^row.Extra == 0 {
				h.Errorf("%v: flags %#x, want %#x", m, uint64(info.Flags), uint64(row.Flags()))
			}
			if info.MinKeySize > info.MaxKeySize {
				h.Errorf("%v: keys of %d to %d", m, info.MinKeySize, info.MaxKeySize)
			}
			params := samples[row.Params]
			for _, t := range row.Keys {
				if keys[t] == nil {
					keys[t] = keysFor(h, s, t)
				}
				if len(keys[t]) == 0 {
					h.Errorf("this test has no keys of type %v", t)
				}
			}
			h.Case(m.String(), func(h *Host) {
				if row.Digest != nil {
					digests(h, s, Mech(m, params[0]))
				}
				if row.Domain {
					h.Must(h.DestroyObject(s, generateDomain(h, s, row)))
				} else if row.Generate != nil {
					generates(h, s, m, row)
				}
				for _, t := range row.Keys {
					for _, k := range keys[t] {
						if k.bits != 0 && !row.Size.Contains(k.bits) {
							continue
						}
						if row.Derive != nil {
							try := append(params, handleSamples(row.Params, k)...)
							if row.Params == p11.ParamECDH1 {
								try = ecdhSamples(h, s, k)
							}
							try = append(try, publicSamples(h, s, row.Params, k)...)
							derives(h, s, m, k, try)
						}
						if row.Encapsulate != nil && parameterSets[t] != nil { // the others have a test of their own
							encapsulates(h, s, m, k)
						}
						if row.Encrypt != nil && row.Decrypt != nil {
							encrypts(h, s, row, k, params)
						}
						if row.Sign != nil && row.Verify != nil {
							signs(h, s, row, k, params)
						}
					}
				}
			})
		}
		_, _, err = h.GenerateKeyPair(s, Mech(p11.CKM_RSA_PKCS_KEY_PAIR_GEN), attr.Values{attr.NewULong(p11.CKA_MODULUS_BITS, 1024)}, nil)
		h.Want(err, ok)
		_, err = h.GetMechanismInfo(0, 0x7fffffff)
		h.Want(err, p11.CKR_MECHANISM_INVALID)
	})
}

func digests(h *Host, s p11.SessionHandle, m *p11.Mechanism) {
	h.Must(h.DigestInit(s, m))
	whole := h.Output(func(out *p11.Out) error { return h.Digest(s, []byte("in two parts"), out) })
	h.Must(h.DigestInit(s, m))
	h.Must(h.DigestUpdate(s, []byte("in two ")))
	h.Must(h.DigestUpdate(s, []byte("parts")))
	if parts := h.Output(func(out *p11.Out) error { return h.DigestFinal(s, out) }); !bytes.Equal(parts, whole) {
		h.Errorf("in parts %x, at once %x", parts, whole)
	}
}

func generates(h *Host, s p11.SessionHandle, m p11.MechanismType, row *mech.Mechanism) {
	for _, t := range row.Keys {
		kind, err := registry.KeyType(t)
		h.Must(err)
		template := attr.Values{Type(t)}
		if len(kind.Lengths) != 1 { // else it need not be given
			template = append(template, Length(32))
		}
		k, err := h.GenerateKey(s, Mech(m, samples[row.Params][0]), template)
		h.Must(err)
		h.Must(h.DestroyObject(s, k))
	}
}

// ecdhSamples name the key's own public half as the other party's.
func ecdhSamples(h *Host, s p11.SessionHandle, k halves) []p11.Params {
	point := h.Read(s, k.public, p11.CKA_EC_POINT)
	return []p11.Params{
		p11.ECDH1Params{KDF: p11.CKD_NULL, Public: point},
		p11.ECDH1Params{KDF: p11.CKD_SHA256_KDF, Public: point, Shared: []byte("shared")},
	}
}

// publicSamples name the key's own public value as the other party's.
func publicSamples(h *Host, s p11.SessionHandle, kind p11.ParamKind, k halves) []p11.Params {
	switch kind {
	case p11.OptionalPublicValue:
		return []p11.Params{p11.PublicValue(h.Read(s, k.public, p11.CKA_VALUE))}
	case p11.ParamX942DH1:
		return []p11.Params{
			p11.X942DH1Params{KDF: p11.CKD_NULL, Public: h.Read(s, k.public, p11.CKA_VALUE)},
			p11.X942DH1Params{KDF: p11.CKD_SHA1_KDF_CONCATENATE, Public: h.Read(s, k.public, p11.CKA_VALUE), OtherInfo: []byte("info")},
		}
	}
	return nil
}

// derives derives keys of the first length that the mechanism has bytes for.
func derives(h *Host, s p11.SessionHandle, m p11.MechanismType, k halves, params []p11.Params) {
	taken := 0
	for _, p := range params {
		for _, n := range []int{32, 16, 48, 20, 28, 64, 8} {
			want := Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(n)}, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))
			a, err := h.DeriveKey(s, Mech(m, p), k.own, want)
			if err != nil {
				h.Want(err, p11.CKR_MECHANISM_PARAM_INVALID, p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_ATTRIBUTE_VALUE_INVALID, p11.CKR_KEY_SIZE_RANGE, p11.CKR_KEY_TYPE_INCONSISTENT)
				continue
			}
			taken++
			b, err := h.DeriveKey(s, Mech(m, p), k.own, want)
			h.Must(err)
			if x, y := h.Read(s, a, p11.CKA_VALUE), h.Read(s, b, p11.CKA_VALUE); len(x) != n || !bytes.Equal(x, y) {
				h.Errorf("%x and %x", x, y)
			}
			break
		}
	}
	if taken == 0 {
		h.Error("no parameter was taken")
	}
}

// encapsulates makes the same key of both halves.
func encapsulates(h *Host, s p11.SessionHandle, m p11.MechanismType, k halves) {
	want := Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES), Length(32)}, openly)
	var out p11.Out
	_, err := h.EncapsulateKey(s, Mech(m), k.public, want, &out)
	h.Must(err)
	out.Buf = make([]byte, out.N)
	a, err := h.EncapsulateKey(s, Mech(m), k.public, want, &out)
	h.Must(err)
	b, err := h.DecapsulateKey(s, Mech(m), k.own, want, out.Buf[:out.N])
	h.Must(err)
	if x, y := h.Read(s, a, p11.CKA_VALUE), h.Read(s, b, p11.CKA_VALUE); len(x) != 32 || !bytes.Equal(x, y) {
		h.Errorf("%x and %x", x, y)
	}
	for _, n := range []int{16, 24} {
		other := want.With(Length(n))
		_, err = h.EncapsulateKey(s, Mech(m), k.public, other, &out)
		h.Want(err, p11.CKR_KEY_SIZE_RANGE)
		_, err = h.DecapsulateKey(s, Mech(m), k.own, other, out.Buf[:out.N])
		h.Want(err, p11.CKR_WRAPPED_KEY_LEN_RANGE)
	}
}

// inputs are plaintexts and messages, of which a mechanism takes at least one.
func inputs() [][]byte {
	raw := random(256)
	raw[0] = 0 // less than a modulus
	return [][]byte{random(32), random(20), random(28), random(48), random(64), raw}
}

func encrypts(h *Host, s p11.SessionHandle, row *mech.Mechanism, k halves, params []p11.Params) {
	taken := 0
	for _, p := range params {
		for _, plain := range inputs() {
			m := Mech(row.Type, p)
			if err := h.EncryptInit(s, m, k.public); err != nil {
				h.Want(err, p11.CKR_MECHANISM_PARAM_INVALID)
				continue
			}
			ct, err := Output(func(out *p11.Out) error { return h.Encrypt(s, plain, out) })
			if err != nil {
				h.Want(err, p11.CKR_DATA_LEN_RANGE)
				continue
			}
			taken++
			h.Must(h.DecryptInit(s, m, k.own))
			got := h.Output(func(out *p11.Out) error { return h.Decrypt(s, ct, out) })
			if row.Type == p11.CKM_RSA_X_509 { // numbers, as long as the modulus
				got, plain = bytes.TrimLeft(got, "\x00"), bytes.TrimLeft(plain, "\x00")
			}
			if !bytes.Equal(got, plain) {
				h.Errorf("%x came back as %x", plain, got)
			}
			if row.SinglePart {
				continue
			}
			h.Must(h.EncryptInit(s, m, k.public))
			ct = inParts(h, plain, func(part []byte, out *p11.Out) error { return h.EncryptUpdate(s, part, out) },
				func(out *p11.Out) error { return h.EncryptFinal(s, out) })
			h.Must(h.DecryptInit(s, m, k.own))
			got = inParts(h, ct, func(part []byte, out *p11.Out) error { return h.DecryptUpdate(s, part, out) },
				func(out *p11.Out) error { return h.DecryptFinal(s, out) })
			if !bytes.Equal(got, plain) {
				h.Errorf("in parts, %x came back as %x", plain, got)
			}
		}
	}
	if taken == 0 {
		h.Error("no input was taken")
	}
}

// inParts gives the input in parts of 7 bytes.
func inParts(h *Host, in []byte, update func([]byte, *p11.Out) error, final func(*p11.Out) error) (all []byte) {
	h.Helper()
	for part := range slices.Chunk(in, 7) {
		all = append(all, h.Output(func(out *p11.Out) error { return update(part, out) })...)
	}
	return append(all, h.Output(final)...)
}

func signs(h *Host, s p11.SessionHandle, row *mech.Mechanism, k halves, params []p11.Params) {
	taken := 0
	for _, p := range params {
		enough := taken + 2
		for _, data := range inputs() {
			if taken == enough {
				break
			}
			m := Mech(row.Type, p)
			if err := h.SignInit(s, m, k.own); err != nil {
				h.Want(err, p11.CKR_MECHANISM_PARAM_INVALID, p11.CKR_KEY_SIZE_RANGE)
				continue
			}
			sig, err := Output(func(out *p11.Out) error { return h.Sign(s, data, out) })
			if err != nil {
				h.Want(err, p11.CKR_DATA_LEN_RANGE)
				continue
			}
			taken++
			h.Must(h.MessageSignInit(s, m, k.own))
			h.Must(h.MessageVerifyInit(s, m, k.public))
			verify := func(data, sig []byte) error {
				h.Must(h.VerifyInit(s, m, k.public))
				h.Must(h.VerifySignatureInit(s, m, k.public, sig))
				err := h.Verify(s, data, sig)
				h.Want(h.VerifySignature(s, data), p11.Code(err))
				h.Want(h.VerifyMessage(s, data, sig), p11.Code(err))
				return err
			}
			h.Want(verify(data, sig), ok)
			flipped := bytes.Clone(sig)
			flipped[len(sig)/2] ^= 1
			h.Want(verify(data, flipped), p11.CKR_SIGNATURE_INVALID)
			h.Want(verify(data, sig[:len(sig)-1]), p11.CKR_SIGNATURE_LEN_RANGE)
			h.Want(verify(data, append(bytes.Clone(sig), 0)), p11.CKR_SIGNATURE_LEN_RANGE)
			h.Want(verify(data, []byte{}), p11.CKR_SIGNATURE_LEN_RANGE)
			other := bytes.Clone(data)
			other[0] ^= 1 // ECDSA looks at no more than the first bytes
			h.Want(verify(other, sig), p11.CKR_SIGNATURE_INVALID)
			sig = h.Output(func(out *p11.Out) error { return h.SignMessage(s, data, out) })
			h.Want(verify(data, sig), ok)
			if row.SinglePart {
				h.Want(h.SignMessageBegin(s), p11.CKR_FUNCTION_NOT_SUPPORTED)
				h.Want(h.VerifyMessageBegin(s), p11.CKR_FUNCTION_NOT_SUPPORTED)
				h.Must(h.VerifySignatureInit(s, m, k.public, sig))
				h.Want(h.VerifySignatureUpdate(s, data), p11.CKR_FUNCTION_NOT_SUPPORTED)
				h.Want(h.VerifySignature(s, data), notInitialized)
				h.Must(h.MessageSignFinal(s))
				h.Must(h.MessageVerifyFinal(s))
				continue
			}
			h.Must(h.SignMessageBegin(s))
			h.Must(h.SignMessageNext(s, data[:5], nil))
			sig = h.Output(func(out *p11.Out) error { return h.SignMessageNext(s, data[5:], out) })
			h.Want(verify(data, sig), ok)
			h.Must(h.VerifyMessageBegin(s))
			h.Must(h.VerifyMessageNext(s, data[:7], nil))
			h.Want(h.VerifyMessageNext(s, data[7:], sig), ok)
			h.Must(h.VerifySignatureInit(s, m, k.public, sig))
			h.Must(h.VerifySignatureUpdate(s, data[:6]))
			h.Must(h.VerifySignatureUpdate(s, data[6:]))
			h.Want(h.VerifySignatureFinal(s), ok)
			h.Must(h.SignInit(s, m, k.own))
			h.Must(h.SignUpdate(s, data[:5]))
			h.Must(h.SignUpdate(s, data[5:]))
			sig = h.Output(func(out *p11.Out) error { return h.SignFinal(s, out) })
			h.Want(verify(data, sig), ok)
			h.Must(h.VerifyInit(s, m, k.public))
			h.Must(h.VerifyUpdate(s, data[:9]))
			h.Must(h.VerifyUpdate(s, data[9:]))
			h.Want(h.VerifyFinal(s, sig), ok)
			h.Must(h.MessageSignFinal(s))
			h.Must(h.MessageVerifyFinal(s))
		}
	}
	if taken == 0 {
		h.Error("no input was taken")
	}
}
