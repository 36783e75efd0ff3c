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
	p11.ParamNone:       {nil},
	p11.ParamIV:         {zeroIV, p11.IV(make([]byte, 8)), p11.IV(make([]byte, 12))},
	p11.OptionalIV:      {nil},
	p11.ParamCTR:        {ctr},
	p11.ParamGCM:        {gcm},
	p11.ParamULong:      {p11.ULongParam(10)},
	p11.OptionalEdDSA:   {nil, p11.EdDSAParams{Context: []byte("context")}, p11.EdDSAParams{Prehash: true}},
	p11.ParamOAEP:       {oaep, p11.OAEPParams{Hash: p11.CKM_SHA_1, MGF: p11.CKG_MGF1_SHA1, Source: p11.CKZ_DATA_SPECIFIED, Label: []byte("label")}},
	p11.ParamRSAAESWrap: {p11.RSAAESWrapParams{AESKeyBits: 256, OAEP: oaep}},
	p11.ParamPSS:        pssSamples(),
	p11.ParamHKDF: {
		p11.HKDFParams{Extract: true, Expand: true, PRF: p11.CKM_SHA256, SaltType: p11.CKF_HKDF_SALT_NULL, Info: []byte("info")},
		p11.HKDFParams{Extract: true, PRF: p11.CKM_SHA512, SaltType: p11.CKF_HKDF_SALT_DATA, Salt: []byte("salt")},
		p11.HKDFParams{Expand: true, PRF: p11.CKM_SHA256, SaltType: p11.CKF_HKDF_SALT_NULL},
	},
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
type halves struct{ public, own p11.ObjectHandle }

// keysFor makes keys of a type, of every length or curve that it has.
func keysFor(h *Host, s p11.SessionHandle, t p11.KeyType) (out []halves) {
	h.Helper()
	uses := Yes(p11.CKA_DERIVE)
	row, err := registry.KeyType(t)
	h.Must(err)
	if row.Secret {
		lengths := row.Lengths
		if len(lengths) == 0 {
			lengths = []int{20, 64}
		}
		for _, n := range lengths {
			k := h.Create(s, Secret(t, random(n)), uses)
			out = append(out, halves{k, k})
		}
		return out
	}
	if t == p11.CKK_RSA {
		pub, priv := importPair(h, s, KeyOf(t))
		return []halves{{pub, priv}}
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
			out = append(out, halves{pub, priv})
		}
	}
	return out
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
					digests(h, s, m)
				}
				if row.Generate != nil {
					generates(h, s, m, row)
				}
				for _, t := range row.Keys {
					for _, k := range keys[t] {
						if row.Derive != nil {
							try := params
							if row.Params == p11.ParamECDH1 {
								try = ecdhSamples(h, s, k)
							}
							derives(h, s, m, k, try)
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

func digests(h *Host, s p11.SessionHandle, m p11.MechanismType) {
	h.Must(h.DigestInit(s, Mech(m)))
	whole := h.Output(func(out *p11.Out) error { return h.Digest(s, []byte("in two parts"), out) })
	h.Must(h.DigestInit(s, Mech(m)))
	h.Must(h.DigestUpdate(s, []byte("in two ")))
	h.Must(h.DigestUpdate(s, []byte("parts")))
	if parts := h.Output(func(out *p11.Out) error { return h.DigestFinal(s, out) }); !bytes.Equal(parts, whole) {
		h.Errorf("in parts %x, at once %x", parts, whole)
	}
}

func generates(h *Host, s p11.SessionHandle, m p11.MechanismType, row *mech.Mechanism) {
	for _, t := range row.Keys {
		k, err := h.GenerateKey(s, Mech(m), attr.Values{Type(t), Length(32)})
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

func derives(h *Host, s p11.SessionHandle, m p11.MechanismType, k halves, params []p11.Params) {
	want := Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(32)}, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))
	taken := 0
	for _, p := range params {
		a, err := h.DeriveKey(s, Mech(m, p), k.own, want)
		if err != nil {
			h.Want(err, p11.CKR_MECHANISM_PARAM_INVALID, p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_ATTRIBUTE_VALUE_INVALID, p11.CKR_KEY_SIZE_RANGE)
			continue
		}
		taken++
		b, err := h.DeriveKey(s, Mech(m, p), k.own, want)
		h.Must(err)
		if x, y := h.Read(s, a, p11.CKA_VALUE), h.Read(s, b, p11.CKA_VALUE); len(x) != 32 || !bytes.Equal(x, y) {
			h.Errorf("%x and %x", x, y)
		}
	}
	if taken == 0 {
		h.Error("no parameter was taken")
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
			verify := func(data, sig []byte) error {
				h.Must(h.VerifyInit(s, m, k.public))
				return h.Verify(s, data, sig)
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
			if row.SinglePart {
				continue
			}
			h.Must(h.SignInit(s, m, k.own))
			h.Must(h.SignUpdate(s, data[:5]))
			h.Must(h.SignUpdate(s, data[5:]))
			sig = h.Output(func(out *p11.Out) error { return h.SignFinal(s, out) })
			h.Want(verify(data, sig), ok)
			h.Must(h.VerifyInit(s, m, k.public))
			h.Must(h.VerifyUpdate(s, data[:9]))
			h.Must(h.VerifyUpdate(s, data[9:]))
			h.Want(h.VerifyFinal(s, sig), ok)
		}
	}
	if taken == 0 {
		h.Error("no input was taken")
	}
}
