package mech

import (
	"crypto/rand"

	"coffer/p11"
)

// This file has the mechanisms that ML-DSA and SLH-DSA share (PKCS #11 v3.2,
// sections 6.67.5 to 6.67.7 and 6.69.5 to 6.69.7): of a message, of a digest
// that the caller made, and of a message that is hashed here. What the key signs
// is in each case M' = domain ‖ length of context ‖ context ‖ message, with the
// object identifier of the hash before a digest (FIPS 204, algorithms 2 and 4;
// FIPS 205, algorithms 22 and 23).

// A contextScheme is a signature scheme with contexts.
type contextScheme struct {
	keyType p11.KeyType
	size    KeySize
	pure    p11.MechanismType // CKM_ML_DSA
	digest  p11.MechanismType // CKM_HASH_ML_DSA
	hashing func(h *preHash) p11.MechanismType
	// sign and verify begin with head, which is M' up to the message. hedge is
	// nil for a signature that is deterministic.
	sign   func(k Key, head []byte, hedge func([]byte)) (Op, error)
	verify func(k Key, head []byte) (VerifyOp, error)
}

// A preHash is a hash function whose digest can be signed.
type preHash struct {
	*hashAlg
	arc    byte              // the last one of its object identifier
	mldsa  p11.MechanismType // CKM_HASH_ML_DSA_…, 0 if there is none
	slhdsa p11.MechanismType
}

// oid returns the DER object identifier, 2.16.840.1.101.3.4.2.arc.
func (h *preHash) oid() []byte {
	return []byte{0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, h.arc}
}

var preHashes = []preHash{
	{mustDigest(p11.CKM_SHA224), 4, p11.CKM_HASH_ML_DSA_SHA224, p11.CKM_HASH_SLH_DSA_SHA224},
	{mustDigest(p11.CKM_SHA256), 1, p11.CKM_HASH_ML_DSA_SHA256, p11.CKM_HASH_SLH_DSA_SHA256},
	{mustDigest(p11.CKM_SHA384), 2, p11.CKM_HASH_ML_DSA_SHA384, p11.CKM_HASH_SLH_DSA_SHA384},
	{mustDigest(p11.CKM_SHA512), 3, p11.CKM_HASH_ML_DSA_SHA512, p11.CKM_HASH_SLH_DSA_SHA512},
	{mustDigest(p11.CKM_SHA512_224), 5, 0, 0},
	{mustDigest(p11.CKM_SHA512_256), 6, 0, 0},
	{mustDigest(p11.CKM_SHA3_224), 7, p11.CKM_HASH_ML_DSA_SHA3_224, p11.CKM_HASH_SLH_DSA_SHA3_224},
	{mustDigest(p11.CKM_SHA3_256), 8, p11.CKM_HASH_ML_DSA_SHA3_256, p11.CKM_HASH_SLH_DSA_SHA3_256},
	{mustDigest(p11.CKM_SHA3_384), 9, p11.CKM_HASH_ML_DSA_SHA3_384, p11.CKM_HASH_SLH_DSA_SHA3_384},
	{mustDigest(p11.CKM_SHA3_512), 10, p11.CKM_HASH_ML_DSA_SHA3_512, p11.CKM_HASH_SLH_DSA_SHA3_512},
	{&shakeAlgs[0], 11, p11.CKM_HASH_ML_DSA_SHAKE128, p11.CKM_HASH_SLH_DSA_SHAKE128},
	{&shakeAlgs[1], 12, p11.CKM_HASH_ML_DSA_SHAKE256, p11.CKM_HASH_SLH_DSA_SHAKE256},
}

func mustDigest(t p11.MechanismType) *hashAlg {
	h, ok := hashByDigest(t)
	if !ok {
		panic("mech: there is no digest " + t.String())
	}
	return h
}

