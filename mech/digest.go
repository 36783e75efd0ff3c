package mech

import "coffer/p11"

// digestFamily has the message digests (PKCS #11 v3.2, section 6.20 ff.).
var digestFamily = Family{Name: "digest", Mechanisms: digestMechanisms()}

func digestMechanisms() []Mechanism {
	var ms []Mechanism
	for _, h := range allHashes() {
		ms = append(ms, Mechanism{
			Type:   h.Digest,
			Weak:   h.weakUnsigned(),
			Digest: func(p11.Params) (Op, error) { return &hashOp{hash: h.New(), size: h.Size()}, nil },
		})
	}
	return append(ms, Mechanism{Type: p11.CKM_SHA512_T, Params: p11.ParamULong, Digest: digestSHA512T})
}
