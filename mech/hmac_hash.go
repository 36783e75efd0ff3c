package mech

import "hash"

// hmacHash is HMAC (FIPS 198-1, RFC 2104) over one of hashAlgs. It is
// crypto/hmac's result, in memory that can be wiped: that keeps the padded key
// in slices of its own, which nobody else can get at.
type hmacHash struct {
	inner, outer hash.Hash
	pad          [maxBlock]byte // the key under the outer pad
	sum          [maxDigest]byte
}

// maxBlock is the length of the longest block of a hash in bytes: SHA3-224's.
const maxBlock = 144

func newHMAC(h *hashAlg, key []byte) *hmacHash {
	m := &hmacHash{inner: h.New(), outer: h.New()}
	if len(key) > m.inner.BlockSize() {
		m.outer.Write(key)
		key = m.outer.Sum(m.sum[:0])
		m.outer.Reset()
	}
	pad := m.pad[:m.inner.BlockSize()]
	copy(pad, key)
	xorAll(pad, 0x36)
	m.inner.Write(pad)
	xorAll(pad, 0x36^0x5c)
	return m
}

func xorAll(b []byte, with byte) {
	for i := range b {
		b[i] ^= with
	}
}

func (m *hmacHash) Write(p []byte) (int, error) { return m.inner.Write(p) }

// Sum leaves the state as it is, as hash.Hash has it.
func (m *hmacHash) Sum(b []byte) []byte {
	inner := m.inner.Sum(m.sum[:0])
	m.outer.Reset()
	m.outer.Write(m.pad[:m.inner.BlockSize()])
	m.outer.Write(inner)
	return m.outer.Sum(b)
}

// Reset goes back to where no data was written.
func (m *hmacHash) Reset() {
	pad := m.pad[:m.inner.BlockSize()]
	xorAll(pad, 0x36^0x5c)
	m.inner.Reset()
	m.inner.Write(pad)
	xorAll(pad, 0x36^0x5c)
}

func (m *hmacHash) Size() int      { return m.inner.Size() }
func (m *hmacHash) BlockSize() int { return m.inner.BlockSize() }

func (m *hmacHash) wipe() {
	wipeHash(m.inner)
	wipeHash(m.outer)
	*m = hmacHash{}
}
