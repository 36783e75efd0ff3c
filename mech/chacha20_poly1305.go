package mech

import (
	"crypto/cipher"
	"encoding/binary"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"

	"coffer/p11"
)

// ChaCha20-Poly1305 (PKCS #11 v3.2, section 6.61; RFC 8439), and with nonces of
// 192 bits XChaCha20-Poly1305. What the text calls the original, with nonces of
// 64 bits, authenticates other bytes and no library here has it: it is
// refused.
//
// An operation in one part goes through golang.org/x/crypto. Encryption in
// several parts is made of the same package's ChaCha20 and Poly1305;
// decryption in several parts holds the ciphertext back.
const (
	chachaTag = chacha20poly1305.Overhead
	// The limit of a message, RFC 8439, section 2.8.
	chachaMaxMessage = 1<<38 - 64
)

// chachaPoly is the state common to both directions.
type chachaPoly struct {
	aead  cipher.AEAD
	nonce []byte
	aad   []byte
	key   [chacha20.KeySize]byte
}

// open sets c up. It fills what the operation has, so that there is no copy of the
// key beside it.
func (c *chachaPoly) open(k Key, p p11.Params) error {
	params, err := paramAs[p11.ChaCha20Poly1305Params](p)
	if err != nil {
		return err
	}
	start := chacha20poly1305.New
	switch len(params.Nonce) {
	case chacha20poly1305.NonceSize:
	case chacha20poly1305.NonceSizeX:
		start = chacha20poly1305.NewX
	default:
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the nonce has %d bits; it can have 96 or 192", 8*len(params.Nonce))
	}
	key, err := chachaKey(k)
	if err != nil {
		return err
	}
	aead, err := start(key)
	if err != nil {
		return p11.Errorf(p11.CKR_FUNCTION_FAILED, "%w", err)
	}
	c.aead, c.nonce, c.aad = aead, params.Nonce, params.AAD
	copy(c.key[:], key)
	return nil
}

func (c *chachaPoly) wipe() {
	if c.aead != nil {
		erase(c.aead)
		c.aead = nil
	}
	clear(c.key[:])
	scrub()
}

// chachaPolyEncryptOp encrypts and puts the tag behind the ciphertext.
type chachaPolyEncryptOp struct {
	chachaPoly
	stream *chachaPolyStream // set by the first Update
	done   uint64            // bytes encrypted
}

func encryptChaChaPoly(k Key, p p11.Params) (Op, error) {
	o := new(chachaPolyEncryptOp)
	if err := o.open(k, p); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *chachaPolyEncryptOp) take(n int) error {
	if o.done += uint64(n); o.done > chachaMaxMessage {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "a message has at most %d bytes", uint64(chachaMaxMessage))
	}
	return nil
}

func (o *chachaPolyEncryptOp) Update(dst, src []byte) (int, error) {
	if err := o.take(len(src)); err != nil {
		return 0, err
	}
	if o.stream == nil {
		var err error
		if o.stream, err = newChaChaPolyStream(&o.key, o.nonce, o.aad); err != nil {
			return 0, err
		}
	}
	o.stream.encrypt(dst, src)
	return len(src), nil
}

func (o *chachaPolyEncryptOp) UpdateSize(n int) Size { return Size{Max: n, Exact: true} }

func (o *chachaPolyEncryptOp) Final(dst, src []byte) (int, error) {
	if o.stream == nil {
		if err := o.take(len(src)); err != nil {
			return 0, err
		}
		o.aead.Seal(dst[:0], o.nonce, src, o.aad)
		return len(src) + chachaTag, nil
	}
	n, err := o.Update(dst, src)
	if err != nil {
		return 0, err
	}
	o.stream.tag(dst[n : n+chachaTag])
	return n + chachaTag, nil
}

func (o *chachaPolyEncryptOp) FinalSize(n int) Size { return Size{Max: n + chachaTag, Exact: true} }

func (o *chachaPolyEncryptOp) Wipe() {
	o.wipe()
	if o.stream != nil {
		o.stream.wipe()
		o.stream = nil
	}
}

