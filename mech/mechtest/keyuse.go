package mechtest

import (
	"bytes"
	"testing"

	"coffer/mech"
	"coffer/p11"
	"coffer/p11/attr"
)

// encodedLengths are those of the keys to wrap: secrets, and PKCS #8.
var encodedLengths = []int{1, 5, 8, 15, 16, 20, 24, 32, 48, 64, 138, 200, 1216, 1217, 1218, 1219}

// checkWrap checks Wrap, WrapSize and Unwrap with one parameter.
func checkWrap(t *testing.T, m *mech.Mechanism, k *keyPair, p p11.Params) bool {
	t.Helper()
	accepted := 0
	for _, n := range encodedLengths {
		encoded := input(n)
		given := bytes.Clone(encoded)
		wrapped, err := m.Wrap(k.public, p, given)
		if !bytes.Equal(given, encoded) {
			t.Fatal("Wrap changed the key")
		}
		if err != nil {
			checkRefusal(t, err)
			continue
		}
		accepted++
		if size, err := m.WrapSize(k.public, p, n); err != nil || size != len(wrapped) {
			t.Fatalf("WrapSize of %d bytes is %d, %v; Wrap makes %d", n, size, err, len(wrapped))
		}
		given = bytes.Clone(wrapped)
		got, err := m.Unwrap(k.private, p, given)
		if !bytes.Equal(given, wrapped) {
			t.Fatal("Unwrap changed the wrapped key")
		}
		if err != nil || !sameNumber(got, encoded) {
			t.Fatalf("unwrapping a key of %d bytes: %x, %v; want %x", n, got, err, encoded)
		}
		for _, bad := range tampered(wrapped) {
			_, err := m.Unwrap(k.private, p, bad)
			switch code := p11.Code(err); code {
			case p11.CKR_OK, p11.CKR_WRAPPED_KEY_INVALID, p11.CKR_WRAPPED_KEY_LEN_RANGE:
			default:
				t.Fatalf("unwrapping garbage: %v", err)
			}
		}
	}
	return accepted > 0
}

// derivedLengths are CKA_VALUE_LEN of the keys to derive, 0 for none.
var derivedLengths = []int{0, 1, 16, 20, 24, 28, 32, 48, 64, 255, 1 << 40}

// checkDerive checks Derive with one parameter.
func checkDerive(t *testing.T, m *mech.Mechanism, k *keyPair, p p11.Params) bool {
	t.Helper()
	accepted := 0
	for _, n := range derivedLengths {
		d := mech.Derivation{Base: k.private, Params: p, Length: n, Want: attr.Values{
			attr.NewULong(p11.CKA_CLASS, p11.CKO_SECRET_KEY),
			attr.NewULong(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET),
		}}
		if h, ok := p.(p11.KeyHandles); ok {
			for range h.KeyHandles() {
				d.Others = append(d.Others, k.private)
			}
		}
		one, err := m.Derive(d)
		if err != nil {
			checkRefusal(t, err)
			continue
		}
		two, err := m.Derive(d)
		if err != nil {
			t.Fatalf("deriving a second time: %v", err)
		}
		value := one.Values.Bytes(p11.CKA_VALUE)
		if !bytes.Equal(value, two.Values.Bytes(p11.CKA_VALUE)) {
			t.Fatal("the same derivation gives two values")
		}
		if len(value) == 0 || n != 0 && len(value) != n {
			t.Fatalf("%d bytes were derived, not %d", len(value), n)
		}
		accepted++
	}
	return accepted > 0
}

// checkGenerate checks the generation of a secret key: at random, or out of the
// parameter.
func (s *suite) checkGenerate(t *testing.T, m *mech.Mechanism) {
	p := paramsFor(m, nil)[0]
	for _, kt := range m.Keys {
		row, err := s.registry.KeyType(kt)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range lengthsOf(row) {
			want := secretTemplate(kt, n)
			one, err := m.Generate(p, want)
			if err != nil {
				t.Fatalf("%v with %d bytes: %v", kt, n, err)
			}
			two, err := m.Generate(p, want)
			if err != nil {
				t.Fatal(err)
			}
			a, b := one.Bytes(p11.CKA_VALUE), two.Bytes(p11.CKA_VALUE)
			if len(a) != n || n > 8 && bytes.Equal(a, b) != (p != nil) {
				t.Errorf("generating %d bytes twice gives %d bytes, equal: %v", n, len(a), bytes.Equal(a, b))
			}
		}
		if len(row.Lengths) != 1 {
			_, err := m.Generate(p, secretTemplate(kt, 16).Without(p11.CKA_VALUE_LEN))
			if p11.Code(err) != p11.CKR_TEMPLATE_INCOMPLETE {
				t.Errorf("without CKA_VALUE_LEN: %v; want CKR_TEMPLATE_INCOMPLETE", err)
			}
		}
		for _, n := range []int{0, row.MaxLength + 1, -1} {
			if _, err := m.Generate(p, secretTemplate(kt, n)); p11.Code(err) != p11.CKR_ATTRIBUTE_VALUE_INVALID {
				t.Errorf("CKA_VALUE_LEN %d: %v; want CKR_ATTRIBUTE_VALUE_INVALID", n, err)
			}
		}
		short := secretTemplate(kt, 16).With(attr.NewBytes(p11.CKA_VALUE_LEN, []byte{16}))
		if _, err := m.Generate(p, short); p11.Code(err) != p11.CKR_ATTRIBUTE_VALUE_INVALID {
			t.Errorf("CKA_VALUE_LEN of one byte: %v; want CKR_ATTRIBUTE_VALUE_INVALID", err)
		}
	}
}

