package interop

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// wrapped exchanges a blob of a secret key.
func (x *bench) wrapped(family, what string, m *p11.Mechanism, with, by p11.ObjectHandle, partner string, lock, open func([]byte) ([]byte, error)) {
	x.Helper()
	value := random(32)
	readable := Join(No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE))
	x.exchange(family, what, m.Type, partner, func() error {
		key := x.Create(x.s, Secret(p11.CKK_AES, value), Yes(p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE))
		blob, err := Output(func(out *p11.Out) error { return x.WrapKey(x.s, m, with, key, out) })
		if err != nil {
			return err
		}
		return equal(value)(open(blob))
	}, func() error {
		blob, err := lock(value)
		if err != nil {
			return err
		}
		key, err := x.UnwrapKey(x.s, m, by, blob, Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_AES)}, readable))
		if err != nil {
			return err
		}
		return equal(value)(x.Get(x.s, key, p11.CKA_VALUE))
	})
}

// kwIV and kwpIV are the initial values of RFC 3394 and 5649.
var (
	kwIV  = bytes.Repeat([]byte{0xa6}, 8)
	kwpIV = []byte{0xa6, 0x59, 0x59, 0xa6}
)

func wrapping(x *bench) {
	const family = "Wrapping of a secret key"
	for _, bits := range []int{128, 192, 256} {
		key := random(bits / 8)
		k := x.secret(p11.CKK_AES, key)
		iv := random(16)
		for _, c := range []struct {
			what, openssl, java string
			m                   *p11.Mechanism
			iv                  []byte
		}{
			{"AES-%d, RFC 3394", "id-aes%d-wrap", "AES/KW/NoPadding", Mech(p11.CKM_AES_KEY_WRAP), kwIV},
			{"AES-%d, RFC 5649", "id-aes%d-wrap-pad", "AES/KWP/NoPadding", Mech(p11.CKM_AES_KEY_WRAP_KWP), kwpIV},
			{"AES-%d, RFC 5649", "id-aes%d-wrap-pad", "AES/KWP/NoPadding", Mech(p11.CKM_AES_KEY_WRAP_PAD), kwpIV},
			{"AES-%d, CBC with padding", "aes-%d-cbc", "", Mech(p11.CKM_AES_CBC_PAD, p11.IV(iv)), iv},
		} {
			what := fmt.Sprintf(c.what, bits)
			if c.openssl != "" {
				lock, open := x.enc(fmt.Sprintf(c.openssl, bits), key, c.iv)
				x.wrapped(family, what, c.m, k, k, byOpenSSL, lock, open)
			}
			if c.java != "" { // AES/KW/PKCS5Padding pads to 16 bytes, and so is no CKM_AES_KEY_WRAP_PKCS7
				x.wrapped(family, what, c.m, k, k, byJava, func(in []byte) ([]byte, error) { return x.java.do("wrap", c.java, key, in) },
					func(in []byte) ([]byte, error) { return x.java.do("unwrap", c.java, key, in) })
			}
		}
	}
}

// A format is how a cloud takes keys from outside: a key under RSA-OAEP, or one
// under AES under RSA-OAEP.
type format struct {
	name string
	bits int // of the RSA key
	h    hash
	aes  bool // RFC 5649 under a key of 256 bits
	// box and unbox are what lies around the blob.
	box   func(blob []byte) []byte
	unbox func(box []byte) ([]byte, error)
}

func bare(b []byte) []byte            { return b }
func unbare(b []byte) ([]byte, error) { return b, nil }
func cloud(name string, bits int, h hash, aes bool) format {
	return format{name, bits, h, aes, bare, unbare}
}

var formats = []format{
	cloud("AWS KMS RSAES_OAEP_SHA_256, RSA-3072", 3072, hashes[2], false),
	cloud("AWS KMS RSAES_OAEP_SHA_256, RSA-4096", 4096, hashes[2], false),
	cloud("AWS KMS RSA_AES_KEY_WRAP_SHA_256, RSA-4096", 4096, hashes[2], true),
	cloud("AWS KMS RSA_AES_KEY_WRAP_SHA_1, RSA-3072", 3072, hashes[0], true),
	cloud("Google Cloud KMS rsa-oaep-3072-sha256", 3072, hashes[2], false),
	cloud("Google Cloud KMS rsa-oaep-3072-sha256-aes-256", 3072, hashes[2], true),
	cloud("Google Cloud KMS rsa-oaep-4096-sha256-aes-256", 4096, hashes[2], true),
	cloud("Google Cloud KMS rsa-oaep-4096-sha1-aes-256", 4096, hashes[0], true),
	{"Azure Key Vault BYOK, RSA-4096", 4096, hashes[0], true, azureBox, azureUnbox},
}

