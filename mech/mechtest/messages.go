package mechtest

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// checkMessages checks Messages: every nonce and tag that Check accepts, at once
// and in parts, in place and apart, and what was changed.
func checkMessages(t *testing.T, m *mech.Mechanism, k *keyPair) {
	t.Helper()
	if m.MessageKind == p11.MessageNone || m.MessageKind >= p11.NumMessageKinds {
		t.Fatalf("there is no parameter kind %d for messages", m.MessageKind)
	}
	c, err := m.Messages(k.public)
	if err != nil {
		t.Fatal(err)
	}
	defer wipe(c)
	accepted := 0
	for nonce := range 30 {
		for tag := range 20 {
			if err := c.Check(nonce, tag, 5000); err != nil {
				checkRefusal(t, err)
				continue
			}
			accepted++
			for _, n := range []int{0, 1, 16, 65, 5000} {
				if err := c.Check(nonce, tag, uint64(n)); err != nil {
					t.Fatalf("%d bytes are refused: %v", n, err)
				}
				checkMessage(t, c, random(nonce), random(n%37), random(n), tag)
			}
		}
	}
	if accepted == 0 {
		t.Error("it accepts no nonce and tag")
	}
	if err := c.Check(12, 16, 1<<63); err == nil {
		t.Error("a message of 2^63 bytes is accepted")
	}
	big := random(200 << 10) // longer than what is kept
	if c.Check(12, 16, uint64(len(big))) == nil {
		checkMessage(t, c, random(12), nil, big, 16)
	}
}

func checkMessage(t *testing.T, c mech.MessageCipher, nonce, aad, plain []byte, tagLen int) {
	t.Helper()
	n := len(plain)
	ct, tag := make([]byte, n), make([]byte, tagLen)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Seal(ct, tag, nonce, plain, aad))
	inPlace, same := bytes.Clone(plain), make([]byte, tagLen)
	must(c.Seal(inPlace, same, nonce, inPlace, aad))
	if !bytes.Equal(inPlace, ct) || !bytes.Equal(same, tag) {
		t.Fatal("encrypting in place gives another message")
	}
	s, err := c.Begin(nonce, aad, tagLen, uint64(n))
	must(err)
	parts := bytes.Clone(plain)
	for _, cut := range [][2]int{{0, n / 3}, {n / 3, n / 3}, {n / 3, n}} {
		part := parts[cut[0]:cut[1]]
		must(s.Encrypt(part, part))
	}
	must(s.Tag(same))
	wipe(s)
	if !bytes.Equal(parts, ct) || !bytes.Equal(same, tag) {
		t.Fatal("encrypting in parts gives another message")
	}
	got := make([]byte, n)
	must(c.Open(got, nonce, ct, tag, aad))
	must(c.Open(inPlace, nonce, inPlace, tag, aad))
	if !bytes.Equal(got, plain) || !bytes.Equal(inPlace, plain) {
		t.Fatal("the message comes back wrong")
	}
	for what, bad := range map[string]struct{ nonce, ct, tag, aad []byte }{
		"the nonce": {flipped(nonce), ct, tag, aad}, "the ciphertext": {nonce, flipped(ct), tag, aad},
		"the tag": {nonce, ct, flipped(tag), aad}, "the associated data": {nonce, ct, tag, append(bytes.Clone(aad), 0)},
	} {
		if what == "the ciphertext" && n == 0 {
			continue
		}
		out := make([]byte, len(bad.ct))
		if err := c.Open(out, bad.nonce, bad.ct, bad.tag, bad.aad); p11.Code(err) != p11.CKR_AEAD_DECRYPT_FAILED {
			t.Fatalf("%s changed: %v", what, err)
		}
		if len(bytes.Trim(out, "\x00")) != 0 {
			t.Fatalf("%s changed: there is plaintext", what)
		}
	}
}

func flipped(b []byte) []byte {
	c := bytes.Clone(b)
	if len(c) > 0 {
		c[len(c)/2] ^= 1
	}
	return c
}
