package main

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// curves has the length of what is signed, too: that of the digest of the curve's size.
var curves = map[string]struct {
	curve  elliptic.Curve
	digest int
}{
	"p256": {elliptic.P256(), 32},
	"p384": {elliptic.P384(), 48},
	"p521": {elliptic.P521(), 64},
}

var exchanges = map[string]ecdh.Curve{
	"p256": ecdh.P256(), "p384": ecdh.P384(), "p521": ecdh.P521(), "x25519": ecdh.X25519(),
}

// result is where an operation leaves its output: a caller needs it, and what nobody looks at might be spared.
var result any

// rsaKey is the key of that name, such as rsa2048, in the folder, made the first time.
func rsaKey(folder, name string) (*rsa.PrivateKey, error) {
	file := filepath.Join(folder, name+".pem")
	if text, err := os.ReadFile(file); err == nil {
		b, _ := pem.Decode(text)
		if b == nil {
			return nil, fmt.Errorf("%s is no PEM", file)
		}
		key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
		if err != nil {
			return nil, err
		}
		return key.(*rsa.PrivateKey), nil
	}
	bits, err := strconv.Atoi(strings.TrimPrefix(name, "rsa"))
	if err != nil {
		return nil, absent(name)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// A signer signs what a caller has in hand: a digest, or for Ed25519 a message of 32 bytes.
type signer struct {
	sign   func() ([]byte, error)
	verify func(signature []byte) error
}

var errSignature = errors.New("a right signature is refused")

func newSigner(folder string, args []string) (signer, error) {
	if len(args) != 1 {
		return signer{}, absent(fmt.Sprint(args))
	}
	digest := randomKey(32)
	name, _, pss := strings.Cut(args[0], "-pss")
	right := func(ok bool) error {
		if !ok {
			return errSignature
		}
		return nil
	}
	switch c, ok := curves[name]; {
	case ok:
		digest := randomKey(c.digest)
		key, err := ecdsa.GenerateKey(c.curve, rand.Reader)
		return signer{
			func() ([]byte, error) { return ecdsa.SignASN1(rand.Reader, key, digest) },
			func(s []byte) error { return right(ecdsa.VerifyASN1(&key.PublicKey, digest, s)) },
		}, err
	case name == "ed25519":
		public, key, err := ed25519.GenerateKey(rand.Reader)
		return signer{
			func() ([]byte, error) { return ed25519.Sign(key, digest), nil },
			func(s []byte) error { return right(ed25519.Verify(public, digest, s)) },
		}, err
	case !strings.HasPrefix(name, "rsa"):
		return signer{}, absent(name)
	}
	key, err := rsaKey(folder, name)
	if pss {
		options := &rsa.PSSOptions{SaltLength: 32}
		return signer{
			func() ([]byte, error) { return rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest, options) },
			func(s []byte) error { return rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest, s, options) },
		}, err
	}
	return signer{
		func() ([]byte, error) { return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest) },
		func(s []byte) error { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest, s) },
	}, err
}

func sign(folder string, args []string) (operation, error) {
	s, err := newSigner(folder, args)
	return func() error {
		var err error
		result, err = s.sign()
		return err
	}, err
}

func verify(folder string, args []string) (operation, error) {
	s, err := newSigner(folder, args)
	if err != nil {
		return nil, err
	}
	signature, err := s.sign()
	return func() error { return s.verify(signature) }, err
}

func oaep(folder string, args []string) (operation, error) {
	key, err := rsaKey(folder, args[0])
	if err != nil {
		return nil, err
	}
	h := sha1.New()
	if args[1] == "sha256" {
		h = sha256.New()
	}
	ciphertext, err := rsa.EncryptOAEP(h, rand.Reader, &key.PublicKey, randomKey(32), nil)
	return func() error {
		var err error
		result, err = rsa.DecryptOAEP(h, nil, key, ciphertext, nil)
		return err
	}, err
}

func derive(_ string, args []string) (operation, error) {
	curve, ok := exchanges[args[0]]
	if !ok {
		return nil, absent(args[0])
	}
	key, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	// As a module: the other side's point comes as bytes each time.
	public := key.PublicKey().Bytes()
	return func() error {
		p, err := curve.NewPublicKey(public)
		if err != nil {
			return err
		}
		result, err = key.ECDH(p)
		return err
	}, nil
}

func encapsulation(args []string) (*mlkem.DecapsulationKey768, error) {
	if args[0] != "mlkem768" {
		return nil, absent(args[0])
	}
	return mlkem.GenerateKey768()
}

func encapsulate(_ string, args []string) (operation, error) {
	key, err := encapsulation(args)
	if err != nil {
		return nil, err
	}
	public := key.EncapsulationKey()
	return func() error {
		result, _ = public.Encapsulate()
		return nil
	}, nil
}

func decapsulate(_ string, args []string) (operation, error) {
	key, err := encapsulation(args)
	if err != nil {
		return nil, err
	}
	_, ciphertext := key.EncapsulationKey().Encapsulate()
	return func() error {
		var err error
		result, err = key.Decapsulate(ciphertext)
		return err
	}, nil
}

func generate(_ string, args []string) (operation, error) {
	if len(args) != 2 || args[0] != "session" {
		return nil, absent("keys at rest")
	}
	name := args[1]
	c, isCurve := curves[name]
	bits, notRSA := strconv.Atoi(strings.TrimPrefix(name, "rsa"))
	switch {
	case isCurve:
		return func() (err error) { result, err = ecdsa.GenerateKey(c.curve, rand.Reader); return }, nil
	case name == "ed25519":
		return func() (err error) { _, result, err = ed25519.GenerateKey(rand.Reader); return }, nil
	case name == "x25519":
		return func() (err error) { result, err = ecdh.X25519().GenerateKey(rand.Reader); return }, nil
	case name == "mlkem768":
		return func() (err error) { result, err = mlkem.GenerateKey768(); return }, nil
	case notRSA == nil:
		return func() (err error) { result, err = rsa.GenerateKey(rand.Reader, bits); return }, nil
	}
	return nil, absent(name + " keys")
}
