package mech

import (
	"hash"

	"coffer/p11"
)

// hashThen makes of a constructor of signatures over a digest one of
// signatures over data of any length: its Op hashes with h and ends with
// raw.Final over the digest.
func hashThen(h *hashAlg, raw func(Key, p11.Params) (Op, error)) func(Key, p11.Params) (Op, error) {
	return func(k Key, p p11.Params) (Op, error) {
		op, err := raw(k, p)
		if err != nil {
			return nil, err
		}
		return &hashingOp{hash: h.New(), raw: op}, nil
	}
}

// hashThenVerify is hashThen for verification.
func hashThenVerify(h *hashAlg, raw func(Key, p11.Params) (VerifyOp, error)) func(Key, p11.Params) (VerifyOp, error) {
	return func(k Key, p p11.Params) (VerifyOp, error) {
		op, err := raw(k, p)
		if err != nil {
			return nil, err
		}
		return &hashingVerifyOp{hash: h.New(), raw: op}, nil
	}
}

// hashingOp hashes, then signs the digest.
type hashingOp struct {
	hash   hash.Hash
	raw    Op
	digest [maxDigest]byte
}

func (o *hashingOp) Update(_, src []byte) (int, error) {
	o.hash.Write(src)
	return 0, nil
}

func (o *hashingOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *hashingOp) Final(dst, src []byte) (int, error) {
	o.hash.Write(src)
	return o.raw.Final(dst, o.hash.Sum(o.digest[:0]))
}

func (o *hashingOp) FinalSize(int) Size { return o.raw.FinalSize(o.hash.Size()) }

func (o *hashingOp) Wipe() {
	o.raw.Wipe()
	wipeHash(o.hash)
	clear(o.digest[:])
}

// hashingVerifyOp hashes, then verifies a signature over the digest.
type hashingVerifyOp struct {
	hash   hash.Hash
	raw    VerifyOp
	digest [maxDigest]byte
}

func (o *hashingVerifyOp) Update(src []byte) error {
	o.hash.Write(src)
	return nil
}

func (o *hashingVerifyOp) Verify(src, sig []byte) error {
	o.hash.Write(src)
	return o.raw.Verify(o.hash.Sum(o.digest[:0]), sig)
}

func (o *hashingVerifyOp) Wipe() {
	o.raw.Wipe()
	wipeHash(o.hash)
	clear(o.digest[:])
}
