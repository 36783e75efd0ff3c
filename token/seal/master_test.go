package seal

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"coffer/p11"
)

func master(t testing.TB) *Master {
	t.Helper()
	m, err := NewMaster()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Wipe)
	return m
}

// fixed returns the Master of the fixtures.
func fixed(t testing.TB) *Master {
	t.Helper()
	m, err := newMaster(func(key []byte) error {
		for i := range key {
			key[i] = byte(i)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Wipe)
	return m
}

func TestEachKeyIsItsOwn(t *testing.T) {
	b := fixed(t).keys.Bytes()
	seen := map[string]bool{string(make([]byte, keySize)): true}
	for at := 0; at < masterSize; at += keySize {
		k := string(b[at : at+keySize])
		if seen[k] {
			t.Errorf("the key at %d is zero or another's", at)
		}
		seen[k] = true
	}
	if masterSize != keySize*(1+len(subkeys)) {
		t.Errorf("%d bytes for %d sub-keys", masterSize, len(subkeys))
	}
	if master(t).keys.Equal(master(t).keys) {
		t.Error("two new master keys are equal")
	}
}

func TestWipedMasterDoesNothing(t *testing.T) {
	m := master(t)
	h := Header{Class: 3}
	rec, err := m.Seal(h, []byte("public"), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	blob, err := m.SealBlob("test", nil, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	m.Wipe()
	m.Wipe()
	for _, m := range []*Master{m, nil} {
		for name, call := range map[string]func() error{
			"Seal":        func() error { _, err := m.Seal(h, nil, nil); return err },
			"Open":        func() error { _, _, _, err := m.Open(h.Token, h.Object, rec); return err },
			"SealBlob":    func() error { _, err := m.SealBlob("test", nil, nil); return err },
			"OpenBlob":    func() error { _, err := m.OpenBlob("test", nil, blob); return err },
			"WrapPIN":     func() error { _, err := m.WrapPIN(h.Token, User, nil, quick); return err },
			"PrivateTerm": func() error { _, err := m.PrivateTerm(1, nil); return err },
			"MAC":         func() error { _, err := m.MAC("test", nil); return err },
		} {
			if err := call(); !errors.Is(err, p11.CKR_USER_NOT_LOGGED_IN) {
				t.Errorf("%s: got %v, want CKR_USER_NOT_LOGGED_IN", name, err)
			}
		}
	}
	(*Master)(nil).Wipe()
}

func TestMasterServesManyUntilWiped(t *testing.T) {
	m := master(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			h := Header{Object: ObjectID{byte(g)}}
			want := bytes.Repeat([]byte{byte(g)}, 100)
			for i := 0; ; i++ {
				if g == 0 && i == 50 {
					m.Wipe()
				}
				rec, err := m.Seal(h, want, want)
				if errors.Is(err, p11.CKR_USER_NOT_LOGGED_IN) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				_, public, secret, err := m.Open(h.Token, h.Object, rec)
				if errors.Is(err, p11.CKR_USER_NOT_LOGGED_IN) {
					return
				}
				if err != nil || !bytes.Equal(public, want) || !bytes.Equal(secret.Bytes(), want) {
					t.Errorf("got %x, %v, want %x", public, err, want)
					return
				}
				secret.Wipe()
			}
		})
	}
	wg.Wait()
}

func TestMACDependsOnAllItIsGiven(t *testing.T) {
	a, b := master(t), master(t)
	seen := map[[32]byte]string{}
	for _, c := range []struct {
		name, label, data string
		m                 *Master
	}{
		{"base", "audit", "x", a},
		{"data", "audit", "y", a},
		{"label", "public", "x", a},
		{"master", "audit", "x", b},
		{"boundary", "auditx", "", a},
	} {
		sum, err := c.m.MAC(c.label, []byte(c.data))
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[sum]; ok {
			t.Errorf("%s and %s have one MAC", c.name, other)
		}
		seen[sum] = c.name
		again, _ := c.m.MAC(c.label, []byte(c.data))
		if again != sum {
			t.Errorf("%s: a MAC changes", c.name)
		}
	}
}
