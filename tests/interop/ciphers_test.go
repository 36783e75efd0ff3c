package interop

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"coffer/p11"
	. "coffer/tests/p11test"
)

// crypted exchanges ciphertexts: a key each for encryption and decryption, which
// for a secret key is the same.
func (x *bench) crypted(family, what string, m *p11.Mechanism, pub, priv p11.ObjectHandle, plain []byte, partner string, lock, open func([]byte) ([]byte, error)) {
	x.Helper()
	x.exchange(family, what, m.Type, partner, func() error {
		ct, err := x.encrypt(m, pub, plain)
		if err != nil {
			return err
		}
		return equal(plain)(open(ct))
	}, func() error {
		ct, err := lock(plain)
		if err != nil {
			return err
		}
		return equal(plain)(x.decrypt(m, priv, ct))
	})
}

func rsaEncryption(x *bench) {
	const family = "Encryption with RSA"
	p := x.pair("RSA")
	private, err := x509.ParsePKCS8PrivateKey(p.pkcs8)
	x.Must(err)
	key := private.(*rsa.PrivateKey)
	pkeyutl := func(options ...string) (lock, open func([]byte) ([]byte, error)) {
		var args []string
		for _, o := range options {
			args = append(args, "-pkeyopt", o)
		}
		return func(in []byte) ([]byte, error) {
				return x.ssl.run(in, append([]string{"pkeyutl", "-encrypt", "-pubin", "-inkey", p.pubPEM}, args...)...)
			}, func(in []byte) ([]byte, error) {
				return x.ssl.run(in, append([]string{"pkeyutl", "-decrypt", "-inkey", p.privPEM}, args...)...)
			}
	}
	byJava := func(transformation, param string) (lock, open func([]byte) ([]byte, error)) {
		return func(in []byte) ([]byte, error) {
				return x.java.do("encrypt", transformation, "RSA", p.spki, param, "", in)
			},
			func(in []byte) ([]byte, error) {
				return x.java.do("decrypt", transformation, "RSA", p.pkcs8, param, "", in)
			}
	}

	m := Mech(p11.CKM_RSA_PKCS)
	lock, open := pkeyutl("rsa_padding_mode:pkcs1")
	x.crypted(family, "RSAES-PKCS1-v1_5", m, p.pub, p.priv, message, byOpenSSL, lock, open)
	lock, open = byJava("RSA/ECB/PKCS1Padding", "-")
	x.crypted(family, "RSAES-PKCS1-v1_5", m, p.pub, p.priv, message, "Java", lock, open)
	x.crypted(family, "RSAES-PKCS1-v1_5", m, p.pub, p.priv, message, byGo,
		//lint:ignore SA1019 it is the partner's
		func(in []byte) ([]byte, error) { return rsa.EncryptPKCS1v15(rand.Reader, &key.PublicKey, in) },
		//lint:ignore SA1019 it is the partner's
		func(in []byte) ([]byte, error) { return rsa.DecryptPKCS1v15(nil, key, in) })

	raw := append([]byte{0}, random(255)...)
	lock, open = pkeyutl("rsa_padding_mode:none")
	x.crypted(family, "RSA without padding", Mech(p11.CKM_RSA_X_509), p.pub, p.priv, raw, byOpenSSL, lock, open)

	for i, h := range hashes {
		for _, mask := range []hash{h, hashes[0]} {
			for _, label := range []string{"", "a label"} {
				// A label with one hash; and with SHA-1, the two masks are one.
				if label != "" && i != 2 || i == 0 && mask.of != h.of || mask.of != h.of && label != "" {
					continue
				}
				what := fmt.Sprintf("RSAES-OAEP, %s, MGF1 with %s", h.name, mask.name)
				if label != "" {
					what += ", a label"
				}
				m := Mech(p11.CKM_RSA_PKCS_OAEP, p11.OAEPParams{Hash: h.digest, MGF: mask.mgf, Source: p11.CKZ_DATA_SPECIFIED, Label: []byte(label)})
				options := []string{"rsa_padding_mode:oaep", "rsa_oaep_md:" + h.openssl, "rsa_mgf1_md:" + mask.openssl}
				if label != "" {
					options = append(options, "rsa_oaep_label:"+hex.EncodeToString([]byte(label)))
				}
				lock, open := pkeyutl(options...)
				x.crypted(family, what, m, p.pub, p.priv, message, byOpenSSL, lock, open)
				if i < 5 {
					lock, open = byJava("RSA/ECB/OAEPPadding", fmt.Sprintf("oaep:%s:%s:%x", h.name, mask.name, label))
					x.crypted(family, what, m, p.pub, p.priv, message, "Java", lock, open)
				}
				if h.of == mask.of {
					x.crypted(family, what, m, p.pub, p.priv, message, byGo,
						func(in []byte) ([]byte, error) {
							return rsa.EncryptOAEP(h.of.New(), rand.Reader, &key.PublicKey, in, []byte(label))
						},
						func(in []byte) ([]byte, error) { return rsa.DecryptOAEP(h.of.New(), nil, key, in, []byte(label)) })
				}
			}
		}
	}
}

