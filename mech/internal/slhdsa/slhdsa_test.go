package slhdsa

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// circlDir is where circl's source of SLH-DSA is.
func circlDir(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/cloudflare/circl/sign/slhdsa").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(dir))
}

// What is called by its linker name, and the fields that are wiped, are not
// checked by the compiler.
func TestLinkedFunctions(t *testing.T) {
	want := map[string]string{
		"slhSignInternal":   "func(sk *PrivateKey, message, addRand []byte) ([]byte, error)",
		"slhVerifyInternal": "func(pub *PublicKey, message, sigBytes []byte) bool",
		"PrivateKey":        "struct{seed, prfKey []byte; publicKey PublicKey; ID}",
	}
	files, err := filepath.Glob(filepath.Join(circlDir(t), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					got[d.Name.Name] = types.ExprString(d.Type)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok {
						got[s.Name.Name] = types.ExprString(s.Type)
					}
				}
			}
		}
	}
	for name, is := range want {
		if got[name] != is {
			t.Errorf("%s is %q, not %q", name, got[name], is)
		}
	}
}

type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

type acvpFile struct {
	TestGroups []struct {
		ParameterSet, SignatureInterface string
		Deterministic                    bool
		Tests                            []struct {
			TcID                                         int
			SK, Message, AdditionalRandomness, Signature hexBytes
		}
	}
}

func readACVP(t *testing.T, name string) (f acvpFile) {
	t.Helper()
	file, err := os.Open(filepath.Join(circlDir(t), "testdata", name))
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

// TestACVPHedged: signatures with randomness that is known, of NIST; those
// without are tried by the mechanisms.
func TestACVPHedged(t *testing.T) {
	signatures := map[int]hexBytes{}
	for _, g := range readACVP(t, "sigGen_results.json.gz").TestGroups {
		for _, c := range g.Tests {
			signatures[c.TcID] = c.Signature
		}
	}
	n := 0
	for _, g := range readACVP(t, "sigGen_prompt.json.gz").TestGroups {
		if g.Deterministic || g.SignatureInterface != "internal" || !slices.Contains([]string{"SLH-DSA-SHA2-128f", "SLH-DSA-SHA2-192f", "SLH-DSA-SHAKE-128f"}, g.ParameterSet) {
			continue
		}
		set, err := NewSet(g.ParameterSet)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range g.Tests[:2] {
			n++
			k, err := set.Private(c.SK)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.AdditionalRandomness) != k.HedgeSize() {
				t.Errorf("%d: %d random bytes, not %d", c.TcID, len(c.AdditionalRandomness), k.HedgeSize())
			}
			sig, err := k.Sign(c.Message, c.AdditionalRandomness)
			if err != nil || !bytes.Equal(sig, signatures[c.TcID]) {
				t.Errorf("%s, %d: another signature, %v", g.ParameterSet, c.TcID, err)
			}
		}
	}
	if n != 6 {
		t.Errorf("%d vectors were tried", n)
	}
}

func TestWipe(t *testing.T) {
	set, err := NewSet("SLH-DSA-SHA2-128f")
	if err != nil {
		t.Fatal(err)
	}
	k, err := set.Generate()
	if err != nil {
		t.Fatal(err)
	}
	other, err := set.Generate()
	if err != nil || bytes.Equal(k.Bytes(), other.Bytes()) {
		t.Fatalf("the same key twice: %v", err)
	}
	k.Wipe()
	b, err := k.key.MarshalBinary()
	if err != nil || len(bytes.Trim(b[:32], "\x00")) != 0 || len(bytes.Trim(k.bytes, "\x00")) != 0 {
		t.Errorf("the key is still there after Wipe: %x, %v", b, err)
	}
}

func TestNames(t *testing.T) {
	if _, err := NewSet("SLH-DSA-SHA2-512s"); err == nil {
		t.Error("there is a parameter set that is none")
	}
}
