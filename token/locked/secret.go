package locked

import (
	"crypto/subtle"
	"fmt"
	"io"
	"math"
	"sync/atomic"

	"coffer/p11"
)

// A Secret is a run of bytes in memory of our own (see memory.go) that does
// not print. It lives until Wipe, not until the collector finds it unused:
// whoever creates a Secret wipes it, or its slot is held for as long as the
// process lives. All methods are safe for concurrent use and on a nil Secret,
// which is a wiped one.
type Secret struct {
	// users counts those who hold the bytes; wiped is added when Wipe was
	// called, and the last one out clears the bytes.
	users atomic.Int32
	slot  *slot // behind a pointer, so that no reflecting printer meets the bytes
	n     int
}

const wiped = math.MinInt32

// New returns n zero bytes for the caller to fill through Bytes.
func New(n int) (*Secret, error) {
	if n < 0 {
		return nil, p11.Errorf(p11.CKR_ARGUMENTS_BAD, "secret of %d bytes", n)
	}
	sl, err := allocate(n)
	if err != nil {
		return nil, err
	}
	return &Secret{slot: sl, n: n}, nil
}

// From returns a Secret with a copy of b. The caller wipes b.
func From(b []byte) (*Secret, error) {
	s, err := New(len(b))
	if err != nil {
		return nil, err
	}
	copy(s.Bytes(), b)
	return s, nil
}

// Len returns the number of bytes, also of a wiped Secret.
func (s *Secret) Len() int {
	if s == nil {
		return 0
	}
	return s.n
}

// Bytes returns the bytes themselves, or nil once they are wiped, so that a
// late caller never computes with a key of zeros. The slice is valid until
// Wipe; after it, it may be read without a fault but has zeros or bytes that
// are not the caller's. Where another goroutine may wipe, call Use or Hold.
func (s *Secret) Bytes() []byte {
	if s == nil || s.users.Load() < 0 {
		return nil
	}
	return s.slot.b[:s.n:s.n]
}

// Use calls f with the bytes, which stay whole until f returns: a Wipe in the
// meantime does not wait, and takes effect then. f does not keep the slice.
// Use returns what f returns, or CKR_USER_NOT_LOGGED_IN if s is wiped.
func (s *Secret) Use(f func([]byte) error) error {
	b, err := s.Hold()
	if err != nil {
		return err
	}
	defer s.Release()
	return f(b)
}

// Hold is Use without the closure: the bytes stay whole until Release, which
// the caller owes unless Hold fails.
func (s *Secret) Hold() ([]byte, error) {
	if s != nil {
		for n := s.users.Load(); n >= 0; n = s.users.Load() {
			if s.users.CompareAndSwap(n, n+1) {
				return s.slot.b[:s.n:s.n], nil
			}
		}
	}
	return nil, errWiped
}

// Again is Hold for whoever holds s already: it goes on though s was wiped
// meanwhile.
func (s *Secret) Again() ([]byte, error) {
	if s != nil {
		for n := s.users.Load(); n != wiped; n = s.users.Load() {
			if s.users.CompareAndSwap(n, n+1) {
				return s.slot.b[:s.n:s.n], nil
			}
		}
	}
	return nil, errWiped
}

// Cleared reports whether s was wiped and nobody holds it any more.
func (s *Secret) Cleared() bool { return s == nil || s.users.Load() == wiped }

// Release ends a Hold or an Again. It reports whether the bytes were cleared by it: s had
// been wiped, and this was the last who held it.
func (s *Secret) Release() (cleared bool) {
	if s.users.Add(-1) != wiped {
		return false
	}
	free(s.slot)
	return true
}

// Wipe clears the bytes and gives their place back, at once or when the last
// who holds them releases them. It reports whether it was at once. It may be
// called twice.
func (s *Secret) Wipe() (cleared bool) {
	if s == nil {
		return false
	}
	for {
		n := s.users.Load()
		if n < 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+wiped) {
			if n == 0 {
				free(s.slot)
			}
			return n == 0
		}
	}
}

// Equal reports, in constant time for equal lengths, whether s and o have the
// same bytes. A wiped Secret equals nothing.
func (s *Secret) Equal(o *Secret) bool {
	a, err := s.Hold()
	if err != nil {
		return false
	}
	defer s.Release()
	b, err := o.Hold()
	if err != nil {
		return false
	}
	defer o.Release()
	return subtle.ConstantTimeCompare(a, b) == 1
}

// A Secret is wiped under a caller only by logout, or by what has the same
// effect: finalization, destruction.
var errWiped = p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "the key was wiped")

const redacted = "[secret]"

// String returns "[secret]".
func (s *Secret) String() string { return redacted }

// GoString returns "[secret]".
func (s *Secret) GoString() string { return redacted }

// Format prints "[secret]" for every verb.
func (s *Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText makes "[secret]" of s in JSON and in slog.
func (s *Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