// enc encrypts and decrypts with `openssl enc`.
func (x *bench) enc(algorithm string, key, iv []byte, args ...string) (lock, open func([]byte) ([]byte, error)) {
	args = append([]string{"enc", "-" + algorithm, "-K", hex.EncodeToString(key)}, args...)
	if iv != nil {
		args = append(args, "-iv", hex.EncodeToString(iv))
	}
	return func(in []byte) ([]byte, error) { return x.ssl.run(in, append(args, "-e")...) },
		func(in []byte) ([]byte, error) { return x.ssl.run(in, append(args, "-d")...) }
}

// inJava does with javax.crypto.Cipher.
func (x *bench) inJava(transformation, keys string, key []byte, param string, aad []byte) (lock, open func([]byte) ([]byte, error)) {
	return func(in []byte) ([]byte, error) {
			return x.java.do("encrypt", transformation, keys, key, param, aad, in)
		},
		func(in []byte) ([]byte, error) {
			return x.java.do("decrypt", transformation, keys, key, param, aad, in)
		}
}

func ciphers(x *bench) {
	const family = "Ciphers"
	blocks, odd := random(96), random(75)
	for _, bits := range []int{128, 192, 256} {
		key, iv := random(bits/8), random(16)
		k := x.secret(p11.CKK_AES, key)
		ctr := p11.CTRParams{CounterBits: 128, Counter: [16]byte(iv)}
		for _, c := range []struct {
			openssl, java string
			m             *p11.Mechanism
			iv, plain     []byte
			args          []string
		}{
			{"ecb", "AES/ECB/NoPadding", Mech(p11.CKM_AES_ECB), nil, blocks, []string{"-nopad"}},
			{"cbc", "AES/CBC/NoPadding", Mech(p11.CKM_AES_CBC, p11.IV(iv)), iv, blocks, []string{"-nopad"}},
			{"cbc", "AES/CBC/PKCS5Padding", Mech(p11.CKM_AES_CBC_PAD, p11.IV(iv)), iv, odd, nil},
			{"ctr", "AES/CTR/NoPadding", Mech(p11.CKM_AES_CTR, ctr), iv, odd, nil},
			{"ofb", "AES/OFB/NoPadding", Mech(p11.CKM_AES_OFB, p11.IV(iv)), iv, odd, nil},
			{"cfb", "AES/CFB/NoPadding", Mech(p11.CKM_AES_CFB128, p11.IV(iv)), iv, odd, nil},
			{"cfb8", "AES/CFB8/NoPadding", Mech(p11.CKM_AES_CFB8, p11.IV(iv)), iv, odd, nil},
			{"cfb1", "", Mech(p11.CKM_AES_CFB1, p11.IV(iv)), iv, odd, nil},
			{"", "AES/CFB64/NoPadding", Mech(p11.CKM_AES_CFB64, p11.IV(iv)), iv, blocks, nil},
			{"", "AES/CTS/NoPadding", Mech(p11.CKM_AES_CTS, p11.IV(iv)), iv, odd, nil},
		} {
			what := fmt.Sprintf("AES-%d", bits)
			if c.openssl != "" {
				lock, open := x.enc(fmt.Sprintf("aes-%d-%s", bits, c.openssl), key, c.iv, c.args...)
				x.crypted(family, what, c.m, k, k, c.plain, byOpenSSL, lock, open)
			}
			if c.java == "" {
				continue
			}
			param := "-"
			if c.iv != nil {
				param = fmt.Sprintf("iv:%x", c.iv)
			}
			lock, open := x.inJava(c.java, "AES", key, param, nil)
			if c.m.Type == p11.CKM_AES_CTS {
				lock, open = swapped(lock, open, len(c.plain))
			}
			x.crypted(family, what, c.m, k, k, c.plain, byJava, lock, open)
		}
		x.gcm(family, fmt.Sprintf("AES-%d", bits), key)
	}
	x.tripleDES(family, blocks, odd)
	x.chacha(family, odd)
}

