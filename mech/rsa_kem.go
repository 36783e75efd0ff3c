package mech

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"coffer/p11"
)

// Key encapsulation with RSA (PKCS #11 v3.2, sections 6.1.6, 6.1.8 and 6.1.12):
// with padding, the secret is random bytes that are encrypted; without, it is
// RSASVE of NIST SP 800-56B, section 7.2.1, whose secret is as long as the
// modulus.

// encapsulateRSA encrypts random bytes, of a length that the template has to
// say.
func encapsulateRSA(encrypt func(Key, p11.Params) (Op, error)) func(Key, p11.Params, int) (ciphertext, secret []byte, err error) {
	return func(k Key, p p11.Params, length int) ([]byte, []byte, error) {
		op, err := encrypt(k, p)
		if err != nil {
			return nil, nil, err
		}
		defer op.Wipe()
		if err := hasLength(length); err != nil {
			return nil, nil, err
		}
		if length > maxSecret {
			return nil, nil, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a secret of %d bytes is more than any RSA key takes", length)
		}
		secret := make([]byte, length)
		rand.Read(secret)
		ciphertext := make([]byte, op.FinalSize(length).Max)
		n, err := op.Final(ciphertext, secret)
		if err != nil {
			clear(secret)
			return nil, nil, recode(err, p11.CKR_DATA_LEN_RANGE, p11.CKR_KEY_SIZE_RANGE)
		}
		return ciphertext[:n], secret, nil
	}
}

// encapsulateSizeRSA is wrapSizeRSA for a key that is yet to be made.
func encapsulateSizeRSA(most func(*rsa.PublicKey, p11.Params) (int, error)) func(Key, p11.Params, int) (int, error) {
	size := wrapSizeRSA(most)
	return func(k Key, p p11.Params, length int) (int, error) {
		n, err := size(k, p, length)
		if err == nil {
			err = hasLength(length)
		}
		return n, err
	}
}

func hasLength(length int) error {
	if length == 0 {
		return p11.Errorf(p11.CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN, or a key type that has only one length, is needed")
	}
	return nil
}

// decapsulateRSAPKCS1 makes a secret of any ciphertext of the right length, as
// ML-KEM does: wrong padding, or a secret of another length, gives one that
// depends on the private key and the ciphertext only. So it tells nobody
// whether the padding was right, which is what Bleichenbacher's attack asks.
// For that the length has to be known beforehand.
func decapsulateRSAPKCS1(k Key, _ p11.Params, ciphertext []byte, length int) ([]byte, error) {
	key, err := materialOf[*rsaPrivateKey](k)
	if err != nil {
		return nil, err
	}
	if err := hasLength(length); err != nil {
		return nil, err
	}
	if length > key.Size()-pkcs1Overhead {
		return nil, recode(errRSADataTooLong(length, key.Size()-pkcs1Overhead), p11.CKR_DATA_LEN_RANGE, p11.CKR_KEY_SIZE_RANGE)
	}
	if len(ciphertext) != key.Size() {
		return nil, errRSACiphertextLength(len(ciphertext), key.Size())
	}
	secret := rejectionSecret(key.PrivateKey, ciphertext, length)
	if err := key.openSecret(secret, ciphertext); errors.Is(err, errRSAFault) {
		clear(secret)
		return nil, err
	} else if err != nil {
		clear(secret)
		return nil, p11.Errorf(p11.CKR_ENCRYPTED_DATA_INVALID, "the ciphertext is not less than the modulus")
	}
	return secret, nil
}

// openSecret puts in place of secret what is in a ciphertext, if that is padded
// rightly and as long as secret. Whether it did it does not tell.
func (k *rsaPrivateKey) openSecret(secret, ciphertext []byte) error {
	if k.kernels == nil {
		//lint:ignore SA1019 the mechanism is that of the standard
		return rsa.DecryptPKCS1v15SessionKey(nil, k.PrivateKey, ciphertext, secret)
	}
	em := make([]byte, k.Size())
	defer clear(em)
	if err := k.exp(em, ciphertext); err != nil {
		return err
	}
	start, right := findPKCS1(em)
	right &= subtle.ConstantTimeEq(int32(start), int32(len(em)-len(secret)))
	subtle.ConstantTimeCopy(right, secret, em[len(em)-len(secret):])
	return nil
}

// unwrapRSAPKCS1 is decapsulateRSAPKCS1 under the codes of C_UnwrapKey.
func unwrapRSAPKCS1(k Key, p p11.Params, wrapped []byte, length int) ([]byte, error) {
	secret, err := decapsulateRSAPKCS1(k, p, wrapped, length)
	for from, to := range map[p11.RV]p11.RV{
		p11.CKR_ENCRYPTED_DATA_LEN_RANGE: p11.CKR_WRAPPED_KEY_LEN_RANGE, p11.CKR_ENCRYPTED_DATA_INVALID: p11.CKR_WRAPPED_KEY_INVALID,
		p11.CKR_KEY_SIZE_RANGE: p11.CKR_WRAPPED_KEY_LEN_RANGE, // no blob has a key of that length
	} {
		err = recode(err, from, to)
	}
	return secret, err
}

// rejectionSecret is what a ciphertext with wrong padding decapsulates to: the
// same each time, or else doing it twice would tell. The length goes in, so
// that secrets of two lengths are not each other's beginnings either.
func rejectionSecret(key *rsa.PrivateKey, ciphertext []byte, length int) []byte {
	d := key.D.FillBytes(make([]byte, key.Size()))
	defer clear(d)
	mac := hmac.New(sha256.New, d)
	out := make([]byte, 0, length+sha256.Size)
	var head [8]byte
	binary.BigEndian.PutUint32(head[4:], uint32(length))
	for i := uint32(1); len(out) < length; i++ {
		binary.BigEndian.PutUint32(head[:4], i)
		mac.Reset()
		mac.Write([]byte("coffer: RSA PKCS #1 v1.5 implicit rejection"))
		mac.Write(head[:])
		mac.Write(ciphertext)
		out = mac.Sum(out)
	}
	clear(out[length:])
	return out[:length:length]
}

func errRSACiphertextLength(n, want int) error {
	return p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "a ciphertext of this key has %d bytes, not %d", want, n)
}

