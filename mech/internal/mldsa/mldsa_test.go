package mldsa

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rand"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	other "filippo.io/mldsa"
	"filippo.io/mldsa/mldsacrypto"
)

var sets = []struct {
	name  string
	set   *Set
	other other.Parameters
}{
	{"ML-DSA-44", Set44, other.MLDSA44()},
	{"ML-DSA-65", Set65, other.MLDSA65()},
	{"ML-DSA-87", Set87, other.MLDSA87()},
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// circlDir is where the source of a package of circl is.
func circlDir(t *testing.T, path string) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/cloudflare/circl/"+path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(dir))
}

// What is called by its linker name is not checked by the compiler.
func TestLinkedFunctions(t *testing.T) {
	want := map[string]string{
		"SignTo":                       "func(sk *PrivateKey, msg func(io.Writer), rnd [32]byte, signature []byte)",
		"Verify":                       "func(pk *PublicKey, msg func(io.Writer), signature []byte) bool",
		"(*PrivateKey).computeT0andT1": "func(t0, t1 *VecK)",
		"VecK":                         "[K]common.Poly",
	}
	for _, s := range []string{"mldsa44", "mldsa65", "mldsa87"} {
		got := declared(t, circlDir(t, "sign/mldsa/"+s+"/internal"))
		for name, is := range want {
			if got[name] != is {
				t.Errorf("%s: %s is %q, not %q", s, name, got[name], is)
			}
		}
		outside := declared(t, circlDir(t, "sign/mldsa/"+s))
		for _, name := range []string{"PrivateKey", "PublicKey"} {
			if outside[name] != "internal."+name {
				t.Errorf("%s: %s is %q", s, name, outside[name])
			}
		}
	}
	if got := declared(t, circlDir(t, "sign/internal/dilithium"))["Poly"]; got != "[N]uint32" {
		t.Errorf("Poly is %q", got)
	}
}

// declared returns the types that a folder's files declare, and those of its
// functions and methods.
func declared(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				out[n.Name.Name] = types.ExprString(n.Type)
			case *ast.FuncDecl:
				name := n.Name.Name
				if n.Recv != nil {
					name = "(" + types.ExprString(n.Recv.List[0].Type) + ")." + name
				}
				out[name] = types.ExprString(n.Type)
				return false
			}
			return true
		})
	}
	return out
}

type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

type acvpFile[T any] struct {
	TestGroups []struct {
		ParameterSet string
		PK           hexBytes
		Tests        []T
	}
}

