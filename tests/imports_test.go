// Package tests holds the black-box suites over the built library, with real
// clients, and the checks on the tree itself.
package tests

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed is the import law: a package of the project may import only those
// listed beside it. A package that is not listed may not exist. Do not add an
// edge to make the test pass; the law is DESIGN: cshim, cmd → token → mech →
// p11, token → store, never upward, never sideways between engines.
var allowed = map[string][]string{
	"p11":                      {},
	"p11/gen":                  {},
	"p11/attr":                 {"p11"},
	"mech":                     {"p11", "p11/attr", "mech/internal/aesblocks", "mech/internal/rsacrt", "mech/internal/ecsig", "mech/internal/mldsa", "mech/internal/p521", "mech/internal/slhdsa"},
	"mech/internal/aesblocks":  {},
	"mech/internal/ecsig":      {},
	"mech/internal/mldsa":      {},
	"mech/internal/p521":       {},
	"mech/internal/rsacrt":     {},
	"mech/internal/rsacrt/asm": {},
	"mech/mechtest":            {"mech", "p11", "p11/attr"},
	"store":                    {},
	"store/mem":                {"store"},
	"store/folder":             {"store"},
	"store/badger":             {"store", "store/folder"},
	"store/remote":             {"store"},
	"store/shared":             {"store", "store/folder", "store/badger", "store/remote"},
	"store/stores":             {"store", "store/mem", "store/shared"},
	"store/storetest":          {"store"},
	"token/locked":             {"p11"},
	"token/seal":               {"p11", "token/locked"},
	"token/object":             {"mech", "p11", "p11/attr", "token/locked"},
	"token/policy":             {"mech", "p11", "p11/attr"},
	"token/settings":           {"p11", "token/policy", "token/seal"},
	"token":                    {"mech", "p11", "p11/attr", "store", "token/locked", "token/object", "token/policy", "token/seal"},
	"cshim":                    {"p11", "p11/attr", "store/stores", "token", "token/settings"},
	"cshim/gen":                {},
	"cmd/coffer":               {"mech", "p11", "p11/attr", "store", "store/stores", "token", "token/seal", "token/settings"},
	"mech/internal/slhdsa":     {},
}

// free may import anything: they look at the product from outside.
var free = []string{"tests", "bench"}

// forbidden modules must not get into the library, whatever drags them in.
var forbidden = map[string]string{
	"google.golang.org/grpc":     "a library in every host does not carry a server framework",
	"github.com/mmcloughlin/avo": "what writes assembly has done so when the library is built",
	"github.com/spf13/cobra":     "the command line belongs to the command",
	"github.com/miekg/pkcs11":    "the module does not call modules",
	"go.etcd.io/etcd/client/v3":  "the bridge to a cluster is coffer serve, not the library",
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsFollowTheLaw(t *testing.T) {
	for _, p := range list(t, "coffer/...") {
		name := strings.TrimPrefix(p.ImportPath, "coffer/")
		if slices.ContainsFunc(free, func(f string) bool { return name == f || strings.HasPrefix(name, f+"/") }) {
			continue
		}
		may, ok := allowed[name]
		if !ok {
			t.Errorf("%s is not in the import law", name)
			continue
		}
		for _, imp := range p.Imports {
			if imp == "C" && name != "cshim" {
				t.Errorf("%s uses cgo, which is for cshim alone", name)
			}
			if own, ok := strings.CutPrefix(imp, "coffer/"); ok && !slices.Contains(may, own) {
				t.Errorf("%s must not import %s", name, own)
			}
		}
	}
}

func TestImportsOfTheLibraryAreSmall(t *testing.T) {
	for _, p := range list(t, "coffer/cshim") {
		for _, dep := range p.Deps {
			for bad, why := range forbidden {
				if dep == bad || strings.HasPrefix(dep, bad+"/") {
					t.Errorf("the library imports %s: %s", dep, why)
				}
			}
		}
	}
}
