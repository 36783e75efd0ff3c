package interop

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/x509"
	"encoding/hex"
	"math/bits"
	"strings"

	"coffer/p11"
	"coffer/p11/attr"
	. "coffer/tests/p11test"
)

// oddParity sets the parity bits of a DES key.
func oddParity(key []byte) []byte {
	for i, b := range key {
		if bits.OnesCount8(b)%2 == 0 {
			key[i] ^= 1
		}
	}
	return key
}

// inHex reads what OpenSSL prints of `kdf` and `mac`.
func inHex(out []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(out)), ":", ""))
}

func macs(x *bench) {
	const family = "MACs"
	for _, h := range hashes {
		key := random(h.of.Size())
		k := x.secret(p11.CKK_GENERIC_SECRET, key)
		here := func() ([]byte, error) { return x.sign(Mech(h.hmac), k, message) }
		x.same(family, "HMAC, "+h.name, h.hmac, byOpenSSL, here, func() ([]byte, error) {
			return inHex(x.ssl.run(message, "mac", "-digest", h.openssl, "-macopt", "hexkey:"+hex.EncodeToString(key), "HMAC"))
		})
		x.same(family, "HMAC, "+h.name, h.hmac, byJava, here, func() ([]byte, error) { return x.java.do("mac", h.javaMAC, key, message) })
		x.same(family, "HMAC, "+h.name, h.hmac, byGo, here, func() ([]byte, error) {
			w := hmac.New(h.of.New, key)
			w.Write(message)
			return w.Sum(nil), nil
		})
	}
	for _, c := range []struct {
		what string
		t    p11.KeyType
		key  []byte
		m    *p11.Mechanism
		args []string
	}{
		{"CMAC, AES-128", p11.CKK_AES, random(16), Mech(p11.CKM_AES_CMAC), []string{"-cipher", "aes-128-cbc", "CMAC"}},
		{"CMAC, AES-256", p11.CKK_AES, random(32), Mech(p11.CKM_AES_CMAC), []string{"-cipher", "aes-256-cbc", "CMAC"}},
		{"CMAC, triple DES", p11.CKK_DES3, oddParity(random(24)), Mech(p11.CKM_DES3_CMAC), []string{"-cipher", "des-ede3-cbc", "CMAC"}},
		{"GMAC, AES-256", p11.CKK_AES, random(32), Mech(p11.CKM_AES_GMAC, p11.GCMParams{IV: make([]byte, 12), TagBits: 128}),
			[]string{"-cipher", "aes-256-gcm", "-macopt", "hexiv:000000000000000000000000", "GMAC"}},
		{"Poly1305", p11.CKK_POLY1305, random(32), Mech(p11.CKM_POLY1305), []string{"Poly1305"}},
	} {
		k := x.secret(c.t, c.key)
		x.same(family, c.what, c.m.Type, byOpenSSL, func() ([]byte, error) { return x.sign(c.m, k, message) }, func() ([]byte, error) {
			return inHex(x.ssl.run(message, append([]string{"mac", "-macopt", "hexkey:" + hex.EncodeToString(c.key)}, c.args...)...))
		})
	}
}

func digests(x *bench) {
	const family = "Digests"
	digest := func(m p11.MechanismType) func() ([]byte, error) {
		return func() ([]byte, error) {
			if err := x.DigestInit(x.s, Mech(m)); err != nil {
				return nil, err
			}
			return Output(func(out *p11.Out) error { return x.Digest(x.s, message, out) })
		}
	}
	bySSL := func(name string) func() ([]byte, error) {
		return func() ([]byte, error) { return x.ssl.run(message, "dgst", "-"+name, "-binary") }
	}
	for _, h := range hashes {
		x.same(family, h.name, h.digest, byOpenSSL, digest(h.digest), bySSL(h.openssl))
		x.same(family, h.name, h.digest, byJava, digest(h.digest), func() ([]byte, error) { return x.java.do("digest", h.name, message) })
		x.same(family, h.name, h.digest, byGo, digest(h.digest), func() ([]byte, error) { return h.sum(message), nil })
	}
	for _, c := range []struct {
		m                   p11.MechanismType
		name, openssl, java string
	}{
		{p11.CKM_SHA512_224, "SHA-512/224", "sha512-224", "SHA-512/224"}, {p11.CKM_SHA512_256, "SHA-512/256", "sha512-256", "SHA-512/256"},
		{p11.CKM_BLAKE2B_512, "BLAKE2b-512", "blake2b512", ""},
	} {
		x.same(family, c.name, c.m, byOpenSSL, digest(c.m), bySSL(c.openssl))
		if c.java != "" {
			x.same(family, c.name, c.m, byJava, digest(c.m), func() ([]byte, error) { return x.java.do("digest", c.java, message) })
		}
	}
}