// acvp reads a file of NIST's Automated Cryptographic Validation Protocol that
// circl carries.
func acvp[T any](t *testing.T, name string) (f acvpFile[T]) {
	t.Helper()
	file, err := os.Open(filepath.Join(circlDir(t, "sign/mldsa"), "testdata", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(unzipped).Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

type acvpTest struct {
	TcID                                          int
	Seed, PK, SK, Message, Rnd, Signature, Result hexBytes
	TestPassed                                    bool
}

// eachACVP calls check with each case and its expected result.
func eachACVP(t *testing.T, name string, check func(t *testing.T, s *Set, groupPK []byte, in, want acvpTest)) {
	t.Helper()
	want := map[int]acvpTest{}
	for _, g := range acvp[acvpTest](t, name+"/expectedResults").TestGroups {
		for _, c := range g.Tests {
			want[c.TcID] = c
		}
	}
	n := map[string]int{}
	for _, g := range acvp[acvpTest](t, name+"/prompt").TestGroups {
		for _, s := range sets {
			if s.name != g.ParameterSet {
				continue
			}
			for _, in := range g.Tests {
				n[s.name]++
				check(t, s.set, g.PK, in, want[in.TcID])
			}
		}
	}
	if len(n) != len(sets) || len(want) != n["ML-DSA-44"]+n["ML-DSA-65"]+n["ML-DSA-87"] {
		t.Errorf("%s: %v of %d vectors were tried", name, n, len(want))
	}
}

func TestACVPKeyGeneration(t *testing.T) {
	eachACVP(t, "ML-DSA-keyGen-FIPS204", func(t *testing.T, s *Set, _ []byte, in, want acvpTest) {
		k, err := s.FromSeed(in.Seed)
		if err != nil || !bytes.Equal(k.Public(), want.PK) || !bytes.Equal(k.Bytes(), want.SK) {
			t.Errorf("%d: another key than that of the seed %x, %v", in.TcID, in.Seed, err)
		}
	})
}

func TestACVPSigning(t *testing.T) {
	eachACVP(t, "ML-DSA-sigGen-FIPS204", func(t *testing.T, s *Set, _ []byte, in, want acvpTest) {
		k, err := s.Private(in.SK)
		if err != nil {
			t.Fatal(err)
		}
		sig := make([]byte, s.SignatureSize)
		var hedge [RandomSize]byte
		copy(hedge[:], in.Rnd)
		k.Sign(sig, k.Message(nil), in.Message, &hedge)
		if !bytes.Equal(sig, want.Signature) {
			t.Errorf("%d: another signature", in.TcID)
		}
		// In parts, and with a head.
		clear(sig)
		n := len(in.Message)
		m := k.Message(in.Message[:n/4])
		m.Write(in.Message[n/4 : n/3])
		m.Write(in.Message[n/3 : n/2])
		k.Sign(sig, m, in.Message[n/2:], &hedge)
		if !bytes.Equal(sig, want.Signature) {
			t.Errorf("%d: another signature of the parts", in.TcID)
		}
	})
}

func TestACVPVerification(t *testing.T) {
	eachACVP(t, "ML-DSA-sigVer-FIPS204", func(t *testing.T, s *Set, pk []byte, in, want acvpTest) {
		k, err := s.Public(pk)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.Verify(in.Signature, k.Message(nil), in.Message); got != want.TestPassed {
			t.Errorf("%d: %v, want %v", in.TcID, got, want.TestPassed)
		}
		m := k.Message(nil)
		n := len(in.Message) / 2
		m.Write(in.Message[:n])
		if got := k.Verify(in.Signature, m, in.Message[n:]); got != want.TestPassed {
			t.Errorf("%d in parts: %v, want %v", in.TcID, got, want.TestPassed)
		}
	})
}

// TestAgainstGo compares with the standard library's implementation, as
// filippo.io/mldsa has it for Go versions that do not yet export it.
func TestAgainstGo(t *testing.T) {
	for _, s := range sets {
		t.Run(s.name, func(t *testing.T) {
			seed := random(SeedSize)
			theirs, err := other.NewPrivateKey(s.other, seed)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := s.set.FromSeed(seed)
			if err != nil || !bytes.Equal(ours.Public(), theirs.PublicKey().Bytes()) {
				t.Fatalf("another public key: %v", err)
			}
			public, err := s.set.Public(ours.Public())
			if err != nil {
				t.Fatal(err)
			}
			message, context := random(500), "context"
			head := append([]byte{0, byte(len(context))}, context...)
			sig := make([]byte, s.set.SignatureSize)
			ours.Sign(sig, ours.Message(head), message, &[RandomSize]byte{})
			want, err := theirs.SignDeterministic(message, &other.Options{Context: context})
			if err != nil || !bytes.Equal(sig, want) {
				t.Errorf("another deterministic signature: %v", err)
			}
			ours.Sign(sig, ours.Message(head), message, (*[RandomSize]byte)(random(RandomSize)))
			if err := other.Verify(theirs.PublicKey(), message, sig, &other.Options{Context: context}); err != nil {
				t.Errorf("they refuse our hedged signature: %v", err)
			}
			if sig, err = theirs.Sign(nil, message, &other.Options{Context: context}); err != nil || !public.Verify(sig, public.Message(head), message) {
				t.Errorf("we refuse their hedged signature: %v", err)
			}
			// HashML-DSA: they sign what μ is made of.
			head[0] = 1
			h := sha3.NewSHAKE256()
			h.Write(hashKey(ours.Public()))
			h.Write(head)
			h.Write(message)
			mu := make([]byte, 64)
			h.Read(mu)
			var opts crypto.SignerOpts = mldsacrypto.MLDSAMu
			if want, err = theirs.SignDeterministic(mu, opts); err != nil {
				t.Fatal(err)
			}
			ours.Sign(sig, ours.Message(head), message, &[RandomSize]byte{})
			if !bytes.Equal(sig, want) || !public.Verify(want, public.Message(head), message) {
				t.Error("another signature of a μ")
			}
		})
	}
}

func TestExpandedKeysAreChecked(t *testing.T) {
	for _, s := range sets {
		t.Run(s.name, func(t *testing.T) {
			k, err := s.set.FromSeed(random(SeedSize))
			if err != nil {
				t.Fatal(err)
			}
			sk := k.Bytes()
			same, err := s.set.Private(sk)
			if err != nil || !bytes.Equal(same.Bytes(), sk) || !bytes.Equal(same.Public(), k.Public()) {
				t.Fatalf("its own encoding: %v", err)
			}
			t0 := 64 + trSize + s.set.smallSize()
			for what, at := range map[string]int{
				"A": 3, "the hash of the public key": 64, "its end": 64 + trSize - 1, "s1": 64 + trSize, "s2": t0 - 1,
				"t0": t0, "t0 in the middle": (t0 + len(sk)) / 2, "the last of t0": len(sk) - 1,
			} {
				for bit := range 8 {
					bad := bytes.Clone(sk)
					bad[at] ^= 1 << bit
					if _, err := s.set.Private(bad); err == nil {
						t.Errorf("%s: bit %d of byte %d was changed", what, bit, at)
					}
				}
			}
			// The seed K of the hedge is in no relation to anything.
			bad := bytes.Clone(sk)
			bad[32] ^= 1
			if _, err := s.set.Private(bad); err != nil {
				t.Error(err)
			}
			for _, n := range []int{0, 1, len(sk) - 1, len(sk) + 1} {
				if _, err := s.set.Private(make([]byte, n)); err != ErrLength {
					t.Errorf("%d bytes: %v", n, err)
				}
			}
			k.Wipe()
			if b := k.Bytes(); bytes.Equal(b[:32], sk[:32]) || bytes.Equal(b[32:64], sk[32:64]) {
				t.Error("the key is still there after Wipe")
			}
		})
	}
}

// Coefficients out of range, which Bytes cannot make and the hash of the public
// key alone might not show.
func TestRange(t *testing.T) {
	for _, s := range sets {
		width, top := s.set.smallBits(), 2*s.set.eta
		for _, at := range []int{0, 1, 2, 5, 7} {
			for v := range 1 << width {
				packed := make([]byte, 8*width)
				for bit := range width {
					if v>>bit&1 != 0 {
						packed[(at*width+bit)/8] |= 1 << ((at*width + bit) % 8)
					}
				}
				if got := s.set.inRange(packed); got != (v <= top) {
					t.Errorf("%s: coefficient %d of %d: %v", s.name, at, v, got)
				}
			}
		}
	}
}
