package token

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"

	"coffer/p11"
)

// nonces makes the IVs of one message encryption process (PKCS #11 v3.2,
// 6.13.2, CK_GENERATOR_FUNCTION). The first generator that the process uses is
// its only one, with one length and one fixed part: so no IV that it makes
// comes twice. What a caller gives himself, by CKG_NO_GENERATE, is his affair.
//
//	CKG_GENERATE              a random start, and from there on one more each time
//	CKG_GENERATE_COUNTER      0, 1, 2, …
//	CKG_GENERATE_COUNTER_XOR  what the caller gave, XORed with 0, 1, 2, …
//	CKG_GENERATE_RANDOM       random bits, so few that two are not likely the same
//
// The counters start at zero with each C_MessageEncryptInit, as the standard
// says: two processes with one key need two fixed parts.
type nonces struct {
	generator p11.Generator // 0 before the first use
	fixedBits uint64
	size      int
	start     [maxMadeNonce]byte // fixed part, and what the variable part starts from
	iv        [maxMadeNonce]byte // the last one made
	given     []byte             // a copy of the caller's IV
	count     uint64             // IVs made
}

const (
	// maxMadeNonce is the length in bytes of the longest IV that is made here.
	maxMadeNonce = 32
	// minRandomBits is the least that is left to chance: the shortest nonce of
	// CCM, which the standard wants to be made without a fixed part.
	minRandomBits = 56
)

// next returns the IV of the next message, for the time of that message.
func (n *nonces) next(p *p11.MessageParams) ([]byte, error) {
	if p.Generator == p11.CKG_NO_GENERATE {
		n.given = append(n.given[:0], p.IV...)
		return n.given, nil
	}
	if n.generator == 0 {
		if err := n.bind(p); err != nil {
			return nil, err
		}
	} else if p.Generator != n.generator || p.FixedBits != n.fixedBits || len(p.IV) != n.size || !n.sameStart(p) {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the generator, the length of the IV and its fixed part stay as they were at the first message")
	}
	width := uint(8*uint64(n.size) - n.fixedBits)
	if n.count >= n.limit(width) {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the %d bits that the fixed part leaves are used up after %d messages", width, n.count)
	}
	iv := n.iv[:n.size]
	copy(iv, n.start[:n.size])
	switch n.generator {
	case p11.CKG_GENERATE_RANDOM:
		n.fill(iv)
	case p11.CKG_GENERATE:
		addTo(iv, n.count)
		n.fix(iv)
	default:
		var counter [8]byte
		binary.BigEndian.PutUint64(counter[:], n.count)
		k := min(n.size, len(counter))
		end := iv[n.size-k:]
		subtle.XORBytes(end, end, counter[len(counter)-k:])
	}
	n.count++
	return iv, nil
}

// bind takes what the first message says for the whole process.
func (n *nonces) bind(p *p11.MessageParams) error {
	bits := 8 * uint64(len(p.IV))
	switch p.Generator {
	case p11.CKG_GENERATE, p11.CKG_GENERATE_RANDOM:
		if p.FixedBits > bits || bits-p.FixedBits < minRandomBits {
			return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "an IV of %d bits, %d of them fixed, leaves less than %d to be made", bits, p.FixedBits, minRandomBits)
		}
	case p11.CKG_GENERATE_COUNTER, p11.CKG_GENERATE_COUNTER_XOR:
		if p.FixedBits >= bits {
			return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "an IV of %d bits, %d of them fixed, leaves nothing to count", bits, p.FixedBits)
		}
	default:
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no IV generator %v", p.Generator)
	}
	if len(p.IV) > maxMadeNonce {
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the token makes IVs of at most %d bytes, not %d", maxMadeNonce, len(p.IV))
	}
	n.generator, n.fixedBits, n.size = p.Generator, p.FixedBits, len(p.IV)
	copy(n.start[:], p.IV)
	switch p.Generator {
	case p11.CKG_GENERATE:
		n.fill(n.iv[:n.size])
		copy(n.start[:], n.iv[:n.size])
	case p11.CKG_GENERATE_COUNTER:
		clearBits(n.start[:n.size], n.fixedBits)
	}
	return nil
}

// sameStart reports whether the caller's part of the IV is what it was: the
// fixed part, and of CKG_GENERATE_COUNTER_XOR all of it.
func (n *nonces) sameStart(p *p11.MessageParams) bool {
	if n.generator == p11.CKG_GENERATE_COUNTER_XOR {
		return bytes.Equal(p.IV, n.start[:n.size])
	}
	whole, rest := n.fixedBits/8, n.fixedBits%8
	if !bytes.Equal(p.IV[:whole], n.start[:whole]) {
		return false
	}
	return rest == 0 || (p.IV[whole]^n.start[whole])>>(8-rest) == 0
}

// limit is how many IVs a generator makes of width bits. For random ones it
// keeps the odds of two that are the same at 2^-33, as NIST SP 800-38D, section
// 8.3, does for 96 bits.
func (n *nonces) limit(width uint) uint64 {
	if n.generator == p11.CKG_GENERATE_RANDOM {
		return 1 << min((width-32)/2, 32)
	}
	if width >= 64 {
		return 1<<64 - 1
	}
	return 1 << width
}

// fill puts random bits behind the fixed part.
func (n *nonces) fill(iv []byte) {
	at := n.fixedBits / 8
	rand.Read(iv[at:])
	n.fix(iv)
}

// fix puts the fixed part back.
func (n *nonces) fix(iv []byte) {
	whole, rest := n.fixedBits/8, n.fixedBits%8
	copy(iv[:whole], n.start[:whole])
	if rest > 0 {
		mask := byte(0xff) >> rest
		iv[whole] = n.start[whole]&^mask | iv[whole]&mask
	}
}

// clearBits clears all but the first bits.
func clearBits(iv []byte, from uint64) {
	whole := from / 8
	if rest := from % 8; rest > 0 {
		iv[whole] &^= 0xff >> rest
		whole++
	}
	clear(iv[whole:])
}

// addTo adds to a big-endian number.
func addTo(iv []byte, v uint64) {
	for i := len(iv) - 1; i >= 0 && v > 0; i-- {
		v += uint64(iv[i])
		iv[i] = byte(v)
		v >>= 8
	}
}