// agreements have coffer's private key and a partner's public one, and the other
// way round, for the pair that both know.
func agreements(x *bench) {
	const family = "Key agreement"
	const m = p11.CKM_ECDH1_DERIVE
	for _, kind := range []string{"P-224", "P-256", "P-384", "P-521", "X25519", "X448"} {
		own, other := x.pair(kind), x.generate(kind)
		n := map[string]int{"P-224": 28, "P-256": 32, "P-384": 48, "P-521": 66, "X25519": 32, "X448": 56}[kind]
		point := x.Read(x.s, other.pub, p11.CKA_EC_POINT)
		here := func() ([]byte, error) {
			return x.derive(Mech(m, p11.ECDH1Params{KDF: p11.CKD_NULL, Public: point}), own.priv, n)
		}
		x.same(family, kind, m, byOpenSSL, here, func() ([]byte, error) {
			return x.ssl.run(nil, "pkeyutl", "-derive", "-inkey", other.privPEM, "-peerkey", own.pubPEM)
		})
		if kind != "P-224" {
			algorithm, keys := "ECDH", "EC"
			if kind[0] == 'X' {
				algorithm, keys = kind, kind
			}
			x.same(family, kind, m, byJava, here, func() ([]byte, error) { return x.java.do("agree", algorithm, keys, other.pkcs8, own.spki) })
			if kind != "X448" {
				x.same(family, kind, m, byGo, here, func() ([]byte, error) { return goECDH(other.pkcs8, own.spki) })
			}
		}
		for _, h := range hashes[:5] {
			kdf := map[string]p11.KDF{"SHA-1": p11.CKD_SHA1_KDF, "SHA-224": p11.CKD_SHA224_KDF, "SHA-256": p11.CKD_SHA256_KDF, "SHA-384": p11.CKD_SHA384_KDF, "SHA-512": p11.CKD_SHA512_KDF}[h.name]
			secret, err := here()
			x.Must(err)
			info := []byte("shared info")
			x.same(family, kind+", KDF of X9.63 with "+h.name, m, byOpenSSL, func() ([]byte, error) {
				return x.derive(Mech(m, p11.ECDH1Params{KDF: kdf, Shared: info, Public: point}), own.priv, 80)
			}, func() ([]byte, error) {
				return inHex(x.ssl.run(nil, "kdf", "-keylen", "80", "-kdfopt", "digest:"+h.openssl, "-kdfopt", "hexkey:"+hex.EncodeToString(secret),
					"-kdfopt", "hexinfo:"+hex.EncodeToString(info), "X963KDF"))
			})
		}
	}
	x.furtherECDH(family)
	x.finiteFields(family)
}

func goECDH(pkcs8, spki []byte) ([]byte, error) {
	private, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, err
	}
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, err
	}
	own, ok := private.(*ecdh.PrivateKey)
	if !ok {
		own, err = private.(interface {
			ECDH() (*ecdh.PrivateKey, error)
		}).ECDH()
	}
	if err != nil {
		return nil, err
	}
	peer, ok := public.(*ecdh.PublicKey)
	if !ok {
		peer, err = public.(interface {
			ECDH() (*ecdh.PublicKey, error)
		}).ECDH()
	}
	if err != nil {
		return nil, err
	}
	return own.ECDH(peer)
}

func derivations(x *bench) {
	const family = "Key derivation"
	for _, h := range hashes {
		key, salt, info := random(40), random(16), random(10)
		k := x.secret(p11.CKK_GENERIC_SECRET, key)
		m := Mech(p11.CKM_HKDF_DERIVE, p11.HKDFParams{Extract: true, Expand: true, PRF: h.digest, SaltType: p11.CKF_HKDF_SALT_DATA, Salt: salt, Info: info})
		here := func() ([]byte, error) { return x.derive(m, k, 77) }
		x.same(family, "HKDF, "+h.name, m.Type, byOpenSSL, here, func() ([]byte, error) {
			return inHex(x.ssl.run(nil, "kdf", "-keylen", "77", "-kdfopt", "digest:"+h.openssl, "-kdfopt", "hexkey:"+hex.EncodeToString(key),
				"-kdfopt", "hexsalt:"+hex.EncodeToString(salt), "-kdfopt", "hexinfo:"+hex.EncodeToString(info), "HKDF"))
		})
		x.same(family, "HKDF, "+h.name, m.Type, byGo, here, func() ([]byte, error) { return hkdf.Key(h.of.New, key, salt, string(info), 77) })
	}
	for _, h := range hashes[:5] {
		salt := random(16)
		m := Mech(p11.CKM_PKCS5_PBKD2, p11.PBKD2Params{SaltSource: p11.CKZ_SALT_SPECIFIED, Salt: salt, Iterations: 1000, PRF: h.pbkd2, Password: []byte("password")})
		here := func() ([]byte, error) {
			o, err := x.GenerateKey(x.s, m, Join(attr.Values{Class(p11.CKO_SECRET_KEY), Type(p11.CKK_GENERIC_SECRET), Length(40)}, No(p11.CKA_SENSITIVE), Yes(p11.CKA_EXTRACTABLE)))
			if err != nil {
				return nil, err
			}
			return x.Get(x.s, o, p11.CKA_VALUE)
		}
		x.same(family, "PBKDF2, "+h.name, m.Type, byOpenSSL, here, func() ([]byte, error) {
			return inHex(x.ssl.run(nil, "kdf", "-keylen", "40", "-kdfopt", "digest:"+h.openssl, "-kdfopt", "pass:password",
				"-kdfopt", "hexsalt:"+hex.EncodeToString(salt), "-kdfopt", "iter:1000", "PBKDF2"))
		})
		x.same(family, "PBKDF2, "+h.name, m.Type, byJava, here, func() ([]byte, error) { return x.java.do("pbkdf2", h.javaKDF, "password", salt, 1000, 40) })
		x.same(family, "PBKDF2, "+h.name, m.Type, byGo, here, func() ([]byte, error) { return pbkdf2.Key(h.of.New, "password", salt, 1000, 40) })
	}
	x.kbkdf(family)
	x.tls(family)
}

