package seal

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"coffer/p11"
)

// quick is for tests of everything but the cost.
var quick = Argon2{MemoryKiB: 8, Time: 1, Threads: 1}

var token1 = TokenID{0: 0x70, 15: 1}

func wrap(t testing.TB, m *Master, role Role, pin string, p Argon2) []byte {
	t.Helper()
	rec, err := m.WrapPIN(token1, role, []byte(pin), p)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestPINOpensTheMasterItWraps(t *testing.T) {
	m := master(t)
	for _, c := range []struct {
		role Role
		pin  string
		p    Argon2
	}{
		{User, "1234", DefaultArgon2},
		{SO, "12345678", quick},
		{User, "", quick},
		{User, strings.Repeat("ü\x00", 100), Argon2{MemoryKiB: 64, Time: 3, Threads: 4}},
	} {
		rec := wrap(t, m, c.role, c.pin, c.p)
		got, err := OpenPIN(token1, c.role, []byte(c.pin), rec)
		if err != nil {
			t.Fatal(err)
		}
		if !got.keys.Equal(m.keys) {
			t.Errorf("%v: another master key", c.role)
		}
		got.Wipe()
	}
	if err := (Argon2{}).Validate(); err == nil {
		t.Error("zero parameters are valid")
	}
}

func TestWrongPINIsIncorrect(t *testing.T) {
	rec := wrap(t, master(t), User, "1234", quick)
	for _, pin := range []string{"", "1235", "123", "12345", "1234\x00"} {
		if _, err := OpenPIN(token1, User, []byte(pin), rec); p11.Code(err) != p11.CKR_PIN_INCORRECT {
			t.Errorf("%q: got %v, want CKR_PIN_INCORRECT", pin, err)
		} else if pin != "" && strings.Contains(err.Error(), pin) {
			t.Errorf("the error shows the PIN: %v", err)
		}
	}
	other := TokenID{9}
	if _, err := OpenPIN(other, User, []byte("1234"), rec); p11.Code(err) != p11.CKR_PIN_INCORRECT {
		t.Errorf("another token's record: got %v, want CKR_PIN_INCORRECT", err)
	}
}

func TestAlteredPINRecordDoesNotOpen(t *testing.T) {
	rec := wrap(t, master(t), User, "1234", quick)
	for i := range rec {
		for _, flip := range []byte{1, 0x80} {
			bad := append([]byte(nil), rec...)
			bad[i] ^= flip
			want := p11.CKR_DEVICE_ERROR
			if p, err := parsePIN(User, bad); err == nil {
				if p.MemoryKiB > 1<<10 || p.Time > 2 {
					continue // within bounds, and slow
				}
				want = p11.CKR_PIN_INCORRECT
			}
			if _, err := OpenPIN(token1, User, []byte("1234"), bad); p11.Code(err) != want {
				t.Errorf("byte %d ^ %#x: got %v, want %v", i, flip, err, want)
			}
		}
	}
	for n := range rec {
		if _, err := OpenPIN(token1, User, []byte("1234"), rec[:n]); p11.Code(err) != p11.CKR_DEVICE_ERROR {
			t.Errorf("cut to %d bytes: got %v, want CKR_DEVICE_ERROR", n, err)
		}
	}
	if _, err := OpenPIN(token1, User, []byte("1234"), append(rec, 0)); p11.Code(err) != p11.CKR_DEVICE_ERROR {
		t.Errorf("a byte more: got %v, want CKR_DEVICE_ERROR", err)
	}
}

func TestPINRecordOfTheOtherRoleDoesNotOpen(t *testing.T) {
	rec := wrap(t, master(t), User, "1234", quick)
	if _, err := OpenPIN(token1, SO, []byte("1234"), rec); p11.Code(err) != p11.CKR_DEVICE_ERROR {
		t.Errorf("as it is: got %v, want CKR_DEVICE_ERROR", err)
	}
	rec[2] = byte(SO)
	if _, err := OpenPIN(token1, SO, []byte("1234"), rec); p11.Code(err) != p11.CKR_PIN_INCORRECT {
		t.Errorf("renamed: got %v, want CKR_PIN_INCORRECT", err)
	}
}

func TestHostilePINRecordCostsNothing(t *testing.T) {
	rec := wrap(t, master(t), User, "1234", quick)
	for _, p := range []Argon2{
		{MemoryKiB: 0xffffffff, Time: 1, Threads: 1},
		{MemoryKiB: maxMemoryKiB + 1, Time: 1, Threads: 1},
		{MemoryKiB: maxMemoryKiB, Time: 5, Threads: 1},
		{MemoryKiB: 64, Time: 0xffffffff, Threads: 1},
		{MemoryKiB: 0xffffffff, Time: 0xffffffff, Threads: 255},
		{MemoryKiB: 1 << 16, Time: 1, Threads: 255},
		{MemoryKiB: 8, Time: 0, Threads: 1},
		{MemoryKiB: 8, Time: 1, Threads: 0},
		{MemoryKiB: 7, Time: 1, Threads: 1},
		{MemoryKiB: 15, Time: 1, Threads: 2},
	} {
		bad := append([]byte(nil), rec...)
		bad[3] = p.Threads
		binary.BigEndian.PutUint32(bad[4:], p.MemoryKiB)
		binary.BigEndian.PutUint32(bad[8:], p.Time)
		_, err := OpenPIN(token1, User, []byte("1234"), bad)
		if err == nil || p11.Code(err) != p11.CKR_DEVICE_ERROR {
			t.Errorf("%+v: got %v, want CKR_DEVICE_ERROR", p, err)
		}
		if _, err := master(t).WrapPIN(token1, User, nil, p); !errors.Is(err, p11.CKR_ARGUMENTS_BAD) {
			t.Errorf("%+v: wrapped with %v, want CKR_ARGUMENTS_BAD", p, err)
		}
	}
	if _, err := master(t).WrapPIN(token1, 0, nil, quick); !errors.Is(err, p11.CKR_ARGUMENTS_BAD) {
		t.Errorf("no role: got %v, want CKR_ARGUMENTS_BAD", err)
	}
}

func TestPINRecordsOfOnePINDiffer(t *testing.T) {
	m := master(t)
	a, b := wrap(t, m, User, "1234", quick), wrap(t, m, User, "1234", quick)
	if string(a[pinSaltAt:pinSealedAt]) == string(b[pinSaltAt:pinSealedAt]) || string(a[pinSealedAt:]) == string(b[pinSealedAt:]) {
		t.Error("a salt or nonce is used twice")
	}
}

func FuzzParsePIN(f *testing.F) {
	f.Add([]byte{pinVersion, kindPIN, 1, 1, 0, 0, 0, 8, 0, 0, 0, 1})
	f.Add(make([]byte, pinSize))
	f.Fuzz(func(t *testing.T, rec []byte) {
		for _, role := range []Role{User, SO} {
			p, err := parsePIN(role, rec)
			if err != nil {
				if p11.Code(err) != p11.CKR_DEVICE_ERROR {
					t.Fatal(err)
				}
				continue
			}
			if len(rec) != pinSize || p.Validate() != nil {
				t.Fatalf("%d bytes, %+v", len(rec), p)
			}
		}
	})
}

func BenchmarkOpenPIN(b *testing.B) {
	rec := wrap(b, master(b), User, "1234", DefaultArgon2)
	for b.Loop() {
		m, err := OpenPIN(token1, User, []byte("1234"), rec)
		if err != nil {
			b.Fatal(err)
		}
		m.Wipe()
	}
}