// azureBox is the file that Azure calls a BYOK blob.
type azureFile struct {
	SchemaVersion string            `json:"schema_version"`
	Header        map[string]string `json:"header"`
	Ciphertext    string            `json:"ciphertext"`
	Generator     string            `json:"generator"`
}

func azureBox(blob []byte) []byte {
	out, err := json.Marshal(azureFile{"1.0.0", map[string]string{"kid": "https://vault/keys/kek/1", "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"},
		base64.RawURLEncoding.EncodeToString(blob), "test"})
	if err != nil {
		panic(err)
	}
	return out
}

func azureUnbox(box []byte) ([]byte, error) {
	var f azureFile
	if err := json.Unmarshal(box, &f); err != nil {
		return nil, err
	}
	if f.Header["enc"] != "CKM_RSA_AES_KEY_WRAP" || f.Header["alg"] != "dir" {
		return nil, fmt.Errorf("header %v", f.Header)
	}
	return base64.RawURLEncoding.DecodeString(f.Ciphertext)
}

// A vault is a cloud's key pair: OpenSSL has it in files, coffer as objects.
type vault struct {
	*openssl
	pub, priv string // files
	bits      int
}

func (v *vault) oaep(h hash) []string {
	return []string{"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:" + h.openssl, "-pkeyopt", "rsa_mgf1_md:" + h.openssl}
}

// lock makes the blob of a format as the clouds' own pages do, with OpenSSL.
func (v *vault) lock(f format, key []byte) ([]byte, error) {
	encrypt := append([]string{"pkeyutl", "-encrypt", "-pubin", "-inkey", v.pub}, v.oaep(f.h)...)
	if !f.aes {
		return v.run(key, encrypt...)
	}
	ephemeral, err := v.run(nil, "rand", "32")
	if err != nil {
		return nil, err
	}
	first, err := v.run(ephemeral, encrypt...)
	if err != nil {
		return nil, err
	}
	second, err := v.run(key, "enc", "-id-aes256-wrap-pad", "-iv", hex.EncodeToString(kwpIV), "-K", hex.EncodeToString(ephemeral))
	return append(first, second...), err
}

func (v *vault) open(f format, blob []byte) ([]byte, error) {
	decrypt := append([]string{"pkeyutl", "-decrypt", "-inkey", v.priv}, v.oaep(f.h)...)
	if !f.aes {
		return v.run(blob, decrypt...)
	}
	ephemeral, err := v.run(blob[:v.bits/8], decrypt...)
	if err != nil {
		return nil, err
	}
	return v.run(blob[v.bits/8:], "enc", "-d", "-id-aes256-wrap-pad", "-iv", hex.EncodeToString(kwpIV), "-K", hex.EncodeToString(ephemeral))
}

