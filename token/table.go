package token

import (
	"sync"
	"sync/atomic"
)

// A table gives values handles. Lookups take no lock and make no garbage,
// which a sync.Map with integer keys would.
//
// A handle is an index and, above it, the number of times the index was used
// before: a stale handle is not found instead of finding another's value. The
// first handles are small, for clients that keep them in 32 bits.
type table[T any] struct {
	pages atomic.Pointer[[]*page[T]]

	mu   sync.Mutex // guards what follows, and the growth of pages
	used uint64     // indices ever given out
	free []uint64   // handles that were removed, oldest first
}

const (
	pageSize  = 1 << 10
	indexBits = 28
	indexMask = 1<<indexBits - 1
)

type page[T any] [pageSize]atomic.Pointer[item[T]]

type item[T any] struct {
	handle uint64
	value  *T
}

// add stores what make returns for its new handle.
func (t *table[T]) add(make func(handle uint64) *T) *T {
	t.mu.Lock()
	defer t.mu.Unlock()
	var h uint64
	// Handles rest before they come back, so that one used after its removal
	// is caught for as long as the generation differs.
	if len(t.free) > pageSize {
		h = t.free[0] + 1<<indexBits
		t.free = t.free[1:]
	} else {
		t.used++
		h = t.used
	}
	i := h & indexMask
	var pages []*page[T]
	if p := t.pages.Load(); p != nil {
		pages = *p
	}
	if n := int(i/pageSize) + 1; n > len(pages) {
		grown := append(pages[:len(pages):len(pages)], new(page[T]))
		t.pages.Store(&grown)
		pages = grown
	}
	v := make(h)
	pages[i/pageSize][i%pageSize].Store(&item[T]{h, v})
	return v
}

func (t *table[T]) cell(h uint64) *atomic.Pointer[item[T]] {
	p := t.pages.Load()
	i := h & indexMask
	if p == nil || i/pageSize >= uint64(len(*p)) {
		return nil
	}
	return &(*p)[i/pageSize][i%pageSize]
}

// get returns the value of a handle, or nil.
func (t *table[T]) get(h uint64) *T {
	c := t.cell(h)
	if c == nil {
		return nil
	}
	it := c.Load()
	if it == nil || it.handle != h {
		return nil
	}
	return it.value
}

// remove forgets a handle and reports whether it was there.
func (t *table[T]) remove(h uint64) bool {
	c := t.cell(h)
	if c == nil {
		return false
	}
	it := c.Load()
	if it == nil || it.handle != h || !c.CompareAndSwap(it, nil) {
		return false
	}
	t.mu.Lock()
	t.free = append(t.free, h)
	t.mu.Unlock()
	return true
}
