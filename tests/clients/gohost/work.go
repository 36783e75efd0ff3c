package main

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"

	"github.com/miekg/pkcs11"
)

// A shared token: the keys that every worker uses, and their public halves to
// verify with.
type shared struct {
	p         *pkcs11.Ctx
	slot      uint
	rsa       *rsa.PublicKey
	ec        *ecdsa.PublicKey
	rsaKey    pkcs11.ObjectHandle
	ecKey     pkcs11.ObjectHandle
	aesKey    pkcs11.ObjectHandle
	aesBlock  cipher.Block
	keepAlive pkcs11.SessionHandle // owns the keys, which are session objects
}

// open finds the token, logs in and makes the keys.
func open(p *pkcs11.Ctx) (*shared, error) {
	slots, err := p.GetSlotList(true)
	if err != nil {
		return nil, err
	}
	t := &shared{p: p}
	found := false
	for _, s := range slots {
		info, err := p.GetTokenInfo(s)
		if err != nil {
			return nil, err
		}
		if info.Label == token {
			t.slot, found = s, true
		}
	}
	if !found {
		return nil, fmt.Errorf("no token %q in %d slots", token, len(slots))
	}
	if t.keepAlive, err = p.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION); err != nil {
		return nil, err
	}
	if err := p.Login(t.keepAlive, pkcs11.CKU_USER, pin); err != nil {
		return nil, err
	}
	return t, errors.Join(t.makeRSA(), t.makeEC(), t.makeAES())
}

func (t *shared) makeRSA() error {
	pub, key, err := t.p.GenerateKeyPair(t.keepAlive, mechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil),
		[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, 2048)}, nil)
	if err != nil {
		return err
	}
	a, err := t.p.GetAttributeValue(t.keepAlive, pub, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_MODULUS, nil), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, nil)})
	if err != nil {
		return err
	}
	t.rsaKey = key
	t.rsa = &rsa.PublicKey{N: new(big.Int).SetBytes(a[0].Value), E: int(new(big.Int).SetBytes(a[1].Value).Int64())}
	return nil
}

func (t *shared) makeEC() error {
	p256, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
	if err != nil {
		return err
	}
	pub, key, err := t.p.GenerateKeyPair(t.keepAlive, mechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil),
		[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, p256)}, nil)
	if err != nil {
		return err
	}
	a, err := t.p.GetAttributeValue(t.keepAlive, pub, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
	if err != nil {
		return err
	}
	var point []byte
	if _, err := asn1.Unmarshal(a[0].Value, &point); err != nil {
		return err
	}
	t.ecKey = key
	t.ec, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	return err
}

func (t *shared) makeAES() error {
	raw := []byte("a key of the host's of 32 bytes.")
	key, err := t.p.CreateObject(t.keepAlive, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
		pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true),
		pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, raw),
	})
	if err != nil {
		return err
	}
	t.aesKey = key
	t.aesBlock, err = aes.NewCipher(raw)
	return err
}

func mechanism(m uint, param any) []*pkcs11.Mechanism {
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(m, param)}
}

// A worker has a session and a source of inputs of its own.
type worker struct {
	*shared
	session pkcs11.SessionHandle
	inputs  *rand.ChaCha8
	n       int
}

func (t *shared) worker(seed uint64) (*worker, error) {
	s, err := t.p.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, err
	}
	return &worker{shared: t, session: s, inputs: rand.NewChaCha8([32]byte{byte(seed)})}, nil
}

func (w *worker) close() error { return w.p.CloseSession(w.session) }

func (w *worker) bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = w.inputs.Read(b)
	return b
}

// use does the next of the operations and verifies what it gave.
func (w *worker) use() error {
	all := []func() error{w.signEC, w.gcm, w.digest, w.signRSA, w.cbc, w.signEC, w.find, w.random}
	w.n++
	return all[w.n%len(all)]()
}

func (w *worker) sign(mech uint, key pkcs11.ObjectHandle, data []byte) ([]byte, error) {
	if err := w.p.SignInit(w.session, mechanism(mech, nil), key); err != nil {
		return nil, err
	}
	return w.p.Sign(w.session, data)
}

func (w *worker) signEC() error {
	hash := w.bytes(32)
	sig, err := w.sign(pkcs11.CKM_ECDSA, w.ecKey, hash)
	if err != nil {
		return err
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if !ecdsa.Verify(w.ec, hash, r, s) {
		return fmt.Errorf("wrong ECDSA signature %x of %x", sig, hash)
	}
	return nil
}

func (w *worker) signRSA() error {
	data := w.bytes(w.n % 5000)
	sig, err := w.sign(pkcs11.CKM_SHA256_RSA_PKCS, w.rsaKey, data)
	if err != nil {
		return err
	}
	hash := sha256.Sum256(data)
	return rsa.VerifyPKCS1v15(w.rsa, crypto.SHA256, hash[:], sig)
}

func (w *worker) gcm() error {
	iv, aad, plain := w.bytes(12), w.bytes(20), w.bytes(w.n%20000+1)
	params := pkcs11.NewGCMParams(iv, aad, 128)
	defer params.Free()
	if err := w.p.EncryptInit(w.session, mechanism(pkcs11.CKM_AES_GCM, params), w.aesKey); err != nil {
		return err
	}
	got, err := w.p.Encrypt(w.session, plain)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(w.aesBlock)
	if err != nil {
		return err
	}
	if want := aead.Seal(nil, iv, plain, aad); !bytes.Equal(got, want) {
		return fmt.Errorf("GCM: got %x, want %x", got, want)
	}
	return nil
}

func (w *worker) cbc() error {
	iv, plain := w.bytes(16), w.bytes((w.n%100+2)*16)
	if err := w.p.EncryptInit(w.session, mechanism(pkcs11.CKM_AES_CBC, iv), w.aesKey); err != nil {
		return err
	}
	var got []byte
	for _, part := range [][]byte{plain[:7], plain[7:]} {
		out, err := w.p.EncryptUpdate(w.session, part)
		if err != nil {
			return err
		}
		got = append(got, out...)
	}
	if _, err := w.p.EncryptFinal(w.session); err != nil {
		return err
	}
	want := make([]byte, len(plain))
	cipher.NewCBCEncrypter(w.aesBlock, iv).CryptBlocks(want, plain)
	if !bytes.Equal(got, want) {
		return fmt.Errorf("CBC: got %x, want %x", got, want)
	}
	return nil
}

func (w *worker) digest() error {
	data := w.bytes(w.n % 50000)
	if err := w.p.DigestInit(w.session, mechanism(pkcs11.CKM_SHA256, nil)); err != nil {
		return err
	}
	got, err := w.p.Digest(w.session, data)
	if err != nil {
		return err
	}
	if want := sha256.Sum256(data); !bytes.Equal(got, want[:]) {
		return fmt.Errorf("SHA-256: got %x, want %x", got, want)
	}
	return nil
}

func (w *worker) find() error {
	if err := w.p.FindObjectsInit(w.session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false)}); err != nil {
		return err
	}
	found, _, err := w.p.FindObjects(w.session, 10)
	if err != nil {
		return err
	}
	if len(found) != 2 {
		return fmt.Errorf("found %d private keys, want 2", len(found))
	}
	return w.p.FindObjectsFinal(w.session)
}

func (w *worker) random() error {
	a, err := w.p.GenerateRandom(w.session, 32)
	if err != nil {
		return err
	}
	b, err := w.p.GenerateRandom(w.session, 32)
	if err != nil {
		return err
	}
	if bytes.Equal(a, b) {
		return fmt.Errorf("random numbers repeat: %x", a)
	}
	return nil
}
