package seal

import (
	"bytes"
	"testing"

	"coffer/p11"
)

func TestBlob(t *testing.T) {
	m := master(t)
	aad, want := []byte("context"), []byte("what a backup holds")
	for _, plaintext := range [][]byte{want, nil} {
		blob, err := m.SealBlob("backup", aad, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(blob)
		got, err := m.OpenBlob("backup", aad, blob)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), plaintext) || !bytes.Equal(blob, before) {
			t.Errorf("got %x, want %x", got.Bytes(), plaintext)
		}
		got.Wipe()
		bad := func(what string, m *Master, label string, aad, blob []byte) {
			t.Helper()
			if s, err := m.OpenBlob(label, aad, blob); p11.Code(err) != p11.CKR_DEVICE_ERROR || s != nil {
				t.Errorf("%s: got %v, %v, want CKR_DEVICE_ERROR", what, s, err)
			}
		}
		bad("another label", m, "audit", aad, blob)
		bad("another context", m, "backup", []byte("contexT"), blob)
		bad("no context", m, "backup", nil, blob)
		bad("another master key", master(t), "backup", aad, blob)
		bad("a byte more", m, "backup", aad, append(bytes.Clone(blob), 0))
		for i := range blob {
			bad("cut", m, "backup", aad, blob[:i])
			flipped := bytes.Clone(blob)
			flipped[i] ^= 1
			bad("flipped", m, "backup", aad, flipped)
		}
	}
}