// swapped turns the ciphertexts of CBC-CS3, which Java has, into those of
// CBC-CS1, which PKCS #11 has, and back: the last two blocks, of which the last
// is short, change places.
func swapped(lock, open func([]byte) ([]byte, error), n int) (func([]byte) ([]byte, error), func([]byte) ([]byte, error)) {
	rest := n % 16
	return func(in []byte) ([]byte, error) {
			ct, err := lock(in)
			if err != nil {
				return nil, err
			}
			at := n - rest - 16
			return append(append(append([]byte{}, ct[:at]...), ct[at+16:]...), ct[at:at+16]...), nil
		}, func(ct []byte) ([]byte, error) {
			at := n - rest - 16
			return open(append(append(append([]byte{}, ct[:at]...), ct[at+rest:]...), ct[at:at+rest]...))
		}
}

func (x *bench) gcm(family, what string, key []byte) {
	nonce, aad, plain := random(12), random(20), random(75)
	k := x.secret(p11.CKK_AES, key)
	m := Mech(p11.CKM_AES_GCM, p11.GCMParams{IV: nonce, AAD: aad, TagBits: 128})
	lock, open := x.inJava("AES/GCM/NoPadding", "AES", key, fmt.Sprintf("gcm:%x", nonce), aad)
	x.crypted(family, what, m, k, k, plain, byJava, lock, open)
	b, err := aes.NewCipher(key)
	x.Must(err)
	g, err := cipher.NewGCM(b)
	x.Must(err)
	lock, open = aead(g, nonce, aad)
	x.crypted(family, what, m, k, k, plain, byGo, lock, open)
}

func aead(a cipher.AEAD, nonce, aad []byte) (lock, open func([]byte) ([]byte, error)) {
	return func(in []byte) ([]byte, error) { return a.Seal(nil, nonce, in, aad), nil },
		func(in []byte) ([]byte, error) { return a.Open(nil, nonce, in, aad) }
}

func (x *bench) tripleDES(family string, blocks, odd []byte) {
	key, iv := oddParity(random(24)), random(8)
	k := x.secret(p11.CKK_DES3, key)
	for _, c := range []struct {
		openssl, java string
		m             *p11.Mechanism
		iv, plain     []byte
		args          []string
	}{
		{"des-ede3", "DESede/ECB/NoPadding", Mech(p11.CKM_DES3_ECB), nil, blocks, []string{"-nopad"}},
		{"des-ede3-cbc", "DESede/CBC/NoPadding", Mech(p11.CKM_DES3_CBC, p11.IV(iv)), iv, blocks, []string{"-nopad"}},
		{"des-ede3-cbc", "DESede/CBC/PKCS5Padding", Mech(p11.CKM_DES3_CBC_PAD, p11.IV(iv)), iv, odd, nil},
	} {
		lock, open := x.enc(c.openssl, key, c.iv, c.args...)
		x.crypted(family, "triple DES", c.m, k, k, c.plain, byOpenSSL, lock, open)
		param := "-"
		if c.iv != nil {
			param = fmt.Sprintf("iv:%x", c.iv)
		}
		lock, open = x.inJava(c.java, "DESede", key, param, nil)
		x.crypted(family, "triple DES", c.m, k, k, c.plain, byJava, lock, open)
	}
}

func (x *bench) chacha(family string, odd []byte) {
	key, nonce, aad := random(32), random(12), random(20)
	k := x.secret(p11.CKK_CHACHA20, key)
	m := Mech(p11.CKM_CHACHA20, p11.ChaCha20Params{Counter: 7, CounterBits: 32, Nonce: nonce})
	lock, open := x.enc("chacha20", key, append([]byte{7, 0, 0, 0}, nonce...))
	x.crypted(family, "ChaCha20", m, k, k, odd, byOpenSSL, lock, open)
	lock, open = x.inJava("ChaCha20", "ChaCha20", key, fmt.Sprintf("chacha:%x:7", nonce), nil)
	x.crypted(family, "ChaCha20", m, k, k, odd, byJava, lock, open)

	m = Mech(p11.CKM_CHACHA20_POLY1305, p11.ChaCha20Poly1305Params{Nonce: nonce, AAD: aad})
	lock, open = x.inJava("ChaCha20-Poly1305", "ChaCha20", key, fmt.Sprintf("iv:%x", nonce), aad)
	x.crypted(family, "ChaCha20-Poly1305", m, k, k, odd, byJava, lock, open)
	a, err := chacha20poly1305.New(key)
	x.Must(err)
	lock, open = aead(a, nonce, aad)
	x.crypted(family, "ChaCha20-Poly1305", m, k, k, odd, byGo, lock, open)
	a, err = chacha20poly1305.NewX(key)
	x.Must(err)
	nonce = random(24)
	lock, open = aead(a, nonce, aad)
	x.crypted(family, "XChaCha20-Poly1305", Mech(p11.CKM_CHACHA20_POLY1305, p11.ChaCha20Poly1305Params{Nonce: nonce, AAD: aad}), k, k, odd, byGo, lock, open)
}
