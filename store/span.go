package store

import "bytes"

// Span is the keys from Key up to, but not including, End. A nil End means
// the single key Key; an End of one zero byte means that there is no end.
// (No key sorts before a single zero byte, so it cannot mean anything else.)
type Span struct{ Key, End []byte }

var unbounded = []byte{0}

// Key returns the span of the single key k.
func Key(k []byte) Span { return Span{Key: k} }

// Prefix returns the span of the keys that begin with p; with an empty p, of
// all keys.
func Prefix(p []byte) Span {
	if len(p) == 0 {
		return Span{Key: unbounded, End: unbounded}
	}
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != 0xff {
			end := bytes.Clone(p[:i+1])
			end[i]++
			return Span{Key: p, End: end}
		}
	}
	return Span{Key: p, End: unbounded}
}

// Single reports whether s is one key and not a stretch of keys.
func (s Span) Single() bool { return s.End == nil }

// Unbounded reports whether s has no upper end.
func (s Span) Unbounded() bool { return len(s.End) == 1 && s.End[0] == 0 }

// empty reports whether no key can lie in s.
func (s Span) empty() bool {
	return !s.Single() && !s.Unbounded() && bytes.Compare(s.Key, s.End) >= 0
}

// Contains reports whether key lies in s.
func (s Span) Contains(key []byte) bool {
	if s.Single() {
		return bytes.Equal(s.Key, key)
	}
	return bytes.Compare(key, s.Key) >= 0 && !s.before(key)
}

// before reports whether s ends before key.
func (s Span) before(key []byte) bool {
	switch {
	case s.Single():
		return bytes.Compare(s.Key, key) < 0
	case s.Unbounded():
		return false
	}
	return bytes.Compare(s.End, key) <= 0
}
