package mech

import "coffer/p11"

// A MessageCipher is an AEAD under one key, set up for any number of messages
// (PKCS #11 v3.2, 5.9 and 5.11). Its caller serialises the calls, sees to it
// that no nonce comes twice, and ends it by Wipe.
//
// A ciphertext is as long as its plaintext; the tag is apart. dst begins where
// src does or lies apart from it.
type MessageCipher interface {
	// Check refuses, with CKR_MECHANISM_PARAM_INVALID, a nonce or tag of a
	// length that the mechanism does not have, and with CKR_DATA_LEN_RANGE a
	// message that is too long for it.
	Check(nonce, tag int, size uint64) error
	// Seal encrypts a message into dst and its tag into tag.
	Seal(dst, tag, nonce, src, aad []byte) error
	// Open decrypts one, or says CKR_AEAD_DECRYPT_FAILED and leaves nothing of
	// the plaintext in dst.
	Open(dst, nonce, src, tag, aad []byte) error
	// Begin starts a message whose plaintext comes in parts, of size bytes
	// altogether if the mechanism has to know.
	Begin(nonce, aad []byte, tag int, size uint64) (MessageStream, error)
	Wipe()
}

// A MessageStream is a message that is encrypted in parts.
type MessageStream interface {
	// Encrypt takes the next part; dst begins where src does or lies apart.
	Encrypt(dst, src []byte) error
	// Tag ends the message.
	Tag(dst []byte) error
	Wipe()
}

// errMessageTag is the answer to a message that somebody has changed, or that
// was encrypted with another key, nonce or associated data: which of them is
// nobody's to know.
var errMessageTag = p11.Errorf(p11.CKR_AEAD_DECRYPT_FAILED, "the tag is wrong")

// messageScratch is memory for messages, kept from one to the next as long as
// it is small: crypto/cipher wants the tag behind the ciphertext. It never has
// plaintext in it.
type messageScratch struct{ buf []byte }

// messageScratchMax is the longest message that goes through the scratch.
const messageScratchMax = 64 << 10

// bytes returns n bytes, of any content.
func (s *messageScratch) bytes(n int) []byte {
	if cap(s.buf) < n {
		s.buf = make([]byte, n, max(n, 2<<10))
	}
	return s.buf[:n]
}

// joined returns ciphertext and tag one behind the other.
func (s *messageScratch) joined(ciphertext, tag []byte) []byte {
	b := s.bytes(len(ciphertext) + len(tag))
	copy(b[copy(b, ciphertext):], tag)
	return b
}
