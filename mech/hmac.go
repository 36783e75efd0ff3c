package mech

import (
	"hash"

	"coffer/p11"
)

// hmacFamily has HMAC over every hash, whole and cut to a length, and its own
// types of key (PKCS #11 v3.2, section 6.20 ff.). A key may be shorter than the
// digest: WebCrypto clients import such keys.
var hmacFamily = Family{Name: "HMAC", KeyTypes: hmacKeyTypes(), Mechanisms: hmacMechanisms()}

func hmacKeyTypes() []KeyType {
	var ts []KeyType
	for _, h := range allHashes() {
		t := freeSecret(h.KeyType)
		t.Weak = h.weakUnsigned()
		ts = append(ts, t)
	}
	return ts
}

func hmacMechanisms() []Mechanism {
	var ms []Mechanism
	for _, h := range allHashes() {
		keyed := func(key []byte) (hash.Hash, error) { return newHMAC(h, key), nil }
		full := keyedHash{keyed, whole(h.Size())}
		cut := keyedHash{keyed, upTo(h.Size())}
		keys := []p11.KeyType{h.KeyType, p11.CKK_GENERIC_SECRET}
		ms = append(ms,
			Mechanism{Type: h.HMAC, Weak: h.weakUnsigned(), Keys: keys, Size: anySecret, Sign: full.sign, Verify: full.verify},
			Mechanism{Type: h.HMACGeneral, Weak: h.weakUnsigned(), Keys: keys, Size: anySecret, Params: p11.ParamULong, Sign: cut.sign, Verify: cut.verify},
			Mechanism{Type: h.HMACKeyGen, Keys: []p11.KeyType{h.KeyType}, Size: anySecret, Generate: generateSecret(freeSecret(h.KeyType))},
		)
	}
	return ms
}
