package mech

import (
	"crypto/cipher"
	"crypto/subtle"

	"coffer/p11"
)

// gcmMessages is AES-GCM for messages. What crypto/cipher has not, and long
// messages, go through gcmStream.
type gcmMessages struct {
	block   cipher.Block
	aead    cipher.AEAD // for nonces of 96 bits and tags of 128
	scratch messageScratch
}

func newGCMMessages(k Key) (MessageCipher, error) {
	block, err := aesOf(k)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &gcmMessages{block: block, aead: aead}, nil
}

func (g *gcmMessages) Check(nonce, tag int, size uint64) error {
	if nonce < 1 {
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no IV")
	}
	if size > gcmMaxMessage {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "a GCM message has at most %d bytes", uint64(gcmMaxMessage))
	}
	_, err := gcmTag(p11.GCMParams{TagBits: 8 * uint64(tag)})
	return err
}

func (g *gcmMessages) Seal(dst, tag, nonce, src, aad []byte) error {
	if n := len(src); len(nonce) == gcmStdIV && n <= messageScratchMax {
		sealed := g.aead.Seal(g.scratch.bytes(n + gcmMaxTag)[:0], nonce, src, aad)
		copy(dst, sealed[:n])
		copy(tag, sealed[n:])
		return nil
	}
	s, err := g.Begin(nonce, aad, len(tag), 0)
	if err != nil {
		return err
	}
	defer s.Wipe()
	if err := s.Encrypt(dst, src); err != nil {
		return err
	}
	return s.Tag(tag)
}

func (g *gcmMessages) Open(dst, nonce, src, tag, aad []byte) error {
	if len(nonce) == gcmStdIV && len(tag) == gcmMaxTag && len(src) <= messageScratchMax {
		if _, err := g.aead.Open(dst[:0], nonce, g.scratch.joined(src, tag), aad); err != nil {
			return errMessageTag
		}
		return nil
	}
	s := newGCMStream(g.block, nonce, aad)
	defer s.wipe()
	s.authenticate(src)
	want := s.tag()
	if subtle.ConstantTimeCompare(want[:len(tag)], tag) != 1 {
		return errMessageTag
	}
	s.ctr.XORKeyStream(dst, src)
	return nil
}

func (g *gcmMessages) Begin(nonce, aad []byte, _ int, _ uint64) (MessageStream, error) {
	return &gcmMessageStream{s: newGCMStream(g.block, nonce, aad)}, nil
}

func (g *gcmMessages) Wipe() {
	if g.aead != nil {
		erase(g.aead)
		erase(g.block)
	}
	*g = gcmMessages{}
}

type gcmMessageStream struct {
	s    *gcmStream
	done uint64
}

func (s *gcmMessageStream) Encrypt(dst, src []byte) error {
	if s.done += uint64(len(src)); s.done > gcmMaxMessage {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "a GCM message has at most %d bytes", uint64(gcmMaxMessage))
	}
	s.s.encrypt(dst, src)
	return nil
}

func (s *gcmMessageStream) Tag(dst []byte) error {
	tag := s.s.tag()
	copy(dst, tag[:])
	return nil
}

func (s *gcmMessageStream) Wipe() {
	if s.s != nil {
		s.s.wipe()
		s.s = nil
	}
}
