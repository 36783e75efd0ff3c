package locked

import "testing"

// The first secret of more than 16 KiB and less than 64 KiB did not fit into
// its slab: there was a panic in place of every such object.
func TestSecretsOfEverySize(t *testing.T) {
	for n := 1; n < 1<<18; n = n*3/2 + 1 {
		s, err := New(n)
		if err != nil {
			t.Fatal(err)
		}
		b := s.Bytes()
		if len(b) != n {
			t.Errorf("%d bytes, want %d", len(b), n)
		}
		for i := range b {
			b[i] = 0xff
		}
		s.Wipe()
	}
}
