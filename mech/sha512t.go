package mech

import (
	"crypto/sha512"
	"encoding"
	"hash"
	"strconv"

	"coffer/p11"
)

// SHA-512/t for any t (PKCS #11 v3.2, section 6.27; FIPS 180-4, section 5.3.6).
// The standard library has t = 224 and t = 256, and lets its state be set.
//
// CKM_SHA512_T_HMAC, which the text gives no parameter, and _GENERAL, whose
// parameter is the MAC's length, leave nothing that says what t is: they are
// not here.

// digestSHA512T takes t, in bits, as the parameter.
func digestSHA512T(p p11.Params) (Op, error) {
	t, err := sha512TBits(p)
	if err != nil {
		return nil, err
	}
	return &hashOp{hash: newSHA512T(t), size: (t + 7) / 8}, nil
}

func sha512TBits(p p11.Params) (int, error) {
	t, err := paramAs[p11.ULongParam](p)
	if err != nil {
		return 0, err
	}
	if t == 0 || t >= 512 || t == 384 {
		return 0, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no SHA-512/%d", t)
	}
	return int(t), nil
}

// sha512T is SHA-512 from another initial value, cut to t bits.
type sha512T struct {
	hash.Hash
	t int
}

func newSHA512T(t int) hash.Hash {
	// The function that makes the initial value is SHA-512 with each byte of
	// its own initial value changed.
	first := sha512State(sha512.New())
	for i := sha512Magic; i < sha512Magic+sha512.Size; i++ {
		first[i] ^= 0xa5
	}
	generator := sha512From(first)
	generator.Write([]byte("SHA-512/" + strconv.Itoa(t)))
	own := sha512State(sha512.New())
	copy(own[sha512Magic:], generator.Sum(nil))
	return &sha512T{sha512From(own), t}
}

// sha512Magic is the length of what comes before the eight words of the state
// in the marshalled form of crypto/sha512.
const sha512Magic = 4

func sha512State(h hash.Hash) []byte {
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic("mech: " + err.Error()) // never
	}
	return state
}

func sha512From(state []byte) hash.Hash {
	h := sha512.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		panic("mech: " + err.Error()) // never, for what sha512State returned
	}
	return h
}

func (h *sha512T) Size() int { return (h.t + 7) / 8 }

// Sum appends the leftmost t bits, and zeros to the end of the byte.
func (h *sha512T) Sum(b []byte) []byte {
	var sum [sha512.Size]byte
	h.Hash.Sum(sum[:0])
	n := h.Size()
	if rest := h.t % 8; rest != 0 {
		sum[n-1] &= 0xff << (8 - rest)
	}
	return append(b, sum[:n]...)
}

// wipe forgets what was hashed.
func (h *sha512T) wipe() { erase(h.Hash) }
