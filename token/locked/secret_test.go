package locked

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"coffer/p11"
)

func newSecret(t testing.TB, b []byte) *Secret {
	t.Helper()
	s, err := From(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Wipe() })
	return s
}

func TestSecretKeepsItsBytesUntilWiped(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 33, 160, 4096, 4097, 64 << 10, 64<<10 + 1, 3 << 20} {
		want := bytes.Repeat([]byte{0xa5}, n)
		s := newSecret(t, want)
		if s.Len() != n || !bytes.Equal(s.Bytes(), want) || s.Bytes() == nil {
			t.Fatalf("%d bytes: got %d others", n, s.Len())
		}
		if got := cap(s.Bytes()); got != n {
			t.Errorf("%d bytes: capacity %d reaches the neighbour", n, got)
		}
		stale := s.Bytes()
		s.Wipe()
		s.Wipe()
		if s.Bytes() != nil || s.Len() != n {
			t.Errorf("%d bytes: got %v after Wipe, want nil", n, s.Bytes())
		}
		if err := s.Use(func([]byte) error { return nil }); !errors.Is(err, p11.CKR_USER_NOT_LOGGED_IN) {
			t.Errorf("%d bytes: Use after Wipe: got %v", n, err)
		}
		if !bytes.Equal(stale, make([]byte, n)) {
			t.Errorf("%d bytes: not wiped", n)
		}
	}
}

func TestNewSecretIsZero(t *testing.T) {
	for range 3 {
		s := newSecret(t, bytes.Repeat([]byte{1}, 900))
		stale := s.Bytes()
		s.Wipe()
		stale[0] = 1 // what a careless holder does
		z, err := New(900)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(z.Bytes(), make([]byte, 900)) {
			t.Error("a new Secret is not zero")
		}
		z.Wipe()
	}
}

func TestNilSecretIsAWipedOne(t *testing.T) {
	var s *Secret
	s.Wipe()
	if s.Bytes() != nil || s.Len() != 0 || s.Equal(s) || s.Use(func([]byte) error { return nil }) == nil {
		t.Error("a nil Secret has bytes")
	}
}

func TestSecretOfImpossibleSizeIsRefused(t *testing.T) {
	for n, want := range map[int]p11.RV{-1: p11.CKR_ARGUMENTS_BAD, 1<<maxSlotBits + 1: p11.CKR_HOST_MEMORY} {
		if _, err := New(n); p11.Code(err) != want {
			t.Errorf("%d bytes: got %v, want %v", n, err, want)
		}
	}
}

func TestWipeWaitsForUse(t *testing.T) {
	want := []byte("0123456789abcdef")
	s := newSecret(t, want)
	err := s.Use(func(b []byte) error {
		s.Wipe()
		if other := newSecret(t, []byte("fedcba9876543210")); other.Bytes() == nil {
			t.Error("no second Secret")
		}
		if !bytes.Equal(b, want) {
			t.Errorf("got %q inside Use after Wipe, want %q", b, want)
		}
		if s.Bytes() != nil {
			t.Error("Bytes after Wipe")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestConcurrentUseAndWipeNeverMixSecrets(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				want := bytes.Repeat([]byte{byte(g*31 + i)}, 48)
				s, err := From(want)
				if err != nil {
					t.Error(err)
					return
				}
				var users sync.WaitGroup
				for range 3 {
					users.Go(func() {
						s.Use(func(b []byte) error {
							if !bytes.Equal(b, want) {
								t.Errorf("got %x, want %x", b, want)
							}
							return nil
						})
					})
				}
				s.Wipe()
				users.Wait()
			}
		})
	}
	wg.Wait()
}

func TestSecretEqual(t *testing.T) {
	a, b, c, d := newSecret(t, []byte("one")), newSecret(t, []byte("one")), newSecret(t, []byte("two")), newSecret(t, []byte("on"))
	if !a.Equal(b) || !a.Equal(a) || a.Equal(c) || a.Equal(d) || a.Equal(nil) {
		t.Error("Equal does not compare the bytes")
	}
	b.Wipe()
	if a.Equal(b) || b.Equal(a) {
		t.Error("a wiped Secret equals something")
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	const text = "correct horse battery staple!!!!"
	s := newSecret(t, []byte(text))
	nested := struct {
		S *Secret
		s *Secret
	}{s, s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%p", "%T", "%b"} {
		for _, v := range []any{s, nested, &nested, []*Secret{s}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "s", s, "n", nested)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "s", s, "n", nested)
	if err := json.NewEncoder(&out).Encode(nested); err != nil {
		t.Fatal(err)
	}
	for i := range len(text) - 3 {
		part := text[i : i+4]
		for _, form := range []string{part, fmt.Sprintf("%x", part), fmt.Sprintf("%X", part), fmt.Sprint([]byte(part))[1:12]} {
			if bytes.Contains(out.Bytes(), []byte(form)) {
				t.Fatalf("%q is in the output", form)
			}
		}
	}
	if !bytes.Contains(out.Bytes(), []byte(redacted)) || s.String() != redacted || s.GoString() != redacted {
		t.Errorf("want %s in the output", redacted)
	}
}

func BenchmarkSecret(b *testing.B) {
	key := make([]byte, 32)
	for b.Loop() {
		s, err := From(key)
		if err != nil {
			b.Fatal(err)
		}
		s.Wipe()
	}
}