// mechanisms returns the rows of the scheme. What is hashed here takes a message
// in any parts; what the caller hashed comes at once.
func (s *contextScheme) mechanisms() []Mechanism {
	row := Mechanism{Keys: []p11.KeyType{s.keyType}, Size: s.size, Params: p11.OptionalSignContext}
	pure := row
	pure.Type = s.pure
	pure.Sign = func(k Key, p p11.Params) (Op, error) { return s.signWith(k, p, nil) }
	pure.Verify = func(k Key, p p11.Params) (VerifyOp, error) { return s.verifyWith(k, p, nil) }
	digest := row
	digest.Type, digest.Params, digest.SinglePart = s.digest, p11.ParamHashSignContext, true
	digest.Sign, digest.Verify = s.signDigest, s.verifyDigest
	ms := []Mechanism{pure, digest}
	for i := range preHashes {
		h := &preHashes[i]
		if row.Type = s.hashing(h); row.Type == 0 {
			continue
		}
		row.Sign = hashThen(h.hashAlg, func(k Key, p p11.Params) (Op, error) { return s.signWith(k, p, h) })
		row.Verify = hashThenVerify(h.hashAlg, func(k Key, p p11.Params) (VerifyOp, error) { return s.verifyWith(k, p, h) })
		ms = append(ms, row)
	}
	return ms
}

// signWith signs the message, or, with a hash, the digest.
func (s *contextScheme) signWith(k Key, p p11.Params, h *preHash) (Op, error) {
	var c p11.SignContext
	if p != nil {
		var err error
		if c, err = paramAs[p11.SignContext](p); err != nil {
			return nil, err
		}
	}
	return s.signIn(k, c, h)
}

func (s *contextScheme) signIn(k Key, c p11.SignContext, h *preHash) (Op, error) {
	head, err := contextHead(c.Context, h)
	if err != nil {
		return nil, err
	}
	switch c.Hedge {
	case p11.CKH_HEDGE_PREFERRED, p11.CKH_HEDGE_REQUIRED:
		return s.sign(k, head, func(b []byte) { rand.Read(b) })
	case p11.CKH_DETERMINISTIC_REQUIRED:
		return s.sign(k, head, nil)
	}
	return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no hedge variant %d", c.Hedge)
}

// verifyWith passes over the hedge, as the standard says.
func (s *contextScheme) verifyWith(k Key, p p11.Params, h *preHash) (VerifyOp, error) {
	var c p11.SignContext
	if p != nil {
		var err error
		if c, err = paramAs[p11.SignContext](p); err != nil {
			return nil, err
		}
	}
	head, err := contextHead(c.Context, h)
	if err != nil {
		return nil, err
	}
	return s.verify(k, head)
}

// contextHead is M' up to the message.
func contextHead(context []byte, h *preHash) ([]byte, error) {
	if len(context) > 255 {
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the context has %d bytes; it may have 255", len(context))
	}
	head := append([]byte{0, byte(len(context))}, context...)
	if h != nil {
		head[0] = 1
		head = append(head, h.oid()...)
	}
	return head, nil
}

// digestParam returns the hash that a CK_HASH_SIGN_ADDITIONAL_CONTEXT names. The
// standard has no CKM_ of SHAKE as a digest.
func digestParam(p p11.Params) (p11.HashSignContext, *preHash, error) {
	c, err := paramAs[p11.HashSignContext](p)
	if err != nil {
		return c, nil, err
	}
	for i := range preHashes {
		if h := &preHashes[i]; c.Hash != 0 && h.Digest == c.Hash {
			return c, h, nil
		}
	}
	return c, nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%v is no hash whose digest is signed", c.Hash)
}

func (s *contextScheme) signDigest(k Key, p p11.Params) (Op, error) {
	c, h, err := digestParam(p)
	if err != nil {
		return nil, err
	}
	op, err := s.signIn(k, c.SignContext, h)
	if err != nil {
		return nil, err
	}
	return &wholeOp{size: op.FinalSize(h.Size()), run: func(dst, src []byte) (int, error) {
		if err := isDigest(src, h); err != nil {
			return 0, err
		}
		return op.Final(dst, src)
	}}, nil
}

func (s *contextScheme) verifyDigest(k Key, p p11.Params) (VerifyOp, error) {
	c, h, err := digestParam(p)
	if err != nil {
		return nil, err
	}
	head, err := contextHead(c.Context, h)
	if err != nil {
		return nil, err
	}
	op, err := s.verify(k, head)
	if err != nil {
		return nil, err
	}
	return wholeVerifyOp(func(src, sig []byte) error {
		if err := isDigest(src, h); err != nil {
			return err
		}
		return op.Verify(src, sig)
	}), nil
}

func isDigest(src []byte, h *preHash) error {
	if len(src) != h.Size() {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "a digest of %s has %d bytes, not %d", h.Name, h.Size(), len(src))
	}
	return nil
}
