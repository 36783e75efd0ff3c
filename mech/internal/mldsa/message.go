package mldsa

import (
	"io"
	"reflect"

	"github.com/cloudflare/circl/xof"
)

// A Message is what a key signs or verifies: the M' of FIPS 204, of which μ is
// made with the hash of the key. It may come in any parts, and takes no more
// memory the longer it is.
type Message struct {
	tr, head []byte
	absorbed xof.XOF // nil until there is a first part
}

// Message begins a message with head: the domain separator, the context and,
// for HashML-DSA, the object identifier of the hash.
func (k *PrivateKey) Message(head []byte) *Message { return &Message{tr: k.tr, head: head} }

// Message is that of PrivateKey.
func (k *PublicKey) Message(head []byte) *Message { return &Message{tr: k.tr, head: head} }

// Write adds a part. It cannot fail.
func (m *Message) Write(part []byte) {
	if m.absorbed == nil {
		m.absorbed = xof.SHAKE256.New()
		m.absorbed.Write(m.tr)
		m.absorbed.Write(m.head)
	}
	m.absorbed.Write(part)
}

// Wipe clears the message.
func (m *Message) Wipe() {
	if m.absorbed != nil {
		state(m.absorbed).SetZero()
	}
}

// with returns the message and its last part as circl asks for it: what is
// written to the hash that already has tr. If there were parts before, the hash
// that has them takes its place.
func (m *Message) with(last []byte) func(io.Writer) {
	return func(w io.Writer) {
		if m.absorbed == nil {
			w.Write(m.head)
			w.Write(last)
			return
		}
		m.absorbed.Write(last)
		reflect.ValueOf(w).Elem().Set(state(m.absorbed))
	}
}

// state is the structure of circl that is behind a SHAKE of its package xof; the
// one that its signatures use is the same.
func state(x xof.XOF) reflect.Value { return reflect.ValueOf(x).Field(0).Elem().Elem() }

// Sign signs the message that ends with last: hedged with the random bytes, or
// deterministically if they are zeros. signature has the length of the
// parameter set.
func (k *PrivateKey) Sign(signature []byte, m *Message, last []byte, random *[RandomSize]byte) {
	scrub()
	defer scrub()
	k.set.lib.sign(k.key, m.with(last), *random, signature)
}

// Verify reports whether signature is one of the message that ends with last.
func (k *PublicKey) Verify(signature []byte, m *Message, last []byte) bool {
	return k.set.lib.verify(k.key, m.with(last), signature)
}
