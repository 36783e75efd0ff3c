package mechtest

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
)

// Savers reports which functions of a row, by their flags, make operations
// whose progress can be saved with the first parameter that they accept.
func Savers(t *testing.T, r *mech.Registry, m *mech.Mechanism) (flags p11.Flags) {
	t.Helper()
	s := &suite{registry: r, keys: map[p11.KeyType][]*keyPair{}}
	if m.Digest != nil {
		for _, p := range paramsFor(m, nil) {
			flags |= saves(t, p11.CKF_DIGEST, func() (any, error) { return m.Digest(p) })
		}
	}
	for _, kt := range m.Keys {
		for _, k := range s.fitting(t, m, kt) {
			for _, p := range paramsFor(m, k) {
				for flag, start := range starts(m, k, p) {
					flags |= saves(t, flag, start)
				}
			}
		}
	}
	return flags
}

func saves(t *testing.T, f p11.Flags, start func() (any, error)) p11.Flags {
	t.Helper()
	op, err := start()
	if err != nil {
		return 0
	}
	defer op.(interface{ Wipe() }).Wipe()
	s, ok := op.(mech.Saver)
	if !ok {
		return 0
	}
	if _, err := s.Save(); err != nil {
		if p11.Code(err) != p11.CKR_STATE_UNSAVEABLE {
			t.Errorf("saving: %v", err)
		}
		return 0
	}
	return f
}

// starts returns the constructors of operations that m has.
func starts(m *mech.Mechanism, k *keyPair, p p11.Params) map[p11.Flags]func() (any, error) {
	out := map[p11.Flags]func() (any, error){}
	if m.Encrypt != nil {
		out[p11.CKF_ENCRYPT] = func() (any, error) { return m.Encrypt(k.public, p) }
	}
	if m.Decrypt != nil {
		out[p11.CKF_DECRYPT] = func() (any, error) { return m.Decrypt(k.private, p) }
	}
	if m.Sign != nil {
		out[p11.CKF_SIGN] = func() (any, error) { return m.Sign(k.private, p) }
	}
	if m.Verify != nil {
		out[p11.CKF_VERIFY] = func() (any, error) { return m.Verify(k.public, p) }
	}
	return out
}

// checkSaving checks that operations of a row go on from a saved state as if
// nothing had happened, wherever the cut is.
func checkSaving(t *testing.T, m *mech.Mechanism, k *keyPair, p p11.Params) {
	t.Helper()
	data := input(savedInput)
	for flag, start := range starts(m, k, p) {
		same := bytes.Equal
		if flag == p11.CKF_SIGN && k.private.class != p11.CKO_SECRET_KEY { // it may depend on chance
			same = func(got, _ []byte) bool {
				op, err := m.Verify(k.public, p)
				return err == nil && verifyWhole(func() mech.VerifyOp { return op }, data, got) == nil
			}
		}
		checkSaver(t, start, data, same)
	}
}

const savedInput = 80 // bytes, whole blocks of 8 and of 16

// checkSaver compares results by same.
func checkSaver(t *testing.T, start func() (any, error), data []byte, same func(got, want []byte) bool) {
	t.Helper()
	begin := func() (any, mech.Saver) {
		op, err := start()
		if err != nil {
			return nil, nil
		}
		s, _ := op.(mech.Saver)
		return op, s
	}
	op, s := begin()
	if s == nil {
		if op != nil {
			op.(interface{ Wipe() }).Wipe()
		}
		return
	}
	for _, bad := range [][]byte{nil, {}, {1}, bytes.Repeat([]byte{0xff}, 40), make([]byte, 1000)} {
		if code := p11.Code(s.Restore(bad)); code != p11.CKR_SAVED_STATE_INVALID && code != p11.CKR_STATE_UNSAVEABLE {
			t.Errorf("restoring %d bytes that nobody saved: %v", len(bad), code)
		}
	}
	for _, cut := range []int{0, 1, 8, 15, 16, 17, 31, 32, 33, 48, 79, 80} {
		first, saver := begin()
		before, err := feed(first, data[:cut])
		if err != nil {
			t.Fatalf("%d bytes: %v", cut, err)
		}
		state, err := saver.Save()
		if p11.Code(err) == p11.CKR_STATE_UNSAVEABLE {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		kept := bytes.Clone(state)
		want, wantErr := finish(first, data[cut:])
		second, saver := begin()
		if err := saver.Restore(state); err != nil {
			t.Fatalf("restoring what was saved after %d bytes: %v", cut, err)
		}
		if !bytes.Equal(state, kept) {
			t.Fatal("a saved state changes with the operations that it is of")
		}
		again, err := saver.Save()
		if err != nil || !bytes.Equal(again, state) {
			t.Fatalf("saved again after %d bytes: %x, %v; was %x", cut, again, err, state)
		}
		// Another operation that goes its own way does not disturb this one.
		third, saver := begin()
		if err := saver.Restore(state); err != nil {
			t.Fatal(err)
		}
		if _, err := feed(third, input(33)); err != nil {
			t.Fatal(err)
		}
		got, gotErr := finish(second, data[cut:])
		if p11.Code(gotErr) == p11.CKR_OK && !same(append(before, got...), append(bytes.Clone(before), want...)) || p11.Code(gotErr) != p11.Code(wantErr) {
			t.Fatalf("after %d of %d bytes, restored: %x, %v; as it was: %x, %v (before: %x)", cut, len(data), got, gotErr, want, wantErr, before)
		}
		third.(interface{ Wipe() }).Wipe()
	}
	op.(interface{ Wipe() }).Wipe()
}

func feed(op any, data []byte) ([]byte, error) {
	if v, ok := op.(mech.VerifyOp); ok {
		return nil, v.Update(data)
	}
	o := op.(mech.Op)
	dst := make([]byte, o.UpdateSize(len(data)).Max)
	n, err := o.Update(dst, data)
	return dst[:n], err
}

// finish ends an operation; of a verification, whatever it says of a signature
// of zeros.
func finish(op any, data []byte) ([]byte, error) {
	defer op.(interface{ Wipe() }).Wipe()
	if v, ok := op.(mech.VerifyOp); ok {
		return nil, v.Verify(data, make([]byte, 32))
	}
	o := op.(mech.Op)
	dst := make([]byte, o.FinalSize(len(data)).Max)
	n, err := o.Final(dst, data)
	return dst[:n], err
}
