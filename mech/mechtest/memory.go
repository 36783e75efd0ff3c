package mechtest

import (
	"bytes"
	"crypto/rand"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// where says how the output lies to the input.
type where uint8

const (
	apart where = iota + 1
	inPlace
)

// A call is one Update or Final over memory that is watched.
type call struct {
	size mech.Size
	run  func(dst, src []byte) (int, error)
}

// on runs the call over a copy of input with a dst of exactly the size that was
// promised, and checks that the promise was kept and that no other byte was
// written. It returns a copy of the output.
func (c call) on(t *testing.T, input []byte, w where) ([]byte, error) {
	t.Helper()
	const guard = 32
	if c.size.Max < 0 {
		t.Fatalf("the size of the output is %d for %d bytes", c.size.Max, len(input))
	}
	out := random(c.size.Max + guard)
	in := bytes.Clone(input)
	if w == inPlace {
		out = append(bytes.Clone(input), random(max(0, c.size.Max-len(input))+guard)...)
		in = out[:len(input):len(input)]
	}
	before, limit := bytes.Clone(out), len(out)-guard
	n, err := c.run(out[:c.size.Max:c.size.Max], in)
	switch {
	case !bytes.Equal(out[limit:], before[limit:]):
		t.Fatalf("memory behind dst was written to, %d bytes in", len(input))
	case w == apart && !bytes.Equal(in, input):
		t.Fatalf("src was written to, %d bytes in", len(input))
	case err != nil:
		checkRefusal(t, err)
		checkUntouched(t, out[:limit], before[:limit])
		return nil, err
	case n < 0 || n > c.size.Max || c.size.Exact && n != c.size.Max:
		t.Fatalf("%d bytes came out for %d bytes in; promised were %+v", n, len(input), c.size)
	}
	return bytes.Clone(out[:n]), nil
}

// checkUntouched allows what failed to clear its output, as the AEADs of
// crypto/cipher do when the tag is wrong, but not to write anything to it.
func checkUntouched(t *testing.T, after, before []byte) {
	t.Helper()
	for i := range after {
		if after[i] != before[i] && after[i] != 0 {
			t.Fatalf("dst was written to although the call failed, at byte %d", i)
		}
	}
}

// checkRefusal checks that a failure carries a code that says what is wrong.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	switch code := p11.Code(err); code {
	case p11.CKR_OK, p11.CKR_GENERAL_ERROR, p11.CKR_FUNCTION_FAILED:
		t.Errorf("the refusal %q has the code %v", err, code)
	}
}

// final runs op in one part.
func final(t *testing.T, op mech.Op, input []byte, w where) ([]byte, error) {
	t.Helper()
	defer wipe(op)
	return call{op.FinalSize(len(input)), op.Final}.on(t, input, w)
}

// inParts runs op over input cut at the places given. The last part goes to
// Final.
func inParts(t *testing.T, op mech.Op, input []byte, w where, cuts ...int) ([]byte, error) {
	t.Helper()
	defer wipe(op)
	var out []byte
	start := 0
	for _, cut := range cuts {
		part, err := call{op.UpdateSize(cut - start), op.Update}.on(t, input[start:cut], w)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
		start = cut
	}
	last, err := call{op.FinalSize(len(input) - start), op.Final}.on(t, input[start:], w)
	if err != nil {
		return nil, err
	}
	return append(out, last...), nil
}

// wipe wipes twice: it may be called more than once.
func wipe(op interface{ Wipe() }) {
	op.Wipe()
	op.Wipe()
}

// inputLengths are those of the inputs to try: around the blocks of ciphers,
// hashes and key wrap, and the lengths of digests.
var inputLengths = []int{0, 1, 7, 8, 15, 16, 17, 20, 24, 28, 31, 32, 33, 48, 64, 65, 100, 128, 256, 1000, 5000}

// input returns n bytes. The first is zero, so that the number they make is
// below any modulus.
func input(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	if n > 0 {
		b[0] = 0
	}
	return b
}

// cuttings returns ways to cut n bytes in parts: at every place and byte by
// byte if n is small and the mechanism quick, else at a few places.
func cuttings(n int, quick bool) [][]int {
	if n == 0 {
		return [][]int{{0}, {0, 0}}
	}
	if !quick {
		return [][]int{{n / 2}, {1, n}}
	}
	if n > 40 {
		return [][]int{{1}, {15}, {16}, {17}, {n / 2}, {n - 1}, {n}, {16, 32, 40}, {1, n - 1}, {7, 7, 33, n - 3}}
	}
	var all [][]int
	var each []int
	for i := range n + 1 {
		all = append(all, []int{i})
		each = append(each, i)
	}
	return append(all, each)
}
