package mech

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"

	"coffer/p11"
)

// AES-GCM (PKCS #11 v3.2, section 6.13; NIST SP 800-38D).
//
// An operation in one part goes through crypto/cipher, straight from the
// caller's memory into the caller's memory. Encryption in several parts, and
// the combinations of IV and tag length that crypto/cipher has not, go through
// gcmStream. Decryption in several parts holds the ciphertext back until the
// tag is checked: plaintext is never released before.
const (
	// The standard allows tags of 0 to 128 bits. Tags under 96 bits are
	// refused: their forgery is practical (SP 800-38D, appendix C).
	gcmMinTag, gcmMaxTag = 12, 16
	// The shortest IV that the token makes: shorter random ones would collide.
	gcmMinMadeIV = 12
	gcmStdIV     = 12
	// The limit of a message, SP 800-38D, section 5.2.1.1.
	gcmMaxMessage = 1<<36 - 32
	// The most that decryption in several parts holds back.
	gcmMaxHeld = 64 << 20
)

// gcm is the state common to both directions.
type gcm struct {
	block cipher.Block
	aead  cipher.AEAD // nil for what crypto/cipher has not
	iv    []byte
	aad   []byte
	tag   int // its length in bytes
}

// direction matters for who makes the IV, and for what crypto/cipher can do.
type direction uint8

const (
	encrypting direction = iota + 1
	decrypting
)

func newGCM(k Key, p p11.Params, dir direction) (*gcm, error) {
	params, err := paramAs[p11.GCMParams](p)
	if err != nil {
		return nil, err
	}
	tag, err := gcmTag(params)
	if err != nil {
		return nil, err
	}
	block, err := aesOf(k)
	if err != nil {
		return nil, err
	}
	iv, err := gcmIV(params, dir)
	if err != nil {
		return nil, err
	}
	g := &gcm{block: block, iv: iv, aad: params.AAD, tag: tag}
	switch {
	case tag == gcmMaxTag:
		g.aead, err = cipher.NewGCMWithNonceSize(block, len(iv))
	case len(iv) == gcmStdIV && dir == decrypting:
		// Not for encryption: Seal of Go 1.26 writes up to three bytes behind
		// the output when the tag is short (golang.org/issue/80288).
		g.aead, err = cipher.NewGCMWithTagSize(block, tag)
	}
	return g, err
}

func gcmTag(p p11.GCMParams) (int, error) {
	if p.TagBits%8 != 0 || p.TagBits < 8*gcmMinTag || p.TagBits > 8*gcmMaxTag {
		return 0, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a tag of %d bits was asked for; whole bytes of 96 to 128 bits are allowed", p.TagBits)
	}
	return int(p.TagBits / 8), nil
}

// gcmIV returns the caller's IV, or makes one and tells the caller.
func gcmIV(p p11.GCMParams, dir direction) ([]byte, error) {
	switch {
	case len(p.IV) > 0:
		return p.IV, nil
	case dir == decrypting || p.OutIV == nil:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no IV")
	case len(p.OutIV) < gcmMinMadeIV:
		return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the token makes IVs of at least %d bytes, not %d", gcmMinMadeIV, len(p.OutIV))
	}
	iv := make([]byte, len(p.OutIV))
	rand.Read(iv)
	copy(p.OutIV, iv)
	return iv, nil
}

// gcmWrapSize answers without making an IV.
func gcmWrapSize(_ Key, p p11.Params, n int) (int, error) {
	params, err := paramAs[p11.GCMParams](p)
	if err != nil {
		return 0, err
	}
	tag, err := gcmTag(params)
	return n + tag, err
}

func (g *gcm) wipe() {
	if g.block != nil {
		erase(g.block)
	}
	if g.aead != nil {
		erase(g.aead)
	}
	g.block, g.aead = nil, nil
}

// gcmEncryptOp encrypts and puts the tag behind the ciphertext.
type gcmEncryptOp struct {
	gcm
	stream *gcmStream // set by the first Update, or where aead is nil
	done   uint64     // bytes encrypted
}

