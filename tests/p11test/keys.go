package p11test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"sync"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// DER encodings of curves, as CKA_EC_PARAMS has them.
var (
	P256    = attr.NewString(p11.CKA_EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")
	Ed25519 = attr.NewString(p11.CKA_EC_PARAMS, "\x06\x03\x2b\x65\x70")
	X25519  = attr.NewString(p11.CKA_EC_PARAMS, "\x06\x03\x2b\x65\x6e")
)

// A Key is a key whose value is known: what the token does with it can be
// told from what it should.
type Key struct {
	Name string
	Type p11.KeyType
	// Own is the template of the secret or private key as C_CreateObject takes
	// it, Public that of the public half; nil for a secret key.
	Own, Public attr.Values
	// Secrets are the attributes that must never be seen of a sensitive key.
	Secrets []p11.AttributeType
	// Uses are the attributes that Proof needs.
	Uses attr.Values
	// Proof is what only the key can make, the same each time.
	Proof func(h *Host, s p11.SessionHandle, k p11.ObjectHandle) ([]byte, error)
}

// Secret reports whether the key is a secret key.
func (k *Key) Secret() bool { return k.Public == nil }

// Class returns the class of Own.
func (k *Key) Class() p11.ObjectClass {
	c, _ := k.Own.Class()
	return c
}

// Leaks are the byte strings that must not be seen anywhere of a sensitive
// key.
func (k *Key) Leaks() [][]byte {
	var out [][]byte
	for _, t := range k.Secrets {
		out = append(out, k.Own.Bytes(t))
	}
	return out
}

// Keys returns a key of every kind, the same in each call.
var Keys = sync.OnceValue(func() []*Key {
	return []*Key{
		aesKey("AES-128", 16), aesKey("AES-256", 32),
		genericKey("generic secret of 24 bytes", 24), genericKey("generic secret of 21 bytes", 21),
		rsaKey(), ecKey(), edwardsKey(), montgomeryKey(), mldsaKey(), mlkemKey(),
	}
})

// numberKeys are those over finite fields, for the tests that ask for them: they
// take their time.
var numberKeys = sync.OnceValue(func() []*Key {
	return []*Key{fieldKey("DH", p11.CKK_DH), fieldKey("X9.42", p11.CKK_X9_42_DH)}
})

// KeyOf returns the first of Keys of a type, or that over a finite field.
func KeyOf(t p11.KeyType) *Key {
	for _, k := range Keys() {
		if k.Type == t {
			return k
		}
	}
	for _, k := range numberKeys() {
		if k.Type == t {
			return k
		}
	}
	panic("p11test: there is no key of type " + t.String())
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func aesKey(name string, n int) *Key {
	return &Key{
		Name: name, Type: p11.CKK_AES, Own: Secret(p11.CKK_AES, random(n)),
		Secrets: []p11.AttributeType{p11.CKA_VALUE}, Uses: Yes(p11.CKA_ENCRYPT),
		Proof: func(h *Host, s p11.SessionHandle, k p11.ObjectHandle) ([]byte, error) {
			if err := h.EncryptInit(s, Mech(p11.CKM_AES_ECB), k); err != nil {
				return nil, err
			}
			return Output(func(out *p11.Out) error { return h.Encrypt(s, make([]byte, 16), out) })
		},
	}
}

func genericKey(name string, n int) *Key {
	return &Key{
		Name: name, Type: p11.CKK_GENERIC_SECRET, Own: Secret(p11.CKK_GENERIC_SECRET, random(n)),
		Secrets: []p11.AttributeType{p11.CKA_VALUE}, Uses: Yes(p11.CKA_SIGN),
		Proof: signs(p11.CKM_SHA256_HMAC),
	}
}

// signs is the Proof of a key with a deterministic signature.
func signs(m p11.MechanismType, params ...p11.Params) func(*Host, p11.SessionHandle, p11.ObjectHandle) ([]byte, error) {
	return func(h *Host, s p11.SessionHandle, k p11.ObjectHandle) ([]byte, error) {
		if err := h.SignInit(s, Mech(m, params...), k); err != nil {
			return nil, err
		}
		return Output(func(out *p11.Out) error { return h.Sign(s, []byte("proof"), out) })
	}
}

// agrees is the Proof of a key that makes a shared secret.
func agrees(peer []byte) func(*Host, p11.SessionHandle, p11.ObjectHandle) ([]byte, error) {
	return func(h *Host, s p11.SessionHandle, k p11.ObjectHandle) ([]byte, error) {
		d, err := h.DeriveKey(s, Mech(p11.CKM_ECDH1_DERIVE, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: peer}), k,
			Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(32)}, No(p11.CKA_SENSITIVE, p11.CKA_PRIVATE), Yes(p11.CKA_EXTRACTABLE)))
		if err != nil {
			return nil, err
		}
		defer h.DestroyObject(s, d)
		return h.Get(s, d, p11.CKA_VALUE)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// SmallRSA returns an RSA key of a size that nobody makes any more.
var SmallRSA = sync.OnceValue(func() *Key { return rsaKeyOf(1024) })

func rsaKey() *Key { return rsaKeyOf(2048) }

func rsaKeyOf(bits int) *Key {
	k := must(rsa.GenerateKey(rand.Reader, bits))
	big := func(t p11.AttributeType, n *big.Int) attr.Value { return attr.NewBytes(t, n.Bytes()) }
	public := attr.Values{big(p11.CKA_MODULUS, k.N), attr.NewBytes(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})}
	secrets := attr.Values{
		big(p11.CKA_PRIVATE_EXPONENT, k.D), big(p11.CKA_PRIME_1, k.Primes[0]), big(p11.CKA_PRIME_2, k.Primes[1]),
		big(p11.CKA_EXPONENT_1, k.Precomputed.Dp), big(p11.CKA_EXPONENT_2, k.Precomputed.Dq), big(p11.CKA_COEFFICIENT, k.Precomputed.Qinv),
	}
	out := pair(fmt.Sprintf("RSA-%d", bits), p11.CKK_RSA, public, Join(public, secrets))
	for _, v := range secrets {
		out.Secrets = append(out.Secrets, v.Type)
	}
	out.Uses, out.Proof = Yes(p11.CKA_SIGN), signs(p11.CKM_SHA256_RSA_PKCS)
	return out
}