// decapsulateRSAOAEP says no to what was not made with the public key and the
// label. A length is only compared.
func decapsulateRSAOAEP(k Key, p p11.Params, ciphertext []byte, length int) ([]byte, error) {
	op, err := decryptRSAOAEP(k, p)
	if err != nil {
		return nil, err
	}
	defer op.Wipe()
	out := make([]byte, op.FinalSize(len(ciphertext)).Max)
	n, err := op.Final(out, ciphertext)
	if err == nil && (n == 0 || length != 0 && n != length) {
		err = p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "the secret inside is not of the length that the template or the key type says")
	}
	if err != nil {
		clear(out)
		return nil, err
	}
	return out[:n:n], nil
}

// svLength returns the only length of a secret of RSASVE.
func svLength(size, length int) error {
	if length != 0 && length != size {
		return p11.Errorf(p11.CKR_TEMPLATE_INCONSISTENT, "the secret has the %d bytes of the modulus, not %d: derive a shorter key of it", size, length)
	}
	return nil
}

func encapsulateSizeRSAX509(k Key, _ p11.Params, length int) (int, error) {
	key, err := materialOf[*rsaPublicKey](k)
	if err != nil {
		return 0, err
	}
	return key.Size(), svLength(key.Size(), length)
}

func encapsulateRSAX509(k Key, _ p11.Params, length int) (ciphertext, secret []byte, err error) {
	key, err := materialOf[*rsaPublicKey](k)
	if err != nil {
		return nil, nil, err
	}
	if err := svLength(key.Size(), length); err != nil {
		return nil, nil, err
	}
	z, err := rand.Int(rand.Reader, key.N) // 0 and 1 are as likely as any other
	if err != nil {
		return nil, nil, err
	}
	defer wipeBig(z)
	secret = z.FillBytes(make([]byte, key.Size()))
	ciphertext = make([]byte, key.Size())
	if err := key.exp(ciphertext, secret); err != nil {
		clear(secret)
		return nil, nil, err
	}
	return ciphertext, secret, nil
}

// decapsulateRSAX509 is the private operation on what the caller likes, but
// for 0, 1 and n-1, which the operation does not change.
func decapsulateRSAX509(k Key, _ p11.Params, ciphertext []byte, length int) ([]byte, error) {
	key, err := materialOf[*rsaPrivateKey](k)
	if err != nil {
		return nil, err
	}
	if err := svLength(key.Size(), length); err != nil {
		return nil, err
	}
	if len(ciphertext) != key.Size() {
		return nil, errRSACiphertextLength(len(ciphertext), key.Size())
	}
	secret := make([]byte, key.Size())
	err = key.exp(secret, ciphertext)
	if errors.Is(err, errRSAFault) {
		return nil, err
	}
	if err != nil || subtle.ConstantTimeCompare(secret, ciphertext) == 1 {
		clear(secret)
		return nil, p11.Errorf(p11.CKR_ENCRYPTED_DATA_INVALID, "the ciphertext is not a number from 2 to the modulus less 2")
	}
	return secret, nil
}