func encryptGCM(k Key, p p11.Params) (Op, error) {
	g, err := newGCM(k, p, encrypting)
	if err != nil {
		return nil, err
	}
	op := &gcmEncryptOp{gcm: *g}
	if op.aead == nil {
		op.stream = newGCMStream(op.block, op.iv, op.aad)
	}
	return op, nil
}

func (o *gcmEncryptOp) take(n int) error {
	if o.done += uint64(n); o.done > gcmMaxMessage {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "a GCM message has at most %d bytes", uint64(gcmMaxMessage))
	}
	return nil
}

func (o *gcmEncryptOp) Update(dst, src []byte) (int, error) {
	if err := o.take(len(src)); err != nil {
		return 0, err
	}
	if o.stream == nil {
		o.stream = newGCMStream(o.block, o.iv, o.aad)
	}
	o.stream.encrypt(dst, src)
	return len(src), nil
}

func (o *gcmEncryptOp) UpdateSize(n int) Size { return Size{Max: n, Exact: true} }

func (o *gcmEncryptOp) Final(dst, src []byte) (int, error) {
	n := len(src)
	if err := o.take(n); err != nil {
		return 0, err
	}
	if o.stream == nil {
		o.aead.Seal(dst[:0], o.iv, src, o.aad)
		return n + o.tag, nil
	}
	o.stream.encrypt(dst, src)
	tag := o.stream.tag()
	return n + copy(dst[n:], tag[:o.tag]), nil
}

func (o *gcmEncryptOp) FinalSize(n int) Size { return Size{Max: n + o.tag, Exact: true} }

func (o *gcmEncryptOp) Wipe() {
	o.wipe()
	if o.stream != nil {
		o.stream.wipe()
	}
}

// gcmDecryptOp holds everything back until Final. An Op that fails the check
// of the tag may have cleared dst, as crypto/cipher does; it never leaves
// plaintext there.
type gcmDecryptOp struct {
	gcm
	held []byte // ciphertext
}

func decryptGCM(k Key, p p11.Params) (Op, error) {
	g, err := newGCM(k, p, decrypting)
	if err != nil {
		return nil, err
	}
	return &gcmDecryptOp{gcm: *g}, nil
}

func (o *gcmDecryptOp) Update(_, src []byte) (int, error) {
	if len(src) > gcmMaxHeld+o.tag-len(o.held) {
		return 0, p11.Errorf(p11.CKR_DATA_LEN_RANGE, "decryption in parts takes at most %d bytes, as none is released before the tag is checked", gcmMaxHeld)
	}
	o.held = append(o.held, src...)
	return 0, nil
}

func (o *gcmDecryptOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *gcmDecryptOp) Final(dst, src []byte) (int, error) {
	if len(o.held) > 0 {
		if _, err := o.Update(nil, src); err != nil {
			return 0, err
		}
		src = o.held
	}
	n := len(src) - o.tag
	if n < 0 {
		return 0, p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "%d bytes are too short for the tag of %d", len(src), o.tag)
	}
	if uint64(n) > gcmMaxMessage {
		return 0, p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "a GCM message has at most %d bytes", uint64(gcmMaxMessage))
	}
	if !o.open(dst, src[:n], src[n:]) {
		return 0, p11.Errorf(p11.CKR_ENCRYPTED_DATA_INVALID, "the tag is wrong")
	}
	return n, nil
}

// open decrypts ciphertext, which tag follows in memory.
func (o *gcmDecryptOp) open(dst, ciphertext, tag []byte) bool {
	if o.aead != nil {
		_, err := o.aead.Open(dst[:0], o.iv, ciphertext[:len(ciphertext)+len(tag)], o.aad)
		return err == nil
	}
	s := newGCMStream(o.block, o.iv, o.aad)
	defer s.wipe()
	s.authenticate(ciphertext)
	want := s.tag()
	if subtle.ConstantTimeCompare(want[:o.tag], tag) != 1 {
		return false
	}
	s.ctr.XORKeyStream(dst, ciphertext)
	return true
}

func (o *gcmDecryptOp) FinalSize(n int) Size {
	return Size{Max: max(len(o.held)+n-o.tag, 0), Exact: true}
}

func (o *gcmDecryptOp) Wipe() {
	o.wipe()
	o.held = nil
}
