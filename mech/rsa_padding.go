package mech

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/subtle"
)

// This file has the paddings of PKCS #1 for keys that are not crypto/rsa's to
// use (RFC 8017, sections 7.1, 7.2 and 9.2); that of PSS is in rsa_pss.go.
// Blocks are made in memory of our own: of one in the application's another
// thread could make what was never to be signed.

// digestInfos are the DER encodings of DigestInfo up to the digest.
var digestInfos = map[crypto.Hash]string{
	crypto.SHA1:     "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
	crypto.SHA224:   "\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c",
	crypto.SHA256:   "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
	crypto.SHA384:   "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
	crypto.SHA512:   "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
	crypto.SHA3_224: "\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x07\x05\x00\x04\x1c",
	crypto.SHA3_256: "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x08\x05\x00\x04\x20",
	crypto.SHA3_384: "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x09\x05\x00\x04\x30",
	crypto.SHA3_512: "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x0a\x05\x00\x04\x40",
}

// padPKCS1Signature fills em with 0, 1, ff…, 0, what goes before a digest of h
// (nothing if h is 0), and data, which is shorter than em by pkcs1Overhead at
// least with that. The shortest modulus leaves room for the longest digest.
func padPKCS1Signature(em []byte, h crypto.Hash, data []byte) {
	info := digestInfos[h]
	ps := len(em) - len(data) - len(info) - 1
	em[0], em[1] = 0, 1
	for i := 2; i < ps; i++ {
		em[i] = 0xff
	}
	em[ps] = 0
	copy(em[ps+1:], info)
	copy(em[ps+1+len(info):], data)
}

// padPKCS1 fills em with 0, 2, random bytes that are not zero, 0, and data,
// which is shorter by pkcs1Overhead at least.
func padPKCS1(em, data []byte) {
	ps := em[2 : len(em)-len(data)-1]
	rand.Read(ps)
	for i := range ps {
		for ps[i] == 0 {
			rand.Read(ps[i : i+1])
		}
	}
	em[0], em[1], em[2+len(ps)] = 0, 2, 0
	copy(em[2+len(ps)+1:], data)
}

// unpadPKCS1 returns where in em the data begins. Up to there it takes the same
// time for all of one length, whether they are padded rightly or not.
func unpadPKCS1(em []byte) (start int, ok bool) {
	start, right := findPKCS1(em)
	return start, right == 1
}

// findPKCS1 is unpadPKCS1 for who does not tell: right is 1 or 0.
func findPKCS1(em []byte) (start, right int) {
	right = subtle.ConstantTimeByteEq(em[0], 0) & subtle.ConstantTimeByteEq(em[1], 2)
	searching, zero := 1, 0
	for i := 2; i < len(em); i++ {
		isZero := subtle.ConstantTimeByteEq(em[i], 0)
		zero = subtle.ConstantTimeSelect(searching&isZero, i, zero)
		searching &^= isZero
	}
	right &= 1 - searching
	right &= subtle.ConstantTimeLessOrEq(2+8, zero) // eight random bytes at least
	return zero + 1, right
}

// An oaep is the encoding EME-OAEP.
type oaep struct {
	hash, mgf *hashAlg
	label     []byte
}

// most is the length of the longest message for a key, in bytes; negative if
// there is none.
func (e *oaep) most(size int) int { return size - 2 - 2*e.hash.Size() }

// split returns the two parts of em: the seed and DB, masked or not.
func (e *oaep) split(em []byte) (seed, db []byte) {
	return em[1 : 1+e.hash.Size()], em[1+e.hash.Size():]
}

func (e *oaep) labelHash(sum []byte) []byte {
	h := e.hash.New()
	h.Write(e.label)
	return h.Sum(sum)
}

// pad fills em with the encoding of a message that is not longer than most.
func (e *oaep) pad(em, message []byte) {
	seed, db := e.split(em)
	clear(em)
	e.labelHash(db[:0])
	start := len(db) - len(message)
	db[start-1] = 1
	copy(db[start:], message)
	rand.Read(seed)
	mgf1XOR(e.mgf, db, seed)
	mgf1XOR(e.mgf, seed, db)
}

// unpad takes the masks off em and returns where in it the message begins.
// Which of its checks fails it does not tell, not by its time either: Manger's
// attack lives on that.
func (e *oaep) unpad(em []byte) (start int, ok bool) {
	seed, db := e.split(em)
	mgf1XOR(e.mgf, seed, db)
	mgf1XOR(e.mgf, db, seed)
	var sum [maxDigest]byte
	n := e.hash.Size()
	right := subtle.ConstantTimeByteEq(em[0], 0)
	right &= subtle.ConstantTimeCompare(e.labelHash(sum[:0]), db[:n])
	searching, one := 1, 0
	for i := n; i < len(db); i++ {
		isOne := subtle.ConstantTimeByteEq(db[i], 1)
		isZero := subtle.ConstantTimeByteEq(db[i], 0)
		one = subtle.ConstantTimeSelect(searching&isOne, i, one)
		right &= 1 - searching&(1-isOne)&(1-isZero)
		searching &^= isOne
	}
	right &= 1 - searching
	return 1 + n + one + 1, right == 1
}

// isZeros reports whether b, which is no secret, has nothing but zeros.
func isZeros(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }
