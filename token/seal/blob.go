package seal

import (
	"crypto/rand"

	"coffer/p11"
	"coffer/token/locked"
)

// A blob:
//
//	version 1 | 'B' | salt 32 | nonce 12 | encrypted plaintext | tag 16
//
// The associated data is the caller's, after all that stands before the nonce.
const (
	blobVersion = 1
	blobSaltAt  = 2
	blobAt      = blobSaltAt + 32
)

// SealBlob seals anything that is not an object: it is bound to this master
// key, to label, which says what it is, and to aad.
func (m *Master) SealBlob(label string, aad, plaintext []byte) ([]byte, error) {
	key, err := m.hold(blobsKey)
	if err != nil {
		return nil, err
	}
	defer m.release()
	blob := make([]byte, blobAt, blobAt+len(plaintext)+overhead)
	blob[0], blob[1] = blobVersion, kindBlob
	rand.Read(blob[blobSaltAt:])

	var k [keySize]byte
	derive(&k, key, blob[blobSaltAt:], []byte(label))
	aead := newGCM(&k)
	clear(k[:])
	return aead.Seal(blob, nil, plaintext, append(blob[:blobAt:blobAt], aad...)), nil
}

// OpenBlob returns what SealBlob was given, for the caller to wipe, or
// CKR_DEVICE_ERROR.
func (m *Master) OpenBlob(label string, aad, blob []byte) (*locked.Secret, error) {
	key, err := m.hold(blobsKey)
	if err != nil {
		return nil, err
	}
	defer m.release()
	switch {
	case len(blob) < blobAt+overhead:
		return nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "%s: %d bytes are not a sealed blob", label, len(blob))
	case blob[1] != kindBlob:
		return nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "%s: not a sealed blob", label)
	case blob[0] != blobVersion:
		return nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "%s: format %d, this build reads %d", label, blob[0], blobVersion)
	}
	var k [keySize]byte
	derive(&k, key, blob[blobSaltAt:blobAt], []byte(label))
	aead := newGCM(&k)
	clear(k[:])
	plaintext, err := locked.New(len(blob) - blobAt - overhead)
	if err != nil {
		return nil, err
	}
	if _, err := aead.Open(plaintext.Bytes()[:0], nil, blob[blobAt:], append(blob[:blobAt:blobAt], aad...)); err != nil {
		plaintext.Wipe()
		return nil, p11.Errorf(p11.CKR_DEVICE_ERROR, "%s was altered, or sealed as something else or under another key", label)
	}
	return plaintext, nil
}