func pair(name string, t p11.KeyType, public, own attr.Values) *Key {
	return &Key{Name: name, Type: t,
		Public: Join(attr.Values{Class(p11.CKO_PUBLIC_KEY), Type(t)}, public),
		Own:    Join(attr.Values{Class(p11.CKO_PRIVATE_KEY), Type(t)}, own),
	}
}

// curveKey is a pair on a curve.
func curveKey(name string, t p11.KeyType, curve attr.Value, value, point []byte) *Key {
	var b cryptobyte.Builder
	b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddBytes(point) })
	k := pair(name, t, attr.Values{curve, attr.NewBytes(p11.CKA_EC_POINT, b.BytesOrPanic())}, attr.Values{curve, Value(value)})
	k.Secrets = []p11.AttributeType{p11.CKA_VALUE}
	return k
}

func mldsaKey() *Key {
	var seed [mldsa65.SeedSize]byte
	copy(seed[:], random(len(seed)))
	public, private := mldsa65.NewKeyFromSeed(&seed)
	set := attr.NewULong(p11.CKA_PARAMETER_SET, p11.CKP_ML_DSA_65)
	out := pair("ML-DSA-65", p11.CKK_ML_DSA, attr.Values{set, Value(public.Bytes())},
		attr.Values{set, attr.NewBytes(p11.CKA_SEED, seed[:]), Value(private.Bytes())})
	out.Secrets = []p11.AttributeType{p11.CKA_SEED, p11.CKA_VALUE}
	out.Uses, out.Proof = Yes(p11.CKA_SIGN), signs(p11.CKM_ML_DSA, p11.SignContext{Hedge: p11.CKH_DETERMINISTIC_REQUIRED})
	return out
}

