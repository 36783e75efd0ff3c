package mech

import (
	"crypto/cipher"
	"crypto/subtle"
	"math"

	"coffer/p11"
)

// ccmMessages is AES-CCM for messages.
type ccmMessages struct{ block cipher.Block }

func newCCMMessages(k Key) (MessageCipher, error) {
	block, err := aesOf(k)
	if err != nil {
		return nil, err
	}
	return &ccmMessages{block}, nil
}

func (m *ccmMessages) Check(nonce, tag int, size uint64) error {
	_, err := ccmWidth(nonce)
	if err != nil {
		return err
	}
	if _, err := ccmTag(p11.CCMParams{MACLen: uint64(tag)}); err != nil {
		return err
	}
	if !ccmFits(nonce, size) {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "%d bytes of data are too many for a nonce of %d bytes", size, nonce)
	}
	return nil
}

// ccmWidth returns how many bytes a nonce leaves to the length and the counter.
func ccmWidth(nonce int) (int, error) {
	width := 15 - nonce
	if width < 2 || width > 8 {
		return 0, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the nonce has %d bytes; it can have 7 to 13", nonce)
	}
	return width, nil
}

func ccmFits(nonce int, size uint64) bool {
	width := 15 - nonce
	return size <= math.MaxInt64 && (width >= 8 || size>>(8*width) == 0)
}

func (m *ccmMessages) begin(nonce, aad []byte, tag int, size uint64) (*ccm, error) {
	return newCCMOf(m.block, p11.CCMParams{Nonce: nonce, AAD: aad, MACLen: uint64(tag), DataLen: size})
}

func (m *ccmMessages) Seal(dst, tag, nonce, src, aad []byte) error {
	s, err := m.Begin(nonce, aad, len(tag), uint64(len(src)))
	if err != nil {
		return err
	}
	defer s.Wipe()
	if err := s.Encrypt(dst, src); err != nil {
		return err
	}
	return s.Tag(tag)
}

func (m *ccmMessages) Open(dst, nonce, src, tag, aad []byte) error {
	c, err := m.begin(nonce, aad, len(tag), uint64(len(src)))
	if err != nil {
		return err
	}
	defer c.wipeMessage()
	if !c.authentic(src, tag) {
		return errMessageTag
	}
	c.rewind()
	c.ctr.XORKeyStream(dst, src)
	return nil
}

func (m *ccmMessages) Begin(nonce, aad []byte, tag int, size uint64) (MessageStream, error) {
	c, err := m.begin(nonce, aad, tag, size)
	if err != nil {
		return nil, err
	}
	return &ccmMessageStream{ccmEncryptOp{ccm: *c}}, nil
}

func (m *ccmMessages) Wipe() {
	if m.block != nil {
		erase(m.block)
		m.block = nil
	}
}

// wipeMessage is wipe without the block cipher, which others of the same key
// go on to use.
func (c *ccm) wipeMessage() {
	if c.mac != nil {
		c.mac.Reset()
		c.mac = nil
	}
	c.wipe()
}

// authentic decrypts src into memory of its own, piece by piece, and compares
// the MAC.
func (c *ccm) authentic(src, tag []byte) bool {
	var work [512]byte
	defer clear(work[:])
	for len(src) > 0 {
		n := min(len(src), len(work))
		c.ctr.XORKeyStream(work[:n], src[:n])
		c.mac.Write(work[:n])
		src = src[n:]
	}
	want := c.sum()
	return subtle.ConstantTimeCompare(want[:c.tag], tag) == 1
}

type ccmMessageStream struct{ op ccmEncryptOp }

func (s *ccmMessageStream) Encrypt(dst, src []byte) error {
	_, err := s.op.Update(dst, src)
	return err
}

func (s *ccmMessageStream) Tag(dst []byte) error {
	if s.op.done != s.op.size {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "the parameter says that the data has %d bytes, but %d came", s.op.size, s.op.done)
	}
	tag := s.op.sum()
	copy(dst, tag[:s.op.tag])
	return nil
}

func (s *ccmMessageStream) Wipe() { s.op.wipeMessage() }
