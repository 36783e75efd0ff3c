package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"coffer/p11"
	"coffer/p11/attr"
)

// SoftHSM2 and older clients give the point raw or compressed; what is read
// back, and found, is one form.
func TestAnECPointIsKeptInOneForm(t *testing.T) {
	h := newHost(t)
	s := h.user()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.must(err)
	raw, err := key.PublicKey.Bytes()
	h.must(err)
	der := append([]byte{4, byte(len(raw))}, raw...)
	compressed := append([]byte{2 + raw[64]&1}, raw[1:33]...)
	for name, point := range map[string][]byte{"raw": raw, "DER": der, "compressed": compressed} {
		k, err := h.CreateObject(s, attr.Values{
			attr.NewULong(p11.CKA_CLASS, p11.CKO_PUBLIC_KEY),
			attr.NewULong(p11.CKA_KEY_TYPE, p11.CKK_EC),
			attr.NewBytes(p11.CKA_EC_PARAMS, []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}),
			attr.NewBytes(p11.CKA_EC_POINT, point),
		})
		h.must(err)
		if got := h.read(s, k, p11.CKA_EC_POINT); !bytes.Equal(got, der) {
			t.Errorf("%s: got %x, want %x", name, got, der)
		}
	}
}
