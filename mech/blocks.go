package mech

import "crypto/cipher"

// blocks cuts a stream of parts into whole blocks for a block mode, and puts
// out every block as soon as it is determined. It is the Update of the block
// modes.
type blocks struct {
	mode *chained
	size int                // of a block
	keep int                // bytes to hold back in any case: 1 where the last block is special
	held [largestBlock]byte // the start of the input that is not yet put out
	n    int                // bytes in held
	work [32 * largestBlock]byte
}

// newBlocks returns what cuts a stream for a mode made of a block cipher.
func newBlocks(under cipher.Block, iv []byte, mode func(cipher.Block, []byte) cipher.BlockMode, dir direction) blocks {
	return blocks{mode: newChained(under, iv, mode, dir), size: under.BlockSize()}
}

// ready returns how many bytes n further ones make ready for output.
func (b *blocks) ready(n int) int {
	total := b.n + n - b.keep
	if total < 0 {
		return 0
	}
	return total - total%b.size
}

func (b *blocks) UpdateSize(n int) Size { return Size{Max: b.ready(n), Exact: true} }

func (b *blocks) Update(dst, src []byte) (int, error) {
	out := b.ready(len(src))
	if out == 0 {
		b.n += copy(b.held[b.n:], src)
		return 0, nil
	}
	if b.n == 0 {
		b.mode.CryptBlocks(dst[:out], src[:out])
		b.n = copy(b.held[:], src[out:])
		return out, nil
	}
	// Output lags behind input by b.n bytes. As dst may be src, each stretch of
	// input is copied, and as much again as is held, before output covers it.
	done := 0 // bytes put out; of src, done-b.n are taken and b.n held
	for done < out {
		m := min(out-done, len(b.work))
		copy(b.work[:], b.held[:b.n])
		copy(b.work[b.n:m], src[done:])
		next := copy(b.held[:], src[done+m-b.n:min(done+m, len(src))])
		b.mode.CryptBlocks(dst[done:done+m], b.work[:m])
		done += m
		if next < b.n { // src ends here, and so does the output
			b.n = next
			return done, nil
		}
	}
	b.n += copy(b.held[b.n:], src[done:])
	return done, nil
}

// copyBlock copies the block at off of what is held and src together.
func (b *blocks) copyBlock(to *[largestBlock]byte, src []byte, off int) {
	n := 0
	if off < b.n {
		n = copy(to[:b.size], b.held[off:b.n])
	}
	copy(to[n:b.size], src[max(off-b.n, 0):])
}

func (b *blocks) Wipe() {
	if b.mode != nil {
		b.mode.wipe()
	}
	b.mode = nil
	b.n = 0
	clear(b.held[:])
	clear(b.work[:])
}
