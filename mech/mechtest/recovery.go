package mechtest

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// checkRecovery checks SignRecover and VerifyRecover with one parameter: what
// is signed is recovered, and nothing is from a signature that was changed in
// its length.
func checkRecovery(t *testing.T, m *mech.Mechanism, k *keyPair, p p11.Params) bool {
	t.Helper()
	sign := func() (mech.Op, error) { return m.SignRecover(k.private, p) }
	open := func() (mech.Op, error) { return m.VerifyRecover(k.public, p) }
	if !accepts(t, sign) {
		return false
	}
	accepted := 0
	for i, n := range inputLengths {
		if accepted >= 2 && i%7 != 0 {
			continue // a few will do
		}
		data := input(n)
		sig, err := finalOf(t, sign, data)
		if err != nil {
			continue
		}
		accepted++
		op, err := open()
		if err != nil {
			t.Fatalf("VerifyRecover refuses the parameter that SignRecover took: %v", err)
		}
		if size := op.FinalSize(len(sig)); size.Exact || size.Max < n {
			t.Fatalf("the size of the data is said to be %+v; it is %d, and a wrong signature goes first", size, n)
		}
		got, err := final(t, op, sig, apart)
		if err != nil || !sameNumber(got, data) {
			t.Fatalf("%d bytes are recovered as %x, %v; want %x", n, got, err, data)
		}
		for _, bad := range tampered(sig) {
			got, err := finalOf(t, open, bad)
			switch code := p11.Code(err); {
			case len(bad) != len(sig) && code != p11.CKR_SIGNATURE_LEN_RANGE:
				t.Fatalf("a signature of %d bytes, where %d are right: %v", len(bad), len(sig), code)
			case len(bad) == len(sig) && code != p11.CKR_SIGNATURE_INVALID && (err != nil || bytes.Equal(got, data)):
				t.Fatalf("a changed signature: %x, %v", got, code)
			}
		}
		if op, err = sign(); err != nil {
			t.Fatal(err)
		}
		if m.SinglePart {
			checkRefusesParts(t, op, data)
		}
		if op, err = open(); err != nil {
			t.Fatal(err)
		}
		checkRefusesParts(t, op, sig)
	}
	return accepted > 0
}
