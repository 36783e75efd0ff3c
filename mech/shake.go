package mech

import (
	"crypto/sha3"
	"hash"
)

// shakeHash is SHAKE with a digest of fixed length.
type shakeHash struct {
	*sha3.SHAKE
	size int
}

func (h *shakeHash) Size() int { return h.size }

func (h *shakeHash) Sum(b []byte) []byte {
	state := *h.SHAKE // reading changes it
	n := len(b)
	b = append(b, make([]byte, h.size)...)
	state.Read(b[n:])
	state.Reset()
	return b
}

func (h *shakeHash) wipe() { h.Reset() }

// shakeAlgs are SHAKE as a hash before a signature (FIPS 204, section 5.4).
var shakeAlgs = []hashAlg{
	{Name: "SHAKE128", Length: 32, New: func() hash.Hash { return &shakeHash{SHAKE: sha3.NewSHAKE128(), size: 32} }},
	{Name: "SHAKE256", Length: 64, New: func() hash.Hash { return &shakeHash{SHAKE: sha3.NewSHAKE256(), size: 64} }},
}
