package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"
)

// service does what a service does with crypto11: it makes keys, comes back
// and finds them, and uses them as Go's own packages ask.
func service() error {
	hsm, err := configure()
	if err != nil {
		return err
	}
	if _, err := hsm.GenerateRSAKeyPairWithLabel([]byte("rsa"), []byte("rsa"), 2048); err != nil {
		return err
	}
	curves := map[string]elliptic.Curve{"p224": elliptic.P224(), "p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()}
	for name, c := range curves {
		if _, err := hsm.GenerateECDSAKeyPairWithLabel([]byte(name), []byte(name), c); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := hsm.GenerateSecretKeyWithLabel([]byte("aes"), []byte("aes"), 256, crypto11.CipherAES); err != nil {
		return err
	}
	if err := hsm.Close(); err != nil {
		return err
	}
	if hsm, err = configure(); err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		do   func(*crypto11.Context) error
	}{
		{"rsa", rsaKeys}, {"ecdsa", ecKeys}, {"aes", secretKeys}, {"hmac", macs},
		{"random", random}, {"certificates and TLS", certificates}, {"delete", deleted},
	} {
		if err := c.do(hsm); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Println("ok", c.name)
	}
	return hsm.Close()
}

func configure() (*crypto11.Context, error) {
	// 12 bytes of nonce, as Go's own GCM has.
	return crypto11.Configure(&crypto11.Config{Path: lib, TokenLabel: token, Pin: pin, GCMIVLength: 12})
}

func rsaKeys(hsm *crypto11.Context) error {
	found, err := hsm.FindKeyPair(nil, []byte("rsa"))
	if err != nil || found == nil {
		return fmt.Errorf("found %v, %w", found, err)
	}
	key, ok := found.(crypto11.SignerDecrypter)
	if !ok {
		return fmt.Errorf("%T does not decrypt", found)
	}
	pub := key.Public().(*rsa.PublicKey)
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		d := h.New()
		d.Write([]byte("message"))
		hash := d.Sum(nil)
		sig, err := key.Sign(rand.Reader, hash, h)
		if err := errors.Join(err, rsa.VerifyPKCS1v15(pub, h, hash, sig)); err != nil {
			return fmt.Errorf("PKCS #1 with %v: %w", h, err)
		}
		for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, 10} {
			pss := &rsa.PSSOptions{SaltLength: salt, Hash: h}
			sig, err = key.Sign(rand.Reader, hash, pss)
			if err := errors.Join(err, rsa.VerifyPSS(pub, h, hash, sig, pss)); err != nil {
				return fmt.Errorf("PSS with %v: %w", h, err)
			}
		}
		label := []byte("label")
		sealed, err := rsa.EncryptOAEP(h.New(), rand.Reader, pub, []byte("secret"), label)
		if err != nil {
			return err
		}
		if err := decrypts(key, sealed, &rsa.OAEPOptions{Hash: h, Label: label}); err != nil {
			return fmt.Errorf("OAEP with %v: %w", h, err)
		}
	}
	//lint:ignore SA1019 the token has to decrypt what old peers send
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, pub, []byte("secret"))
	return errors.Join(err, decrypts(key, sealed, nil))
}

func decrypts(key crypto.Decrypter, sealed []byte, opts crypto.DecrypterOpts) error {
	got, err := key.Decrypt(rand.Reader, sealed, opts)
	if err == nil && string(got) != "secret" {
		err = fmt.Errorf("got %x", got)
	}
	return err
}

func ecKeys(hsm *crypto11.Context) error {
	for _, name := range []string{"p224", "p256", "p384", "p521"} {
		key, err := hsm.FindKeyPair([]byte(name), nil)
		if err != nil || key == nil {
			return fmt.Errorf("%s: found %v, %w", name, key, err)
		}
		hash := sha256.Sum256([]byte(name))
		sig, err := key.Sign(rand.Reader, hash[:], crypto.SHA256)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), hash[:], sig) {
			return fmt.Errorf("%s: wrong signature %x", name, sig)
		}
	}
	return nil
}