// imports has coffer as what gives a key to a cloud, and as what takes one as
// the cloud does.
func imports(x *bench) {
	const family = "Import formats of clouds"
	vaults := map[int]*vault{}
	handles := map[int]*pair{}
	for _, bits := range []int{3072, 4096} {
		v := &vault{openssl: x.ssl, bits: bits}
		key, err := x.ssl.run(nil, "genpkey", "-algorithm", "RSA", "-pkeyopt", fmt.Sprint("rsa_keygen_bits:", bits), "-outform", "DER")
		x.Must(err)
		v.priv = x.ssl.pem(fmt.Sprint("vault-", bits), "PRIVATE KEY", x.pkcs8(key))
		spki, err := x.ssl.run(nil, "pkey", "-in", v.priv, "-pubout", "-outform", "DER")
		x.Must(err)
		v.pub = x.ssl.pem(fmt.Sprint("vault.pub-", bits), "PUBLIC KEY", spki)
		vaults[bits] = v
		handles[bits] = x.load(p11.CKK_RSA, x.pkcs8(key), Yes(p11.CKA_UNWRAP))
	}
	ec, rsa := x.pair("P-256"), x.pair("RSA")
	for _, f := range formats {
		v, p := vaults[f.bits], handles[f.bits]
		oaep := p11.OAEPParams{Hash: f.h.digest, MGF: f.h.mgf, Source: p11.CKZ_DATA_SPECIFIED}
		m := Mech(p11.CKM_RSA_PKCS_OAEP, oaep)
		if f.aes {
			m = Mech(p11.CKM_RSA_AES_KEY_WRAP, p11.RSAAESWrapParams{AESKeyBits: 256, OAEP: oaep})
		}
		lock := func(in []byte) ([]byte, error) {
			blob, err := v.lock(f, in)
			if err != nil {
				return nil, err
			}
			return f.unbox(f.box(blob))
		}
		open := func(blob []byte) ([]byte, error) {
			blob, err := f.unbox(f.box(blob))
			if err != nil {
				return nil, err
			}
			return v.open(f, blob)
		}
		x.wrapped(family, f.name+": a secret key", m, p.pub, p.priv, byOpenSSL, lock, open)
		if !f.aes {
			continue
		}
		x.privates(family, f.name+": an EC key", m, p, ec, p11.CKK_EC, Mech(p11.CKM_ECDSA_SHA256), lock, open)
		x.privates(family, f.name+": an RSA key", m, p, rsa, p11.CKK_RSA, Mech(p11.CKM_SHA256_RSA_PKCS), lock, open)
	}
}

// privates exchanges a blob of a private key as PKCS #8.
func (x *bench) privates(family, what string, m *p11.Mechanism, with, target *pair, t p11.KeyType, sign *p11.Mechanism, lock, open func([]byte) ([]byte, error)) {
	x.Helper()
	x.exchange(family, what, m.Type, byOpenSSL, func() error {
		blob, err := Output(func(out *p11.Out) error { return x.WrapKey(x.s, m, with.pub, target.priv, out) })
		if err != nil {
			return err
		}
		der, err := open(blob)
		if err != nil {
			return err
		}
		file := x.ssl.pem("opened", "PRIVATE KEY", der)
		if _, err := x.ssl.run(nil, "pkey", "-in", file, "-check", "-noout"); err != nil {
			return err
		}
		return equal(target.spki)(x.ssl.run(nil, "pkey", "-in", file, "-pubout", "-outform", "DER"))
	}, func() error {
		blob, err := lock(target.pkcs8)
		if err != nil {
			return err
		}
		key, err := x.UnwrapKey(x.s, m, with.priv, blob, Join(attr.Values{Class(p11.CKO_PRIVATE_KEY), Type(t)}, Yes(p11.CKA_SIGN)))
		if err != nil {
			return err
		}
		sig, err := x.sign(sign, key, message)
		if err != nil {
			return err
		}
		return x.verify(sign, target.pub, message, sig)
	})
}

// pkcs8 puts a private key of OpenSSL's into PKCS #8, which genpkey writes for
// some algorithms only.
func (x *bench) pkcs8(der []byte) []byte {
	x.Helper()
	out, err := x.ssl.run(der, "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER")
	x.Must(err)
	return out
}

// load brings in a private key as PKCS #8, and its public half by the
// attributes that the private one has.
func (x *bench) load(t p11.KeyType, pkcs8 []byte, uses attr.Values) *pair {
	x.Helper()
	value := random(32)
	kek := x.secret(p11.CKK_AES, value)
	kwp := Mech(p11.CKM_AES_KEY_WRAP_KWP)
	blob, err := x.encrypt(kwp, kek, pkcs8)
	x.Must(err)
	p := &pair{pkcs8: pkcs8}
	p.priv, err = x.UnwrapKey(x.s, kwp, kek, blob, Join(attr.Values{Class(p11.CKO_PRIVATE_KEY), Type(t)}, uses))
	x.Must(err)
	if t == p11.CKK_RSA {
		p.pub = x.Create(x.s, attr.Values{Class(p11.CKO_PUBLIC_KEY), Type(t),
			attr.NewBytes(p11.CKA_MODULUS, x.Read(x.s, p.priv, p11.CKA_MODULUS)),
			attr.NewBytes(p11.CKA_PUBLIC_EXPONENT, x.Read(x.s, p.priv, p11.CKA_PUBLIC_EXPONENT))}, Yes(p11.CKA_WRAP, p11.CKA_VERIFY))
	}
	p.spki = x.Read(x.s, p.priv, p11.CKA_PUBLIC_KEY_INFO)
	return p
}