// checkGenerateDomain checks the generation of domain parameters: the key type
// takes them, and says how long they are.
func (s *suite) checkGenerateDomain(t *testing.T, m *mech.Mechanism) {
	for _, kt := range m.Keys {
		row, err := s.registry.KeyType(kt)
		if err != nil {
			t.Fatal(err)
		}
		values, err := m.Generate(nil, domainSize)
		if err != nil {
			t.Fatal(err)
		}
		more, err := row.Domain(values)
		if err != nil {
			t.Fatalf("the key type refuses what was generated: %v", err)
		}
		for _, want := range domainSize {
			if got, ok := more.Get(want.Type); ok && !want.Equal(attr.Value{Type: want.Type, Raw: got}) {
				t.Errorf("%v is %x, not %x", want.Type, got, want.Raw)
			}
		}
		if _, err := m.Generate(nil, nil); p11.Code(err) != p11.CKR_TEMPLATE_INCOMPLETE {
			t.Errorf("an empty template: %v; want CKR_TEMPLATE_INCOMPLETE", err)
		}
		for _, n := range []uint64{0, 1, 1023, 1 << 20, 1<<64 - 1} {
			want := domainSize.With(attr.NewULong(p11.CKA_PRIME_BITS, n))
			if _, err := m.Generate(nil, want); p11.Code(err) != p11.CKR_ATTRIBUTE_VALUE_INVALID {
				t.Errorf("CKA_PRIME_BITS %d: %v; want CKR_ATTRIBUTE_VALUE_INVALID", n, err)
			}
		}
		if _, err := row.Domain(nil); err == nil {
			t.Error("no domain parameters were taken for some")
		}
	}
}

// checkGeneratePair checks the generation of pairs, and what their key type
// says of them.
func (s *suite) checkGeneratePair(t *testing.T, m *mech.Mechanism) {
	for _, kt := range m.Keys {
		row, err := s.registry.KeyType(kt)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range s.pairs(t, kt) {
			t.Run(k.name, func(t *testing.T) { checkPair(t, row, k) })
		}
		none := attr.Values{attr.NewULong(p11.CKA_KEY_TYPE, kt)}
		if _, _, err := m.GeneratePair(nil, none, none); p11.Code(err) != p11.CKR_TEMPLATE_INCOMPLETE {
			t.Errorf("an empty template: %v; want CKR_TEMPLATE_INCOMPLETE", err)
		}
		for _, class := range []p11.ObjectClass{p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY} {
			if _, _, err := row.Parse(class, nil); err == nil {
				t.Errorf("a key of class %v without attributes was parsed", class)
			} else {
				checkRefusal(t, err)
			}
		}
		for _, der := range tampered(nil) {
			if _, err := row.UnmarshalPKCS8(der); err == nil {
				t.Errorf("%x was taken for PKCS #8", der)
			} else {
				checkRefusal(t, err)
			}
		}
	}
}

func checkPair(t *testing.T, row *mech.KeyType, k *keyPair) {
	info, err := row.PublicKeyInfo(k.public.material)
	if err != nil {
		t.Fatal(err)
	}
	same, err := row.PublicKeyInfo(k.private.material)
	if err != nil || !bytes.Equal(info, same) {
		t.Fatalf("the halves have different CKA_PUBLIC_KEY_INFO: %x and %x, %v", info, same, err)
	}
	der, err := row.MarshalPKCS8(k.private.material)
	if err != nil {
		t.Fatal(err)
	}
	values, err := row.UnmarshalPKCS8(der)
	if err != nil {
		t.Fatalf("reading back PKCS #8: %v", err)
	}
	back, err := parse(row, p11.CKO_PRIVATE_KEY, values)
	if err != nil {
		t.Fatalf("parsing what PKCS #8 held: %v", err)
	}
	if same, err = row.PublicKeyInfo(back.material); err != nil || !bytes.Equal(info, same) {
		t.Fatalf("PKCS #8 changed the key: %v", err)
	}
	if back.bits != k.private.bits || k.public.bits != k.private.bits {
		t.Errorf("the key has %d bits, its public half %d, after PKCS #8 %d", k.private.bits, k.public.bits, back.bits)
	}
	if row.Complete == nil {
		return
	}
	for _, half := range []*key{k.public, k.private} {
		if _, err := row.Complete(half.class, half.values, half.material); err != nil {
			t.Errorf("completing the key of class %v: %v", half.class, err)
		}
	}
}
