package mech

import (
	"coffer/mech/internal/mldsa"
	"coffer/p11"
)

// mldsaFamily has ML-DSA and HashML-DSA (PKCS #11 v3.2, section 6.67; FIPS 204).
var mldsaFamily = Family{
	Name:     "ML-DSA",
	KeyTypes: []KeyType{mldsaSets.keyType(p11.CKK_ML_DSA)},
	Mechanisms: append([]Mechanism{{
		Type: p11.CKM_ML_DSA_KEY_PAIR_GEN, Keys: []p11.KeyType{p11.CKK_ML_DSA}, Size: mldsaSets.sizes(), GeneratePair: mldsaSets.generate,
	}}, mldsaSigning.mechanisms()...),
}

// nistSignatures is the arc 2.16.840.1.101.3.4.3, in DER and without the last
// number of the algorithms under it.
const nistSignatures = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03"

var mldsaSets = paramSets{
	mldsaSet(p11.CKP_ML_DSA_44, "ML-DSA-44", 17, mldsa.Set44),
	mldsaSet(p11.CKP_ML_DSA_65, "ML-DSA-65", 18, mldsa.Set65),
	mldsaSet(p11.CKP_ML_DSA_87, "ML-DSA-87", 19, mldsa.Set87),
}

func mldsaSet(id uint64, name string, oid byte, set *mldsa.Set) paramSet {
	return paramSet{
		id: id, name: name, arc: nistSignatures, oid: oid,
		public: set.PublicSize, private: set.PrivateSize, output: set.SignatureSize, scheme: mldsaScheme{set},
	}
}

// mldsaScheme makes the keys of a parameter set.
type mldsaScheme struct{ set *mldsa.Set }

func (mldsaScheme) seedSize() int { return mldsa.SeedSize }

func (s mldsaScheme) generate() ([]byte, setPrivate, error) { return generateSeeded(s) }

func (s mldsaScheme) grow(seed []byte) (setPrivate, error) {
	k, err := s.set.FromSeed(seed)
	return mldsaPrivate{k}, err
}

func (s mldsaScheme) openPrivate(value []byte) (setPrivate, error) {
	k, err := s.set.Private(value)
	return mldsaPrivate{k}, err
}

func (s mldsaScheme) openPublic(value []byte) (any, error) { return s.set.Public(value) }

// mldsaPrivate is a setPrivate.
type mldsaPrivate struct{ *mldsa.PrivateKey }

func (k mldsaPrivate) public() []byte  { return k.Public() }
func (k mldsaPrivate) private() []byte { return k.Bytes() }
func (k mldsaPrivate) wipe()           { k.Wipe() }

var mldsaSigning = &contextScheme{
	keyType: p11.CKK_ML_DSA, size: mldsaSets.sizes(), pure: p11.CKM_ML_DSA, digest: p11.CKM_HASH_ML_DSA,
	hashing: func(h *preHash) p11.MechanismType { return h.mldsa },
	sign: func(k Key, head []byte, hedge func([]byte)) (Op, error) {
		set, key, err := setKeyOf[mldsaPrivate](k)
		if err != nil {
			return nil, err
		}
		return &mldsaOp{key: key.PrivateKey, message: key.Message(head), size: set.output, hedge: hedge}, nil
	},
	verify: func(k Key, head []byte) (VerifyOp, error) {
		set, key, err := setKeyOf[*mldsa.PublicKey](k)
		if err != nil {
			return nil, err
		}
		return &mldsaVerifyOp{key: key, message: key.Message(head), size: set.output}, nil
	},
}

// mldsaOp signs a message.
type mldsaOp struct {
	key     *mldsa.PrivateKey
	message *mldsa.Message
	size    int
	hedge   func([]byte)
}

func (o *mldsaOp) Update(_, src []byte) (int, error) {
	o.message.Write(src)
	return 0, nil
}

func (o *mldsaOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *mldsaOp) Final(dst, src []byte) (int, error) {
	var random [mldsa.RandomSize]byte
	if o.hedge != nil {
		o.hedge(random[:])
	}
	defer clear(random[:])
	o.key.Sign(dst[:o.size], o.message, src, &random)
	return o.size, nil
}

func (o *mldsaOp) FinalSize(int) Size { return Size{Max: o.size, Exact: true} }

func (o *mldsaOp) Wipe() { o.message.Wipe() }

// mldsaVerifyOp verifies a signature of a message.
type mldsaVerifyOp struct {
	key     *mldsa.PublicKey
	message *mldsa.Message
	size    int
}

func (o *mldsaVerifyOp) Update(src []byte) error {
	o.message.Write(src)
	return nil
}

func (o *mldsaVerifyOp) Verify(src, sig []byte) error {
	if len(sig) != o.size {
		return p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "a signature of this key has %d bytes, not %d", o.size, len(sig))
	}
	if !o.key.Verify(sig, o.message, src) {
		return p11.CKR_SIGNATURE_INVALID
	}
	return nil
}

func (o *mldsaVerifyOp) Wipe() { o.message.Wipe() }
