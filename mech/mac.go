package mech

import (
	"crypto/subtle"
	"hash"

	"coffer/p11"
)

// hashOp computes a digest or a message authentication code: the leading size
// bytes of what hash sums up.
type hashOp struct {
	hash hash.Hash // nil once wiped
	size int
	sum  [maxDigest]byte
}

func (o *hashOp) Update(_, src []byte) (int, error) {
	o.hash.Write(src)
	return 0, nil
}

func (o *hashOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *hashOp) Final(dst, src []byte) (int, error) {
	o.hash.Write(src)
	return copy(dst, o.hash.Sum(o.sum[:0])[:o.size]), nil
}

func (o *hashOp) FinalSize(int) Size { return Size{Max: o.size, Exact: true} }

func (o *hashOp) Wipe() {
	wipeHash(o.hash)
	o.hash = nil
	clear(o.sum[:])
}

// macVerifyOp compares a message authentication code with the one given.
type macVerifyOp struct {
	hashOp
}

func (o *macVerifyOp) Update(src []byte) error {
	o.hash.Write(src)
	return nil
}

func (o *macVerifyOp) Verify(src, sig []byte) error {
	if len(sig) != o.size {
		return p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "the MAC has %d bytes, not %d", len(sig), o.size)
	}
	o.hash.Write(src)
	if subtle.ConstantTimeCompare(o.hash.Sum(o.sum[:0])[:o.size], sig) != 1 {
		return p11.CKR_SIGNATURE_INVALID
	}
	return nil
}

// wipeHash forgets what h has seen and, if it has one, its key. h is of no
// further use.
func wipeHash(h hash.Hash) {
	if h != nil {
		erase(h)
	}
}

// A keyedHash makes a MAC with the key given, and size says how many of its
// bytes a parameter asks for.
type keyedHash struct {
	keyed func(key []byte) (hash.Hash, error)
	size  func(p11.Params) (int, error)
}

// whole is the size of a MAC that is not cut, whatever the parameter.
func whole(n int) func(p11.Params) (int, error) {
	return func(p11.Params) (int, error) { return n, nil }
}

// upTo is the size of a MAC that a CK_MAC_GENERAL_PARAMS cuts to 1 to n bytes.
func upTo(n int) func(p11.Params) (int, error) {
	return func(p p11.Params) (int, error) { return macLength(p, n) }
}

func (m keyedHash) init(k Key, p p11.Params) (hashOp, error) {
	size, err := m.size(p)
	if err != nil {
		return hashOp{}, err
	}
	key, err := secretOf(k)
	if err != nil {
		return hashOp{}, err
	}
	h, err := m.keyed(key)
	if err != nil {
		return hashOp{}, err
	}
	return hashOp{hash: h, size: size}, nil
}

func (m keyedHash) sign(k Key, p p11.Params) (Op, error) {
	op, err := m.init(k, p)
	if err != nil {
		return nil, err
	}
	return &op, nil
}

func (m keyedHash) verify(k Key, p p11.Params) (VerifyOp, error) {
	op, err := m.init(k, p)
	if err != nil {
		return nil, err
	}
	return &macVerifyOp{op}, nil
}
