package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	mathrand "math/rand/v2"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// A key is a mech.Key with the RSA key that it was made of.
type key struct {
	class    p11.ObjectClass
	bits     int
	material any
	rsa      *rsa.PrivateKey
}

func (k *key) Class() p11.ObjectClass { return k.class }
func (k *key) Type() p11.KeyType      { return p11.CKK_RSA }
func (k *key) Bits() int              { return k.bits }
func (k *key) Material() (any, error) { return k.material, nil }

var registry = mech.NewRegistry(mech.All()...)

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// parse makes a key object of a private key, in memory of its own.
func parse(k *rsa.PrivateKey) *key {
	row := must(registry.KeyType(p11.CKK_RSA))
	material, bits, err := row.Parse(p11.CKO_PRIVATE_KEY, attr.Values{
		attr.NewBytes(p11.CKA_MODULUS, k.N.Bytes()),
		attr.NewBytes(p11.CKA_PUBLIC_EXPONENT, big.NewInt(int64(k.E)).Bytes()),
		attr.NewBytes(p11.CKA_PRIVATE_EXPONENT, k.D.Bytes()),
		attr.NewBytes(p11.CKA_PRIME_1, k.Primes[0].Bytes()),
		attr.NewBytes(p11.CKA_PRIME_2, k.Primes[1].Bytes()),
	})
	if err != nil {
		panic(err)
	}
	return &key{p11.CKO_PRIVATE_KEY, bits, material, k}
}

func generate(bits int) *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, bits)) }

// below returns a random number below n.
func below(n *big.Int) *big.Int { return must(rand.Int(rand.Reader, n)) }

// encrypted is x^e mod n, as long as the modulus.
func (k *key) encrypted(x *big.Int) []byte {
	return new(big.Int).Exp(x, big.NewInt(int64(k.rsa.E)), k.rsa.N).FillBytes(make([]byte, k.rsa.Size()))
}

// decrypt returns what decrypts with a mechanism. Whether it works is no
// concern of the test.
func (k *key) decrypt(mechanism p11.MechanismType, p p11.Params) func(in []byte) {
	m := must(registry.Lookup(mechanism))
	out := make([]byte, k.rsa.Size())
	return func(in []byte) {
		op := must(m.Decrypt(k, p))
		op.Final(out, in)
		op.Wipe()
	}
}

// rsaTests are on RSA-1024: the code is the same for all lengths, and more
// calls fit in the time.
func rsaTests() []test {
	const bits = 1024
	k := parse(generate(bits))
	n, p, q := k.rsa.N, k.rsa.Primes[0], k.rsa.Primes[1]
	raw := k.decrypt(p11.CKM_RSA_X_509, nil)
	random := func() *big.Int { return below(n) }
	// inputs makes a test of two makers of plaintexts.
	inputs := func(name string, run func([]byte), a, b func() *big.Int) test {
		return test{name, func(class int) ([]byte, func([]byte)) {
			return k.encrypted([]*big.Int{a(), b()}[class]), run
		}}
	}
	fixed := random()
	// The two halves of a result, and which of them is the larger one: the
	// difference of them borrows or not.
	ordered := func(sign int) func() *big.Int {
		return func() *big.Int {
			for {
				x := random()
				if new(big.Int).Mod(x, p).Cmp(new(big.Int).Mod(x, q)) == sign {
					return x
				}
			}
		}
	}
	multiple := func(of *big.Int) func() *big.Int {
		return func() *big.Int { return new(big.Int).Mul(of, below(new(big.Int).Quo(n, of))) }
	}
	small := func() *big.Int { return below(new(big.Int).Lsh(big.NewInt(1), 64)) }

	others := make([]*rsa.PrivateKey, 32)
	for i := range others {
		others[i] = generate(bits)
	}
	low := new(big.Int).Lsh(big.NewInt(1), bits-2) // below any of the moduli

	oaep := p11.OAEPParams{Hash: p11.CKM_SHA256, MGF: p11.CKG_MGF1_SHA256, Source: p11.CKZ_DATA_SPECIFIED}
	unpad := k.decrypt(p11.CKM_RSA_PKCS_OAEP, oaep)
	digest := sha256.Sum256(nil)
	return []test{
		inputs("raw: one result, any result", raw, func() *big.Int { return fixed }, random),
		inputs("raw: results of 64 bits, any result", raw, small, random),
		inputs("raw: multiples of p, any result", raw, multiple(p), random),
		inputs("raw: multiples of q, any result", raw, multiple(q), random),
		inputs("raw: m1 below m2, m1 above m2", raw, ordered(-1), ordered(1)),
		{"raw: one key, any key", func(class int) ([]byte, func([]byte)) {
			// Each time in new memory, either of them.
			key := parse([]*rsa.PrivateKey{k.rsa, others[mathrand.IntN(len(others))]}[class])
			return below(low).FillBytes(make([]byte, bits/8)), key.decrypt(p11.CKM_RSA_X_509, nil)
		}},
		// A first byte that is not zero is what Manger's attack asks for.
		inputs("OAEP: first byte not zero, label wrong", unpad,
			func() *big.Int { return new(big.Int).Or(below(low), low) },
			func() *big.Int { return new(big.Int).Rsh(random(), 8) }),
		inputs("OAEP: label wrong, padding behind it wrong", unpad,
			func() *big.Int { return oaepBlock(bits/8, digest[:], 0) },
			func() *big.Int { return oaepBlock(bits/8, digest[:], len(digest)) }),
		inputs("PKCS #1: first byte wrong, no zero at the end", k.decrypt(p11.CKM_RSA_PKCS, nil),
			func() *big.Int { return pkcs1Block(bits/8, 1) }, func() *big.Int { return pkcs1Block(bits/8, 0) }),
	}
}

// oaepBlock is an encoding with SHA-256 whose DB is wrong in byte i.
func oaepBlock(size int, labelHash []byte, i int) *big.Int {
	em := make([]byte, size)
	seed, db := em[1:33], em[33:]
	rand.Read(seed)
	copy(db, labelHash)
	db[len(db)-2] = 1
	db[i] ^= 0x40
	xorMGF1(db, seed)
	xorMGF1(seed, db)
	return new(big.Int).SetBytes(em)
}

func xorMGF1(dst, seed []byte) {
	for i := 0; len(dst) > 0; i++ {
		sum := sha256.Sum256(append(append([]byte(nil), seed...), 0, 0, 0, byte(i)))
		for j := range min(len(dst), len(sum)) {
			dst[j] ^= sum[j]
		}
		dst = dst[min(len(dst), len(sum)):]
	}
}

// pkcs1Block begins with the byte given and has no zero behind the second.
func pkcs1Block(size int, first byte) *big.Int {
	em := make([]byte, size)
	rand.Read(em)
	for i := range em {
		em[i] |= 1
	}
	em[0], em[1] = first, 2
	return new(big.Int).SetBytes(em)
}
