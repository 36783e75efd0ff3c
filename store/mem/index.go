package mem

import (
	"iter"
	"slices"

	"coffer/store"
)

// chunkSize is where a chunk is split. Inserting moves at most this many
// pointers, and one per chunk of the index when a chunk splits.
const chunkSize = 512

// index is the keys in order: a sorted list of sorted, non-empty chunks.
type index struct{ chunks [][]*entry }

// locate returns the chunk in which key is or belongs, its place there, and
// whether it is there.
func (x *index) locate(key []byte) (chunk, pos int, ok bool) {
	chunk, _ = slices.BinarySearchFunc(x.chunks, key, func(c []*entry, key []byte) int {
		return c[len(c)-1].compare(key)
	})
	if chunk == len(x.chunks) {
		if chunk == 0 {
			return 0, 0, false
		}
		chunk--
		return chunk, len(x.chunks[chunk]), false
	}
	pos, ok = slices.BinarySearchFunc(x.chunks[chunk], key, (*entry).compare)
	return chunk, pos, ok
}

func (x *index) find(key []byte) *entry {
	if c, i, ok := x.locate(key); ok {
		return x.chunks[c][i]
	}
	return nil
}

// insert returns the entry of key, a new one if there is none.
func (x *index) insert(key []byte) *entry {
	c, i, ok := x.locate(key)
	if ok {
		return x.chunks[c][i]
	}
	e := &entry{key: key}
	if len(x.chunks) == 0 {
		x.chunks = [][]*entry{{e}}
		return e
	}
	chunk := slices.Insert(x.chunks[c], i, e)
	x.chunks[c] = chunk
	if len(chunk) > chunkSize {
		x.chunks[c] = slices.Clone(chunk[:chunkSize/2])
		x.chunks = slices.Insert(x.chunks, c+1, slices.Clone(chunk[chunkSize/2:]))
	}
	return e
}

// prune drops the versions of key that nobody at revision at or later can
// see, and the key if nothing is left.
func (x *index) prune(key []byte, at store.Rev) {
	c, i, ok := x.locate(key)
	if !ok {
		return
	}
	e := x.chunks[c][i]
	first := 0
	for first+1 < len(e.versions) && e.versions[first+1].Rev <= at {
		first++
	}
	if v := e.versions[first]; v.Deleted && v.Rev <= at {
		first++
	}
	if first < len(e.versions) {
		e.versions = slices.Clone(e.versions[first:])
		return
	}
	x.chunks[c] = slices.Delete(x.chunks[c], i, i+1)
	if len(x.chunks[c]) == 0 {
		x.chunks = slices.Delete(x.chunks, c, c+1)
	}
}

// span yields the entries whose keys lie in s, in order.
func (x *index) span(s store.Span) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		c, i, _ := x.locate(s.Key)
		for ; c < len(x.chunks); c, i = c+1, 0 {
			for _, e := range x.chunks[c][i:] {
				if !s.Contains(e.key) || !yield(e) {
					return
				}
			}
		}
	}
}
