package mech

import "coffer/p11"

// stealing is the Update of the modes with ciphertext stealing, which take any
// length from one block of 16 bytes on: all but the last 17 to 32 bytes are put
// out as they come, in whole blocks, and finish does the rest.
type stealing struct {
	crypt  func(dst, src []byte) // whole blocks
	finish func(dst, src []byte) // the last 16 to 32 bytes
	length p11.RV                // of a total that is too short
	held   [stealTail + 32*largestBlock]byte
	n      int // bytes in held
}

const stealTail = 2 * largestBlock

// ready returns how many bytes n further ones make ready for output.
func (s *stealing) ready(n int) int {
	total := s.n + n
	if total <= stealTail {
		return 0
	}
	return (total - largestBlock - 1) &^ (largestBlock - 1)
}

func (s *stealing) UpdateSize(n int) Size { return Size{Max: s.ready(n), Exact: true} }

func (s *stealing) Update(dst, src []byte) (int, error) {
	out := s.ready(len(src))
	if out > 0 && s.n == 0 {
		s.crypt(dst[:out], src[:out])
		s.n = copy(s.held[:], src[out:])
		return out, nil
	}
	// Output runs ahead of input by what is held. As dst may be src, input is
	// taken before output covers it.
	for done := 0; done < out; {
		m := min(out-done, len(s.held)-stealTail)
		taken := copy(s.held[s.n:], src[done:min(done+m, len(src))])
		s.crypt(dst[done:done+m], s.held[:m])
		copy(s.held[:], s.held[m:s.n+taken])
		s.n += taken - m
		done += m
	}
	if out < len(src) {
		s.n += copy(s.held[s.n:], src[out:])
	}
	return out, nil
}

func (s *stealing) Final(dst, src []byte) (int, error) {
	total := s.n + len(src)
	if total < largestBlock {
		return 0, p11.Errorf(s.length, "%d bytes are less than a block of %d", total, largestBlock)
	}
	n, err := s.Update(dst, src)
	if err != nil {
		return 0, err
	}
	s.finish(dst[n:n+s.n], s.held[:s.n])
	return total, nil
}

func (s *stealing) FinalSize(n int) Size { return Size{Max: s.n + n, Exact: true} }

func (s *stealing) wipe() {
	s.crypt, s.finish = nil, nil
	clear(s.held[:])
	s.n = 0
}
