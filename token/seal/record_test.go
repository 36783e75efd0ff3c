package seal

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"coffer/p11"
)

var header1 = Header{Token: token1, Object: ObjectID{0: 0xb0, 15: 2}, Class: 0x80000003, Generation: 1 << 40}

func sealed(t testing.TB, m *Master, h Header, public, secret []byte) []byte {
	t.Helper()
	rec, err := m.Seal(h, public, secret)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func plain(t testing.TB, h Header, public []byte) []byte {
	t.Helper()
	rec, err := Plain(h, public)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// refuses checks that Open does not return anything of rec but a named error.
func refuses(t *testing.T, m *Master, h Header, rec []byte, what string) {
	t.Helper()
	got, public, secret, err := m.Open(h.Token, h.Object, rec)
	if err == nil || p11.Code(err) != p11.CKR_DEVICE_ERROR || !strings.Contains(err.Error(), h.Object.String()) {
		t.Errorf("%s: got %v, want CKR_DEVICE_ERROR with the object's id", what, err)
	}
	if got != (Header{}) || public != nil || secret != nil {
		t.Errorf("%s: something is returned with the error", what)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	m := master(t)
	for _, public := range []int{0, 1, 500, 100 << 10} {
		for _, secret := range []int{0, 1, 32, 500, 100 << 10} {
			p, s := bytes.Repeat([]byte{0xaa}, public), bytes.Repeat([]byte{0xbb}, secret)
			rec := sealed(t, m, header1, p, s)
			if secret > 8 && bytes.Contains(rec, s[:8]) {
				t.Fatal("the secret part stands in the record")
			}
			if want := publicAt + public + secret + overhead; len(rec) != want {
				t.Errorf("record of %d bytes, want %d", len(rec), want)
			}
			h, gotP, gotS, err := m.Open(header1.Token, header1.Object, rec)
			if err != nil {
				t.Fatal(err)
			}
			if h != header1 || !bytes.Equal(gotP, p) || gotS == nil || !bytes.Equal(gotS.Bytes(), s) {
				t.Errorf("public %d, secret %d: got others", public, secret)
			}
			gotS.Wipe()
			h, gotP, isSealed, err := ReadPublic(header1.Token, header1.Object, rec)
			if err != nil || h != header1 || !bytes.Equal(gotP, p) || !isSealed {
				t.Errorf("ReadPublic: got %+v, %d bytes, sealed %v, %v", h, len(gotP), isSealed, err)
			}
		}
	}
}

func TestPlainRoundTrip(t *testing.T) {
	for _, public := range []int{0, 1, 500, 100 << 10} {
		p := bytes.Repeat([]byte{0xaa}, public)
		rec := plain(t, header1, p)
		h, got, isSealed, err := ReadPublic(header1.Token, header1.Object, rec)
		if err != nil || h != header1 || !bytes.Equal(got, p) || isSealed {
			t.Errorf("got %+v, %d bytes, sealed %v, %v", h, len(got), isSealed, err)
		}
		refuses(t, master(t), header1, rec, "a plain record")
	}
}

func TestTamperedRecordIsRefused(t *testing.T) {
	m := master(t)
	for _, secret := range []string{"", "the secret part"} {
		rec := sealed(t, m, header1, []byte("the public part"), []byte(secret))
		for i := range rec {
			for bit := range 8 {
				bad := bytes.Clone(rec)
				bad[i] ^= 1 << bit
				refuses(t, m, header1, bad, fmt.Sprintf("byte %d, bit %d", i, bit))
			}
		}
	}
	rec := plain(t, header1, []byte("the public part"))
	for i := range rec {
		for bit := range 8 {
			bad := bytes.Clone(rec)
			bad[i] ^= 1 << bit
			if _, _, _, err := ReadPublic(header1.Token, header1.Object, bad); p11.Code(err) != p11.CKR_DEVICE_ERROR {
				t.Errorf("plain, byte %d, bit %d: got %v, want CKR_DEVICE_ERROR", i, bit, err)
			}
		}
	}
}

func TestTruncatedRecordIsRefused(t *testing.T) {
	m := master(t)
	rec := sealed(t, m, header1, []byte("the public part"), []byte("the secret part"))
	for n := range rec {
		refuses(t, m, header1, rec[:n], fmt.Sprintf("%d bytes", n))
		refuses(t, m, header1, rec[n+1:], fmt.Sprintf("without the first %d bytes", n+1))
	}
	refuses(t, m, header1, append(bytes.Clone(rec), 0), "a byte more")
	refuses(t, m, header1, append(bytes.Clone(rec), rec...), "twice")

	rec = plain(t, header1, []byte("the public part"))
	for n := range rec {
		if _, _, _, err := ReadPublic(header1.Token, header1.Object, rec[:n]); p11.Code(err) != p11.CKR_DEVICE_ERROR {
			t.Errorf("plain, %d bytes: got %v, want CKR_DEVICE_ERROR", n, err)
		}
	}
	if _, _, _, err := ReadPublic(header1.Token, header1.Object, append(rec, 0)); p11.Code(err) != p11.CKR_DEVICE_ERROR {
		t.Errorf("plain, a byte more: got %v, want CKR_DEVICE_ERROR", err)
	}
}

func TestSwappedRecordIsRefused(t *testing.T) {
	m := master(t)
	public, secret := []byte("the public part"), []byte("the secret part")
	rec := sealed(t, m, header1, public, secret)

	otherObject, otherToken := header1, header1
	otherObject.Object[3]++
	otherToken.Token[3]++
	refuses(t, m, otherObject, rec, "another object's")
	refuses(t, m, otherToken, rec, "another token's")
	refuses(t, master(t), header1, rec, "another master key's")
	swappedIDs := Header{Token: TokenID(header1.Object), Object: ObjectID(header1.Token)}
	refuses(t, m, swappedIDs, rec, "token for object")

	// Parts of two records of one object: the older secret under the newer
	// header, the header of another class, another public part.
	newer, class := header1, header1
	newer.Generation++
	class.Class++
	for what, other := range map[string][]byte{
		"generation":  sealed(t, m, newer, public, secret),
		"class":       sealed(t, m, class, public, secret),
		"public part": sealed(t, m, header1, []byte("THE PUBLIC PART"), secret),
		"salt":        sealed(t, m, header1, public, secret),
	} {
		body := publicAt + len(public)
		refuses(t, m, header1, append(bytes.Clone(other[:body]), rec[body:]...), "head with another "+what)
		if what != "salt" {
			mixed := append(bytes.Clone(other[:recordSaltAt]), rec[recordSaltAt:]...)
			if what == "public part" {
				mixed = append(append(bytes.Clone(rec[:publicAt]), other[publicAt:body]...), rec[body:]...)
			}
			refuses(t, m, header1, mixed, "only another "+what)
		}
	}

	p := plain(t, header1, public)
	for _, h := range []Header{otherObject, otherToken, swappedIDs} {
		if _, _, _, err := ReadPublic(h.Token, h.Object, p); p11.Code(err) != p11.CKR_DEVICE_ERROR {
			t.Errorf("plain, of another: got %v, want CKR_DEVICE_ERROR", err)
		}
	}
}

func TestOlderRecordOpensWithItsGeneration(t *testing.T) {
	m := master(t)
	h, _, secret, err := m.Open(header1.Token, header1.Object, sealed(t, m, header1, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	secret.Wipe()
	if h.Generation != header1.Generation {
		t.Errorf("got generation %d, want %d", h.Generation, header1.Generation)
	}
}

func TestSealsOfOneRecordDiffer(t *testing.T) {
	m := master(t)
	a, b := sealed(t, m, header1, nil, make([]byte, 32)), sealed(t, m, header1, nil, make([]byte, 32))
	if bytes.Equal(a[recordSaltAt:publicAt], b[recordSaltAt:publicAt]) || bytes.Equal(a[publicAt:], b[publicAt:]) {
		t.Error("a salt or nonce is used twice")
	}
}

func TestOtherKindsAreNotRecords(t *testing.T) {
	m := master(t)
	blob, err := m.SealBlob("x", nil, make([]byte, 200))
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, m, header1, blob, "a blob")
	refuses(t, m, header1, wrap(t, m, User, "1234", quick), "a PIN record")
	rec := sealed(t, m, header1, nil, make([]byte, 200))
	if _, err := m.OpenBlob("x", nil, rec); p11.Code(err) != p11.CKR_DEVICE_ERROR {
		t.Errorf("a record as a blob: got %v", err)
	}
	rec[0] = recordVersion + 1
	if _, _, _, err := m.Open(header1.Token, header1.Object, rec); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("a later format: got %v", err)
	}
}

func FuzzRecord(f *testing.F) {
	m := fixed(f)
	f.Add(sealed(f, m, header1, []byte("public"), []byte("secret")))
	f.Add(sealed(f, m, header1, nil, nil))
	f.Add(plain(f, header1, []byte("public")))
	f.Add(plain(f, header1, nil))
	f.Fuzz(func(t *testing.T, rec []byte) {
		h, public, isSealed, err := ReadPublic(header1.Token, header1.Object, rec)
		if err != nil {
			if p11.Code(err) != p11.CKR_DEVICE_ERROR || h != (Header{}) || public != nil {
				t.Fatalf("%+v, %x, %v", h, public, err)
			}
			refuses(t, m, header1, rec, "unreadable")
			return
		}
		oh, op, secret, err := m.Open(header1.Token, header1.Object, rec)
		switch {
		case !isSealed:
			if again := plain(t, h, public); err == nil || !bytes.Equal(again, rec) {
				t.Fatalf("%v, or not canonical: %x", err, again)
			}
		case err == nil: // a seed
			if oh != h || !bytes.Equal(op, public) {
				t.Fatal("Open and ReadPublic differ")
			}
			secret.Wipe()
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	m, half := master(b), make([]byte, 512)
	b.ReportAllocs()
	for b.Loop() {
		sealed(b, m, header1, half, half)
	}
}

func BenchmarkOpen(b *testing.B) {
	m, half := master(b), make([]byte, 512)
	rec := sealed(b, m, header1, half, half)
	b.ReportAllocs()
	for b.Loop() {
		_, _, secret, err := m.Open(header1.Token, header1.Object, rec)
		if err != nil {
			b.Fatal(err)
		}
		secret.Wipe()
	}
}

func BenchmarkOpenParallel(b *testing.B) {
	m, half := master(b), make([]byte, 512)
	rec := sealed(b, m, header1, half, half)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _, secret, err := m.Open(header1.Token, header1.Object, rec)
			if err != nil {
				b.Error(err)
				return
			}
			secret.Wipe()
		}
	})
}

func BenchmarkReadPublic(b *testing.B) {
	half := make([]byte, 512)
	for name, rec := range map[string][]byte{"sealed": sealed(b, master(b), header1, half, half), "plain": plain(b, header1, half)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, err := ReadPublic(header1.Token, header1.Object, rec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
