package seal

import (
	"encoding/hex"
	"testing"
)

// What format 1 looks like, written with the key of fixed, token1 and header1.
// These values are never written again: a build that does not read them does
// not read its users' tokens.
const (
	pinFixture     = "015001020000004000000002b6c45894252e2aea93626d3fdaf2976dc49ad721dd0570bc610f42414226505e25f89c5483574a63d05c427c77a4bbee8b515c59510682dc4a53103b724498ec8b9ac8a0e6c344fd2d82dbf9"
	recordFixture  = "014f010080000003000001000000000000000006c9493ea8392ec302ddb5a750285149859a76fae6c5884f13e07e537d4be213987075626c69639ff38c7bd485b8cf4646d70efb356ee01a10bd3deecc0ea73e91e3bb3d6bb830f8b5"
	plainFixture   = "014f02008000000300000100000000000000000600000000000000000000000000000000000000000000000000000000000000007075626c6963838c0f7786e078a275240cdfa5890929"
	blobFixture    = "0142593b5497605172fdd078c0b5cab5dbb9d6bd4f6ac39166a1ec1bfdba131767ad66deaba2e211a53b6d80515512ba097aaf629d0d6d5b87cc70c466cec15670f30975"
	macFixture     = "60262b12c34987a4a697c2e040704ceb9017b7d238221b8ca0b1e53aa750f43f"
	privateFixture = "33d915e131dbd3d3ff04378eac689494"
	publicFixture  = "2d16dc1f9c94509516098acd2399bc4b"
)

func TestFormat1IsStillRead(t *testing.T) {
	decode := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	m := fixed(t)
	opened, err := OpenPIN(token1, User, []byte("1234"), decode(pinFixture))
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Wipe()
	if !opened.keys.Equal(m.keys) {
		t.Error("the PIN opens another master key")
	}
	h, public, secret, err := m.Open(token1, header1.Object, decode(recordFixture))
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Wipe()
	if h != header1 || string(public) != "public" || string(secret.Bytes()) != "secret" {
		t.Errorf("record: got %+v, %q, %q", h, public, secret.Bytes())
	}
	h, public, isSealed, err := ReadPublic(token1, header1.Object, decode(plainFixture))
	if err != nil || h != header1 || string(public) != "public" || isSealed {
		t.Errorf("plain record: got %+v, %q, sealed %v, %v", h, public, isSealed, err)
	}
	blob, err := m.OpenBlob("fixture", []byte("aad"), decode(blobFixture))
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Wipe()
	if string(blob.Bytes()) != "secret" {
		t.Errorf("blob: got %q", blob.Bytes())
	}
	mac, err := m.MAC("fixture", []byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	term, publicTerm := private(t, m, 3, []byte("label")), PublicTerm(token1, 3, []byte("label"))
	for _, c := range []struct {
		name, want string
		got        []byte
	}{
		{"MAC", macFixture, mac[:]},
		{"private term", privateFixture, term[:]},
		{"public term", publicFixture, publicTerm[:]},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
