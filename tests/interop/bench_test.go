package interop

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
	"coffer/tests/report"
)

var update = flag.Bool("update", false, "write docs/INTEROP.md anew")

// The partners, in the order of the table's columns.
const (
	byOpenSSL = "OpenSSL"
	byJava    = "Java"
	byGo      = "Go"
)

// A bench has coffer on it and its partners.
type bench struct {
	*Host
	s    p11.SessionHandle
	ssl  *openssl
	java *java

	pairs map[string]*pair
	made  int // pairs
	rows  []*row
}

// A row is what is exchanged by one mechanism.
type row struct {
	family, what string
	m            p11.MechanismType
	by           map[string]string
}

func TestInterop(t *testing.T) {
	h := NewHost(t, CLibrary)
	x := &bench{Host: h, s: h.User(), ssl: newOpenSSL(t), java: newJava(t), pairs: map[string]*pair{}}
	families := []struct {
		name string
		run  func(*bench)
	}{
		{"signatures", signatures}, {"encryption with RSA", rsaEncryption}, {"ciphers", ciphers}, {"MACs", macs}, {"digests", digests},
		{"key agreement", agreements}, {"key derivation", derivations}, {"wrapping", wrapping}, {"import formats", imports}, {"certificates", certificates},
	}
	ran := 0
	for _, f := range families {
		x.Case(f.name, func(*Host) {
			ran++
			f.run(x)
		})
	}
	switch {
	case t.Failed():
	case ran != len(families):
		t.Skip("with -run, a part of the exchanges is not made, and the table is not compared")
	default:
		report.Compare(t, "INTEROP.md", "exchanges", x.table(), *update)
	}
}

// row returns the row of an exchange.
func (x *bench) row(family, what string, m p11.MechanismType) *row {
	for _, r := range x.rows {
		if r.family == family && r.what == what && r.m == m {
			return r
		}
	}
	r := &row{family, what, m, map[string]string{}}
	x.rows = append(x.rows, r)
	return r
}

// exchange makes an exchange in both directions: there, what coffer made is
// opened by the partner; back, what the partner made by coffer.
func (x *bench) exchange(family, what string, m p11.MechanismType, partner string, there, back func() error) {
	x.Helper()
	for direction, f := range map[string]func() error{"there": there, "back": back} {
		if err := f(); err != nil {
			x.Errorf("%s, %s, %v, %s %s: %v", family, what, m, partner, direction, err)
			return
		}
	}
	x.row(family, what, m).by[partner] = "both ways"
}

// same compares what a function gives here and at the partner's.
func (x *bench) same(family, what string, m p11.MechanismType, partner string, here, there func() ([]byte, error)) {
	x.Helper()
	a, err := here()
	if err != nil {
		x.Errorf("%s, %s, %v: %v", family, what, m, err)
		return
	}
	if err := equal(a)(there()); err != nil {
		x.Errorf("%s, %s, %v, %s: %v", family, what, m, partner, err)
		return
	}
	x.row(family, what, m).by[partner] = "the same"
}

// equal is the error of an answer that is not what it should be.
func equal(want []byte) func([]byte, error) error {
	return func(got []byte, err error) error {
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("got %x, want %x", got, want)
		}
		return err
	}
}

