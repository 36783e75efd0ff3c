package clients

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module returns the folder of a module that this one requires.
func (b *bench) module(path string) string {
	b.t.Helper()
	var m struct{ Dir string }
	if err := json.Unmarshal([]byte(b.source("mod", "download", "-json", path)), &m); err != nil {
		b.t.Fatal(err)
	}
	return m.Dir
}

// suite runs a test binary that others wrote, and checks that of its tests
// exactly those fail or skip that the maps give a reason for.
func (b *bench) suite(path string, fails, skips map[string]string, args ...string) {
	b.t.Helper()
	r := b.try(path, append([]string{"-test.v"}, args...)...)
	got := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^\s*--- (PASS|FAIL|SKIP): (\S+)`).FindAllStringSubmatch(r.all(), -1) {
		got[m[1]] = append(got[m[1]], m[2])
	}
	wrong := !strings.HasSuffix(r.stdout, "PASS\n") && !strings.HasSuffix(r.stdout, "FAIL\n")
	for outcome, want := range map[string]map[string]string{"FAIL": fails, "SKIP": skips} {
		slices.Sort(got[outcome])
		if names := slices.Sorted(maps.Keys(want)); !slices.Equal(got[outcome], names) {
			b.t.Errorf("%s: got %q, want %q", outcome, got[outcome], names)
			wrong = true
		}
	}
	if wrong {
		b.t.Errorf("%v\n%s", r.err, r.all())
	}
	b.t.Logf("%d pass: %s", len(got["PASS"]), strings.Join(got["PASS"], " "))
}

// TestMiekgSuite runs the tests of github.com/miekg/pkcs11 as they are shipped.
// Each loads and unloads the library.
func TestMiekgSuite(t *testing.T) {
	t.Parallel()
	b := newBench(t, everything)
	// Its example has this PIN written into it.
	const written = "1234"
	b.user("--change-pin", "--new-pin", written)
	binary := filepath.Join(b.dir, "suite")
	b.source("test", "-c", "-o", binary, "github.com/miekg/pkcs11")
	// One of the tests reads a header of its folder.
	b.dir = b.module("github.com/miekg/pkcs11")
	b.env = append(b.env, "SOFTHSM_LIB="+b.lib, "SOFTHSM_PIN="+written)
	b.suite(binary, map[string]string{
		"TestGetInfo": "wants SoftHSM for a manufacturer",
	}, nil)
}

// TestCrypto11Suite runs the tests of crypto11 as they are shipped.
func TestCrypto11Suite(t *testing.T) {
	t.Parallel()
	b := newBench(t, everything)
	b.init("token1")
	b.init("token2")
	stand, err := filepath.Abs("testdata/testify")
	if err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(b.dir, "crypto11")
	if err := os.CopyFS(src, os.DirFS(b.module("github.com/ThalesGroup/crypto11"))); err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]string{"Path": b.lib, "TokenLabel": "token1", "Pin": pin})
	if err != nil {
		t.Fatal(err)
	}
	b.write("crypto11/config", config)
	// 32 threads that sign 256 times and sleep in between are too slow for here.
	b.write("crypto11/quick_test.go", []byte("package crypto11\n\nfunc init() { signaturesPerThread = 32 }\n"))
	b.dir = src
	// Testify is not needed for anything else, nor what it needs.
	b.run("go", "mod", "edit", "-replace=github.com/stretchr/testify="+stand, "-droprequire=github.com/davecgh/go-spew",
		"-droprequire=github.com/pmezard/go-difflib", "-droprequire=gopkg.in/yaml.v3", "-toolchain=none")
	b.env = append(b.env, "GOFLAGS=-mod=mod")
	b.run("go", "test", "-c", "-o", "suite", ".")
	// These need a process in which no context was left open, logged in, by
	// one of the tests that fail.
	const alone = "^(TestNoLogin|TestFindingAllKeys|TestFindingKeysWithAttributes)$"
	b.suite("./suite", nil, nil, "-test.run", alone)
	const found = "wants no error where crypto11 now gives one, for a key that is not found"
	const hmac = "the key is made by a mechanism of nShield's, and crypto11 tries another only after some errors"
	b.suite("./suite", map[string]string{
		"TestKeyPairDelete":          found,
		"TestKeyDelete":              found,
		"TestAccessSameLibraryTwice": found,
		"TestHmac":                   hmac,
		"TestHmac/HMACSHA1":          hmac,
		"TestHmac/HMACSHA1General":   hmac,
		"TestHmac/HMACSHA256":        hmac,
	}, nil, "-test.skip", alone+"|^TestHardDSA$") // the token has no DSA
}
