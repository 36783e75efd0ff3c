package mech

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"

	"github.com/cloudflare/circl/kem"
	"github.com/cloudflare/circl/kem/mlkem/mlkem1024"
	"github.com/cloudflare/circl/kem/mlkem/mlkem512"
	"github.com/cloudflare/circl/kem/mlkem/mlkem768"

	"coffer/p11"
)

// mlkemFamily has ML-KEM (PKCS #11 v3.2, section 6.68; FIPS 203).
//
// It is circl's and not crypto/mlkem's, which has neither ML-KEM-512 nor
// expanded keys and takes three to five times as long. circl branches on no
// secret and compares in constant time; NIST's vectors, those of Project
// Wycheproof and crypto/mlkem agree with it (ml_kem_test.go).
var mlkemFamily = Family{
	Name:     "ML-KEM",
	KeyTypes: []KeyType{mlkemSets.keyType(p11.CKK_ML_KEM)},
	Mechanisms: []Mechanism{
		{Type: p11.CKM_ML_KEM_KEY_PAIR_GEN, Keys: []p11.KeyType{p11.CKK_ML_KEM}, Size: mlkemSets.sizes(), GeneratePair: mlkemSets.generate},
		{
			Type: p11.CKM_ML_KEM, Keys: []p11.KeyType{p11.CKK_ML_KEM}, Size: mlkemSets.sizes(),
			Encapsulate: encapsulateMLKEM, EncapsulateSize: sizeMLKEM, Decapsulate: decapsulateMLKEM,
		},
	},
}

// nistKEMs is the arc 2.16.840.1.101.3.4.4, as nistSignatures.
const nistKEMs = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04"

var mlkemSets = paramSets{
	mlkemSet(p11.CKP_ML_KEM_512, 1, mlkem512.Scheme()),
	mlkemSet(p11.CKP_ML_KEM_768, 2, mlkem768.Scheme()),
	mlkemSet(p11.CKP_ML_KEM_1024, 3, mlkem1024.Scheme()),
}

func mlkemSet(id uint64, oid byte, s kem.Scheme) paramSet {
	return paramSet{
		id: id, name: s.Name(), arc: nistKEMs, oid: oid,
		public: s.PublicKeySize(), private: s.PrivateKeySize(), output: s.CiphertextSize(), scheme: mlkemScheme{s},
	}
}

// mlkemSecret is the length of every shared secret in bytes.
const mlkemSecret = 32

// mlkemScheme makes the keys of a parameter set. The seed is d ‖ z.
type mlkemScheme struct{ kem.Scheme }

func (s mlkemScheme) seedSize() int { return s.SeedSize() }

func (s mlkemScheme) generate() ([]byte, setPrivate, error) { return generateSeeded(s) }

func (s mlkemScheme) grow(seed []byte) (setPrivate, error) {
	_, private := s.DeriveKeyPair(seed)
	return s.key(private)
}

func (s mlkemScheme) key(private kem.PrivateKey) (*mlkemPrivate, error) {
	public, err := private.Public().MarshalBinary()
	if err != nil {
		return nil, err
	}
	return &mlkemPrivate{key: private, encoded: public}, nil
}

// openPublic checks what FIPS 203, section 7.2, wants of an encapsulation key.
func (s mlkemScheme) openPublic(value []byte) (any, error) { return s.UnmarshalBinaryPublicKey(value) }

var errMLKEMKey = errors.New("the parts of the private key do not belong together")

// openPrivate checks the hash, as FIPS 203, section 7.3, wants it; that all
// coefficients are reduced; and, since the hash says nothing of the secret part,
// that what is encapsulated to the key is decapsulated by it (SP 800-227,
// section 4.1).
func (s mlkemScheme) openPrivate(value []byte) (setPrivate, error) {
	private, err := s.UnmarshalBinaryPrivateKey(value)
	if err != nil {
		return nil, err
	}
	key, err := s.key(private)
	if err != nil {
		return nil, err
	}
	if err := s.consistent(key, value); err != nil {
		key.wipe()
		return nil, err
	}
	return key, nil
}

func (s mlkemScheme) consistent(key *mlkemPrivate, value []byte) error {
	packed := key.private()
	defer clear(packed)
	if subtle.ConstantTimeCompare(packed, value) != 1 {
		return errMLKEMKey
	}
	public, err := s.UnmarshalBinaryPublicKey(key.encoded)
	if err != nil {
		return err
	}
	ciphertext, secret, err := encapsulateTo(public)
	if err != nil {
		return err
	}
	defer clear(secret)
	got, err := s.Decapsulate(key.key, ciphertext)
	if err != nil {
		return err
	}
	defer clear(got)
	if subtle.ConstantTimeCompare(got, secret) != 1 {
		return errMLKEMKey
	}
	return nil
}

// mlkemPrivate is a setPrivate.
type mlkemPrivate struct {
	key     kem.PrivateKey
	encoded []byte // of the public half
}

func (k *mlkemPrivate) public() []byte { return k.encoded }

func (k *mlkemPrivate) private() []byte {
	b, err := k.key.MarshalBinary()
	if err != nil { // it has no cause to fail
		panic(err)
	}
	return b
}

// wipe clears the key with what circl has behind it.
func (k *mlkemPrivate) wipe() { eraseDeep(k.key) }

// mlkemLength refuses to make a secret of another length: "the mechanism
// contributes the result as the CKA_VALUE attribute".
func mlkemLength(length int) error {
	if length != 0 && length != mlkemSecret {
		return p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "ML-KEM makes a secret of %d bytes, not of %d", mlkemSecret, length)
	}
	return nil
}

func sizeMLKEM(public Key, p p11.Params, length int) (int, error) {
	set, _, err := setKeyOf[kem.PublicKey](public)
	if err != nil {
		return 0, err
	}
	return set.output, mlkemLength(length)
}

func encapsulateMLKEM(public Key, _ p11.Params, length int) (ciphertext, secret []byte, err error) {
	_, key, err := setKeyOf[kem.PublicKey](public)
	if err != nil {
		return nil, nil, err
	}
	if err := mlkemLength(length); err != nil {
		return nil, nil, err
	}
	ScrubDeep()
	defer ScrubDeep()
	return encapsulateTo(key)
}

// encapsulateTo makes the randomness itself, of which the secret is made, so
// that nothing is left of it.
func encapsulateTo(key kem.PublicKey) (ciphertext, secret []byte, err error) {
	m := make([]byte, key.Scheme().EncapsulationSeedSize())
	defer clear(m)
	rand.Read(m)
	return key.Scheme().EncapsulateDeterministically(key, m)
}

func decapsulateMLKEM(private Key, _ p11.Params, ciphertext []byte, length int) ([]byte, error) {
	set, key, err := setKeyOf[*mlkemPrivate](private)
	if err != nil {
		return nil, err
	}
	if err := mlkemLength(length); err != nil {
		return nil, err
	}
	if len(ciphertext) != set.output {
		return nil, p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "a ciphertext of %s has %d bytes, not %d", set.name, set.output, len(ciphertext))
	}
	ScrubDeep()
	defer ScrubDeep()
	return key.key.Scheme().Decapsulate(key.key, ciphertext)
}