func (x *bench) table() string {
	var b strings.Builder
	partners := []string{byOpenSSL, byJava, byGo}
	family := ""
	for _, r := range x.rows {
		if r.family != family {
			family = r.family
			fmt.Fprintf(&b, "\n### %s\n\n| what | mechanism | %s |\n|---|---|---|---|---|\n", family, strings.Join(partners, " | "))
		}
		cells := make([]string, len(partners))
		for i, p := range partners {
			cells[i] = r.by[p]
		}
		fmt.Fprintf(&b, "| %s | `%v` | %s |\n", r.what, r.m, strings.Join(cells, " | "))
	}
	return b.String() + "\n"
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// A pair is a key pair that coffer generated, and its two encodings: the public
// one out of CKA_PUBLIC_KEY_INFO, the private one out of a blob that coffer
// wrapped.
type pair struct {
	pub, priv       p11.ObjectHandle
	spki, pkcs8     []byte
	pubPEM, privPEM string // files
}

var curveOIDs = map[string]string{
	"P-224": "\x06\x05\x2b\x81\x04\x00\x21", "P-256": "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
	"P-384": "\x06\x05\x2b\x81\x04\x00\x22", "P-521": "\x06\x05\x2b\x81\x04\x00\x23",
	"secp256k1": "\x06\x05\x2b\x81\x04\x00\x0a", "brainpoolP256r1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x07",
	"brainpoolP320r1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x09", "brainpoolP384t1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0c",
	"brainpoolP512r1": "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0d",
	"Ed25519":         "\x06\x03\x2b\x65\x70", "Ed448": "\x06\x03\x2b\x65\x71", "X25519": "\x06\x03\x2b\x65\x6e", "X448": "\x06\x03\x2b\x65\x6f",
}

// pair returns the pair of a kind: a curve's name, or RSA.
func (x *bench) pair(kind string) *pair {
	x.Helper()
	if p := x.pairs[kind]; p != nil {
		return p
	}
	p := x.generate(kind)
	x.pairs[kind] = p
	return p
}

// generate makes a pair of a kind.
func (x *bench) generate(kind string) *pair {
	x.Helper()
	m, public := p11.CKM_EC_KEY_PAIR_GEN, attr.NewString(p11.CKA_EC_PARAMS, curveOIDs[kind])
	private := Join(Yes(p11.CKA_SIGN), Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
	switch kind[0] {
	case 'R':
		m, public = p11.CKM_RSA_PKCS_KEY_PAIR_GEN, attr.NewULong(p11.CKA_MODULUS_BITS, 2048)
		private = Join(private, Yes(p11.CKA_DECRYPT, p11.CKA_UNWRAP))
	case 'E':
		m = p11.CKM_EC_EDWARDS_KEY_PAIR_GEN
	case 'X':
		m = p11.CKM_EC_MONTGOMERY_KEY_PAIR_GEN
	}
	if m == p11.CKM_EC_KEY_PAIR_GEN || kind[0] == 'X' {
		private = Join(private, Yes(p11.CKA_DERIVE))
	}
	if kind[0] == 'X' {
		private = Join(private, No(p11.CKA_SIGN))
	}
	return x.keep(kind, m, attr.Values{public}, private)
}

// keep generates a pair and what OpenSSL needs of it.
func (x *bench) keep(kind string, m p11.MechanismType, public, private attr.Values) *pair {
	x.Helper()
	p := &pair{}
	var err error
	p.pub, p.priv, err = x.GenerateKeyPair(x.s, Mech(m), public, private)
	x.Must(err)
	p.spki = x.Read(x.s, p.pub, p11.CKA_PUBLIC_KEY_INFO)
	if again := x.Read(x.s, p.priv, p11.CKA_PUBLIC_KEY_INFO); !bytes.Equal(again, p.spki) {
		x.Errorf("%s: the halves have two CKA_PUBLIC_KEY_INFO", kind)
	}
	p.pkcs8 = x.export(p.priv)
	x.made++
	p.pubPEM = x.ssl.pem(fmt.Sprintf("%d.pub", x.made), "PUBLIC KEY", p.spki)
	p.privPEM = x.ssl.pem(fmt.Sprintf("%d.key", x.made), "PRIVATE KEY", p.pkcs8)
	return p
}

// export wraps a key under one that is known, and opens the blob with Go.
func (x *bench) export(key p11.ObjectHandle) []byte {
	x.Helper()
	value, iv := random(32), random(16)
	with := x.Create(x.s, Secret(p11.CKK_AES, value), Yes(p11.CKA_WRAP))
	blob := x.Output(func(out *p11.Out) error { return x.WrapKey(x.s, Mech(p11.CKM_AES_CBC_PAD, p11.IV(iv)), with, key, out) })
	b, err := aes.NewCipher(value)
	x.Must(err)
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(blob, blob)
	return blob[:len(blob)-int(blob[len(blob)-1])]
}

// secret brings in a secret key.
func (x *bench) secret(t p11.KeyType, value []byte) p11.ObjectHandle {
	x.Helper()
	uses := map[p11.KeyType]attr.Values{
		p11.CKK_GENERIC_SECRET: Yes(p11.CKA_SIGN, p11.CKA_VERIFY, p11.CKA_DERIVE),
		p11.CKK_POLY1305:       Yes(p11.CKA_SIGN, p11.CKA_VERIFY),
	}
	if t == p11.CKK_GENERIC_SECRET { // CKM_TLS_KDF hands on whether the value may be read
		return x.Create(x.s, Secret(t, value), uses[t], No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))
	}
	use, ok := uses[t]
	if !ok {
		use = Yes(p11.CKA_ENCRYPT, p11.CKA_DECRYPT)
		if slices.Contains([]p11.KeyType{p11.CKK_AES, p11.CKK_DES3}, t) {
			use = Join(use, Yes(p11.CKA_SIGN, p11.CKA_VERIFY, p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_DERIVE))
		}
	}
	return x.Create(x.s, Secret(t, value), use)
}

func (x *bench) sign(m *p11.Mechanism, k p11.ObjectHandle, data []byte) ([]byte, error) {
	if err := x.SignInit(x.s, m, k); err != nil {
		return nil, err
	}
	return Output(func(out *p11.Out) error { return x.Sign(x.s, data, out) })
}

func (x *bench) verify(m *p11.Mechanism, k p11.ObjectHandle, data, sig []byte) error {
	if err := x.VerifyInit(x.s, m, k); err != nil {
		return err
	}
	return x.Verify(x.s, data, sig)
}

func (x *bench) encrypt(m *p11.Mechanism, k p11.ObjectHandle, data []byte) ([]byte, error) {
	if err := x.EncryptInit(x.s, m, k); err != nil {
		return nil, err
	}
	return Output(func(out *p11.Out) error { return x.Encrypt(x.s, data, out) })
}

func (x *bench) decrypt(m *p11.Mechanism, k p11.ObjectHandle, data []byte) ([]byte, error) {
	if err := x.DecryptInit(x.s, m, k); err != nil {
		return nil, err
	}
	return Output(func(out *p11.Out) error { return x.Decrypt(x.s, data, out) })
}

// derive returns the value of a derived secret.
func (x *bench) derive(m *p11.Mechanism, base p11.ObjectHandle, n int) ([]byte, error) {
	o, err := x.DeriveKey(x.s, m, base, Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(n)},
		No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE)))
	if err != nil {
		return nil, err
	}
	return x.Get(x.s, o, p11.CKA_VALUE)
}
