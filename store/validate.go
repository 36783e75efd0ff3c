package store

import (
	"bytes"
	"fmt"
	"slices"
)

// The limits of a transaction, the same for every engine.
const (
	// MaxOps bounds the comparisons of a transaction, and its operations.
	MaxOps = 128
	// MaxBytes bounds the sum of what a transaction compares, writes and
	// deletes, every key counted by Cost.
	MaxBytes = 1 << 20
	// MaxKey is the length of the longest key.
	MaxKey = 4096
	// Overhead is what every key counts towards MaxBytes beyond its bytes.
	Overhead = 100
)

// Cost is what a key with its value counts towards MaxBytes. The largest
// value that fits into a transaction is MaxBytes - Cost(len(key), 0) long.
func Cost(key, value int) int { return key + value + Overhead }

// Validate reports what makes t unacceptable, before it is known what the
// store holds: ErrInvalid for an empty key, an inverted span, an operation
// that is neither put nor deletion or both, a comparison or an operation that
// names a key twice, or deletions that overlap; ErrTooLarge for more than
// MaxOps or MaxBytes or a key longer than MaxKey.
//
// Engines call it before anything else. They then also count the keys that
// the deletions of spans remove, with CheckDeletes, since those are changes
// like others.
func (t Txn) Validate() error {
	if len(t.If) > MaxOps || len(t.Then) > MaxOps {
		return fmt.Errorf("%w: %d comparisons and %d operations where %d are allowed",
			ErrTooLarge, len(t.If), len(t.Then), MaxOps)
	}
	compared := make([]Span, 0, len(t.If))
	for _, c := range t.If {
		if c.Mod < 0 {
			return fmt.Errorf("%w: comparison with negative revision %d", ErrInvalid, c.Mod)
		}
		compared = append(compared, Key(c.Key))
	}
	written := make([]Span, 0, len(t.Then))
	for i, op := range t.Then {
		switch {
		case (op.Put == nil) == (op.Delete == nil):
			return fmt.Errorf("%w: operation %d must be either a put or a deletion", ErrInvalid, i)
		case op.Put != nil:
			written = append(written, Key(op.Put.Key))
		default:
			written = append(written, *op.Delete)
		}
	}
	for _, spans := range [][]Span{compared, written} {
		for _, s := range spans {
			if err := s.Validate(); err != nil {
				return err
			}
		}
		if err := checkDisjoint(spans); err != nil {
			return err
		}
	}
	if n := t.cost(); n > MaxBytes {
		return fmt.Errorf("%w: %d bytes where %d are allowed", ErrTooLarge, n, MaxBytes)
	}
	return nil
}

// CheckDeletes returns ErrTooLarge if t, which is valid, would exceed
// MaxBytes together with the keys that its deletions remove from the store,
// of which deleted is the sum of Cost(len(key), 0).
func (t Txn) CheckDeletes(deleted int) error {
	if n := t.cost() + deleted; n > MaxBytes {
		return fmt.Errorf("%w: %d bytes with the keys deleted where %d are allowed", ErrTooLarge, n, MaxBytes)
	}
	return nil
}

func (t Txn) cost() int {
	n := 0
	for _, c := range t.If {
		n += Cost(len(c.Key), 0)
	}
	for _, op := range t.Then {
		if op.Put != nil {
			n += Cost(len(op.Put.Key), len(op.Put.Value))
		}
	}
	return n
}

// Validate reports what makes a request unacceptable.
func (r RangeRequest) Validate() error {
	switch {
	case r.At < 0:
		return fmt.Errorf("%w: negative revision %d", ErrInvalid, r.At)
	case r.Limit < 0:
		return fmt.Errorf("%w: negative limit %d", ErrInvalid, r.Limit)
	case r.Only > CountOnly:
		return fmt.Errorf("%w: unknown fields %d", ErrInvalid, r.Only)
	}
	return r.Span.Validate()
}

// Validate reports what makes a span unacceptable: an empty or too long key,
// or an End that does not lie behind Key.
func (s Span) Validate() error {
	switch {
	case len(s.Key) == 0:
		return fmt.Errorf("%w: empty key", ErrInvalid)
	case len(s.Key) > MaxKey+1 || s.Single() && len(s.Key) > MaxKey:
		// The beginning of a span may be one byte longer than a key: it may
		// mean "behind the longest key".
		return fmt.Errorf("%w: key of %d bytes where %d are allowed", ErrTooLarge, len(s.Key), MaxKey)
	case len(s.End) > MaxKey+1:
		return fmt.Errorf("%w: end of span of %d bytes where %d are allowed", ErrTooLarge, len(s.End), MaxKey)
	case s.Single() || s.Unbounded():
		return nil
	case bytes.Compare(s.Key, s.End) > 0:
		return fmt.Errorf("%w: span %x ends before it begins, at %x", ErrInvalid, s.Key, s.End)
	}
	return nil
}

// checkDisjoint returns ErrInvalid if two of the spans share a key.
func checkDisjoint(spans []Span) error {
	// An empty span shares nothing, and would hide what lies around it.
	sorted := slices.DeleteFunc(slices.Clone(spans), Span.empty)
	slices.SortFunc(sorted, func(a, b Span) int { return bytes.Compare(a.Key, b.Key) })
	for i := 1; i < len(sorted); i++ {
		if s := sorted[i]; !sorted[i-1].before(s.Key) {
			return fmt.Errorf("%w: the transaction names key %x more than once", ErrInvalid, s.Key)
		}
	}
	return nil
}
