package store

import (
	"bytes"
	"testing"
)

// FuzzPrefix checks Prefix and Contains against what a prefix is.
func FuzzPrefix(f *testing.F) {
	for _, p := range []string{"", "a", "\xff", "a\xff\xff", "\xff\xff", "\x00"} {
		f.Add([]byte(p), []byte(p+"x"))
		f.Add([]byte(p), []byte("b"))
	}
	f.Fuzz(func(t *testing.T, prefix, key []byte) {
		if len(key) == 0 || len(prefix) > MaxKey {
			return
		}
		s := Prefix(prefix)
		if err := s.Validate(); err != nil {
			t.Fatalf("Prefix(%x): %v", prefix, err)
		}
		if got, want := s.Contains(key), bytes.HasPrefix(key, prefix); got != want {
			t.Errorf("Prefix(%x) contains %x: got %t", prefix, key, got)
		}
	})
}

func TestSpansWithoutKeysAreDisjoint(t *testing.T) {
	at := func(key, end string) Span { return Span{Key: []byte(key), End: []byte(end)} }
	for _, c := range []struct {
		spans []Span
		ok    bool
	}{
		{[]Span{at("a", "b"), at("b", "c")}, true},
		{[]Span{at("b", "c"), at("a", "b\x00")}, false},
		{[]Span{Key([]byte("a")), at("a\x00", "b")}, true},
		{[]Span{Key([]byte("a")), at("a", "b")}, false},
		{[]Span{Key([]byte("a")), Key([]byte("a\x00"))}, true},
		{[]Span{at("a", "z"), at("b", "c"), at("d", "e")}, false},
		{[]Span{at("a", "a"), Key([]byte("a"))}, true},
		{[]Span{Key([]byte("a")), at("a", "a")}, true},
		{[]Span{at("a", "\x00"), Key([]byte("\xff\xff"))}, false},
	} {
		if got := checkDisjoint(c.spans) == nil; got != c.ok {
			t.Errorf("%q: disjoint is %t", c.spans, got)
		}
	}
}
