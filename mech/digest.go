package mech

import (
	"hash"

	"coffer/p11"
)

// digestFamily has the message digests (PKCS #11 v3.2, section 6.20 ff.).
var digestFamily = Family{Name: "digest", Mechanisms: digestMechanisms()}

func digestMechanisms() []Mechanism {
	var ms []Mechanism
	for i := range hashAlgs {
		h := &hashAlgs[i]
		ms = append(ms, Mechanism{
			Type:   h.Digest,
			Digest: func(p11.Params) (Op, error) { return &digestOp{hash: h.New()}, nil },
		})
	}
	return ms
}

// digestOp computes a digest.
type digestOp struct {
	hash hash.Hash
	sum  [maxDigest]byte
}

func (o *digestOp) Update(_, src []byte) (int, error) {
	o.hash.Write(src)
	return 0, nil
}

func (o *digestOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *digestOp) Final(dst, src []byte) (int, error) {
	o.hash.Write(src)
	return copy(dst, o.hash.Sum(o.sum[:0])), nil
}

func (o *digestOp) FinalSize(int) Size { return Size{Max: o.hash.Size(), Exact: true} }

func (o *digestOp) Wipe() {
	o.hash.Reset()
	clear(o.sum[:])
}
