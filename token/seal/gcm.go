package seal

import (
	"crypto/aes"
	"crypto/cipher"
)

// overhead is what AES-256-GCM adds to a plaintext here: a random nonce of 96
// bits before it, a tag of 128 bits after it (SP 800-38D, section 8.2.2).
const overhead = 12 + 16

// newGCM returns AES-256-GCM under key, which the caller wipes. The expanded
// key stays on the heap until the collector reuses the place.
func newGCM(key *[keySize]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("seal: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return aead
}
