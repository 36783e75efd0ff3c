package conformance

import (
	"bytes"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// A parameterSet is one that keys are made of.
type parameterSet struct {
	name string
	gen  p11.MechanismType
	id   uint64
	// The lengths of CKA_VALUE of both halves, and of what the key makes; seed is
	// that of CKA_SEED, 0 if the key type has none.
	public, private, output, seed int
	slow                          bool
}

// parameterSets are all, with the lengths of FIPS 203, 204 and 205.
var parameterSets = map[p11.KeyType][]parameterSet{
	p11.CKK_ML_DSA: {
		{"ML-DSA-44", p11.CKM_ML_DSA_KEY_PAIR_GEN, p11.CKP_ML_DSA_44, 1312, 2560, 2420, 32, false},
		{"ML-DSA-65", p11.CKM_ML_DSA_KEY_PAIR_GEN, p11.CKP_ML_DSA_65, 1952, 4032, 3309, 32, false},
		{"ML-DSA-87", p11.CKM_ML_DSA_KEY_PAIR_GEN, p11.CKP_ML_DSA_87, 2592, 4896, 4627, 32, false},
	},
	p11.CKK_ML_KEM: {
		{"ML-KEM-512", p11.CKM_ML_KEM_KEY_PAIR_GEN, p11.CKP_ML_KEM_512, 800, 1632, 768, 64, false},
		{"ML-KEM-768", p11.CKM_ML_KEM_KEY_PAIR_GEN, p11.CKP_ML_KEM_768, 1184, 2400, 1088, 64, false},
		{"ML-KEM-1024", p11.CKM_ML_KEM_KEY_PAIR_GEN, p11.CKP_ML_KEM_1024, 1568, 3168, 1568, 64, false},
	},
	p11.CKK_SLH_DSA: {
		{"SLH-DSA-SHA2-128f", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHA2_128F, 32, 64, 17088, 0, false},
		{"SLH-DSA-SHA2-192f", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHA2_192F, 48, 96, 35664, 0, true},
		{"SLH-DSA-SHA2-256f", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHA2_256F, 64, 128, 49856, 0, true},
		{"SLH-DSA-SHA2-128s", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHA2_128S, 32, 64, 7856, 0, true},
		{"SLH-DSA-SHA2-192s", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHA2_192S, 48, 96, 16224, 0, true},
		{"SLH-DSA-SHA2-256s", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHA2_256S, 64, 128, 29792, 0, true},
		{"SLH-DSA-SHAKE-128f", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHAKE_128F, 32, 64, 17088, 0, true},
		{"SLH-DSA-SHAKE-192f", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHAKE_192F, 48, 96, 35664, 0, true},
		{"SLH-DSA-SHAKE-256f", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHAKE_256F, 64, 128, 49856, 0, true},
		{"SLH-DSA-SHAKE-128s", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHAKE_128S, 32, 64, 7856, 0, true},
		{"SLH-DSA-SHAKE-192s", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHAKE_192S, 48, 96, 16224, 0, true},
		{"SLH-DSA-SHAKE-256s", p11.CKM_SLH_DSA_KEY_PAIR_GEN, p11.CKP_SLH_DSA_SHAKE_256S, 64, 128, 29792, 0, true},
	},
}

func (set *parameterSet) attr() attr.Value { return attr.NewULong(p11.CKA_PARAMETER_SET, set.id) }

func (set *parameterSet) pair(h *Host, s p11.SessionHandle, private attr.Values) (pub, priv p11.ObjectHandle) {
	h.Helper()
	return h.Pair(s, set.gen, set.attr(), nil, private)
}

// TestEveryParameterSet: what a key is made of comes out as it should, goes
// through wrapping and comes in again, and what the key makes has its length.
func TestEveryParameterSet(t *testing.T) {
	t.Parallel()
	h := NewHost(t, CLibrary)
	s := h.User()
	for _, kt := range []p11.KeyType{p11.CKK_ML_DSA, p11.CKK_ML_KEM, p11.CKK_SLH_DSA} {
		for _, set := range parameterSets[kt] {
			h.Case(set.name, func(h *Host) { set.check(h, s, kt) })
		}
		_, _, err := h.GenerateKeyPair(s, Mech(parameterSets[kt][0].gen), attr.Values{attr.NewULong(p11.CKA_PARAMETER_SET, 99)}, nil)
		h.Want(err, p11.CKR_PARAMETER_SET_NOT_SUPPORTED)
		_, _, err = h.GenerateKeyPair(s, Mech(parameterSets[kt][0].gen), nil, nil)
		h.Want(err, p11.CKR_TEMPLATE_INCOMPLETE)
	}
}

func (set *parameterSet) check(h *Host, s p11.SessionHandle, kt p11.KeyType) {
	pub, priv := set.pair(h, s, openly)
	has := func(o p11.ObjectHandle, t p11.AttributeType, n int) []byte {
		h.Helper()
		v := h.Read(s, o, t)
		if len(v) != n {
			h.Errorf("%v has %d bytes, want %d", t, len(v), n)
		}
		return v
	}
	public, value := has(pub, p11.CKA_VALUE, set.public), has(priv, p11.CKA_VALUE, set.private)
	info := h.Read(s, pub, p11.CKA_PUBLIC_KEY_INFO)
	if !bytes.HasSuffix(info, public) || !bytes.Equal(info, h.Read(s, priv, p11.CKA_PUBLIC_KEY_INFO)) {
		h.Error("CKA_PUBLIC_KEY_INFO of the halves")
	}
	for _, o := range []p11.ObjectHandle{pub, priv} {
		if got := h.Read(s, o, p11.CKA_PARAMETER_SET); !bytes.Equal(got, set.attr().Raw) {
			h.Errorf("CKA_PARAMETER_SET is %x", got)
		}
	}
	own := attr.Values{Class(p11.CKO_PRIVATE_KEY), Type(kt)}
	same := func(o p11.ObjectHandle, err error) {
		h.Helper()
		h.Must(err)
		if !bytes.Equal(h.Read(s, o, p11.CKA_VALUE), value) || !bytes.Equal(h.Read(s, o, p11.CKA_PUBLIC_KEY_INFO), info) {
			h.Error("another key came in")
		}
		h.Must(h.DestroyObject(s, o))
	}
	if set.seed > 0 {
		seed := has(priv, p11.CKA_SEED, set.seed)
		same(h.CreateObject(s, Join(own, attr.Values{set.attr(), attr.NewBytes(p11.CKA_SEED, seed)}, openly)))
	} else {
		_, err := h.Get(s, priv, p11.CKA_SEED)
		h.Want(err, p11.CKR_ATTRIBUTE_TYPE_INVALID)
	}
	same(h.CreateObject(s, Join(own, attr.Values{set.attr(), Value(value)}, openly)))
	kek := h.Create(s, Secret(p11.CKK_AES, random(32)), Yes(p11.CKA_WRAP, p11.CKA_UNWRAP))
	kwp := Mech(p11.CKM_AES_KEY_WRAP_KWP)
	wrapped := h.Output(func(out *p11.Out) error { return h.WrapKey(s, kwp, kek, priv, out) })
	same(h.UnwrapKey(s, kwp, kek, wrapped, Join(own, openly)))

	if kt == p11.CKK_ML_KEM {
		out := p11.Out{Buf: make([]byte, 1<<12)}
		_, err := h.EncapsulateKey(s, Mech(p11.CKM_ML_KEM), pub, secret, &out)
		h.Must(err)
		if out.N != set.output {
			h.Errorf("a ciphertext of %d bytes, want %d", out.N, set.output)
		}
		return
	}
	m := Mech(p11.CKM_ML_DSA, p11.SignContext{Context: []byte("context")})
	if kt == p11.CKK_SLH_DSA {
		m.Type = p11.CKM_SLH_DSA
	}
	h.Must(h.SignInit(s, m, priv))
	sig := h.Output(func(out *p11.Out) error { return h.Sign(s, []byte("message"), out) })
	if len(sig) != set.output {
		h.Errorf("a signature of %d bytes, want %d", len(sig), set.output)
	}
	h.Must(h.VerifyInit(s, m, pub))
	h.Must(h.Verify(s, []byte("message"), sig))
	h.Must(h.VerifyInit(s, m, pub))
	h.Want(h.Verify(s, []byte("massage"), sig), p11.CKR_SIGNATURE_INVALID)
}
