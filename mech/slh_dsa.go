package mech

import (
	"coffer/mech/internal/slhdsa"
	"coffer/p11"
)

// slhdsaFamily has SLH-DSA and HashSLH-DSA (PKCS #11 v3.2, section 6.69; FIPS
// 205).
var slhdsaFamily = Family{
	Name:     "SLH-DSA",
	KeyTypes: []KeyType{slhdsaSets.keyType(p11.CKK_SLH_DSA)},
	Mechanisms: append([]Mechanism{{
		Type: p11.CKM_SLH_DSA_KEY_PAIR_GEN, Keys: []p11.KeyType{p11.CKK_SLH_DSA}, Size: slhdsaSets.sizes(), GeneratePair: slhdsaSets.generate,
	}}, slhdsaSigning.mechanisms()...),
}

var slhdsaSets = paramSets{
	slhdsaSet(p11.CKP_SLH_DSA_SHA2_128S, "SLH-DSA-SHA2-128s", 20),
	slhdsaSet(p11.CKP_SLH_DSA_SHA2_128F, "SLH-DSA-SHA2-128f", 21),
	slhdsaSet(p11.CKP_SLH_DSA_SHA2_192S, "SLH-DSA-SHA2-192s", 22),
	slhdsaSet(p11.CKP_SLH_DSA_SHA2_192F, "SLH-DSA-SHA2-192f", 23),
	slhdsaSet(p11.CKP_SLH_DSA_SHA2_256S, "SLH-DSA-SHA2-256s", 24),
	slhdsaSet(p11.CKP_SLH_DSA_SHA2_256F, "SLH-DSA-SHA2-256f", 25),
	slhdsaSet(p11.CKP_SLH_DSA_SHAKE_128S, "SLH-DSA-SHAKE-128s", 26),
	slhdsaSet(p11.CKP_SLH_DSA_SHAKE_128F, "SLH-DSA-SHAKE-128f", 27),
	slhdsaSet(p11.CKP_SLH_DSA_SHAKE_192S, "SLH-DSA-SHAKE-192s", 28),
	slhdsaSet(p11.CKP_SLH_DSA_SHAKE_192F, "SLH-DSA-SHAKE-192f", 29),
	slhdsaSet(p11.CKP_SLH_DSA_SHAKE_256S, "SLH-DSA-SHAKE-256s", 30),
	slhdsaSet(p11.CKP_SLH_DSA_SHAKE_256F, "SLH-DSA-SHAKE-256f", 31),
}

func slhdsaSet(id uint64, name string, oid byte) paramSet {
	set, err := slhdsa.NewSet(name)
	if err != nil {
		panic(err)
	}
	return paramSet{
		id: id, name: name, arc: nistSignatures, oid: oid,
		public: set.PublicSize(), private: set.PrivateSize(), output: set.SignatureSize(), scheme: slhdsaScheme{set},
	}
}

// slhdsaScheme makes the keys of a parameter set. They have no seed apart from
// CKA_VALUE.
type slhdsaScheme struct{ set slhdsa.Set }

func (s slhdsaScheme) generate() ([]byte, setPrivate, error) {
	k, err := s.set.Generate()
	if err != nil {
		return nil, nil, err
	}
	return k.Bytes(), slhdsaPrivate{k}, nil
}

func (s slhdsaScheme) openPrivate(value []byte) (setPrivate, error) {
	k, err := s.set.Private(value)
	return slhdsaPrivate{k}, err
}

func (s slhdsaScheme) openPublic(value []byte) (any, error) { return s.set.Public(value) }

// slhdsaPrivate is a setPrivate.
type slhdsaPrivate struct{ *slhdsa.PrivateKey }

func (k slhdsaPrivate) public() []byte  { return k.Public() }
func (k slhdsaPrivate) private() []byte { return k.Bytes() }
func (k slhdsaPrivate) wipe()           { k.Wipe() }

var slhdsaSigning = &contextScheme{
	keyType: p11.CKK_SLH_DSA, size: slhdsaSets.sizes(), pure: p11.CKM_SLH_DSA, digest: p11.CKM_HASH_SLH_DSA,
	hashing: func(h *preHash) p11.MechanismType { return h.slhdsa },
	sign: func(k Key, head []byte, hedge func([]byte)) (Op, error) {
		set, key, err := setKeyOf[slhdsaPrivate](k)
		if err != nil {
			return nil, err
		}
		return &slhdsaOp{key: key.PrivateKey, message: keptMessage{head}, size: set.output, hedge: hedge}, nil
	},
	verify: func(k Key, head []byte) (VerifyOp, error) {
		set, key, err := setKeyOf[*slhdsa.PublicKey](k)
		if err != nil {
			return nil, err
		}
		return &slhdsaVerifyOp{key: key, message: keptMessage{head}, size: set.output}, nil
	},
}

// maxSLHDSAMessage bounds the message of a multi-part signature in bytes:
// SLH-DSA reads it twice to sign, and to verify wants the signature first. What
// comes in one call is not bounded, and neither is what is hashed before.
const maxSLHDSAMessage = 64 << 20

// keptMessage is M' as it comes.
type keptMessage struct{ bytes []byte }

func (m *keptMessage) add(part []byte) error {
	if len(m.bytes)+len(part) > maxSLHDSAMessage {
		return p11.Errorf(p11.CKR_TOKEN_RESOURCE_EXCEEDED, "the message is longer than the %d bytes that SLH-DSA keeps: sign it in one call, or by a mechanism that hashes it", maxSLHDSAMessage)
	}
	m.bytes = append(m.bytes, part...)
	return nil
}

// end returns M' with its last part.
func (m *keptMessage) end(last []byte) []byte {
	m.bytes = append(m.bytes, last...)
	return m.bytes
}

func (m *keptMessage) wipe() {
	clear(m.bytes)
	m.bytes = nil
}

// slhdsaOp signs a message.
type slhdsaOp struct {
	key     *slhdsa.PrivateKey
	message keptMessage
	size    int
	hedge   func([]byte)
}

func (o *slhdsaOp) Update(_, src []byte) (int, error) { return 0, o.message.add(src) }

func (o *slhdsaOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *slhdsaOp) Final(dst, src []byte) (int, error) {
	var random []byte
	if o.hedge != nil {
		random = make([]byte, o.key.HedgeSize())
		o.hedge(random)
		defer clear(random)
	}
	ScrubDeep()
	defer ScrubDeep()
	sig, err := o.key.Sign(o.message.end(src), random)
	if err != nil {
		return 0, err
	}
	return copy(dst, sig), nil
}

func (o *slhdsaOp) FinalSize(int) Size { return Size{Max: o.size, Exact: true} }

func (o *slhdsaOp) Wipe() { o.message.wipe() }

// slhdsaVerifyOp verifies a signature of a message.
type slhdsaVerifyOp struct {
	key     *slhdsa.PublicKey
	message keptMessage
	size    int
}

func (o *slhdsaVerifyOp) Update(src []byte) error { return o.message.add(src) }

func (o *slhdsaVerifyOp) Verify(src, sig []byte) error {
	if len(sig) != o.size {
		return p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "a signature of this key has %d bytes, not %d", o.size, len(sig))
	}
	if !o.key.Verify(o.message.end(src), sig) {
		return p11.CKR_SIGNATURE_INVALID
	}
	return nil
}

func (o *slhdsaVerifyOp) Wipe() { o.message.wipe() }