// chachaPolyDecryptOp holds everything back until Final.
type chachaPolyDecryptOp struct {
	chachaPoly
	held []byte // ciphertext
}

func decryptChaChaPoly(k Key, p p11.Params) (Op, error) {
	o := new(chachaPolyDecryptOp)
	if err := o.open(k, p); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *chachaPolyDecryptOp) Update(_, src []byte) (int, error) {
	if len(src) > gcmMaxHeld+chachaTag-len(o.held) {
		return 0, p11.Errorf(p11.CKR_DATA_LEN_RANGE, "decryption in parts takes at most %d bytes, as none is released before the tag is checked", gcmMaxHeld)
	}
	o.held = append(o.held, src...)
	return 0, nil
}

func (o *chachaPolyDecryptOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *chachaPolyDecryptOp) Final(dst, src []byte) (int, error) {
	if len(o.held) > 0 {
		if _, err := o.Update(nil, src); err != nil {
			return 0, err
		}
		src = o.held
	}
	n := len(src) - chachaTag
	if n < 0 {
		return 0, p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "%d bytes are too short for the tag of %d", len(src), chachaTag)
	}
	if uint64(n) > chachaMaxMessage {
		return 0, p11.Errorf(p11.CKR_ENCRYPTED_DATA_LEN_RANGE, "a message has at most %d bytes", uint64(chachaMaxMessage))
	}
	if _, err := o.aead.Open(dst[:0], o.nonce, src, o.aad); err != nil {
		return 0, p11.Errorf(p11.CKR_ENCRYPTED_DATA_INVALID, "the tag is wrong")
	}
	return n, nil
}

func (o *chachaPolyDecryptOp) FinalSize(n int) Size {
	return Size{Max: max(len(o.held)+n-chachaTag, 0), Exact: true}
}

func (o *chachaPolyDecryptOp) Wipe() {
	o.wipe()
	o.held = nil
}

// chachaPolyStream is the construction of RFC 8439, section 2.8, in parts.
type chachaPolyStream struct {
	cipher          *chacha20.Cipher
	mac             poly
	aad, ciphertext uint64 // bytes authenticated
}

func newChaChaPolyStream(key *[chacha20.KeySize]byte, nonce, aad []byte) (*chachaPolyStream, error) {
	c, err := chacha20.NewUnauthenticatedCipher(key[:], nonce)
	if err != nil {
		return nil, p11.Errorf(p11.CKR_FUNCTION_FAILED, "%w", err)
	}
	var first [64]byte // the rest of the block is not used
	defer clear(first[:])
	c.XORKeyStream(first[:], first[:])
	s := &chachaPolyStream{cipher: c, mac: newPoly((*[32]byte)(first[:32]))}
	s.mac.Write(aad)
	s.aad = uint64(len(aad))
	s.pad(s.aad)
	return s, nil
}

func (s *chachaPolyStream) pad(n uint64) {
	var zeros [polyTag]byte
	if rest := n % polyTag; rest > 0 {
		s.mac.Write(zeros[rest:])
	}
}

// encrypt is streaming; dst may be src.
func (s *chachaPolyStream) encrypt(dst, src []byte) {
	for len(src) > 0 {
		n := min(len(src), ghashChunk) // authenticated while it is in the cache
		s.cipher.XORKeyStream(dst[:n], src[:n])
		s.mac.Write(dst[:n])
		s.ciphertext += uint64(n)
		dst, src = dst[n:], src[n:]
	}
}

func (s *chachaPolyStream) tag(dst []byte) {
	s.pad(s.ciphertext)
	var lengths [16]byte
	binary.LittleEndian.PutUint64(lengths[:8], s.aad)
	binary.LittleEndian.PutUint64(lengths[8:], s.ciphertext)
	s.mac.Write(lengths[:])
	s.mac.Sum(dst[:0])
}

func (s *chachaPolyStream) wipe() {
	erase(s.cipher)
	s.mac.wipe()
	*s = chachaPolyStream{}
}