func secretKeys(hsm *crypto11.Context) error {
	key, err := hsm.FindKey([]byte("aes"), nil)
	if err != nil || key == nil {
		return fmt.Errorf("found %v, %w", key, err)
	}
	gcm, err := key.NewGCM()
	if err != nil {
		return err
	}
	nonce, plain, aad := make([]byte, gcm.NonceSize()), []byte("plaintext"), []byte("aad")
	sealed := gcm.Seal(nil, nonce, plain, aad)
	if got, err := gcm.Open(nil, nonce, sealed, aad); err != nil || !bytes.Equal(got, plain) {
		return fmt.Errorf("GCM: got %q, %w", got, err)
	}
	sealed[0] ^= 1
	if _, err := gcm.Open(nil, nonce, sealed, aad); err == nil {
		return fmt.Errorf("GCM opens what was changed")
	}
	iv, blocks := make([]byte, 16), bytes.Repeat([]byte("16 bytes a block"), 10)
	enc, err := key.NewCBCEncrypterCloser(iv)
	if err != nil {
		return err
	}
	defer enc.Close()
	dec, err := key.NewCBCDecrypterCloser(iv)
	if err != nil {
		return err
	}
	defer dec.Close()
	middle, back := make([]byte, len(blocks)), make([]byte, len(blocks))
	enc.CryptBlocks(middle, blocks)
	dec.CryptBlocks(back, middle)
	if !bytes.Equal(back, blocks) || bytes.Equal(middle, blocks) {
		return fmt.Errorf("CBC: got %x back", back)
	}
	return nil
}

func macs(hsm *crypto11.Context) error {
	// CipherHMACSHA256 would ask for a mechanism of nShield's and give up when
	// a token does not know it (crypto11 v1.6.2).
	key, err := hsm.GenerateSecretKey([]byte("hmac"), 256, crypto11.CipherGeneric)
	if err != nil {
		return err
	}
	var sums [][]byte
	for range 2 {
		h, err := key.NewHMAC(pkcs11.CKM_SHA256_HMAC, 0)
		if err != nil {
			return err
		}
		fmt.Fprint(h, "message")
		sums = append(sums, h.Sum(nil))
	}
	if len(sums[0]) != 32 || !bytes.Equal(sums[0], sums[1]) {
		return fmt.Errorf("got %x and %x", sums[0], sums[1])
	}
	return key.Delete()
}

func random(hsm *crypto11.Context) error {
	r, err := hsm.NewRandomReader()
	if err != nil {
		return err
	}
	a, b := make([]byte, 1000), make([]byte, 1000)
	_, err1 := io.ReadFull(r, a)
	_, err2 := io.ReadFull(r, b)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if bytes.Equal(a, b) {
		return fmt.Errorf("repeats")
	}
	return nil
}

// certificates serves TLS with a key of the token, found by its certificate.
func certificates(hsm *crypto11.Context) error {
	for _, name := range []string{"p256", "rsa"} {
		key, err := hsm.FindKeyPair([]byte(name), nil)
		if err != nil {
			return err
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(len(name))),
			Subject:      pkix.Name{CommonName: name},
			DNSNames:     []string{"localhost"},
			NotBefore:    time.Now().Add(-time.Hour),
			NotAfter:     time.Now().Add(time.Hour),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return err
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if err := hsm.ImportCertificateWithLabel([]byte(name), []byte(name), cert); err != nil {
			return err
		}
		if got, err := hsm.FindCertificate(nil, nil, cert.SerialNumber); err != nil || got == nil || !got.Equal(cert) {
			return fmt.Errorf("found %v, %w", got, err)
		}
	}
	pairs, err := hsm.FindAllPairedCertificates()
	if err != nil {
		return err
	}
	if len(pairs) != 2 {
		return fmt.Errorf("found %d certificates with keys, want 2", len(pairs))
	}
	for _, pair := range pairs {
		if err := handshake(pair); err != nil {
			return fmt.Errorf("TLS as %s: %w", pair.Leaf.Subject, err)
		}
	}
	return nil
}

func handshake(pair tls.Certificate) error {
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{pair}})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	err := tls.Client(b, &tls.Config{RootCAs: roots, ServerName: "localhost"}).Handshake()
	return errors.Join(err, <-done)
}

func deleted(hsm *crypto11.Context) error {
	all, err := hsm.FindAllKeyPairs()
	if err != nil {
		return err
	}
	for _, key := range all {
		if err := key.Delete(); err != nil {
			return err
		}
	}
	if all, err = hsm.FindAllKeyPairs(); err != nil || len(all) != 0 {
		return fmt.Errorf("%d left, %w", len(all), err)
	}
	return errors.Join(hsm.DeleteCertificate([]byte("rsa"), nil, nil), hsm.DeleteCertificate([]byte("p256"), nil, nil))
}
