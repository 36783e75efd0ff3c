package mechtest

import (
	"bytes"
	"testing"
	"time"

	"coffer/mech"
	"coffer/p11"
)

// quickOp is how long an operation may take to be tried with every cut of its
// input.
const quickOp = 20 * time.Microsecond

// slowOp is how long a signature takes of which one, of one input, has to do.
const slowOp = 10 * time.Millisecond

// checkDigest checks a digest with every input.
func (s *suite) checkDigest(t *testing.T, m *mech.Mechanism) {
	accepted := 0
	for _, p := range paramsFor(m, nil) {
		start := func() (mech.Op, error) { return m.Digest(p) }
		if !accepts(t, start) {
			continue
		}
		accepted++
		for _, n := range inputLengths {
			checkTransform(t, m.SinglePart, start, input(n))
		}
		checkSaver(t, func() (any, error) { return m.Digest(p) }, input(savedInput), bytes.Equal)
	}
	if accepted == 0 {
		t.Error("it accepts none of the parameters that were tried")
	}
}

// checkTransform checks an operation whose result depends on nothing but its
// input, and returns the result.
func checkTransform(t *testing.T, singlePart bool, start func() (mech.Op, error), in []byte) ([]byte, error) {
	t.Helper()
	begin := func() mech.Op {
		op, err := start()
		if err != nil {
			t.Fatalf("a second operation with the same parameter: %v", err)
		}
		return op
	}
	began := time.Now()
	want, wantErr := final(t, begin(), in, apart)
	quick := time.Since(began) < quickOp
	check := func(what string, got []byte, err error) {
		t.Helper()
		if p11.Code(err) != p11.Code(wantErr) {
			t.Fatalf("%d bytes %s: %v; in one part: %v", len(in), what, err, wantErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes %s give\n%x, in one part\n%x", len(in), what, got, want)
		}
	}
	got, err := final(t, begin(), in, inPlace)
	check("in place", got, err)
	if singlePart {
		checkRefusesParts(t, begin(), in)
		return want, wantErr
	}
	for _, cuts := range cuttings(len(in), quick) {
		for _, w := range []where{apart, inPlace} {
			got, err := inParts(t, begin(), in, w, cuts...)
			check("in parts", got, err)
		}
	}
	return want, wantErr
}

func checkRefusesParts(t *testing.T, op mech.Op, in []byte) {
	t.Helper()
	defer wipe(op)
	_, err := call{op.UpdateSize(len(in)), op.Update}.on(t, in, apart)
	if p11.Code(err) != p11.CKR_FUNCTION_NOT_SUPPORTED {
		t.Fatalf("Update of a mechanism for one part: %v; want CKR_FUNCTION_NOT_SUPPORTED", err)
	}
}

// checkCipher checks Encrypt and Decrypt with one parameter, and reports
// whether they accept it.
func checkCipher(t *testing.T, m *mech.Mechanism, k *keyPair, p p11.Params) bool {
	t.Helper()
	encrypt := func() (mech.Op, error) { return m.Encrypt(k.public, p) }
	decrypt := func() (mech.Op, error) { return m.Decrypt(k.private, p) }
	if !accepts(t, encrypt) {
		return false
	}
	accepted := 0
	for i, n := range inputLengths {
		if k.public != k.private && accepted >= 2 && i%7 != 0 {
			continue // asymmetric encryption is slow; a few will do
		}
		plain := input(n)
		cipher, err := checkRandomized(t, m.SinglePart, encrypt, decrypt, plain)
		if err != nil {
			continue
		}
		accepted++
		got, err := checkTransform(t, m.SinglePart, decrypt, cipher)
		if err != nil {
			t.Fatalf("decrypting what was encrypted of %d bytes: %v", n, err)
		}
		if !sameNumber(got, plain) {
			t.Fatalf("%d bytes encrypted and decrypted are\n%x, not\n%x", n, got, plain)
		}
		checkTampered(t, m.SinglePart, decrypt, cipher)
	}
	return accepted > 0
}

// sameNumber allows zeros before the plaintext: CKM_RSA_X_509 takes it for a
// number.
func sameNumber(got, want []byte) bool {
	return bytes.HasSuffix(got, want) && len(bytes.Trim(got[:len(got)-len(want)], "\x00")) == 0
}

// checkRandomized checks an encryption whose result may depend on chance: then
// decryption has to tell whether the results agree.
func checkRandomized(t *testing.T, singlePart bool, encrypt, decrypt func() (mech.Op, error), plain []byte) ([]byte, error) {
	t.Helper()
	one, err := finalOf(t, encrypt, plain)
	if err != nil {
		return checkTransform(t, singlePart, encrypt, plain) // refused in every way
	}
	two, _ := finalOf(t, encrypt, plain)
	if bytes.Equal(one, two) {
		return checkTransform(t, singlePart, encrypt, plain)
	}
	op, err := encrypt()
	if err != nil {
		t.Fatal(err)
	}
	there, err := final(t, op, plain, inPlace)
	if err != nil {
		t.Fatalf("encrypting in place: %v", err)
	}
	if back, err := finalOf(t, decrypt, there); err != nil || !sameNumber(back, plain) {
		t.Fatalf("%d bytes encrypted in place do not decrypt: %x, %v", len(plain), back, err)
	}
	if op, _ = encrypt(); singlePart {
		checkRefusesParts(t, op, plain)
	}
	return one, nil
}

func finalOf(t *testing.T, start func() (mech.Op, error), in []byte) ([]byte, error) {
	t.Helper()
	op, err := start()
	if err != nil {
		t.Fatalf("a second operation with the same parameter: %v", err)
	}
	return final(t, op, in, apart)
}

// checkTampered decrypts what is no ciphertext. It may succeed where nothing
// authenticates, but never do harm.
func checkTampered(t *testing.T, singlePart bool, decrypt func() (mech.Op, error), cipher []byte) {
	t.Helper()
	for _, bad := range tampered(cipher) {
		for _, w := range []where{apart, inPlace} {
			op, err := decrypt()
			if err != nil {
				t.Fatal(err)
			}
			final(t, op, bad, w)
			if op, err = decrypt(); err == nil && !singlePart {
				inParts(t, op, bad, w, len(bad)/2)
			}
		}
	}
}

// tampered returns b shortened, lengthened and with bits changed.
func tampered(b []byte) [][]byte {
	bad := [][]byte{nil, append(bytes.Clone(b), 0)}
	if len(b) == 0 {
		return bad
	}
	for _, i := range []int{0, len(b) / 2, len(b) - 1} {
		c := bytes.Clone(b)
		c[i] ^= 1
		bad = append(bad, c)
	}
	return append(bad, b[:len(b)-1], b[1:], b[:len(b)/2])
}

// accepts reports whether a constructor accepts the parameter that start has.
func accepts(t *testing.T, start func() (mech.Op, error)) bool {
	t.Helper()
	op, err := start()
	if err == nil {
		wipe(op)
		return true
	}
	checkRefusal(t, err)
	return false
}

// checkSignature checks Sign and Verify with one parameter.
func checkSignature(t *testing.T, m *mech.Mechanism, k *keyPair, p p11.Params) bool {
	t.Helper()
	sign := func() (mech.Op, error) { return m.Sign(k.private, p) }
	verify := func() mech.VerifyOp {
		op, err := m.Verify(k.public, p)
		if err != nil {
			t.Fatalf("Verify refuses the parameter that Sign took: %v", err)
		}
		return op
	}
	if !accepts(t, sign) {
		return false
	}
	accepted, quick, slow := 0, true, false
	for i, n := range inputLengths {
		if !quick && accepted >= 2 && i%7 != 0 || slow {
			continue // a few will do
		}
		data := input(n)
		began := time.Now()
		sig, err := finalOf(t, sign, data)
		if err != nil {
			continue
		}
		took := time.Since(began)
		quick, slow = took < quickOp, took > slowOp && n > 0
		accepted++
		again, err := finalOf(t, sign, data)
		if err != nil {
			t.Fatalf("signing a second time: %v", err)
		}
		if bytes.Equal(sig, again) && quick {
			checkTransform(t, m.SinglePart, sign, data)
		} else {
			checkSigns(t, m.SinglePart, sign, verify, data)
		}
		checkVerifies(t, m.SinglePart, verify, data, sig, quick)
	}
	return accepted > 0
}

// checkSigns checks a signature that may depend on chance.
func checkSigns(t *testing.T, singlePart bool, sign func() (mech.Op, error), verify func() mech.VerifyOp, data []byte) {
	t.Helper()
	op, err := sign()
	if err != nil {
		t.Fatal(err)
	}
	sig, err := final(t, op, data, inPlace)
	if err == nil {
		err = verifyWhole(verify, data, sig)
	}
	if err != nil {
		t.Fatalf("signing %d bytes in place: %v", len(data), err)
	}
	if op, err = sign(); err != nil {
		t.Fatal(err)
	}
	if singlePart {
		checkRefusesParts(t, op, data)
		return
	}
	sig, err = inParts(t, op, data, inPlace, len(data)/3, len(data)/2)
	if err == nil {
		err = verifyWhole(verify, data, sig)
	}
	if err != nil {
		t.Fatalf("signing %d bytes in parts: %v", len(data), err)
	}
}

func verifyWhole(verify func() mech.VerifyOp, data, sig []byte) error {
	op := verify()
	defer wipe(op)
	return op.Verify(data, sig)
}

func checkVerifies(t *testing.T, singlePart bool, verify func() mech.VerifyOp, data, sig []byte, quick bool) {
	t.Helper()
	d, s := bytes.Clone(data), bytes.Clone(sig)
	if err := verifyWhole(verify, d, s); err != nil {
		t.Fatalf("verifying %d bytes: %v", len(data), err)
	}
	if !bytes.Equal(d, data) || !bytes.Equal(s, sig) {
		t.Fatal("verification wrote to its input")
	}
	bads := tampered(sig)
	if !quick {
		bads = bads[:4]
	}
	for _, bad := range bads {
		want := p11.CKR_SIGNATURE_INVALID
		if len(bad) != len(sig) {
			want = p11.CKR_SIGNATURE_LEN_RANGE // it goes before the other
		}
		if code := p11.Code(verifyWhole(verify, data, bad)); code != want {
			t.Fatalf("a wrong signature of %d bytes, where %d are right: %v; want %v", len(bad), len(sig), code, want)
		}
	}
	if singlePart {
		op := verify()
		defer wipe(op)
		if err := op.Update(data); p11.Code(err) != p11.CKR_FUNCTION_NOT_SUPPORTED {
			t.Fatalf("Update of a mechanism for one part: %v; want CKR_FUNCTION_NOT_SUPPORTED", err)
		}
		return
	}
	// Short MACs of different data may agree by chance.
	if len(data) > 0 && len(sig) >= 8 {
		other := bytes.Clone(data)
		other[len(other)-1] ^= 1
		if code := p11.Code(verifyWhole(verify, other, sig)); code != p11.CKR_SIGNATURE_INVALID {
			t.Fatalf("a signature over other data: %v", code)
		}
	}
	for _, cuts := range cuttings(len(data), quick) {
		op := verify()
		start := 0
		for _, cut := range cuts {
			if err := op.Update(data[start:cut]); err != nil {
				t.Fatal(err)
			}
			start = cut
		}
		if err := op.Verify(data[start:], sig); err != nil {
			t.Fatalf("verifying %d bytes in parts %v: %v", len(data), cuts, err)
		}
		wipe(op)
	}
}
