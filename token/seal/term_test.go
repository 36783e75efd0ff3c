package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

func private(t testing.TB, m *Master, attr uint64, value []byte) Term {
	t.Helper()
	term, err := m.PrivateTerm(attr, value)
	if err != nil {
		t.Fatal(err)
	}
	return term
}

func TestTermsDependOnAllTheyAreGiven(t *testing.T) {
	a, b := master(t), master(t)
	seen := map[Term]string{{}: "zero"}
	for name, term := range map[string]Term{
		"private":           private(t, a, 3, []byte("value")),
		"other attribute":   private(t, a, 4, []byte("value")),
		"other value":       private(t, a, 3, []byte("valuf")),
		"longer value":      private(t, a, 3, []byte("value\x00")),
		"empty value":       private(t, a, 3, nil),
		"other master key":  private(t, b, 3, []byte("value")),
		"public":            PublicTerm(token1, 3, []byte("value")),
		"public, attribute": PublicTerm(token1, 4, []byte("value")),
		"public, value":     PublicTerm(token1, 3, []byte("valuf")),
		"public, empty":     PublicTerm(token1, 3, nil),
		"public, token":     PublicTerm(TokenID{}, 3, []byte("value")),
	} {
		if other, ok := seen[term]; ok {
			t.Errorf("%s and %s have one term", name, other)
		}
		seen[term] = name
	}
	first := private(t, a, 3, []byte("value"))
	if again := private(t, a, 3, []byte("value")); again != first {
		t.Errorf("a private term changes: got %x, want %x", again, first)
	}
	if got, want := PublicTerm(token1, 3, []byte{}), PublicTerm(token1, 3, nil); got != want {
		t.Errorf("a public term changes: got %x, want %x", got, want)
	}
}

func TestPrivateTermIsHMAC(t *testing.T) {
	m := fixed(t)
	value := bytes.Repeat([]byte("v"), 300)
	h := hmac.New(sha256.New, m.keys.Bytes()[indexKey:][:keySize])
	h.Write([]byte{0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 1, 44})
	h.Write(value)
	if got, want := private(t, m, 0x102, value), Term(h.Sum(nil)[:16]); got != want {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestTermsDoNotAllocate(t *testing.T) {
	m, value := master(t), make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() { m.PrivateTerm(3, value) }); n != 0 {
		t.Errorf("private: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { PublicTerm(token1, 3, value) }); n != 0 {
		t.Errorf("public: %v allocations", n)
	}
}

func BenchmarkPrivateTerm(b *testing.B) {
	m, value := master(b), []byte("a label of a key")
	b.ReportAllocs()
	for b.Loop() {
		m.PrivateTerm(3, value)
	}
}

func BenchmarkPublicTerm(b *testing.B) {
	value := []byte("a label of a key")
	b.ReportAllocs()
	for b.Loop() {
		PublicTerm(token1, 3, value)
	}
}
