// Package locked is memory for keys: mappings of our own beside the Go heap,
// which do not go to swap as far as the limits allow, are not in a core dump,
// and are zero in a forked child. A Secret is a piece of it, and is cleared
// when its owner says so and nobody uses it any more. The package knows no
// key, no object and no cipher.
package locked

import (
	"math/bits"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"coffer/p11"
)

// Slots are powers of two, from 32 bytes up. They are cut from slabs: own
// anonymous mappings between two pages without access, of 16 KiB at first and
// then twice the last one, up to 1 MiB. A slab is never unmapped, so that a
// slice kept too long reads zeros or another slot, and never faults.
const (
	minSlotBits = 5  // 32 B
	maxSlotBits = 26 // 64 MiB
	minSlabBits = 14 // 16 KiB
	maxSlabBits = 20 // 1 MiB

	// From here a slot is a slab of its own, and gives its pages back to the
	// system while it is free. It is a multiple of every page size in use.
	largeBits = 16 // 64 KiB
)

type slot struct {
	b     []byte // the whole slot
	class int    // len(b) == 1<<(class+minSlotBits)
}

// memory is the process's only allocator. Each size waits only for itself.
var memory [maxSlotBits - minSlotBits + 1]struct {
	sync.Mutex         // guards what follows
	free       []*slot // all zero
	slabs      int
}

// empty is the slot of every Secret without bytes.
var empty = &slot{b: []byte{}, class: -1}

// allocate returns a zeroed slot of n bytes or more.
func allocate(n int) (*slot, error) {
	if n == 0 {
		return empty, nil
	}
	class := max(bits.Len(uint(n-1)), minSlotBits) - minSlotBits
	if class >= len(memory) {
		return nil, p11.Errorf(p11.CKR_HOST_MEMORY, "secret of %d bytes is over the limit of %d", n, 1<<maxSlotBits)
	}
	m := &memory[class]
	m.Lock()
	defer m.Unlock()
	if len(m.free) == 0 {
		size := 1 << (class + minSlotBits)
		slabSize := size
		if size < 1<<largeBits {
			slabSize = max(size, 1<<min(minSlabBits+m.slabs, maxSlabBits))
		}
		slab, err := mapSlab(slabSize)
		if err != nil {
			return nil, p11.Errorf(p11.CKR_HOST_MEMORY, "map %d bytes for secrets: %w", slabSize, err)
		}
		if size < 1<<largeBits {
			lock(slab)
		}
		m.slabs++
		for ; len(slab) > 0; slab = slab[size:] {
			m.free = append(m.free, &slot{b: slab[:size:size], class: class})
		}
	}
	last := len(m.free) - 1
	s := m.free[last]
	m.free = m.free[:last]
	if len(s.b) >= 1<<largeBits {
		lock(s.b)
	}
	clear(s.b[:n]) // whatever a holder of an old slice has written
	return s, nil
}

// free wipes s and puts it back.
func free(s *slot) {
	if s.class < 0 {
		return
	}
	clear(s.b)
	if len(s.b) >= 1<<largeBits {
		unix.Munlock(s.b) // a locked page cannot be dropped
		unix.Madvise(s.b, unix.MADV_DONTNEED)
	}
	m := &memory[s.class]
	m.Lock()
	m.free = append(m.free, s)
	m.Unlock()
}

// mapSlab maps size bytes, or the whole pages that hold them, which are not in
// a core dump (MADV_DONTDUMP, Linux 3.4) and are zero in a forked child
// (MADV_WIPEONFORK, Linux 4.14). On an older kernel a token works without.
func mapSlab(size int) ([]byte, error) {
	page := os.Getpagesize()
	size = (size + page - 1) &^ (page - 1)
	m, err := unix.Mmap(-1, 0, page+size+page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	slab := m[page : page+size : page+size]
	if err := unix.Mprotect(slab, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		unix.Munmap(m)
		return nil, err
	}
	unix.Madvise(slab, unix.MADV_DONTDUMP)
	unix.Madvise(slab, unix.MADV_WIPEONFORK)
	return slab, nil
}

// lock keeps whole pages in memory, so that they do not go to swap. It is
// best effort: where RLIMIT_MEMLOCK is spent, a token works without.
func lock(pages []byte) { unix.Mlock(pages) }
