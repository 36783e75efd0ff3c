package mech

import (
	"bytes"

	"coffer/p11"
)

// This file recovers the data from RSA signatures (PKCS #11 v3.2, sections
// 6.1.6 and 6.1.12). CKM_RSA_9796 is not here: ISO/IEC 9796 was withdrawn
// after a forgery that needs no more than a few signatures of chosen data
// (Coppersmith, Halevi, Jutla, 1999), and no client asks for it.

// recoverRSAPKCS1 returns an Op that takes the padding of PKCS #1 off a
// signature: block type 1, which everybody can compute, so that nothing here
// has to take the same time for all.
func recoverRSAPKCS1(k Key, _ p11.Params) (Op, error) {
	return recoverRSA(k, pkcs1Overhead, func(block []byte) ([]byte, bool) {
		rest, ok := bytes.CutPrefix(block, []byte{0, 1})
		filled := bytes.IndexByte(rest, 0)
		if !ok || filled < pkcs1Overhead-3 || bytes.Count(rest[:filled], []byte{0xff}) != filled {
			return nil, false
		}
		return rest[filled+1:], true
	})
}

// recoverRSAX509 returns an Op that gives back all of the block, zeros too.
func recoverRSAX509(k Key, _ p11.Params) (Op, error) {
	return recoverRSA(k, 0, func(block []byte) ([]byte, bool) { return block, true })
}

// recoverRSA returns an Op that opens signatures whose data, found by unpad, is
// shorter than the modulus by overhead bytes at least.
func recoverRSA(k Key, overhead int, unpad func(block []byte) (data []byte, ok bool)) (Op, error) {
	key, err := materialOf[*rsaPublicKey](k)
	if err != nil {
		return nil, err
	}
	return &wholeOp{
		size: Size{Max: key.Size() - overhead},
		run: func(dst, sig []byte) (int, error) {
			if len(sig) != key.Size() {
				return 0, p11.Errorf(p11.CKR_SIGNATURE_LEN_RANGE, "a signature of this key has %d bytes, not %d", key.Size(), len(sig))
			}
			block := make([]byte, key.Size())
			if key.exp(block, sig) != nil {
				return 0, p11.CKR_SIGNATURE_INVALID
			}
			data, ok := unpad(block)
			if !ok {
				return 0, p11.CKR_SIGNATURE_INVALID
			}
			return copy(dst, data), nil
		},
	}, nil
}