// kbkdf has label, a zero byte and context, and the length in bits at the end,
// as SP 800-108 suggests and OpenSSL does.
func (x *bench) kbkdf(family string) {
	key, label, context := random(32), []byte("label"), []byte("context")
	for _, mac := range []struct {
		name string
		prf  p11.MechanismType
		t    p11.KeyType
		args []string
	}{
		{"HMAC-SHA-256", p11.CKM_SHA256_HMAC, p11.CKK_GENERIC_SECRET, []string{"-kdfopt", "mac:HMAC", "-kdfopt", "digest:SHA256"}},
		{"HMAC-SHA-512", p11.CKM_SHA512_HMAC, p11.CKK_GENERIC_SECRET, []string{"-kdfopt", "mac:HMAC", "-kdfopt", "digest:SHA512"}},
		{"CMAC-AES-256", p11.CKM_AES_CMAC, p11.CKK_AES, []string{"-kdfopt", "mac:CMAC", "-kdfopt", "cipher:AES-256-CBC"}},
	} {
		k := x.secret(mac.t, key)
		data := []p11.KBKDFData{
			{Type: p11.CK_SP800_108_ITERATION_VARIABLE, Formatted: true, WidthBits: 32},
			{Type: p11.CK_SP800_108_BYTE_ARRAY, Bytes: append(append(append([]byte{}, label...), 0), context...)},
			{Type: p11.CK_SP800_108_DKM_LENGTH, Formatted: true, WidthBits: 32, LengthMethod: p11.CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS},
		}
		args := append([]string{"kdf", "-keylen", "80", "-kdfopt", "hexkey:" + hex.EncodeToString(key), "-kdfopt", "salt:label", "-kdfopt", "info:context"}, mac.args...)
		x.same(family, "SP 800-108 in counter mode, "+mac.name, p11.CKM_SP800_108_COUNTER_KDF, byOpenSSL, func() ([]byte, error) {
			return x.derive(Mech(p11.CKM_SP800_108_COUNTER_KDF, p11.KBKDFParams{PRF: mac.prf, Data: data}), k, 80)
		}, func() ([]byte, error) {
			return inHex(x.ssl.run(nil, append(args, "-kdfopt", "mode:counter", "KBKDF")...))
		})
	}
}

// tls has the pseudo-random function of TLS 1.2.
func (x *bench) tls(family string) {
	for _, h := range []hash{hashes[2], hashes[3]} {
		key, client, server := random(48), random(32), random(32)
		k := x.secret(p11.CKK_GENERIC_SECRET, key)
		m := Mech(p11.CKM_TLS_KDF, p11.TLSKDFParams{PRF: h.digest, Label: []byte("a label of mine"), ClientRandom: client, ServerRandom: server})
		x.same(family, "pseudo-random function of TLS 1.2, "+h.name, m.Type, byOpenSSL, func() ([]byte, error) { return x.derive(m, k, 100) }, func() ([]byte, error) {
			return inHex(x.ssl.run(nil, "kdf", "-keylen", "100", "-kdfopt", "digest:"+h.openssl, "-kdfopt", "hexsecret:"+hex.EncodeToString(key),
				"-kdfopt", "seed:a label of mine", "-kdfopt", "hexseed:"+hex.EncodeToString(append(client, server...)), "TLS1-PRF"))
		})
	}
}
