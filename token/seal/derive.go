package seal

import "crypto/sha256"

const keySize = 32 // of every key here: AES-256, HMAC-SHA256

// hmac256 sets sum to HMAC-SHA256(key, the parts in a row), RFC 2104. It is
// crypto/hmac's result without its state: that keeps the padded key on the
// heap, this leaves it on the stack and wipes it, and allocates nothing. The
// key is at most a block long, and sum may be a part or the key.
func hmac256(sum *[keySize]byte, key []byte, parts ...[]byte) {
	var pad [sha256.BlockSize]byte
	if copy(pad[:], key) < len(key) {
		panic("seal: hmac key longer than a block")
	}
	for i := range pad {
		pad[i] ^= 0x36
	}
	h := sha256.New()
	h.Write(pad[:])
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	for i := range pad {
		pad[i] ^= 0x36 ^ 0x5c
	}
	h.Reset()
	h.Write(pad[:])
	h.Write(sum[:])
	h.Sum(sum[:0])
	h.Reset()
	clear(pad[:])
}

var counter1 = []byte{1}

// expand is HKDF-Expand of one block, RFC 5869, section 2.3. The extraction
// is left out for a key that is uniformly random already (section 3.3).
func expand(out *[keySize]byte, key []byte, info ...[]byte) {
	var joined [128]byte
	in := joined[:0]
	for _, p := range info {
		in = append(in, p...)
	}
	hmac256(out, key, in, counter1)
}

// derive is HKDF of one block: extraction with a salt, then expansion.
func derive(out *[keySize]byte, key, salt []byte, info ...[]byte) {
	var prk [keySize]byte
	hmac256(&prk, salt, key) // RFC 5869, section 2.2: the salt is the HMAC key
	expand(out, prk[:], info...)
	clear(prk[:])
}
