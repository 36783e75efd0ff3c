package mech

import (
	"crypto/cipher"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"

	"coffer/p11"
)

// chachaMessages is ChaCha20-Poly1305 and XChaCha20-Poly1305 for messages.
type chachaMessages struct {
	short, long cipher.AEAD // for nonces of 96 and 192 bits
	key         [chacha20.KeySize]byte
	scratch     messageScratch
}

func newChaChaMessages(k Key) (MessageCipher, error) {
	key, err := chachaKey(k)
	if err != nil {
		return nil, err
	}
	m := &chachaMessages{}
	copy(m.key[:], key)
	if m.short, err = chacha20poly1305.New(key); err == nil {
		m.long, err = chacha20poly1305.NewX(key)
	}
	if err != nil {
		m.Wipe()
		return nil, p11.Errorf(p11.CKR_FUNCTION_FAILED, "%w", err)
	}
	return m, nil
}

func (m *chachaMessages) Check(nonce, tag int, size uint64) error {
	switch {
	case nonce != chacha20poly1305.NonceSize && nonce != chacha20poly1305.NonceSizeX:
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the nonce has %d bits; it can have 96 or 192", 8*nonce)
	case tag != chachaTag:
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the tag has %d bytes, not %d", tag, chachaTag)
	case size > chachaMaxMessage:
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "a message has at most %d bytes", uint64(chachaMaxMessage))
	}
	return nil
}

func (m *chachaMessages) aead(nonce []byte) cipher.AEAD {
	if len(nonce) == chacha20poly1305.NonceSize {
		return m.short
	}
	return m.long
}

func (m *chachaMessages) Seal(dst, tag, nonce, src, aad []byte) error {
	if n := len(src); n <= messageScratchMax {
		sealed := m.aead(nonce).Seal(m.scratch.bytes(n + chachaTag)[:0], nonce, src, aad)
		copy(dst, sealed[:n])
		copy(tag, sealed[n:])
		return nil
	}
	s, err := m.Begin(nonce, aad, len(tag), 0)
	if err != nil {
		return err
	}
	defer s.Wipe()
	if err := s.Encrypt(dst, src); err != nil {
		return err
	}
	return s.Tag(tag)
}

// Open copies a long message once more: crypto/cipher wants the tag behind it.
func (m *chachaMessages) Open(dst, nonce, src, tag, aad []byte) error {
	scratch := &m.scratch
	if len(src) > messageScratchMax {
		scratch = &messageScratch{}
	}
	if _, err := m.aead(nonce).Open(dst[:0], nonce, scratch.joined(src, tag), aad); err != nil {
		return errMessageTag
	}
	return nil
}

func (m *chachaMessages) Begin(nonce, aad []byte, _ int, _ uint64) (MessageStream, error) {
	s, err := newChaChaPolyStream(&m.key, nonce, aad)
	if err != nil {
		return nil, err
	}
	return &chachaMessageStream{s: s}, nil
}

func (m *chachaMessages) Wipe() {
	for _, a := range []cipher.AEAD{m.short, m.long} {
		if a != nil {
			erase(a)
		}
	}
	clear(m.key[:])
	*m = chachaMessages{}
}

type chachaMessageStream struct {
	s    *chachaPolyStream
	done uint64
}

func (s *chachaMessageStream) Encrypt(dst, src []byte) error {
	if s.done += uint64(len(src)); s.done > chachaMaxMessage {
		return p11.Errorf(p11.CKR_DATA_LEN_RANGE, "a message has at most %d bytes", uint64(chachaMaxMessage))
	}
	s.s.encrypt(dst, src)
	return nil
}

func (s *chachaMessageStream) Tag(dst []byte) error {
	s.s.tag(dst)
	return nil
}

func (s *chachaMessageStream) Wipe() {
	if s.s != nil {
		s.s.wipe()
		s.s = nil
	}
}