// decapsulates is the Proof of a key that opens a ciphertext.
func decapsulates(m p11.MechanismType, ciphertext []byte) func(*Host, p11.SessionHandle, p11.ObjectHandle) ([]byte, error) {
	return func(h *Host, s p11.SessionHandle, k p11.ObjectHandle) ([]byte, error) {
		d, err := h.DecapsulateKey(s, Mech(m), k,
			Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET)}, No(p11.CKA_SENSITIVE, p11.CKA_PRIVATE), Yes(p11.CKA_EXTRACTABLE)), ciphertext)
		if err != nil {
			return nil, err
		}
		defer h.DestroyObject(s, d)
		return h.Get(s, d, p11.CKA_VALUE)
	}
}

func mlkemKey() *Key {
	scheme := mlkem768.Scheme()
	seed := random(scheme.SeedSize())
	public, private := scheme.DeriveKeyPair(seed)
	set := attr.NewULong(p11.CKA_PARAMETER_SET, p11.CKP_ML_KEM_768)
	out := pair("ML-KEM-768", p11.CKK_ML_KEM, attr.Values{set, Value(must(public.MarshalBinary()))},
		attr.Values{set, attr.NewBytes(p11.CKA_SEED, seed), Value(must(private.MarshalBinary()))})
	ciphertext, secret, err := scheme.Encapsulate(public)
	must(secret, err)
	out.Secrets = []p11.AttributeType{p11.CKA_SEED, p11.CKA_VALUE}
	out.Uses, out.Proof = Yes(p11.CKA_DECAPSULATE), decapsulates(p11.CKM_ML_KEM, ciphertext)
	return out
}

func ecKey() *Key {
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	out := curveKey("EC P-256", p11.CKK_EC, P256, must(k.Bytes()), must(k.PublicKey.Bytes()))
	peer := must(ecdh.P256().GenerateKey(rand.Reader))
	out.Uses, out.Proof = Yes(p11.CKA_DERIVE), agrees(peer.PublicKey().Bytes())
	return out
}

// fieldKey is a pair in the group of the 2048-bit prime of RFC 7919.
func fieldKey(name string, t p11.KeyType) *Key {
	reg := mech.NewRegistry(mech.All()...)
	gen := must(reg.Lookup(p11.CKM_DH_PKCS_PARAMETER_GEN))
	domain := must(gen.Generate(nil, attr.Values{attr.NewULong(p11.CKA_PRIME_BITS, 2048)}))
	prime := new(big.Int).SetBytes(domain.Bytes(p11.CKA_PRIME))
	x := random(40)
	x[0] |= 0x80
	y := new(big.Int).Exp(big.NewInt(2), new(big.Int).SetBytes(x), prime)
	if t == p11.CKK_X9_42_DH {
		domain = append(domain, attr.NewBytes(p11.CKA_SUBPRIME, new(big.Int).Rsh(prime, 1).Bytes()))
	}
	k := pair(name, t, Join(domain, attr.Values{Value(y.Bytes())}), Join(domain, attr.Values{Value(x)}))
	k.Secrets = []p11.AttributeType{p11.CKA_VALUE}
	return k
}

func edwardsKey() *Key {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(public, err)
	out := curveKey("Ed25519", p11.CKK_EC_EDWARDS, Ed25519, private.Seed(), public)
	out.Uses, out.Proof = Yes(p11.CKA_SIGN), signs(p11.CKM_EDDSA)
	return out
}

func montgomeryKey() *Key {
	k := must(ecdh.X25519().GenerateKey(rand.Reader))
	out := curveKey("X25519", p11.CKK_EC_MONTGOMERY, X25519, k.Bytes(), k.PublicKey().Bytes())
	peer := must(ecdh.X25519().GenerateKey(rand.Reader))
	out.Uses, out.Proof = Yes(p11.CKA_DERIVE), agrees(peer.PublicKey().Bytes())
	return out
}
